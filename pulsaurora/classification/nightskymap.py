"""The skymap of a night: found where skymaps lie, read, and told of where it cannot be."""

from pathlib import Path

from pulsaurora.archive.layout import plain_text
from pulsaurora.imaging.skymap import find_skymap, read_skymap
from pulsaurora.problems import Problem, PulsauroraError


def find_night_skymap(night, stream0):
    """Return the path of the skymap of a night in minute files, or None.

    Parameters
    ----------
    night : archive.layout.Night
    stream0 : path-like
        Root of the archive; skymaps are looked for in the night's own folders, there and beside it.
    """
    if night.dayfile:
        return None  # it is in the file
    stream0 = Path(stream0)
    for folder in (*night.folders, stream0, stream0.parent):
        if found := find_skymap(folder, night.site, night.date):
            return found
    return None


def night_elevation(night, skymap_path):
    """Return the elevation of each pixel, None where the optics' own radius is to be used, and problems.

    Parameters
    ----------
    night : archive.layout.Night
    skymap_path : path-like or None
        As `find_night_skymap` found it.
    """
    if night.dayfile:
        from pulsaurora.archive.dayfile import read_dayfile

        with read_dayfile(night.dayfile) as day:
            return _dayfile_elevation(day)
    if skymap_path is None:
        return None, []
    try:
        return read_skymap(skymap_path).elevation, []
    except PulsauroraError as error:
        reason = f"{error}; the optics' own radius is used instead"
        return None, [Problem(plain_text(skymap_path), reason)]


def _dayfile_elevation(day):
    name = plain_text(day.path)
    try:
        elevation = day.skymap("elevation")
    except PulsauroraError as error:
        found = str(error).removeprefix(f"{name}: ")
    else:
        if elevation is None or (elevation.shape == day.shape[1:] and elevation.dtype.kind == "f"):
            return elevation, []
        found = f"its elevations are {elevation.dtype} of shape {elevation.shape}"
    return None, [Problem(name, f"{found}; the optics' own radius is used instead")]
