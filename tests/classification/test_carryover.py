"""Comparing features: what is drawn alike fits, what is shifted is found, alone or only in combination."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from pulsaurora.classes import CLASSES
from pulsaurora.classification.carryover import SKY_NAMES, compare_features
from pulsaurora.classification.dataset import Dataset
from pulsaurora.classification.night import classify_frames
from pulsaurora.classification.realframes import read_real_nights, read_real_rows
from pulsaurora.problems import ContractError, UsageError
from pulsaurora.pulsation.features import features
from pulsaurora.pulsation.table import FEATURE_NAMES
from pulsaurora.simulation.night import simulate_minutes, write_stream0
from pulsaurora.views.carryover import write_comparison

K = len(FEATURE_NAMES)


def drawn(n_sites=150, a_site=8, seed=0):
    """Rows that vary within a site and between sites, each class around a place of its own."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, 4, n_sites), a_site).astype(np.int8)
    rows = np.repeat(rng.normal(size=(n_sites, K)), a_site, axis=0) + 0.1 * rng.normal(
        size=(n_sites * a_site, K)
    )
    rows[:, 3] += 20 * labels
    scenes = np.array([f"scene {CLASSES[label]}" for label in labels])
    sites = np.repeat(np.arange(n_sites), a_site)
    return Dataset(rows.astype(np.float32), labels, scenes, sites, np.ones(len(labels), bool))


@pytest.fixture(scope="module")
def simulated():
    return drawn(K // 2, seed=0)  # fewer cannot tell how so many features go together


def test_frames_drawn_alike_lie_outside_one_time_in_a_hundred(simulated):
    others = drawn(400, seed=1)
    found = compare_features(simulated, others.features)
    assert 0.003 < found.table["outside_all"].mean() < 0.03
    assert found.table["outside_all"].max() < 0.08
    assert (found.table["place_all"] - 0.5).abs().max() < 0.2
    assert found.joint["all"].outside < 0.04


def test_a_shifted_feature_comes_first_with_how_far_it_is(simulated):
    real = drawn(30, seed=2).features.copy()
    column = FEATURE_NAMES.index(SKY_NAMES[7])
    low, high = np.percentile(simulated.features[:, column], (0.5, 99.5))
    real[:, column] = high + 0.5 * (high - low)
    first = compare_features(simulated, real).table.iloc[0]
    assert first["feature"] == SKY_NAMES[7] and first["outside_all"] == 1 and first["place_all"] == 1
    assert first["beyond_all"] == pytest.approx(0.5, rel=1e-3)


def test_what_fits_all_skies_may_not_fit_its_class(simulated):
    real = drawn(60, seed=3)
    real = real.features[real.labels == 3]
    found = compare_features(simulated, real, "bad_viewing", ["scene bad_viewing"])
    row = found.table.iloc[0]
    assert row["feature"] == FEATURE_NAMES[3]
    assert row["outside_class"] == 1 and row["outside_alike"] == 1 and row["outside_all"] < 0.1
    assert found.reference == "alike" and set(found.joint) == {"all", "alike"}


def test_values_that_each_fit_but_not_together_are_found():
    rng = np.random.default_rng(5)
    simulated = drawn(seed=4)
    hidden = np.repeat(rng.normal(size=150), 8)
    # Ten features that go together in every simulated frame, and each its own way in the real ones.
    simulated.features[:] = 0
    simulated.features[:, 10:20] = hidden[:, None] + 0.05 * rng.normal(size=(1200, 10))
    real = simulated.features[::8].copy()
    for column in range(10, 20):
        real[:, column] = rng.permutation(real[:, column])
    found = compare_features(simulated, real)
    assert found.table["outside_all"].max() < 0.1
    assert found.joint["all"].place > 0.9
    assert set(list(found.joint["all"].apart)[:10]) >= set(FEATURE_NAMES[10:20])


def test_a_feature_that_never_varies_is_no_stumbling_block(simulated):
    still = dataclasses.replace(simulated, features=simulated.features.copy())
    still.features[:, 12] = 0
    real = drawn(10, seed=6).features.copy()
    real[:, 12] = 0
    assert compare_features(still, real).table.set_index("feature")["outside_all"][FEATURE_NAMES[12]] == 0
    real[:, 12] = 0.3
    assert compare_features(still, real).table.iloc[0]["feature"] == FEATURE_NAMES[12]


def test_what_cannot_be_compared_is_refused_with_what_can(simulated):
    real = simulated.features[:5]
    with pytest.raises(UsageError, match="'cloud' is no class; the classes are bad_viewing"):
        compare_features(simulated, real, "cloud")
    with pytest.raises(UsageError, match="no simulated frame shows fog; simulated were: scene bad_viewing"):
        compare_features(simulated, real, None, ["fog"])
    with pytest.raises(ContractError, match="lacks the features"):
        compare_features(simulated, pd.DataFrame({FEATURE_NAMES[0]: [1.0]}))
    with pytest.raises(ContractError, match="found shape"):
        compare_features(simulated, real[:, :4])


def test_the_report_says_what_was_measured(simulated, tmp_path):
    real = drawn(10, seed=7).features.copy()
    real[:, 9] = 99
    found = compare_features(simulated, real, "pulsating")
    found.table = found.table.head(4)
    written = write_comparison(found, tmp_path, {"real frames": "made up"})
    report = written[0].read_text()
    assert f"| [{FEATURE_NAMES[9]}](figures/{FEATURE_NAMES[9]}.png) | 99, 99, 99 |" in report
    assert f"which therefore tell little of them: {FEATURE_NAMES[9]}." in report
    told = json.loads(written[1].read_text())
    again = pd.DataFrame(told["features"])
    assert told["reference"] == "pulsating" and told["untold"] == [FEATURE_NAMES[9]]
    assert list(again["feature"]) == list(found.table["feature"])
    np.testing.assert_allclose(again["place_all"], found.table["place_all"], atol=1e-6)
    pictures = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert pictures == {*found.table["feature"], "together"}


def test_rows_of_a_tree_are_those_of_its_frames(tmp_path):
    minutes = list(simulate_minutes(3, "2014-03-02T06:00", 3, "gill", [("arc_quiet", 3)], skip=False))
    write_stream0(tmp_path, iter(minutes))
    (night,), problems = read_real_nights(tmp_path, 2)
    np.testing.assert_array_equal(night.images, np.concatenate([m.images for m in minutes[:2]]))
    rows, more = read_real_rows(tmp_path)
    images, times = (np.concatenate([getattr(m, name) for m in minutes]) for name in ("images", "times"))
    expected = features(images, times, latitude=night.latitude, longitude=night.longitude)
    np.testing.assert_array_equal(rows[list(FEATURE_NAMES)], expected)
    assert problems == more == [] and len(classify_frames(images, times)) == len(rows)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no minute files"):
        read_real_rows(tmp_path / "empty")


def test_real_frames_at_hand_have_finite_features(shared_data):
    rows, problems = read_real_rows(shared_data / "stream0")
    assert len(rows) == 120 and not problems
    assert np.isfinite(rows[list(FEATURE_NAMES)]).all(axis=None)
