"""What surrounds each minute of a night: the rows that a refinement model takes.

Frame by frame labels of a network flicker; what an observer would say rests on the whole night. Each minute
gets the mean probability of every class around it at several scales, and what is known without looking: how
far from magnetic midnight the site is, how high the sun and the moon stand, and which site it is.
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.imaging.ephemeris import site_position, sun_moon
from pulsaurora.imaging.magnetic import dipole_coordinates, magnetic_local_time

CONTEXT_VERSION = "1"
# Half widths in minutes of the windows around a minute; the last is the whole local night.
HALF_WIDTHS = (5, 20, 80, None)
# Times further apart than this belong to different local nights (a UT date can hold parts of two).
NIGHT_GAP_MINUTES = 180
# Means below this are as good as none: a network that never says a class still says it sometimes.
FLOOR = 0.03
SURROUNDINGS = ("magnetic_local_time", "magnetic_latitude", "sun_elevation", "moonlight")
SITE_PREFIX = "site_"


@dataclass(frozen=True)
class Minutes:
    """A sequence of frames, minute by minute.

    Attributes
    ----------
    times : ndarray of datetime64[us], shape (n_minutes,)
        Middle of each minute that has frames, in order.
    total : ndarray of shape (n_minutes, n_classes)
        Sum of the frames' probabilities.
    n_frames : ndarray of shape (n_minutes,)
    index : ndarray of int, shape (n_frames_in_all,)
        Which minute each frame is in.
    """

    times: np.ndarray
    total: np.ndarray
    n_frames: np.ndarray
    index: np.ndarray


def soft_probabilities(predicted, confidence):
    """Return probabilities where only the class and its confidence are known.

    What the class leaves is shared equally by the others. Confidence below a quarter says nothing.

    Parameters
    ----------
    predicted : ndarray of int, shape (n,)
    confidence : ndarray of shape (n,), 0 to 1

    Returns
    -------
    ndarray of float64, shape (n, 4)
    """
    n = len(CLASSES)
    confidence = np.clip(np.asarray(confidence, np.float64), 1 / n, 1.0)
    probabilities = np.repeat(((1 - confidence) / (n - 1))[:, None], n, axis=1)
    probabilities[np.arange(len(probabilities)), predicted] = confidence
    return probabilities


def by_minute(times, probabilities):
    """Sum frames by minute.

    Parameters
    ----------
    times : ndarray of datetime64, shape (n,)
        In order.
    probabilities : ndarray of shape (n, n_classes)
        Rows of NaN say nothing and count as no frame.

    Returns
    -------
    Minutes
    """
    minutes = np.asarray(times).astype("datetime64[us]").astype(np.int64) // 60_000_000
    numbers, index = np.unique(minutes, return_inverse=True)
    probabilities = np.asarray(probabilities, np.float64)
    known = ~np.isnan(probabilities).any(axis=1)
    total = np.zeros((len(numbers), probabilities.shape[1]))
    np.add.at(total, index[known], probabilities[known])
    n_frames = np.bincount(index[known], minlength=len(numbers))
    middle = (numbers * 60_000_000 + 30_000_000).astype("datetime64[us]")
    return Minutes(middle, total, n_frames, index)


def feature_names(sites=()):
    """Return the names of the columns of `context_rows`, in order."""
    windows = [f"within_{half}_min" if half else "whole_night" for half in HALF_WIDTHS]
    means = [f"{name}_{window}" for window in windows for name in CLASSES]
    return (*means, *SURROUNDINGS, *(f"{SITE_PREFIX}{site}" for site in sites))


def context_rows(minutes, site=None, sites=()):
    """Return what surrounds each minute.

    Parameters
    ----------
    minutes : Minutes
    site : str, optional
        Gives the position, for magnetic local time, sun and moon.
    sites : sequence of str
        Those that have a column of their own.

    Returns
    -------
    ndarray of float32, shape (n_minutes, n_columns)
        As `feature_names` names them: logarithms of mean probabilities; hours from magnetic midnight
        (negative before), degrees, degrees, sine of the moon's elevation times its lit part (0 when it is
        down); 1 in the column of the site. NaN where the position is not known.
    """
    numbers = minutes.times.astype(np.int64) // 60_000_000
    n = len(numbers)
    first, end = _local_nights(numbers)
    columns = []
    sums = np.vstack([np.zeros(minutes.total.shape[1]), np.cumsum(minutes.total, axis=0)])
    counts = np.concatenate([[0], np.cumsum(minutes.n_frames)])
    for half in HALF_WIDTHS:
        if half is None:
            low, high = first, end
        else:
            low = np.maximum(np.searchsorted(numbers, numbers - half), first)
            high = np.minimum(np.searchsorted(numbers, numbers + half, side="right"), end)
        n_frames = (counts[high] - counts[low])[:, None]
        equal = 1 / minutes.total.shape[1]
        mean = np.where(n_frames > 0, (sums[high] - sums[low]) / np.maximum(n_frames, 1), equal)
        columns.append(np.log(np.maximum(mean, 0) + FLOOR))
    position = site_position(site) if site else None
    surroundings = np.full((n, len(SURROUNDINGS)), np.nan)
    if position is not None and n:
        hours = (magnetic_local_time(minutes.times, *position) + 12) % 24 - 12
        sky = sun_moon(minutes.times, *position)
        surroundings[:, 0] = np.clip(hours, -8, 8)
        surroundings[:, 1] = dipole_coordinates(*position)[0]
        surroundings[:, 2] = sky.sun_elevation_deg
        up = np.maximum(np.sin(np.radians(sky.moon_elevation_deg)), 0)
        surroundings[:, 3] = up * sky.moon_illumination
    columns.append(surroundings)
    columns.append(np.tile([float(site == name) for name in sites], (n, 1)))
    return np.column_stack(columns).astype(np.float32)


def _local_nights(numbers):
    """Return, for each minute, where its local night begins and ends."""
    breaks = np.flatnonzero(np.diff(numbers) > NIGHT_GAP_MINUTES) + 1
    edges = np.concatenate([[0], breaks, [len(numbers)]])
    night = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    return edges[night], edges[night + 1]
