"""What a tree of PFRR images holds: the files of each date and filter.

Two trees are known, and both may stand under one root::

    ROOT/YYYY/YYYYMMDD/PKR_DASC_0WWW_YYYYMMDD_HHMMSS.mmm.FITS       as the archive has it
    ROOT/YYYY-MM-DD-WWW/PKR_DASC_...                                as it is downloaded

Names before 2010 tell no wavelength; such files are under `000`. Nothing is opened, only listed.
"""

import datetime as dt
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pulsaurora.archive.layout import plain_text
from pulsaurora.problems import Problem, UsageError

IMAGER = "dasc"  # with the filter after it where that is known
NO_WAVELENGTH = "000"
WAVELENGTHS = ("428", "558", "630")
SIDES = (512, 1024, 256)  # pixels

_NAME = re.compile(
    r"PKR_DASC_(?:0(?P<wavelength>\d{3})_)?(?P<day>\d{8})_(?P<clock>\d{6})(?:\.(?P<fraction>\d{1,6}))?\.FITS?",
    re.IGNORECASE | re.ASCII,
)
_CALIBRATION = re.compile(r"PKR_DASC_0\d{3}_(?P<day>\d{8})_(?P<kind>Az|El)\.FITS?", re.IGNORECASE | re.ASCII)
_FLAT = re.compile(r"(\d{4}-\d{2}-\d{2})-(\d{3})", re.ASCII)


class PfrrName(NamedTuple):
    """What the name of a PFRR image says: when exposure began (to the millisecond), and through what."""

    start: dt.datetime
    wavelength: str


@dataclass(slots=True)
class PfrrNight:
    """The images of one filter on one UT date.

    Attributes
    ----------
    date : datetime.date
    wavelength : str
        Three digits, nm; `000` where names tell none.
    files : list of Path
        By the time in their names.
    dayfile : Path or None
        Where the frames are in a day file instead.
    """

    date: dt.date
    wavelength: str
    files: list[Path] = field(default_factory=list)
    dayfile: Path | None = None

    @property
    def name(self):
        return f"{self.date:%Y-%m-%d}-{self.wavelength}"

    @property
    def imager(self):
        return imager_through(self.wavelength)


def imager_through(wavelength):
    """Name the imager by its filter: `dasc558`, or `dasc` where none is known (`000`)."""
    return IMAGER if wavelength == NO_WAVELENGTH else f"{IMAGER}{wavelength}"


def parse_pfrr_name(name):
    """Read `PKR_DASC_0558_20151007_082351.743.FITS`; None for a name that is not of this form."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    text = f"{match['day']}{match['clock']}{(match['fraction'] or '0').ljust(6, '0')}"
    try:
        start = dt.datetime.strptime(text, "%Y%m%d%H%M%S%f")
    except ValueError:
        return None
    return PfrrName(start, match["wavelength"] or NO_WAVELENGTH)


def find_pfrr_nights(root, start, end, wavelengths=None):
    """List the nights of a tree of PFRR images.

    Parameters
    ----------
    root : path-like
    start, end : datetime.date
        UT dates, both included.
    wavelengths : iterable of str, optional
        Three digits each; all when not given. Files whose names tell none are always listed.

    Returns
    -------
    nights : list of PfrrNight
        By date, then wavelength. A file that both trees have is listed once.
    problems : list of Problem
        What lies among the images and is none.

    Raises
    ------
    UsageError
        If the root is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise UsageError(f"{plain_text(root)}: is not a folder, expected one of PFRR images")
    wanted = None if wavelengths is None else {*wavelengths, NO_WAVELENGTH}
    nights, problems = [], []
    flat = _flat_folders(root)
    for number in range((end - start).days + 1):
        date = start + dt.timedelta(days=number)
        folders = [root / f"{date:%Y}" / f"{date:%Y%m%d}", *flat.get(date, ())]
        found = {}
        for folder in folders:
            for entry in _list(folder, problems):
                named = parse_pfrr_name(entry.name)
                if entry.name.startswith("."):
                    continue
                if named is None:
                    problems.append(Problem(plain_text(entry.path), "is not a PFRR image, passed over"))
                elif named.start.date() != date:
                    reason = f"is of {named.start.date()}, lies in a folder of {date}, passed over"
                    problems.append(Problem(plain_text(entry.path), reason))
                elif wanted is None or named.wavelength in wanted:
                    files = found.setdefault(named.wavelength, {})
                    files.setdefault(entry.name.upper(), (named.start, Path(entry.path)))
        for wavelength, files in sorted(found.items()):
            nights.append(PfrrNight(date, wavelength, [path for _, path in sorted(files.values())]))
    return nights, problems


def find_calibration(folders, date):
    """Find the elevation and azimuth of each pixel: the newest pair not after a date, else the first.

    Parameters
    ----------
    folders : iterable of path-like
        Where `PKR_DASC_0558_20150213_El.FIT` and the `..._Az.FIT` beside it may lie.
    date : datetime.date

    Returns
    -------
    dict of str to Path
        `el` and `az`; empty if there is no elevation file.
    """
    found = {}
    for folder in folders:
        for entry in _list(folder, []):
            match = _CALIBRATION.fullmatch(entry.name)
            if match:
                pair = found.setdefault(match["day"], {})
                pair.setdefault(match["kind"].lower(), Path(entry.path))
    days = sorted(day for day, pair in found.items() if "el" in pair)
    before = [day for day in days if day <= f"{date:%Y%m%d}"]
    return found[before[-1] if before else days[0]] if days else {}


def _flat_folders(root):
    """Folders `YYYY-MM-DD-WWW` by date."""
    folders = {}
    for entry in _list(root, []):
        match = _FLAT.fullmatch(entry.name)
        try:
            date = dt.date.fromisoformat(match[1]) if match else None
        except ValueError:
            continue
        if date is not None:
            folders.setdefault(date, []).append(Path(entry.path))
    return folders


def _list(folder, problems):
    """Entries of a folder by name; none if it is not there."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(Problem(plain_text(folder), f"cannot be listed ({error.strerror}), passed over"))
        return []
