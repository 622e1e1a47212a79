"""The features of nights, computed as `classify` computes them, kept one Parquet table a night.

A kept table is used again only if it was computed with the same definition of features from the same files:
the names and sizes of all that the night is made of, its skymap among them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.archive.layout import fingerprint
from pulsaurora.archive.outcomes import NightResult
from pulsaurora.archive.parquettables import read_parquet_about, read_parquet_columns, write_parquet
from pulsaurora.archive.tables import read_problems, were_kept_back
from pulsaurora.classes import CLASSES
from pulsaurora.classification.night import classify_night
from pulsaurora.classification.nightskymap import find_night_skymap, night_elevation
from pulsaurora.classification.tasks import NightTask
from pulsaurora.pulsation.reduction import WINDOW_S
from pulsaurora.pulsation.table import FEATURE_NAMES, FEATURE_VERSION


class _NoModel:
    """Stands where `classify_night` wants a model, so that features can be had before there is one."""

    kind = "features"

    @staticmethod
    def predict(rows):
        return np.full((len(rows), len(CLASSES)), 1 / len(CLASSES), np.float32)


@dataclass(slots=True)
class NightFeatures:
    """Every frame of one site and imager on one UT date.

    Attributes
    ----------
    times : ndarray of datetime64[us], shape (n_frames,)
        Ascending.
    features : ndarray of float32, shape (n_frames, n_features)
        In the order of FEATURE_NAMES.
    """

    times: np.ndarray
    features: np.ndarray


class FeatureTask(NightTask):
    """One night whose features are wanted; `out` is the folder where they are kept."""

    __slots__ = ()

    @property
    def path(self):
        """The table that is to be there."""
        return Path(self.out) / f"{self.night.date:%Y/%m/%d}" / f"{self.name}_features.parquet"

    @property
    def files(self):
        """All files that are made."""
        return (self.path,)


def compute_features(night, stream0, pool, count=None, stop=None):
    """Compute the features of every frame of a night.

    Parameters
    ----------
    night : archive.layout.Night
    stream0 : path-like
        Where skymaps are looked for besides the night's own folders.
    pool, count, stop
        As `pool`, `on_minutes` and `stop` of `classify_night`.

    Returns
    -------
    NightFeatures
    problems : list of Problem
    """
    elevation, problems = night_elevation(night, find_night_skymap(night, stream0))
    labelled = classify_night(night, _NoModel, pool, elevation, count, stop)
    rows = np.stack([labelled.table[name] for name in FEATURE_NAMES], axis=1).astype(np.float32)
    return NightFeatures(labelled.table["time"], rows), problems + labelled.problems


def keep_features(task, model, pool, count, stop):
    """Compute the features of one night unless they are kept; the arguments are those of `run_task`."""
    about = {
        "feature_version": str(FEATURE_VERSION),
        "feature_names": json.dumps(FEATURE_NAMES),
        "window_s": str(WINDOW_S),
        "inputs": fingerprint(task.night, find_night_skymap(task.night, task.stream0)),
    }
    if not task.overwrite and read_parquet_about(task.path).items() >= about.items():
        kept, problems = read_features(task.path), read_problems(task.path)
        if kept is not None and problems is not None and not were_kept_back(problems):
            return NightResult(task.name, "skipped", task.path, len(kept.times), problems=problems)
    computed, problems = compute_features(task.night, task.stream0, pool, count, stop)
    columns = dict(zip(FEATURE_NAMES, computed.features.T, strict=True))
    with whole_file(task.path) as passing:
        write_parquet(passing, {"time": computed.times, **columns}, about, problems)
    return NightResult(task.name, "done", task.path, len(computed.times), problems=problems)


def read_features(path):
    """Read what `keep_features` wrote; None if it is not whole.

    Returns
    -------
    NightFeatures or None
    """
    columns = read_parquet_columns(path, ("time", *FEATURE_NAMES))
    if columns is None:
        return None
    times, *features = columns
    rows = np.stack(features, axis=1).astype(np.float32)
    return NightFeatures(times.astype("datetime64[us]"), rows)
