"""A night at one look: its middle strips, its labels and where they come from, drawn by nightfigure.

A keogram is the strip through the middle of each frame, north to south, side by side in time. Frames
are in file orientation, whose row 0 is north, so a keogram needs no turning to have north up.
"""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pulsaurora.archive.layout import plain_text
from pulsaurora.archive.tables import classification_path, parquet_path, read_whole_night
from pulsaurora.classification.nightskymap import elevation_from_frames, find_night_skymap, night_elevation
from pulsaurora.imaging.nightreader import open_minutes
from pulsaurora.problems import ContractError, Problem, UnreadableFileError
from pulsaurora.views.nightfigure import draw_keogram, write_figure

N_COLUMNS = 7


@dataclass(slots=True)
class Keogram:
    """The middle strips of a night's frames.

    Attributes
    ----------
    brightness : ndarray of float32, shape (n_rows, n_frames), counts
        Row 0 is north.
    times : ndarray of datetime64[us], shape (n_frames,)
        UTC, ascending.
    site, imager : str
    date : datetime.date
    problems : list of Problem
        What could not be read.
    """

    brightness: np.ndarray
    times: np.ndarray
    site: str
    imager: str
    date: dt.date
    problems: list = field(default_factory=list)


def keogram_of(images, n_columns=N_COLUMNS):
    """Take the middle strip of each frame.

    Parameters
    ----------
    images : ndarray of shape (n_frames, n_rows, n_columns), counts
        In file orientation.
    n_columns : int
        Columns of pixels in the middle that one value is the mean of, the brightest and the darkest
        left out where there are three or more: a hot pixel or a star leaves no line.

    Returns
    -------
    ndarray of float32, shape (n_rows, n_frames), counts

    Raises
    ------
    ContractError
        If images have not three dimensions or fewer columns than asked for.
    """
    images = np.asarray(images)
    if images.ndim != 3 or not 1 <= n_columns <= images.shape[2]:
        raise ContractError(
            f"images: found shape {images.shape}, expected (n_frames, rows, columns) with at least "
            f"{n_columns} columns"
        )
    first = (images.shape[2] - n_columns) // 2
    strip = images[:, :, first : first + n_columns].astype(np.float32)
    total, n = strip.sum(axis=2), n_columns
    if n_columns >= 3:
        total, n = total - strip.max(axis=2) - strip.min(axis=2), n_columns - 2
    return np.ascontiguousarray((total / np.float32(n)).T)


def read_keogram(night, workers=None, on_minutes=None):
    """Read a night's frames and keep their middle strips.

    Each thread holds one minute of frames at a time; what stays is 1 kB a frame.

    Parameters
    ----------
    night : archive.layout.Night
    workers : int, optional
        Threads; a few more than there are processors when not given.
    on_minutes : callable, optional
        Called with 1 after each minute file.

    Returns
    -------
    Keogram
        Frames of one time are taken once. No frames if none can be read.
    """
    minutes = night.minutes

    def strip(minute):
        frames = read_minute(minute)
        return keogram_of(frames.images), frames.times, frames.problems

    parts, times, problems = [np.empty((256, 0), np.float32)], [np.empty(0, "datetime64[us]")], []
    with open_minutes(night) as read_minute, ThreadPoolExecutor(workers) as pool:
        for part, when, found in pool.map(strip, minutes):
            parts.append(part)
            times.append(when)
            problems += found
            if on_minutes:
                on_minutes(1)
    times, order = np.unique(np.concatenate(times), return_index=True)
    brightness = np.concatenate(parts, axis=1)[:, order]
    return Keogram(brightness, times, night.site, night.imager, night.date, problems)


def plot_night(night, out, classifications=None, stream0=None, workers=None, on_minutes=None):
    """Read a night's frames and what was found out about them, and draw both.

    Parameters
    ----------
    night : archive.layout.Night
    out : path-like
        Folder; the picture is `YYYYMMDD_SITE_IMAGER_keogram.png` there.
    classifications : path-like, optional
        Root of the tree of classification files. Without this night's file the keogram is drawn alone.
    stream0 : path-like, optional
        Where to look for a skymap, besides the night's own folders.
    workers, on_minutes
        As of `read_keogram`.

    Returns
    -------
    path : pathlib.Path or None
        None if there is no frame to draw.
    problems : list of Problem
        What could not be read.
    """
    table, problems = None, []
    if classifications is not None:
        path = classification_path(classifications, night.site, night.imager, night.date)
        table = read_labels_of(path, problems)
    elevation = elevation_of(night, stream0, problems)
    keogram = read_keogram(night, workers, on_minutes)
    problems += keogram.problems
    if not len(keogram.times):
        return None, problems
    path = Path(out) / f"{night.date:%Y%m%d}_{night.site}_{night.imager}_keogram.png"
    write_figure(draw_keogram(keogram, table, origin_of(table), elevation), path)
    return path, problems


def read_labels_of(path, problems):
    """Read all that is known of a night's frames, if anything is.

    Parameters
    ----------
    path : path-like
        The classification file.
    problems : list of Problem
        Why it cannot be read is appended.

    Returns
    -------
    DataFrame or None
        None if there is no such file that can be read.
    """
    found = [each for each in (Path(path), parquet_path(path)) if each.is_file()]
    if not found:
        return None
    try:
        return read_whole_night(path, problems)
    except UnreadableFileError as error:
        problems.append(Problem(str(found[0]), str(error).removeprefix(f"{found[0]}: ")))
        return None


def elevation_of(night, stream0, problems):
    """Return the elevation of each pixel of a night as `classify` takes it, degrees.

    Parameters
    ----------
    night : archive.layout.Night
    stream0 : path-like or None
        Where to look for a skymap besides the night's own folders.
    problems : list of Problem
        Skymaps that cannot be used are appended.

    Returns
    -------
    ndarray of shape (256, 256), or None
        From its skymap, else as some of the frames show it; None where they show none.
    """
    try:
        elevation, found = night_elevation(night, find_night_skymap(night, stream0))
        problems += found
        if elevation is None:
            with open_minutes(night) as read_minute:
                elevation = elevation_from_frames(night.minutes, read_minute)
    except UnreadableFileError as error:
        problems.append(Problem(str(night.dayfile), str(error).removeprefix(f"{night.dayfile}: ")))
        return None
    return elevation


def origin_of(table):
    """Say where labels come from, in a few words; on one line, whoever wrote them."""
    if table is None:
        return "not classified"
    about = {key: plain_text(value)[:24] for key, value in table.attrs.items()}
    said = [f"model {about['model'][:8]}"] if "model" in about else ["model not told"]
    if is_simulated(table.attrs):
        said[0] += ", trained on simulated skies only"
    if "version" in about:
        said.append(f"pulsaurora {about['version']}")
    return " · ".join(said)


def is_simulated(about):
    """Tell whether labels come from a model that has learned from simulated skies alone."""
    return about.get("trained on", "").startswith("simulated skies only")
