"""How far classification files agree with people: by frame, by labelled interval and by night."""

from dataclasses import dataclass

import numpy as np

from pulsaurora.classes import CLASSES, PULSATING
from pulsaurora.classification.evaluation import (
    Reliability,
    confusion_matrix,
    estimate,
    figures_of,
    reliability,
    resample_counts,
)
from pulsaurora.problems import UsageError

# A night with less than this of pulsating aurora is a night without.
LEAST_PULSATING_S = 600.0


@dataclass
class Assessment:
    """Every figure of a comparison, each as an Estimate with its interval.

    Attributes
    ----------
    n_frames, n_unlabelled, n_contested, n_intervals : int
    confusion : ndarray of shape (4, 4)
        Frames; rows what people say, columns what the files say.
    interval_confusion : ndarray of shape (4, 4)
        Labelled intervals, each by the class that most of its frames got.
    frames, intervals : dict of str to Estimate
        As `figures_of` names them.
    nights : dict of str to Estimate
        `pulsating_found` and `pulsating_true`, recall and precision of nights with ten minutes or more of
        pulsating aurora; `hours_error`, mean absolute error of the hours of it in a night;
        `accuracy_of_nights`, where each night counts the same however long.
    reliability : Reliability
    per_night, per_interval : list of dict
        Tables.
    n_resamples, seed : int
    """

    n_frames: int
    n_unlabelled: int
    n_contested: int
    n_intervals: int
    confusion: np.ndarray
    interval_confusion: np.ndarray
    frames: dict
    intervals: dict
    nights: dict
    reliability: Reliability
    per_night: list
    per_interval: list
    n_resamples: int
    seed: int


def assess(nights, n_resamples=2000, seed=0, n_bins=15):
    """Compare nights with what people said of them.

    Parameters
    ----------
    nights : list of JudgedNight
    n_resamples, seed : int
        For the intervals, from nights drawn with replacement.
    n_bins : int
        Of the reliability curve.

    Returns
    -------
    Assessment

    Raises
    ------
    UsageError
        If there is no labelled frame.
    """
    if not sum(int((night.truth >= 0).sum()) for night in nights):
        raise UsageError("no frame has both a label of people and a row in a classification file")
    draws = resample_counts(len(nights), n_resamples, seed)
    confusions = np.array([confusion_matrix(night.truth, night.predicted) for night in nights])
    per_interval = [row for night in nights for row in _intervals(night)]
    interval_confusions = np.zeros_like(confusions)
    index = {id(night): i for i, night in enumerate(nights)}
    for row in per_interval:
        interval_confusions[index[row.pop("night_id")], row["true"], row["said"]] += 1
    per_night = [_night(night, confusion) for night, confusion in zip(nights, confusions, strict=True)]
    hours = np.array([[row["pulsating_hours"], row["said_pulsating_hours"]] for row in per_night])
    has, says = (hours * 3600 >= LEAST_PULSATING_S).T
    counts = np.column_stack(
        [has & says, has, says, np.abs(hours[:, 0] - hours[:, 1]), [row["accuracy"] for row in per_night]]
    )
    return Assessment(
        n_frames=int(confusions.sum()),
        n_unlabelled=sum(int((night.truth == -1).sum()) for night in nights),
        n_contested=sum(int((night.truth == -2).sum()) for night in nights),
        n_intervals=len(per_interval),
        confusion=confusions.sum(axis=0),
        interval_confusion=interval_confusions.sum(axis=0),
        frames=estimate(figures_of, confusions, draws),
        intervals=estimate(figures_of, interval_confusions, draws),
        nights=estimate(_night_figures(len(nights)), counts, draws),
        reliability=reliability([(n.truth, n.predicted, n.confidence) for n in nights], draws, n_bins),
        per_night=per_night,
        per_interval=[
            row | {"true": CLASSES[row["true"]], "said": CLASSES[row["said"]]} for row in per_interval
        ],
        n_resamples=n_resamples,
        seed=seed,
    )


def _night_figures(n_nights):
    def figures(total):
        both, has, says, hours, accuracy = np.moveaxis(np.asarray(total, dtype=float), -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "pulsating_found": both / has,
                "pulsating_true": both / says,
                "hours_error": hours / n_nights,
                "accuracy_of_nights": accuracy / n_nights,
            }

    return figures


def _intervals(night):
    for first, end, label in night.intervals:
        said = np.bincount(night.predicted[first:end], minlength=len(CLASSES))
        yield {
            "site": night.site,
            "date": f"{night.date:%Y-%m-%d}",
            "start": str(night.times[first].astype("datetime64[s]")),
            "end": str(night.times[end - 1].astype("datetime64[s]")),
            "n_frames": end - first,
            "true": label,
            "said": int(said.argmax()),
            "right": float(said[label] / said.sum()),
            "night_id": id(night),
        }


def _night(night, confusion):
    known = night.truth >= 0
    gaps = np.diff(night.times) / np.timedelta64(1, "h")
    hours_a_frame = float(np.median(gaps)) if len(gaps) else 3.0 / 3600
    figures = figures_of(confusion)
    rounded = {
        f"{name}_pulsating": round(float(figures[f"{name}_pulsating"]), 4)
        for name in ("precision", "recall", "f1")
    }
    return {
        "site": night.site,
        "date": f"{night.date:%Y-%m-%d}",
        "n_frames": int(known.sum()),
        "accuracy": float(figures["accuracy"]) if known.any() else 0.0,
        **{name: None if np.isnan(value) else value for name, value in rounded.items()},
        "pulsating_hours": float((night.truth[known] == PULSATING).sum() * hours_a_frame),
        "said_pulsating_hours": float((night.predicted[known] == PULSATING).sum() * hours_a_frame),
        "sure": float(night.confidence[known].mean()) if known.any() else 0.0,
    }
