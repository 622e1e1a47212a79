"""Where the sky is in a night's frames: by its skymap, which is looked for, or by the frames themselves."""

from pathlib import Path

from pulsaurora.archive.layout import plain_text
from pulsaurora.imaging.skycircle import sky_elevation
from pulsaurora.imaging.skymap import find_skymap, read_skymap
from pulsaurora.problems import Problem, PulsauroraError

# Without a skymap a few frames of a minute in every two hours, of six at most, show where the sky is.
_EVERY_MINUTES, _MOST_LOOKED_AT, _FRAMES_EACH = 120, 6, 5
INSTEAD = "the sky is where the frames show it"


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
    if skymap_path is None:
        return None, []
    try:
        return read_skymap(skymap_path).elevation, []
    except PulsauroraError as error:
        return None, [Problem(plain_text(skymap_path), f"{error}; {INSTEAD}")]


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
    return None, [Problem(name, f"{found}; {INSTEAD}")]


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
