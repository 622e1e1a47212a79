"""Real frames of a stream0 tree, read as `classify` reads them: as rows of features, or with their pixels."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pulsaurora.archive.layout import find_nights
from pulsaurora.classification.nightfeatures import compute_features
from pulsaurora.classification.nightskymap import find_night_skymap, night_elevation
from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.imaging.frames import Frames
from pulsaurora.imaging.nightreader import open_minutes
from pulsaurora.imaging.skycircle import sky_elevation
from pulsaurora.imaging.timeorder import order_in_time
from pulsaurora.problems import UsageError
from pulsaurora.pulsation.table import FEATURE_NAMES

EVER = ("1990-01-01", "2100-01-01")


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
        From a skymap, or as the frames show it.
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
            computed, found = compute_features(night, stream0, pool)
            problems += found
            columns = dict(zip(FEATURE_NAMES, computed.features.T, strict=True))
            parts.append(pd.DataFrame({"night": _name(night), "time": computed.times, **columns}))
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
        minutes = night.minutes[:n_minutes]
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
        elevation, found = night_elevation(night, find_night_skymap(night, stream0))
        problems += found
        if elevation is None:
            elevation = sky_elevation([images])
        nights.append(RealNight(_name(night), images, times, *place, elevation))
    if not nights:
        raise UsageError(f"{stream0}: not one frame in it could be read; first problem: {problems[0]}")
    return nights, problems
