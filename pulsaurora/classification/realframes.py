"""Real frames of a stream0 tree, read as `classify` reads them: as rows of features, or with their pixels."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pulsaurora.archive.layout import find_nights
from pulsaurora.classes import CLASSES
from pulsaurora.classification.night import classify_night
from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.imaging.frames import Frames
from pulsaurora.imaging.nightreader import open_minutes
from pulsaurora.imaging.skymap import find_skymap, read_skymap
from pulsaurora.imaging.timeorder import order_in_time
from pulsaurora.problems import Problem, UnreadableFileError, UsageError
from pulsaurora.pulsation.table import FEATURE_NAMES

EVER = ("1990-01-01", "2100-01-01")


class _NoModel:
    """Stands where `classify_night` wants a model, so that features can be had before there is one."""

    kind = "features"

    @staticmethod
    def predict(rows):
        return np.full((len(rows), len(CLASSES)), 1 / len(CLASSES), np.float32)


@dataclass(slots=True)
class RealNight:
    """The first minutes of a night, with all that the features depend on.

    Attributes
    ----------
    name : str
    images : ndarray of uint16, shape (n, 256, 256)
    times : ndarray of datetime64[us], shape (n,)
        Ascending.
    latitude, longitude : float or None
    elevation : ndarray of shape (256, 256), degrees, or None
        From a skymap.
    """

    name: str
    images: np.ndarray
    times: np.ndarray
    latitude: float | None
    longitude: float | None
    elevation: np.ndarray | None


def _name(night):
    return f"{night.date:%Y-%m-%d} {night.site} {night.imager}"


def _nights(stream0):
    nights, problems = find_nights(stream0, *EVER)
    if not nights:
        raise UsageError(f"{stream0}: holds no minute files; name the root of a stream0 tree")
    return nights, problems


def _elevation(night, stream0, problems):
    for folder in (*night.folders, stream0):
        if path := find_skymap(folder, night.site, night.date):
            try:
                return read_skymap(path).elevation
            except UnreadableFileError as error:
                problems.append(Problem(str(path), f"{error}; the optics' own radius is used instead"))
    return None


def read_real_rows(stream0, workers=None):
    """Compute the features of every frame of a stream0 tree.

    Parameters
    ----------
    stream0 : path-like
        The tree, or a part of it.
    workers : int, optional
        Threads.

    Returns
    -------
    rows : DataFrame
        `night`, `time` and one column a feature, one row a frame.
    problems : list of Problem

    Raises
    ------
    UsageError
        If there is no frame.
    """
    nights, problems = _nights(stream0)
    parts = []
    with ThreadPoolExecutor(workers) as pool:
        for night in nights:
            labelled = classify_night(night, _NoModel, pool, _elevation(night, stream0, problems))
            problems += labelled.problems
            columns = {name: labelled.table[name] for name in ("time", *FEATURE_NAMES)}
            parts.append(pd.DataFrame({"night": _name(night), **columns}))
    rows = pd.concat(parts, ignore_index=True)
    if not len(rows):
        raise UsageError(f"{stream0}: not one frame in it could be read; first problem: {problems[0]}")
    return rows, problems


def read_real_nights(stream0, n_minutes):
    """Read the first minutes of each night of a stream0 tree.

    Parameters
    ----------
    stream0 : path-like
    n_minutes : int
        Minute files of a night to read; 2.6 MB each.

    Returns
    -------
    nights : list of RealNight
    problems : list of Problem

    Raises
    ------
    UsageError
        If there is no frame.
    """
    found, problems = _nights(stream0)
    nights = []
    for night in found:
        minutes = [minute for hour in sorted(night.hours) for minute in night.hours[hour]][:n_minutes]
        with open_minutes(night) as read_minute:
            parts = [read_minute(minute) for minute in minutes]
        names = [str(minute.alternatives[0]) for minute in minutes]
        source = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        frames = Frames.concatenate(parts)
        problems += frames.problems
        order, dropped = order_in_time(frames.times, frames.quality, source, names)
        images, times = frames.images, frames.times
        if order is not None:
            images, times = images[order], times[order]
            problems += dropped
        if not len(times):
            continue
        place = (frames.latitude, frames.longitude)
        if None in place:
            place = site_position(night.site) or (None, None)
        nights.append(RealNight(_name(night), images, times, *place, _elevation(night, stream0, problems)))
    if not nights:
        raise UsageError(f"{stream0}: not one frame in it could be read; first problem: {problems[0]}")
    return nights, problems
