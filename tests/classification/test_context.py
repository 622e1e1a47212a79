"""What surrounds a minute, against plain loops; what a refinement does with it, by its laws."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsaurora.classes import CLASSES
from pulsaurora.classification.context import (
    FLOOR,
    HALF_WIDTHS,
    NIGHT_GAP_MINUTES,
    SURROUNDINGS,
    by_minute,
    context_rows,
    feature_names,
    soft_probabilities,
)
from pulsaurora.classification.refine import STEADY_ONLY, load_refinement, refine_probabilities

START = np.datetime64("2020-02-18T02:00:10", "us")


def at(seconds):
    return START + (np.asarray(seconds) * 1e6).astype("timedelta64[us]")


def rows(n, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(4) * 0.3, n)


@settings(max_examples=25)
@given(st.integers(1, 120), st.integers(0, 10**6), st.sampled_from([20.0, 300.0, 4000.0]))
def test_means_match_plain_loops(n, seed, pace_s):
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.exponential(pace_s, n).cumsum()) + 10  # some gaps are longer than a night's
    probabilities = rows(n, seed)
    minutes = by_minute(at(seconds - 10), probabilities)
    found = context_rows(minutes)
    for half, first in zip(HALF_WIDTHS, range(0, 4 * len(HALF_WIDTHS), 4), strict=True):
        for index in range(n):
            expected = naive.mean_log_probability(
                seconds, probabilities, index, half, NIGHT_GAP_MINUTES, FLOOR
            )
            mine = found[minutes.index[index], first : first + 4]
            np.testing.assert_allclose(mine, expected, atol=2e-5)


def test_columns_have_names_and_unknown_places_have_none():
    minutes = by_minute(at(np.arange(0, 900, 3.0)), rows(300))
    names = feature_names(("gill", "rank"))
    found = context_rows(minutes, "rank", ("gill", "rank"))
    assert found.shape == (len(minutes.times), len(names)) and found.dtype == np.float32
    assert names[0] == "bad_viewing_within_5_min" and names[15] == "pulsating_whole_night"
    assert (found[:, names.index("site_rank")] == 1).all() and (found[:, names.index("site_gill")] == 0).all()
    known = [names.index(name) for name in SURROUNDINGS]
    assert np.isfinite(found).all()
    for site in (None, "zzzz"):
        elsewhere = context_rows(minutes, site, ("gill", "rank"))
        assert np.isnan(elsewhere[:, known]).all() and (elsewhere[:, -2:] == 0).all()


def test_frames_that_say_nothing_count_for_nothing():
    probabilities = rows(200)
    silent = np.arange(200) % 3 == 0
    told = np.where(silent[:, None], np.nan, probabilities)
    times = at(np.arange(0, 600, 3.0))
    everything = context_rows(by_minute(times, told))
    without = context_rows(by_minute(times[~silent], probabilities[~silent]))
    np.testing.assert_allclose(everything, without, rtol=1e-5)
    nothing = context_rows(by_minute(times, np.full((200, 4), np.nan)))
    np.testing.assert_allclose(nothing[:, :16], np.log(0.25 + FLOOR), rtol=1e-5)


def test_times_years_apart_need_no_memory():
    times = np.array(["1990-01-01T00:00:00", "2090-01-01T00:00:00"], "datetime64[us]")
    assert context_rows(by_minute(times, rows(2)), "gill").shape == (2, 20)


def test_class_and_confidence_become_probabilities():
    found = soft_probabilities(np.array([3, 0, 1]), np.array([0.7, 1.0, 0.1]))
    np.testing.assert_allclose(found, [[0.1, 0.1, 0.1, 0.7], [1, 0, 0, 0], [0.25] * 4])


def test_embedded_refinement_gives_probabilities_with_and_without_a_place():
    times, probabilities = at(np.arange(0, 3600, 3.0)), rows(1200)
    for site in ("gill", "zzzz", None):
        refined = refine_probabilities(times, probabilities, site)
        assert refined.shape == (1200, 4) and refined.dtype == np.float32
        np.testing.assert_allclose(refined.sum(axis=1), 1, rtol=1e-5)
    assert refine_probabilities(times[:0], probabilities[:0]).shape == (0, 4)
    assert np.isfinite(refine_probabilities(times[:1], probabilities[:1], "gill")).all()
    assert np.isfinite(refine_probabilities(times, np.full((1200, 4), np.nan), "gill")).all()


def test_refining_is_of_whole_nights_and_of_minutes():
    refinement = load_refinement()
    times, probabilities = at(np.arange(0, 7200, 3.0)), rows(2400)
    refined = refine_probabilities(times, probabilities, "gill", refinement)
    # Within a minute, the order of its frames says nothing; neighbours in time hardly differ.
    minute = by_minute(times, probabilities).index
    order = np.lexsort((np.random.default_rng(0).random(2400), minute))
    again = refine_probabilities(times, probabilities[order], "gill", refinement)
    np.testing.assert_allclose(again, refined, atol=1e-5)
    assert np.abs(np.diff(refined, axis=0)).max() < 0.1


def test_steadying_alone_keeps_what_lasts_and_overrules_what_does_not():
    told = np.tile([0.1, 0.1, 0.1, 0.7], (3600, 1))
    told[1000:1040] = [0.7, 0.1, 0.1, 0.1]
    told[2400:] = [0.1, 0.7, 0.1, 0.1]
    refined = refine_probabilities(at(np.arange(3600) * 3.0), told, None, STEADY_ONLY)
    expected = np.where(np.arange(3600) < 2400, 3, 1)
    wrong = np.flatnonzero(refined.argmax(axis=1) != expected)
    assert (np.abs(wrong - 2400) <= 20).all()
    assert refined.max() < 1 and (refined.argmax(axis=1)[1000:1040] == 3).all()


def test_what_does_not_fit_is_refused():
    times = at(np.arange(0, 30, 3.0))
    for bad_times, bad_rows in ((times[:5], rows(10)), (times, rows(10)[:, 0]), (times[::-1], rows(10))):
        with pytest.raises(ValueError, match="times"):
            refine_probabilities(bad_times, bad_rows)


def test_classes_are_those_of_every_file():
    assert load_refinement().model.classes == CLASSES
