"""What a stream0 tree holds: nights, their hours and their minute files.

Two trees are known, and both may stand under one root::

    ROOT/YYYY/MM/DD/SITE_IMAGER/utHH/YYYYMMDD_HHMM_SITE_IMAGER_full.pgm[.gz|.bz2]
    ROOT/SITE/YYYY-MM-DD/utHH/...             with the skymap beside the hours

Nothing is opened here, only listed. The names of files are not trusted: what does not read as the
archive's is reported and passed over, as is what lies where it does not belong.
"""

import datetime
import hashlib
import logging
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pulsaurora.problems import Problem, UsageError

_log = logging.getLogger(__name__)

_FRAME_NAME = re.compile(
    r"(?P<minute>\d{8}_\d{4})_(?P<site>[a-z0-9]{4})_(?P<imager>[a-z0-9]+)_full(?:_(?!wide|row)[a-z0-9]+)*\.pgm(?:\.gz|\.bz2)?",
    re.ASCII,
)
# Known company of the frames: other geometry (`_wide_`) and one row a minute (`_row2`).
_OTHER_PRODUCT = re.compile(r"_(?:wide|row\d*)(?=[_.]).*\.pgm(?:\.gz|\.bz2)?$", re.ASCII)
_SITE = re.compile(r"[a-z0-9]{4}", re.ASCII)
_NIGHT_FOLDER = re.compile(r"(?P<site>[a-z0-9]{4})_(?P<imager>[a-z0-9]+)", re.ASCII)
_HOUR_FOLDER = re.compile(r"ut(?:[01]\d|2[0-3])", re.ASCII)
_DATE_FOLDER = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MONTH_OR_DAY = re.compile(r"\d{2}", re.ASCII)
_PGM = re.compile(r"\.pgm(?:\.gz|\.bz2)?$", re.ASCII | re.IGNORECASE)
# Names that people and programs give where these are meant.
_NEARLY_HOUR = re.compile(r"\s*(?:ut)?\s*\d{1,2}\s*", re.ASCII | re.IGNORECASE)
_NEARLY_MONTH_OR_DAY = re.compile(r"\s*\d{1,2}\s*", re.ASCII)
_NEARLY_DATE = re.compile(r"\s*(\d{4})([-_. ]?)(\d\d|(?<=\D)\d)\2(\d\d|(?<=\D)\d)\s*", re.ASCII)
_INSIDE_TREE = (
    r"\d{4}",
    r"[a-z0-9]{4}",
    r"\d{4}/\d{2}",
    r"[a-z0-9]{4}/\d{4}-\d{2}-\d{2}",
    r"\d{4}/\d{2}/\d{2}",
    r"\d{4}/\d{2}/\d{2}/[a-z0-9]{4}_[a-z0-9]+",
)
# The same minute twice: the gzipped file first, whose checksum tells damage from data.
_SUFFIX_ORDER = {".gz": 0, ".pgm": 1, ".bz2": 2}


class FrameName(NamedTuple):
    """What the name of a minute file says."""

    start: datetime.datetime
    site: str
    imager: str


class Minute(NamedTuple):
    """One minute of a night: its files, best first, hold the same frames."""

    hour: int
    minute: int
    alternatives: tuple[Path, ...]


@dataclass(slots=True)
class Night:
    """One site and imager on one UT date.

    Attributes
    ----------
    site, imager : str
    date : datetime.date
    hours : dict of int to list of Minute
        Ascending hours that hold files, each with its minutes in order.
    folders : list of Path
        Where it was found; a skymap may lie there.
    dayfile : Path or None
        The day file that holds its raw frames, where it was found in one: then every minute's file is this.
    """

    site: str
    imager: str
    date: datetime.date
    hours: dict[int, list[Minute]] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    dayfile: Path | None = None

    @property
    def minutes(self):
        """Every Minute, in order."""
        return [minute for hour in sorted(self.hours) for minute in self.hours[hour]]

    @property
    def n_minutes(self):
        return sum(len(minutes) for minutes in self.hours.values())


def parse_frame_name(name):
    """Read `20140310_0605_gill_themis19_full.pgm.gz`; None for a name that is not of this form."""
    match = _FRAME_NAME.fullmatch(name)
    if match is None:
        return None
    text = match["minute"]
    year, month, day, hour, minute = (int(text[i:j]) for i, j in ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13)))
    try:
        start = datetime.datetime(year, month, day, hour, minute)
    except ValueError:
        return None
    return FrameName(start, match["site"], match["imager"])


def fingerprint(night, *others):
    """Return a digest of the names and sizes of all files that a night is made of.

    Parameters
    ----------
    night : Night
    *others : Path or None
        Further files that decide what comes out.
    """
    paths = [path for minutes in night.hours.values() for minute in minutes for path in minute.alternatives]
    return fingerprint_files([*paths, *filter(None, others)])


def fingerprint_files(paths):
    """Return a digest of the names and sizes of files, in any order, each counted once."""
    lines = []
    for path in dict.fromkeys(paths):
        try:
            size = os.stat(path).st_size
        except OSError:
            size = -1
        lines.append(f"{os.fsencode(path.name).hex()} {size}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def plain_text(path):
    """A path as text that any terminal and file takes: line ends and bytes that are no text escaped."""
    text = os.fsdecode(path)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def find_nights(root, start, end, sites=None, shard=None):
    """List the nights of a stream0 tree.

    Parameters
    ----------
    root : path-like
        The tree, or a folder inside it (a year, month, day or night), which then limits what is found.
    start, end : datetime.date or str
        UT dates, `YYYY-MM-DD`, both included.
    sites : str or iterable of str, optional
        Sites to look for; all of them by default.
    shard : Shard, optional
        Only its nights; the others' folders are not opened.

    Returns
    -------
    nights : list of Night
        By date, then site, then imager. A night whose imager changed is two.
    problems : list of Problem
        Files and folders that were passed over. `_wide_`, `_row2` and hidden files are not: they are
        known to be there and are only logged.

    Raises
    ------
    UsageError
        If the root is not a folder, the dates make no range, or a site is not four letters or digits.
    """
    root = Path(root)
    start, end = _as_date(start), _as_date(end)
    if end < start:
        raise UsageError(f"the end {end} is before the start {start}")
    if not root.is_dir():
        raise UsageError(f"{plain_text(root)}: is not a folder, expected the root of a stream0 tree")
    sites = _checked_sites(sites)
    search = _Search(start, end, sites, shard)
    search.tree(root)
    if not search.found_tree:
        inside = Path(os.path.abspath(root))
        outer = _tree_around(inside)
        if outer is not None:
            search.inside = inside
            search.tree(outer)
    return search.nights(), search.problems


def _as_date(value):
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.datetime.strptime(value, "%Y-%m-%d").date()
    except (TypeError, ValueError):
        raise UsageError(f"{value!r:.40} is not a date, expected YYYY-MM-DD") from None


def _checked_sites(sites):
    if sites is None:
        return None
    if isinstance(sites, str):
        sites = sites.replace(",", " ").split()
    sites = set(sites)
    for site in sites:
        if not isinstance(site, str) or not _SITE.fullmatch(site):
            raise UsageError(f"{site!r:.40} is not a site, expected four lower-case letters such as gill")
    return sites


def _tree_around(folder):
    """The root of the tree that a folder seems to lie in, or None."""
    for pattern in reversed(_INSIDE_TREE):
        depth = pattern.count("/") + 1
        if re.fullmatch(pattern, "/".join(folder.parts[-depth:]), re.ASCII):
            return folder.parents[depth - 1]
    return None


class _Search:
    """Walks a tree to a fixed depth, so that no loop of links holds it."""

    def __init__(self, start, end, sites, shard=None):
        self.start, self.end, self.sites, self.shard = start, end, sites, shard
        self.inside = None
        self.problems = []
        self.found_tree = False
        self._minutes = {}      # (date, site, imager) -> {(hour, minute): [path]}
        self._folders = {}      # (date, site, imager) -> [folder]

    def nights(self):
        nights = []
        for date, site, imager in sorted(self._minutes):
            found = self._minutes[date, site, imager]
            night = Night(site, imager, date, folders=self._folders[date, site, imager])
            for hour, minute in sorted(found):
                paths = found[hour, minute]
                if len(paths) > 1:
                    paths.sort(key=_preference)
                night.hours.setdefault(hour, []).append(Minute(hour, minute, tuple(paths)))
            nights.append(night)
        return nights

    def tree(self, root):
        for entry in self._list(root):
            if re.fullmatch(r"\d{4}", entry.name, re.ASCII):
                self.found_tree = True
                if self.start.year <= int(entry.name) <= self.end.year:
                    self._year(entry)
            elif self._wanted(entry.name):
                for date in self._list(entry.path):
                    if _DATE_FOLDER.fullmatch(date.name):
                        self.found_tree = True
                        self._night(self._date(*date.name.split("-")), date.path, entry.name)
                    elif self._is_nearly_night(date):
                        self._pass_over(date.path, "is not named as a date is, such as 2014-03-10")
            elif self._is_nearly_site(entry):
                self._pass_over(entry.path, "is not named as a site is, such as gill")

    def _year(self, year):
        for month in self._list(year.path):
            if _MONTH_OR_DAY.fullmatch(month.name):
                self._month(year.name, month)
            elif self._is_nearly_month(year.name, month):
                self._pass_over(month.path, "is not named as a month is, such as 03")

    def _month(self, year, month):
        for day in self._list(month.path):
            if not _NEARLY_MONTH_OR_DAY.fullmatch(day.name):
                continue
            date = self._date(year, month.name, day.name)
            if date is None:
                continue
            if _MONTH_OR_DAY.fullmatch(day.name):
                self._day(date, day.path)
            elif _is_folder(day):
                self._pass_over(day.path, "is not named as a day is, such as 10")

    def _day(self, date, folder):
        for night in self._list(folder):
            match = _NIGHT_FOLDER.fullmatch(night.name)
            if match is None:
                if not night.name.startswith("."):
                    self._pass_over(night.path, "is not named as a night is, such as gill_themis19")
            elif self._wanted(match["site"]):
                if _is_folder(night):
                    self._night(date, night.path, match["site"])
                else:
                    self._pass_over(night.path, "is a file, expected the folder of a night")

    def _night(self, date, folder, site):
        if date is None or not (self.shard is None or self.shard.takes(site, date)):
            return
        folder = Path(folder)  # here and not for each file: making one costs as much as listing a file
        for entry in self._list(folder):
            if _HOUR_FOLDER.fullmatch(entry.name):
                if _is_folder(entry):
                    for file in self._list(entry.path):
                        self._file(date, folder, site, file)
                else:
                    self._pass_over(entry.path, "is a file, expected the folder of an hour")
            elif parse_frame_name(entry.name) or (_PGM.search(entry.name) and not _is_folder(entry)):
                self._file(date, folder, site, entry)
            elif self._is_nearly_hour(entry):
                self._pass_over(entry.path, "is not named as an hour is, such as ut06")
            else:
                _log.debug("%s: beside the hours, not a frame", plain_text(entry.path))

    def _is_nearly_hour(self, entry):
        """Tell whether what lies beside the hours, under another name, is one."""
        if entry.name.startswith(".") or not _is_folder(entry):
            return False
        return bool(_NEARLY_HOUR.fullmatch(entry.name)) or any(
            _PGM.search(file.name) and not (file.name.startswith(".") or _OTHER_PRODUCT.search(file.name))
            for file in self._list(entry.path)
        )

    def _is_nearly_month(self, year, entry):
        """Tell whether a folder has a name much like that of a wanted month."""
        if not _NEARLY_MONTH_OR_DAY.fullmatch(entry.name) or not _is_folder(entry):
            return False
        first, last = (self.start.year, self.start.month), (self.end.year, self.end.month)
        return first <= (int(year), int(entry.name)) <= last

    def _is_nearly_site(self, entry):
        """Tell whether a folder has a name much like that of a wanted site, and holds wanted nights."""
        if not self._wanted(entry.name.strip().lower()) or not _is_folder(entry):
            return False
        return any(map(self._is_nearly_night, self._list(entry.path)))

    def _is_nearly_night(self, entry):
        """Tell whether a folder has a name much like that of a wanted date, and holds hours."""
        match = _NEARLY_DATE.fullmatch(entry.name)
        if match is None or self._date(match[1], match[3], match[4]) is None or not _is_folder(entry):
            return False
        return any(
            _HOUR_FOLDER.fullmatch(hour.name) or self._is_nearly_hour(hour) for hour in self._list(entry.path)
        )

    def _file(self, date, folder, site, entry):
        name = parse_frame_name(entry.name)
        if entry.name.startswith(".") or (name is None and _OTHER_PRODUCT.search(entry.name)):
            _log.debug("%s: hidden or another product, passed over", plain_text(entry.path))
        elif name is None:
            self._pass_over(entry.path, "is not a stream0 frame file")
        elif name.site != site:
            self._pass_over(entry.path, f"is of site {name.site}, lies in a folder of {site}")
        elif name.start.date() != date:
            self._pass_over(entry.path, f"is of {name.start.date()}, lies in a folder of {date}")
        else:
            night = (date, site, name.imager)
            minutes = self._minutes.setdefault(night, {})
            minutes.setdefault((name.start.hour, name.start.minute), []).append(Path(entry.path))
            folders = self._folders.setdefault(night, [])
            if folder not in folders:
                folders.append(folder)

    def _wanted(self, site):
        return bool(_SITE.fullmatch(site)) and (self.sites is None or site in self.sites)

    def _date(self, year, month, day):
        try:
            date = datetime.date(int(year), int(month), int(day))
        except ValueError:
            return None
        return date if self.start <= date <= self.end else None

    def _is_outside(self, folder):
        """Tell whether a folder is neither in, nor around, the one that was asked for."""
        here = Path(folder)
        return self.inside is not None and not (
            here == self.inside or here in self.inside.parents or self.inside in here.parents
        )

    def _list(self, folder):
        """Entries of a folder by name; none if it is outside of what was asked for, or is a file."""
        if self._is_outside(folder):
            return []
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except NotADirectoryError:
            pass
        except OSError as error:
            self._pass_over(folder, f"cannot be listed ({error.strerror})")
        return []

    def _pass_over(self, path, reason):
        if not self._is_outside(path):
            self.problems.append(Problem(plain_text(path), f"{reason}, passed over"))


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:
        return False


def _preference(path):
    return path.name.partition(".pgm")[0], _SUFFIX_ORDER[path.suffix], str(path)
