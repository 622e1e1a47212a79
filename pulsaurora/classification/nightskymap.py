"""Where the sky is in a night's frames: by its skymap, which is looked for, or by the frames themselves."""

from pathlib import Path

import numpy as np

from pulsaurora.archive.layout import plain_text
from pulsaurora.imaging.skycircle import sky_elevation
from pulsaurora.imaging.skymap import find_skymap, read_skymap
from pulsaurora.problems import Problem, PulsauroraError
from pulsaurora.pulsation.geography import nearest_altitude

# Without a skymap a few frames of a minute in every two hours, of six at most, show where the sky is.
_EVERY_MINUTES, _MOST_LOOKED_AT, _FRAMES_EACH = 120, 6, 5
_INSTEAD = "the sky is where the frames show it"
_NOWHERE = "what is found has no latitude and longitude"


def find_night_skymap(night, stream0):
    """Return the path of the skymap of a night in minute files, or None.

    Parameters
    ----------
    night : archive.layout.Night
    stream0 : path-like or None
        Root of the archive; skymaps are looked for in the night's own folders, there and beside it.
    """
    if night.dayfile:
        return None  # it is in the file
    roots = [] if stream0 is None else [Path(stream0), Path(stream0).parent]
    for folder in (*night.folders, *roots):
        if found := find_skymap(folder, night.site, night.date):
            return found
    return None


def night_elevation(night, skymap_path):
    """Return the elevation of each pixel by the night's skymap, None without one to be used, and problems.

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
    skymap, problems = _read(skymap_path)
    return skymap and skymap.elevation, problems


def night_grids(night, skymap_path):
    """Return the elevation of each pixel and where its light comes from; the arguments are as above.

    Returns
    -------
    elevation : ndarray of shape (256, 256), degrees, or None
    ground : (ndarray, ndarray) of shape (257, 257), degrees, or None
        Latitude and longitude of the pixels' corners, at the height nearest to the emission's.
    problems : list of Problem
    """
    if night.dayfile:
        from pulsaurora.archive.dayfile import read_dayfile

        with read_dayfile(night.dayfile) as day:
            elevation, problems = _dayfile_elevation(day)
            ground, more = _dayfile_ground(day)
        return elevation, ground, problems + more
    skymap, problems = _read(skymap_path)
    if skymap is None:
        return None, None, problems
    at = nearest_altitude(skymap.altitudes_km)
    return skymap.elevation, (skymap.latitude[at], skymap.longitude[at]), problems


def _read(skymap_path):
    """Return the Skymap, or None if there is none or it cannot be used, and problems."""
    if skymap_path is None:
        return None, []
    try:
        return read_skymap(skymap_path), []
    except PulsauroraError as error:
        return None, [Problem(plain_text(skymap_path), f"{error}; {_INSTEAD}")]


def _dayfile_elevation(day):
    name = plain_text(day.path)
    try:
        elevation = day.skymap("elevation")
    except PulsauroraError as error:
        found = str(error).removeprefix(f"{name}: ")
    else:
        if elevation is None:
            return None, []
        found = f"its elevations are {elevation.dtype} of shape {elevation.shape}"
        if elevation.shape == day.shape[1:] and elevation.dtype.kind == "f":
            if (elevation > 0).any():
                return elevation, []
            found = "none of its elevations is above the horizon"
    return None, [Problem(name, f"{found}; {_INSTEAD}")]


def _dayfile_ground(day):
    name = plain_text(day.path)
    try:
        grids = [day.skymap(grid) for grid in ("altitudes_km", "latitude", "longitude")]
    except PulsauroraError as error:
        return None, [Problem(name, f"{str(error).removeprefix(f'{name}: ')}; {_NOWHERE}")]
    if any(grid is None for grid in grids):
        return None, []
    altitudes, *ground = grids
    expected = (altitudes.size, *(side + 1 for side in day.shape[1:]))
    numbers = all(grid.dtype.kind in "fiu" for grid in grids) and np.isfinite(altitudes).all()
    if altitudes.size and numbers and all(grid.shape == expected for grid in ground):
        at = nearest_altitude(altitudes.ravel())
        return tuple(grid[at] for grid in ground), []
    found = " and ".join(f"{grid.dtype} of shape {grid.shape}" for grid in ground)
    found = f"its latitudes and longitudes are {found} with {altitudes.size} heights, expected {expected}"
    return None, [Problem(name, f"{found}; {_NOWHERE}")]


def elevation_from_frames(minutes, read_minute):
    """Return the elevation of each pixel as some frames of the night show it, or None where none shows it.

    The same minutes give the same elevations, whoever reads them, and so nearly always do others.

    Parameters
    ----------
    minutes : list of archive.layout.Minute
        All of the night, in order.
    read_minute : callable
        As `imaging.nightreader.open_minutes` yields it.
    """
    wanted = min(max(len(minutes) // _EVERY_MINUTES, 1), _MOST_LOOKED_AT)
    # The middles of equal parts; then, where some of these cannot be read, those of smaller parts.
    tried = [
        (2 * k + 1) * len(minutes) // (2 * parts) for parts in (wanted, 3 * wanted) for k in range(parts)
    ]

    def stacks():
        n_left = wanted
        for index in dict.fromkeys(tried):
            if n_left == 0:
                return
            images = read_minute(minutes[index]).images
            n_left -= len(images) > 0
            yield images

    return sky_elevation(stacks(), _FRAMES_EACH) if minutes else None
