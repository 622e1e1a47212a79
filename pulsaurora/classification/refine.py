"""Probabilities over time to steadier labels.

A sky does not change class from one frame to the next and back. What each frame says by itself is joined with
what its neighbours say by a hidden Markov chain over true times: the class lasts, and changes now and then.

References
----------
Rabiner, L. R. (1989), A tutorial on hidden Markov models and selected applications in speech recognition,
Proceedings of the IEEE 77(2), sections III.A to III.C.
"""

import numpy as np

from pulsaurora._core._steady import fill_path, fill_posterior

# Frames 3 s apart share most of their two-minute window, so they are not independent witnesses: each counts
# as this part of one.
EVIDENCE_WEIGHT = 0.1
# Mean time between events that may change the class, seconds.
CHANGE_S = 600.0
# No frame, however sure, forbids a class.
_FLOOR = 1e-6


def steady(probabilities, times, change_s=CHANGE_S, weight=EVIDENCE_WEIGHT, prior=None):
    """Return the probability of each class at each frame, given the whole sequence.

    Parameters
    ----------
    probabilities : ndarray of shape (n_frames, n_classes)
        What each frame says by itself; rows of NaN say nothing.
    times : ndarray of datetime64, shape (n_frames,)
        Not decreasing.
    change_s : float
        Mean seconds between events at which the class is drawn anew; a gap much longer than that leaves
        what comes before without influence on what comes after.
    weight : float
        How much of an independent witness each frame is, 0 to 1.
    prior : ndarray of shape (n_classes,), optional
        Chance of each class at such an event; equal when not given.

    Returns
    -------
    ndarray of float32, shape (n_frames, n_classes)
        Rows sum to one.

    Raises
    ------
    ValueError
        If the shapes do not fit, times decrease, or a number is out of its range.
    """
    evidence, gaps_s, log_prior = _prepare(probabilities, times, change_s, weight, prior)
    posterior = np.empty_like(evidence)
    fill_posterior(evidence, gaps_s, 1.0 / change_s, log_prior, posterior)
    return posterior.astype(np.float32)


def likeliest_path(probabilities, times, change_s=CHANGE_S, weight=EVIDENCE_WEIGHT, prior=None):
    """Return the single likeliest sequence of classes (int8 codes); arguments as for `steady`."""
    evidence, gaps_s, log_prior = _prepare(probabilities, times, change_s, weight, prior)
    path = np.empty(len(evidence), np.int8)
    fill_path(evidence, gaps_s, 1.0 / change_s, log_prior, np.empty(evidence.shape, np.int8), path)
    return path


def _prepare(probabilities, times, change_s, weight, prior):
    probabilities = np.asarray(probabilities, np.float64)
    times = np.asarray(times)
    if probabilities.ndim != 2 or times.shape != probabilities.shape[:1]:
        raise ValueError(
            f"expected probabilities (n_frames, n_classes) and as many times, got shapes "
            f"{probabilities.shape} and {times.shape}"
        )
    gaps_s = np.diff(times) / np.timedelta64(1, "s") if len(times) else np.empty(0)
    if not (gaps_s >= 0).all():
        raise ValueError("times must not decrease, and none may be missing")
    if not (change_s > 0 and 0 <= weight <= 1):
        raise ValueError(f"expected change_s above 0 and weight from 0 to 1, got {change_s} and {weight}")
    n_classes = probabilities.shape[1]
    prior = np.full(n_classes, 1.0 / n_classes) if prior is None else np.asarray(prior, np.float64)
    if prior.shape != (n_classes,) or not (prior > 0).all():
        raise ValueError(f"expected a prior above 0 for each of {n_classes} classes, got {prior}")
    probabilities = np.where(np.isnan(probabilities), 1.0 / n_classes, probabilities)
    evidence = weight * np.log(np.maximum(probabilities, _FLOOR))
    return np.ascontiguousarray(evidence), np.ascontiguousarray(gaps_s), np.log(prior / prior.sum())
