"""Probabilities over time to steadier, and to better, labels.

A sky does not change class from one frame to the next and back. `steady` joins what each frame says by itself
with what its neighbours say, by a hidden Markov chain over true times: the class lasts, and changes now and
then. `refine_probabilities` first lets a model, learned from human labels, weigh what surrounds each minute.

References
----------
Rabiner, L. R. (1989), A tutorial on hidden Markov models and selected applications in speech recognition,
Proceedings of the IEEE 77(2), sections III.A to III.C.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pulsaurora._core._steady import fill_path, fill_posterior
from pulsaurora.problems import ContractError

# Frames of looks that overlap are not independent witnesses: those within this span, seconds, count as one.
# With the change time below, on 20 simulated nights not trained on and not chosen by (the odd ones of
# tests/judge_nights.py): macro F1 0.92 after 0.90, 3.0 changes an hour where there were 4.3 in truth and 5.8
# before. 120 to 240 score alike; spans of 60 s and less make labels no better and too sure of themselves.
SHARED_S = 180.0
# Mean time between events that may change the class, seconds; 150 to 600 score alike.
CHANGE_S = 200.0
# No frame, however sure, forbids a class.
_FLOOR = 1e-6
_MODELS = Path(__file__).parent.parent / "models"
_EMBEDDED = _MODELS / "refine_reference.onnx"
EVIDENCE = ("class_confidence", "probabilities")


@dataclass(frozen=True, eq=False)
class Refinement:
    """What was learned of how classes follow from their surroundings.

    Attributes
    ----------
    model : Model
        Of kind `context`: from what surrounds a minute to probabilities. None to take each minute's own.
    sites : tuple of str
        Sites the model knows by themselves.
    change_s, shared_s : float
        For `steady`, seconds.
    temper : float
        Power that makes the steadied probabilities as sure as they are right.
    evidence : str
        What it takes: `class_confidence`, `probabilities`, or `any`.
    made_for : str
        sha256 of the model whose files it was learned from; empty where those files name none.
    """

    model: object
    sites: tuple
    change_s: float
    shared_s: float
    temper: float
    evidence: str
    made_for: str = ""


# For labels of which nothing has been learned: they last, and that is all.
STEADY_ONLY = Refinement(None, (), change_s=7200.0, shared_s=300.0, temper=0.5, evidence="any")


def steady(probabilities, times, change_s=CHANGE_S, shared_s=SHARED_S, prior=None):
    """Return the probability of each class at each frame, given the whole sequence.

    Parameters
    ----------
    probabilities : ndarray of shape (n_frames, n_classes)
        What each frame says by itself; rows with NaN say nothing.
    times : ndarray of datetime64, shape (n_frames,)
        Not decreasing.
    change_s : float
        Mean seconds between events at which the class is drawn anew; a gap much longer than that leaves
        what comes before without influence on what comes after.
    shared_s : float
        Each frame shares one witness with the frames within half of this before and after it, in equal
        parts; 0 makes each a witness of its own.
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
    evidence, gaps_s, log_prior = _prepare(probabilities, times, change_s, shared_s, prior)
    posterior = np.empty_like(evidence)
    fill_posterior(evidence, gaps_s, 1.0 / change_s, log_prior, posterior)
    return posterior.astype(np.float32)


def likeliest_path(probabilities, times, change_s=CHANGE_S, shared_s=SHARED_S, prior=None):
    """Return the single likeliest sequence of classes (int8 codes); arguments as for `steady`."""
    evidence, gaps_s, log_prior = _prepare(probabilities, times, change_s, shared_s, prior)
    path = np.empty(len(evidence), np.int8)
    fill_path(evidence, gaps_s, 1.0 / change_s, log_prior, np.empty(evidence.shape, np.int8), path)
    return path


def load_refinement(path=None):
    """Load a refinement model and check that this version computes what it takes.

    Parameters
    ----------
    path : path-like, optional
        An ONNX file of kind `context`; when not given, the embedded one, learned from a network's files that
        hold a class and its confidence.

    Returns
    -------
    Refinement

    Raises
    ------
    ContractError
        If the file is no such model, or takes other columns than this version computes.
    """
    from pulsaurora.classification.context import CONTEXT_VERSION, SITE_PREFIX, feature_names
    from pulsaurora.classification.model import load_model

    model = load_model(_EMBEDDED if path is None else path, kinds=("context",))
    names = model.feature_names
    sites = tuple(name.removeprefix(SITE_PREFIX) for name in names if name.startswith(SITE_PREFIX))
    if names != feature_names(sites) or model.feature_version != CONTEXT_VERSION:
        raise ContractError(
            f"{model.path.name}: takes {len(names)} columns of context version {model.feature_version!r}, "
            f"which differ from those of version {CONTEXT_VERSION!r} that are computed here"
        )
    numbers = {}
    for key, least, most in (("change_s", 1.0, 1e9), ("shared_s", 0.0, 1e9), ("temper", 0.0, 100.0)):
        try:
            numbers[key] = float(model.card[key])
            if not least <= numbers[key] <= most:
                raise ValueError
        except (KeyError, ValueError):
            raise ContractError(
                f"{model.path.name}: metadata pulsaurora.{key} must be a number from {least:g} to {most:g}"
            ) from None
    evidence = model.card.get("evidence")
    if evidence not in EVIDENCE:
        raise ContractError(
            f"{model.path.name}: metadata pulsaurora.evidence is {evidence!r}, expected one of {EVIDENCE}"
        )
    return Refinement(model, sites, evidence=evidence, made_for=model.card.get("made_for", ""), **numbers)


def embedded_refinements():
    """Load every refinement that comes with pulsaurora.

    Returns
    -------
    dict of str to Refinement
        By the sha256 of the model whose files it is for; the empty text stands for files that name none.
    """
    found = [load_refinement(path) for path in sorted(_MODELS.glob("refine_*.onnx"))]
    return {refinement.made_for: refinement for refinement in found}


def refine_probabilities(times, probabilities, site=None, refinement=None):
    """Return better probabilities for each frame of a night, given the whole night.

    Parameters
    ----------
    times : ndarray of datetime64, shape (n_frames,), UTC
        In order; all that there is of one site and UT date.
    probabilities : ndarray of shape (n_frames, 4)
        Of each frame by itself. From a class and its confidence, `context.soft_probabilities` makes them.
    site : str, optional
        Four letters; without it, or for a site that is not known, less can be told.
    refinement : Refinement, optional
        From `load_refinement`; the embedded one when not given.

    Returns
    -------
    ndarray of float32, shape (n_frames, 4)
        Rows sum to one. Frames of a minute change smoothly into those of the next.

    Raises
    ------
    ValueError
        If the shapes do not fit or times decrease.
    ContractError
        If times lie outside 1950 to 2099.
    """
    from pulsaurora.classification.context import by_minute, context_rows

    times = np.asarray(times).astype("datetime64[us]")
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or times.shape != probabilities.shape[:1]:
        raise ValueError(
            f"expected probabilities (n_frames, n_classes) and as many times, got shapes "
            f"{probabilities.shape} and {times.shape}"
        )
    if np.isnat(times).any() or (times[1:] < times[:-1]).any():
        raise ValueError("times must not decrease, and none may be missing")
    if not len(times):
        return np.empty(probabilities.shape, np.float32)
    refinement = refinement or load_refinement()
    minutes = by_minute(times, probabilities)
    if refinement.model is None:
        with np.errstate(invalid="ignore"):  # minutes that say nothing are NaN, as `steady` takes them
            said = minutes.total / minutes.n_frames[:, np.newaxis]
    else:
        said = refinement.model.predict(context_rows(minutes, site, refinement.sites))
    return spread(settle(said, minutes.times, refinement), minutes, times)


def settle(probabilities, times, refinement):
    """Return logarithms of a model's probabilities of minutes, steadied and tempered; rows sum to one."""
    settled = steady(probabilities, times, refinement.change_s, refinement.shared_s)
    logs = refinement.temper * np.log(np.maximum(settled.astype(np.float64), _FLOOR))
    return logs - np.log(np.exp(logs - logs.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))


def spread(logs, minutes, times):
    """Return probabilities of frames from logarithms of those of minutes, straight from middle to middle."""
    since = (times - minutes.times[0]) / np.timedelta64(1, "s")
    middles = (minutes.times - minutes.times[0]) / np.timedelta64(1, "s")
    frames = np.column_stack([np.interp(since, middles, column) for column in logs.T])
    frames = np.exp(frames - frames.max(axis=1, keepdims=True))
    return (frames / frames.sum(axis=1, keepdims=True)).astype(np.float32)


def _prepare(probabilities, times, change_s, shared_s, prior):
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
    if not (change_s > 0 and shared_s >= 0):
        raise ValueError(f"expected change_s above 0 and shared_s not below, got {change_s} and {shared_s}")
    n_classes = probabilities.shape[1]
    prior = np.full(n_classes, 1.0 / n_classes) if prior is None else np.asarray(prior, np.float64)
    if prior.shape != (n_classes,) or not (prior > 0).all():
        raise ValueError(f"expected a prior above 0 for each of {n_classes} classes, got {prior}")
    silent = np.isnan(probabilities).any(axis=1)
    weight = np.where(silent, 0.0, 1.0 / _n_sharing(gaps_s, silent, shared_s))
    told = np.where(silent[:, np.newaxis], 1.0, probabilities)
    evidence = weight[:, np.newaxis] * np.log(np.maximum(told, _FLOOR))
    return np.ascontiguousarray(evidence), np.ascontiguousarray(gaps_s), np.log(prior / prior.sum())


def _n_sharing(gaps_s, silent, shared_s):
    """Return how many frames that say something lie within half of shared_s of each; at least one."""
    at = np.concatenate([[0.0], np.cumsum(gaps_s)])[: len(silent)]
    saying = at[~silent]
    reach = shared_s / 2 + 1e-9  # both ends included, whatever the sums round to
    n = np.searchsorted(saying, at + reach, "right") - np.searchsorted(saying, at - reach, "left")
    return np.maximum(n, 1)
