"""Scores against plain loops and cases worked by hand; their intervals against known spreads."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora.classification.evaluation import (
    calibration_error,
    confusion_matrix,
    estimate,
    figures_of,
    reliability,
    resample_counts,
    score_labels,
)

classes = st.lists(st.tuples(st.integers(-2, 3), st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=60)


@given(classes)
def test_every_figure_matches_counting_frame_by_frame(rows):
    truth, predicted, _ = map(np.array, zip(*rows, strict=True))
    figures = figures_of(confusion_matrix(truth, predicted))
    scores = score_labels(truth, predicted)
    for number, name in enumerate(("bad_viewing", "no_aurora", "other_aurora", "pulsating")):
        expected = naive.class_scores(truth, predicted, number)
        for score, value in zip(("precision", "recall", "f1"), expected, strict=True):
            assert figures[f"{score}_{name}"] == pytest.approx(value, nan_ok=True)
            assert getattr(scores, score)[number] == pytest.approx(0 if np.isnan(value) else value)
    known = truth >= 0
    if known.any():
        assert figures["accuracy"] == scores.accuracy == pytest.approx((truth == predicted)[known].mean())
        assert figures["macro_f1"] == pytest.approx(scores.macro_f1)
    else:
        assert np.isnan(figures["accuracy"]) and scores.accuracy == 0


def test_a_case_worked_by_hand():
    figures = figures_of(confusion_matrix([3, 3, 3, 3, 1, 1], [3, 3, 3, 2, 1, 3]))
    assert figures["precision_pulsating"] == figures["recall_pulsating"] == figures["f1_pulsating"] == 3 / 4
    assert figures["accuracy"] == 4 / 6
    assert figures["macro_f1"] == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert np.isnan(figures["recall_other_aurora"]) and figures["precision_other_aurora"] == 0
    assert np.isnan(figures["precision_bad_viewing"])


@given(classes, st.integers(1, 20))
def test_calibration_error_matches_bins_one_by_one(rows, n_bins):
    truth, predicted, confidence = map(np.array, zip(*rows, strict=True))
    curve = reliability([(truth, predicted, confidence)], resample_counts(1, 10), n_bins)
    known = truth >= 0
    expected = naive.calibration_error((truth == predicted)[known], confidence[known], n_bins)
    assert curve.expected_calibration_error.value == pytest.approx(expected, nan_ok=True)
    assert curve.counts.sum() == known.sum()


def test_both_calibration_errors_agree():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 500)
    truth = np.random.default_rng(1).integers(0, 4, 500)
    night = (truth, probabilities.argmax(axis=1), probabilities.max(axis=1))
    curve = reliability([night], resample_counts(1), 15)
    assert curve.expected_calibration_error.value == pytest.approx(calibration_error(truth, probabilities))


def test_sure_labels_that_are_always_right_are_calibrated():
    curve = reliability([([3, 1], [3, 1], [1.0, 1.0])] * 3, resample_counts(3, 50))
    assert curve.expected_calibration_error.value == 0
    assert curve.accuracy[-1].value == 1 and curve.counts.tolist() == [0] * 14 + [6]
    assert np.isnan(curve.confidence[:-1]).all()


def test_intervals_come_from_nights_not_frames():
    # Of 100 nights half are all right and half all wrong, so the accuracy is 0.5 +- 0.05 however many
    # frames there are: 95 in 100 resamplings lie within 1.96 of that.
    rng = np.random.default_rng(0)
    confusions = np.zeros((100, 4, 4))
    for night in range(100):
        confusions[night, 1, 1 if night % 2 else 2] = 10_000
    found = estimate(figures_of, confusions, resample_counts(100, 4000))["accuracy"]
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - 0.098, 0.5 + 0.098), abs=0.012)
    # Nights that are all alike leave nothing to chance, and one night tells nothing of others.
    alike = estimate(figures_of, np.tile(rng.integers(1, 9, (4, 4)), (5, 1, 1)), resample_counts(5))
    alone = estimate(figures_of, rng.integers(1, 9, (1, 4, 4)), resample_counts(1))
    for found in (alike, alone):
        assert np.isnan(found["accuracy"].low) and "to" not in str(found["accuracy"])


def test_the_same_seed_draws_the_same_nights():
    np.testing.assert_array_equal(resample_counts(7, 30, 5), resample_counts(7, 30, 5))
    assert (resample_counts(7, 30).sum(axis=1) == 7).all()
    assert (resample_counts(7, 30, 1) != resample_counts(7, 30, 2)).any()
