"""Nights in day files with raw frames, for whatever works from minute files or FITS files."""

import datetime as dt
from pathlib import Path

import numpy as np

from pulsaurora.archive.dayfile import parse_dayfile_name, read_dayfile
from pulsaurora.archive.layout import Minute, Night, plain_text
from pulsaurora.archive.pfrr_layout import NO_WAVELENGTH, SIDES, PfrrNight
from pulsaurora.problems import Problem, UnreadableFileError

# Files that do not tell their night may be of a clock that was a day off.
_NOON, _FARTHEST = np.timedelta64(12, "h"), np.timedelta64(36, "h")


def find_dayfile_nights(root, start, end, sites=None, shard=None):
    """List the nights that can be worked on from THEMIS day files with raw frames.

    Parameters
    ----------
    root : path-like
        Folder of day files; `YYYY`, `YYYY/MM` and `YYYY/MM/DD` in it are looked into.
    start, end : datetime.date
        Both included.
    sites : iterable of str, optional
    shard : Shard, optional
        Only its nights; other day files are not opened.

    Returns
    -------
    nights : list of Night
        With `dayfile` set, by date, site and imager. The minutes are those of the files it was made from.
    problems : list of Problem
        Day files that cannot be used, or are left aside for another one of the same night.
    """
    nights, problems = [], []
    for paths, named in _dayfiles(root, start, end, "????"):
        if named.site is None or not (sites is None or named.site in sites):
            continue
        if shard is None or shard.takes(named.site, named.date):
            _take(nights, problems, _nights_of, paths, named)
    return nights, problems


def find_pfrr_dayfile_nights(root, start, end, wavelengths=None, besides=()):
    """List the nights that can be worked on from PFRR day files with raw frames.

    Parameters
    ----------
    root : path-like
        As for `find_dayfile_nights`.
    start, end : datetime.date
        Both included.
    wavelengths : iterable of str, optional
        Three digits each; all when not given. Day files of no known filter are always listed.
    besides : container of str
        Wavelengths that are not looked for.

    Returns
    -------
    nights : list of PfrrNight
        With `dayfile` set, by date and wavelength.
    problems : list of Problem
        Day files that cannot be used, or are left aside for another one of the same night.
    """
    wanted = None if wavelengths is None else {*wavelengths, NO_WAVELENGTH}
    nights, problems = [], []
    for paths, named in _dayfiles(root, start, end, "???"):
        if named.wavelength is None or named.wavelength in besides:
            continue
        if wanted is None or named.wavelength in wanted:
            _take(nights, problems, _pfrr_nights_of, paths, named)
    return nights, problems


def _dayfiles(root, start, end, which):
    """Yield the day files of one name, the nearest to the root first, and that name, by date and name."""
    root = Path(root)
    for day in range((end - start).days + 1):
        date = start + dt.timedelta(days=day)
        found = {}
        for below in ("", f"{date:%Y}", f"{date:%Y/%m}", f"{date:%Y/%m/%d}"):
            for path in (root / below).glob(f"all-images-{date:%Y-%m-%d}-{which}.h5"):
                found.setdefault(path.name, []).append(path)
        for name, paths in sorted(found.items()):
            named = parse_dayfile_name(name)
            if named is not None:
                yield paths, named


def _take(nights, problems, nights_of, paths, named):
    """Add the nights of a day file; of several with its name, those of the one with most frames."""
    usable = []
    for path in paths:
        try:
            usable.append((path, *nights_of(path, named)))
        except UnreadableFileError as error:
            name = plain_text(path)
            problems.append(Problem(name, str(error).removeprefix(f"{name}: ")))
    if not usable:
        return
    best, most, found = max(usable, key=lambda one: one[1])  # of equals the first
    nights += found
    for path, n_frames, _ in usable:
        if path != best:
            reason = f"has {n_frames} frames of the same night as {plain_text(best)}, which has {most}"
            problems.append(Problem(plain_text(path), f"{reason}; left aside, keep one of the two"))


def _table_of(path, day, named):
    """What our own files tell of each frame, of a file that has raw frames and its own name."""
    if not day.has_raw16:
        day.raw16()  # says what is missing and what would help
    table = day.frame_table()
    if table is None:
        raise UnreadableFileError(
            f"{plain_text(path)}: does not tell which frames were one file; pack the night again"
        )
    _check_name(path, day, named)
    return table


def _check_name(path, day, named):
    """Refuse a file that has the name of another night: labels would be of that one."""
    packed = day.about.get("night")
    if packed is not None:
        is_own, found = packed == f"{named.date}-{named.site or named.wavelength}", packed
    else:
        middle = day.times[len(day) // 2] if len(day) else np.datetime64(named.date, "us") + _NOON
        is_own = abs(middle - np.datetime64(named.date, "us") - _NOON) <= _FARTHEST
        found = middle.astype("datetime64[D]")
    if not is_own:
        raise UnreadableFileError(
            f"{plain_text(path)}: holds frames of {found}, not what its name tells; give it the name "
            "of its frames or pack the night again"
        )


def _pfrr_nights_of(path, named):
    with read_dayfile(path) as day:
        _table_of(path, day, named)
        rows, columns = day.shape[1:]
        if rows != columns or rows not in SIDES:
            raise UnreadableFileError(
                f"{plain_text(path)}: has frames of {rows} x {columns} pixels, expected 512 x 512"
            )
        return len(day), [PfrrNight(named.date, named.wavelength, dayfile=path)]


def _nights_of(path, named):
    with read_dayfile(path) as day:
        table = _table_of(path, day, named)
        if day.shape[1:] != (256, 256):
            raise UnreadableFileError(
                f"{plain_text(path)}: has frames of {day.shape[1:]} pixels, expected 256 x 256"
            )
        nights = []
        for number, imager in enumerate(day.about["imagers"]):
            night = Night(named.site, str(imager["name"]), named.date, folders=[path.parent], dayfile=path)
            for stamp in np.unique(table["minute"][table["imager"] == number]).tolist():
                minute = Minute(stamp // 60, stamp % 60, (path,))
                night.hours.setdefault(minute.hour, []).append(minute)
            if night.hours:
                nights.append(night)
        return len(day), nights
