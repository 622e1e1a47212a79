"""Steadying over time, against every possible sequence counted one by one, and by its laws."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora._core._steady import fill_path, fill_posterior
from pulsaurora.classification.refine import likeliest_path, steady


def seconds(values):
    return np.datetime64("2020-02-18T02:50:00", "us") + np.asarray(values * 1e6).astype("timedelta64[us]")


def rows(n, k, seed, sharpness=1.0):
    """Random probabilities, rows summing to one."""
    raw = np.random.default_rng(seed).gamma(1.0 / sharpness, size=(n, k)) + 1e-4
    return raw / raw.sum(axis=1, keepdims=True)


sequences = st.tuples(st.integers(1, 6), st.integers(2, 3), st.integers(0, 10**6), st.floats(1e-4, 1.0))


@given(sequences, st.floats(0.3, 5))
def test_posterior_and_path_match_all_sequences_counted(sequence, sharpness):
    n, k, seed, rate = sequence
    evidence = rows(n, k, seed, sharpness)
    prior = rows(1, k, seed + 1)[0]
    gaps_s = np.random.default_rng(seed + 2).exponential(1 / rate, n - 1)
    posterior = np.empty((n, k))
    fill_posterior(np.log(evidence), gaps_s, rate, np.log(prior), posterior)
    np.testing.assert_allclose(posterior, naive.steady_posterior(evidence, gaps_s, rate, prior), atol=1e-12)

    path = np.empty(n, np.int8)
    fill_path(np.log(evidence), gaps_s, rate, np.log(prior), np.empty((n, k), np.int8), path)
    weights = naive.steady_path(evidence, gaps_s, rate, prior)
    assert weights[tuple(path)] == pytest.approx(max(weights.values()), rel=1e-12)


def test_a_case_worked_by_hand():
    # Two frames, two classes, change so seldom that the class is one for both: (.8*.3) against (.2*.7).
    posterior = steady(np.array([[0.8, 0.2], [0.3, 0.7]]), seconds(np.array([0.0, 3.0])), 1e12, 0)
    np.testing.assert_allclose(posterior, [[24 / 38, 14 / 38]] * 2, rtol=1e-6)
    # A gap so long that neither says anything of the other.
    posterior = steady(np.array([[0.8, 0.2], [0.3, 0.7]]), seconds(np.array([0.0, 1e6])), 1e-3, 0)
    np.testing.assert_allclose(posterior, [[0.8, 0.2], [0.3, 0.7]], rtol=1e-6)
    # Three frames that share one witness in two minutes: each counts a third, all say what one says.
    posterior = steady(np.array([[0.8, 0.2]] * 3), seconds(np.array([0.0, 3.0, 6.0])), 1e12, 120)
    np.testing.assert_allclose(posterior, [[0.8, 0.2]] * 3, rtol=1e-6)
    # A frame alone says what it says.
    alone = steady(np.array([[0.8, 0.2]]), seconds(np.array([0.0])))
    np.testing.assert_allclose(alone, [[0.8, 0.2]], rtol=1e-6)


def test_frames_share_a_witness_with_those_near_them():
    # 20 frames of one minute, once alone and once with 20 more an hour later: no difference to the first.
    times = np.concatenate([np.arange(20) * 3.0, 3600 + np.arange(20) * 3.0])
    told = rows(40, 4, 0)
    alone = steady(told[:20], seconds(times[:20]), change_s=1e-3)
    np.testing.assert_allclose(steady(told, seconds(times), change_s=1e-3)[:20], alone, rtol=1e-6)
    # At half the cadence, half as many frames say as much: the same steady sky is as sure.
    quick, slow = (np.tile([0.1, 0.2, 0.3, 0.4], (n, 1)) for n in (2400, 1200))
    sure = steady(quick, seconds(3.0 * np.arange(2400)))[1200]
    np.testing.assert_allclose(steady(slow, seconds(6.0 * np.arange(1200)))[600], sure, atol=0.01)


@given(st.integers(1, 200), st.integers(0, 10**6))
def test_frames_that_say_nothing_leave_the_prior_and_change_no_other(n, seed):
    times = seconds(np.sort(np.random.default_rng(seed).uniform(0, 5000, n)))
    for nothing in (np.full((n, 4), 0.25), np.full((n, 4), np.nan)):
        np.testing.assert_allclose(steady(nothing, times), 0.25, rtol=1e-5)
    told = rows(n, 4, seed)
    silent = np.random.default_rng(seed + 1).random(n) < 0.5
    told[silent] = np.nan
    if not silent.all():
        without = steady(told[~silent], times[~silent])
        np.testing.assert_allclose(steady(told, times)[~silent], without, atol=2e-6)


def test_one_outlier_in_a_long_steady_run_is_overruled():
    told = np.tile([0.05, 0.05, 0.1, 0.8], (400, 1))
    told[200] = [0.9, 0.04, 0.03, 0.03]
    times = seconds(3.0 * np.arange(400))
    assert (steady(told, times).argmax(axis=1) == 3).all()
    assert (likeliest_path(told, times) == 3).all()


def test_a_lasting_change_is_kept_and_dated():
    told = np.tile([0.05, 0.05, 0.1, 0.8], (1200, 1))
    told[450:] = [0.1, 0.8, 0.05, 0.05]
    times = seconds(3.0 * np.arange(1200))
    for found in (steady(told, times).argmax(axis=1), likeliest_path(told, times)):
        (change,) = np.flatnonzero(np.diff(found))
        assert (found[0], found[-1]) == (3, 1) and abs(change + 1 - 450) <= 2


@given(st.integers(2, 300), st.integers(0, 10**6))
def test_time_reversed_gives_the_reverse(n, seed):
    offsets = np.sort(np.random.default_rng(seed).uniform(0, 3000, n))
    told, prior = rows(n, 4, seed), rows(1, 4, seed + 1)[0]
    forward = steady(told, seconds(offsets), prior=prior)
    backward = steady(told[::-1], seconds(3000 - offsets[::-1]), prior=prior)
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-5)


@given(st.integers(1, 300), st.integers(0, 10**6))
def test_rows_sum_to_one_and_classes_may_be_renamed(n, seed):
    told, times = rows(n, 4, seed), seconds(3.0 * np.arange(n))
    posterior = steady(told, times)
    np.testing.assert_allclose(posterior.sum(axis=1), 1, rtol=1e-5)
    order = np.random.default_rng(seed).permutation(4)
    np.testing.assert_allclose(steady(told[:, order], times), posterior[:, order], atol=1e-6)


def test_certain_frames_and_a_long_night_do_not_underflow():
    told = np.zeros((30_000, 4))
    told[np.arange(30_000), np.where(np.arange(30_000) < 10_000, 0, 2)] = 1.0
    posterior = steady(told, seconds(3.0 * np.arange(30_000)), change_s=1e9, shared_s=0)
    assert np.isfinite(posterior).all()
    np.testing.assert_array_equal(posterior.argmax(axis=1), told.argmax(axis=1))


def test_nothing_in_nothing_out():
    assert steady(np.empty((0, 4)), seconds(np.empty(0))).shape == (0, 4)
    assert likeliest_path(np.empty((0, 4)), seconds(np.empty(0))).shape == (0,)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"times": seconds(np.array([3.0, 0.0]))}, "must not decrease"),
        ({"times": np.array(["2020-01-01", "NaT"], "datetime64[us]")}, "must not decrease"),
        ({"times": seconds(np.array([0.0]))}, r"\(2, 4\) and \(1,\)"),
        ({"change_s": 0.0}, "change_s above 0"),
        ({"shared_s": -1.0}, "shared_s not below"),
        ({"prior": [1, 0, 1, 1]}, "prior above 0"),
    ],
)
def test_arguments_that_cannot_be_meant(changed, said):
    arguments = {"probabilities": rows(2, 4, 0), "times": seconds(np.array([0.0, 3.0]))} | changed
    with pytest.raises(ValueError, match=said):
        steady(**arguments)
