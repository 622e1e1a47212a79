"""One sheet of human labels: finds its header, and reads its rows whatever its layout.

The workbooks were written by different people over years. What is known of their layouts:

- a header somewhere in the first rows, its columns in any order and under several names (`camera`);
- site and date on every row, or given once with blank cells below; then the start frame may be blank too and
  is the one after the row above;
- dates as text, as integers (20200218) or as the spreadsheet's own dates; clocks as `08:19:18` or `8.19.18`;
- frame numbers as integers or as text padded with zeros, counted from zero on the UT date in order of time;
- sheets of Poker Flat without a column for the site;
- sheets that list only nights: year, month, date, and one or several sites in a cell;
- legends and notes.
"""

import datetime
import re
from dataclasses import dataclass

from pulsaurora.archive.workbook import MAX_ROWS, MAX_TEXT, Formula
from pulsaurora.classes import BAD_VIEWING, CLASSES, NO_AURORA, OTHER_AURORA, PULSATING
from pulsaurora.problems import Problem, UnreadableFileError

# Codes and words of the workbooks, in lower case with single spaces for hyphens and underscores. What is not
# here gets no label.
CODES = {
    "bv": BAD_VIEWING,
    "cl": BAD_VIEWING,
    "clouds": BAD_VIEWING,
    "bad viewing": BAD_VIEWING,
    "cs": NO_AURORA,
    "no aurora": NO_AURORA,
    "dis": OTHER_AURORA,
    "sub": OTHER_AURORA,
    "dis sub": OTHER_AURORA,
    "diff": OTHER_AURORA,
    "discrete": OTHER_AURORA,
    "substorm": OTHER_AURORA,
    "diffuse": OTHER_AURORA,
    "diffuse, discrete": OTHER_AURORA,
    "other aurora": OTHER_AURORA,
    "p": PULSATING,
    "pa": PULSATING,
    "ps": PULSATING,
    "pulsating": PULSATING,
    "pulasting": PULSATING,
}
# Those that say too little, or several things, and so are meant to give none.
CODES_OF_NO_CLASS = frozenset(
    ("np", "cm", "co", "co, cm", "s", "sunset", "sunrise", "sunsrise", "patchy aurora")
)

_NAMES = {
    "date": "date",
    "day": "date",
    "year": "year",
    "month": "month",
    "camera": "site",
    "station": "site",
    "site": "site",
    "start time": "start_time",
    "end time": "end_time",
    "classification": "code",
    "type": "code",
    "label": "code",
    "class": "code",
    "confidence": "confidence",
    "start frame": "start_frame",
    "end frame": "end_frame",
    "comment": "comment",
    "comments": "comment",
    "note": "comment",
    "notes": "comment",
}
_HEADER_WITHIN = 20  # rows
KNOWN_HEADER = f"header of site, date and classification in the first {_HEADER_WITHIN} rows"
_MOST_COLUMNS = 12  # of a header that is not known, named
_MAX_FRAME = 100_000  # more than a day at one frame a second
_MAX_SITES = 64  # in one cell
_SITE = re.compile(r"[a-z0-9]{4}", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2})([:.])(\d{2})(?:\2(\d{2})(?:\.\d{1,6})?)?", re.ASCII)
_POKER_FLAT = re.compile(r"pfrr|poker", re.IGNORECASE)
_FIRST_DATE, _END_OF_DATES = datetime.date(1990, 1, 1), datetime.date(2100, 1, 1)


@dataclass(frozen=True, slots=True)
class RowProblem(Problem):
    """What became of one row of a workbook that is not in the table as it stands.

    Attributes
    ----------
    sheet : str
    row : int
        As the spreadsheet program numbers it.
    kind : str
        `heading` (a title or header), `legend` (on a sheet without a table), `refused` (the row cannot be
        used), or `noted` (it is in the table, without what the reason says).
    """

    sheet: str = ""
    row: int = 0
    kind: str = "refused"

    def __str__(self):
        return f"{self.path}, sheet {self.sheet!r}, row {self.row}: {self.reason}"


class Unusable(Exception):
    """Why a row cannot be used."""


def label_of(code):
    """Return the class number that a code of the workbooks stands for, or None."""
    return CODES.get(_plain(code))


def is_unknown(code):
    """Tell whether a code neither stands for a class nor is known to stand for none: a slip, perhaps."""
    return _plain(code) not in (*CODES, *CODES_OF_NO_CLASS)


def _plain(code):
    words = re.sub(r"[\s_-]+", " ", str(code).lower()).strip()
    return re.sub(r"\s*,\s*", ", ", words)


def is_site(text):
    """Tell whether a text is the name of a site: four lower-case letters or digits, so never a path."""
    return bool(_SITE.fullmatch(text))


def read_sheet(path, sheet, rows, problems):
    """Append every row of a sheet to `rows` (dictionaries) or to `problems` (RowProblem), or to both.

    Parameters
    ----------
    path : pathlib.Path
        The workbook.
    sheet : pulsaurora.archive.workbook.Sheet
    rows, problems : list

    Returns
    -------
    str
        The columns that it has in place of those known, if its rows have dates all the same; then one of them
        is refused. Empty for a table that is known, and for legends and notes.
    """
    return _SheetReader(path, sheet, rows, problems).read()


class _SheetReader:
    """Carries from row to row what is given once: site, date, and where the last interval ended."""

    def __init__(self, path, sheet, rows, problems):
        self.path, self.sheet = path, sheet
        self.rows, self.problems = rows, problems
        at_poker_flat = _POKER_FLAT.search(f"{sheet.name} {path.name}")
        self.site = "pfrr" if at_poker_flat else None
        self.date = None
        self.last_end = None

    def tell(self, number, kind, reason):
        self.problems.append(RowProblem(str(self.path), reason, 0, self.sheet.name, number, kind))

    def read(self):
        header_row, header = self.find_header()
        headless, columns = self.find_headless() if header is None else (None, "")
        for number, cells in self.sheet.rows.items():
            if number == headless:
                self.tell(number, "refused", f"no {KNOWN_HEADER}; found columns {columns}")
            elif header is None:
                self.tell(number, "legend", f"on a sheet without a {KNOWN_HEADER}")
            elif number <= header_row or _header(cells) == header:
                self.tell(number, "heading", "header" if number >= header_row else "title above the header")
            else:
                try:
                    self.rows.extend(self.read_row(number, header, cells))
                    if len(self.rows) > MAX_ROWS:  # one row may name many sites
                        raise UnreadableFileError(f"{self.path}: more than {MAX_ROWS:,} labels")
                except Unusable as reason:
                    # Rows below must not continue one that is not there.
                    self.last_end = None
                    self.tell(number, "refused", str(reason))

        return columns

    def find_headless(self):
        """Return the row that should be a header, and its texts; None and "" if there is no table.

        Legends and notes have no rows of three cells or more with a date among them.
        """
        above = None
        for number, cells in self.sheet.rows.items():
            filled = [cell for cell in cells if cell is not None]
            if len(filled) >= 3 and any(_is_dated(cell) for cell in filled):
                number, filled = above or (number, filled)
                return number, ", ".join(repr(str(cell)[:40]) for cell in filled[:_MOST_COLUMNS])
            if len(filled) >= 3:
                above = number, filled
        return None, ""

    def find_header(self):
        for number in list(self.sheet.rows)[:_HEADER_WITHIN]:
            header = _header(self.sheet.rows[number])
            named = set(header.values())
            intervals = "code" in named and ({"start_frame", "end_frame"} & named or "start_time" in named)
            if "date" in named and (intervals or {"year", "month", "site"} <= named):
                return number, header
        return None, None

    def read_row(self, number, header, cells):
        given, comments, unusable = self.sort_out(header, cells)
        before = self.site, self.date
        unusable |= self.place(given, unusable)
        if unusable:
            raise Unusable("; ".join(unusable.values()))
        sites, date = self.site, self.date
        new_night = ("site" in given or "date" in given) and before != (sites, date)
        row = {"date": date, "comment": "; ".join(comments), "workbook": self.path.name}
        row |= {"sheet": self.sheet.name, "row": number, "code": str(given.get("code", ""))}
        row["confidence"] = self.optional(number, given, "confidence", read_confidence)
        if "code" not in header.values():
            row |= {"start_frame": None, "end_frame": None, "start_time": None, "end_time": None}
        else:
            if not row["code"]:
                raise Unusable("no classification")
            row |= self.interval(number, header, given, date, new_night)
        self.last_end = row["end_frame"]
        label = label_of(row["code"])
        row["label"] = None if label is None else CLASSES[label]
        return [
            {**row, "site": site, "instrument": "pfrr" if site == "pfrr" else "themis"}
            for site in ([sites] if isinstance(sites, str) else sites)
        ]

    def sort_out(self, header, cells):
        """Return {name: value} of the cells that have one, the comments, and {name: reason} of bad cells."""
        given, comments, unusable = {}, [], {}
        for column, value in enumerate(cells):
            name = header.get(column, "comment")  # notes often stand right of the table
            if name == "" or value is None:
                continue
            if isinstance(value, Formula):
                if value.value is None and name != "comment":
                    unusable[name] = f"{name} is a formula with no value stored; replace it by its value"
                    continue
                value = value.value
            if isinstance(value, str) and len(value) > MAX_TEXT:
                unusable[name] = f"a cell has more than {MAX_TEXT:,} characters"
            elif name != "comment":
                given[name] = value
            elif value is not None:
                comments.append(str(value))
        return given, comments, unusable

    def place(self, given, unusable):
        """Take site and date from a row, and return {name: reason} if that cannot be done.

        What is no good leaves none, so that rows below do not inherit what stands above it.
        """
        refused = {}
        for name, read in (("site", _sites), ("date", lambda given: _dated(given, self.sheet.day_zero))):
            try:
                if name in unusable:
                    setattr(self, name, None)
                elif name in given:
                    setattr(self, name, read(given))
                elif getattr(self, name) is None:
                    raise Unusable(f"no {name}, and none above that can be used")
            except Unusable as reason:
                setattr(self, name, None)
                refused[name] = str(reason)
        return refused

    def optional(self, number, given, name, read):
        """Return what a cell says, or None with a note if that cannot be told."""
        try:
            return read(given[name]) if name in given else None
        except Unusable as reason:
            self.tell(number, "noted", f"{reason}; left empty")
            return None

    def interval(self, number, header, given, date, new_night):
        """Return start and end, as frames or times or both."""
        start, end = (
            self.optional(number, given, name, lambda value, name=name: read_frame(value, name))
            for name in ("start_frame", "end_frame")
        )
        if start is None and "start_frame" not in given and "start_time" not in given and end is not None:
            # Given once, blank below: each row begins where the one above ends.
            if new_night:
                raise Unusable("no start frame on the first row of a night")
            if self.last_end is None:
                raise Unusable("no start frame, and no end frame above")
            start = self.last_end + 1
        clocks = [
            self.optional(number, given, name, lambda value, name=name: self.clock(number, value, name, date))
            for name in ("start_time", "end_time")
        ]
        frames = [start, end]
        if start is not None and end is not None and end < start:
            if None in clocks or clocks[1] < clocks[0]:
                raise Unusable(f"ends at frame {end}, before it starts at {start}")
            self.tell(number, "noted", f"ends at frame {end}, before it starts at {start}; frames left empty")
            frames = [None, None]
        if None not in clocks and clocks[1] < clocks[0]:
            if None in frames:
                raise Unusable(f"ends at {clocks[1]:%H:%M:%S}, before it starts at {clocks[0]:%H:%M:%S}")
            self.tell(
                number,
                "noted",
                f"ends at {clocks[1]:%H:%M:%S}, before it starts at {clocks[0]:%H:%M:%S}; times left empty",
            )
            clocks = [None, None]
        if None in frames and None in clocks:
            raise Unusable("has neither start and end frame nor start and end time")
        names = ("start_frame", "end_frame", "start_time", "end_time")
        return dict(zip(names, (*frames, *clocks), strict=True))

    def clock(self, number, value, name, date):
        """Return a time of day as a datetime on the row's date."""
        if isinstance(value, str):
            match = _CLOCK.fullmatch(value)
            try:
                clock = datetime.time(int(match[1]), int(match[3]), int(match[4] or 0))
            except (TypeError, ValueError):
                raise Unusable(f"{name.replace('_', ' ')} {value[:40]!r} is no time of day") from None
            return datetime.datetime.combine(date, clock)
        if isinstance(value, bool) or not isinstance(value, int | float | datetime.datetime):
            raise Unusable(f"{name.replace('_', ' ')} {value!r} is no time of day")
        day = date
        if isinstance(value, datetime.datetime):
            day = value.date()
            seconds = (value - datetime.datetime.combine(day, datetime.time())).seconds
        else:
            seconds = round(value % 1 * 86400) if 0 <= value < 1e6 else -1
            if not 0 <= seconds < 86400:
                raise Unusable(f"{name.replace('_', ' ')} {value!r} is no time of day")
            if value >= 1:
                day = self.sheet.day_zero + datetime.timedelta(days=int(value))
        if day != date:
            said = f"{name.replace('_', ' ')} stands on {day}, the row on {date}"
            self.tell(number, "noted", f"{said}; only its time of day is used")
        return datetime.datetime.combine(date, datetime.time()) + datetime.timedelta(seconds=seconds)


def _sites(given):
    """Return one site, or a tuple of them."""
    names = [name.lower() for name in re.split(r"[,;\s]+", str(given["site"])) if name]
    for name in names:
        if not is_site(name):
            raise Unusable(f"{name[:40]!r} is no site; a site is four letters or digits")
    if not 1 <= len(names) <= _MAX_SITES:
        raise Unusable(f"{len(names)} sites in one cell")
    return names[0] if len(names) == 1 else tuple(names)


def _dated(given, day_zero):
    if "year" in given and "month" in given:
        parts = [read_whole(given[name], name) for name in ("year", "month", "date")]
        return _checked_date(lambda: datetime.date(*parts), "-".join(map(str, parts)))
    return read_date(given["date"], day_zero)


def _is_dated(value):
    """Tell whether a cell is a date in words or digits; a plain number could be anything."""
    if not isinstance(value, str | datetime.datetime) and (not isinstance(value, int) or value < 1_000_000):
        return False
    try:
        read_date(value, None)
    except Unusable:
        return False
    return True


def _header(cells):
    """Return {column: name of ours, or "" for a column of no use} if the cells are texts."""
    names = {}
    for column, value in enumerate(cells):
        if isinstance(value, str) and len(value) <= 40:
            name = _NAMES.get(re.sub(r"[\s_]+", " ", value.lower()).strip(), "")
            names[column] = "" if name in names.values() and name != "comment" else name
    return names


def read_whole(value, name):
    name = name.replace("_", " ")
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.0*)?", value, re.ASCII):
        value = int(value.partition(".")[0])
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Unusable(f"{name} {str(value)[:40]!r} is no whole number")
    return int(value)


def read_frame(value, name):
    frame = read_whole(value, name)
    if not 0 <= frame <= _MAX_FRAME:
        raise Unusable(f"{name.replace('_', ' ')} {frame} cannot be; a UT date has at most {_MAX_FRAME:,}")
    return frame


def read_confidence(value):
    confidence = read_whole(value, "confidence")
    if not 0 <= confidence <= 100:
        raise Unusable(f"confidence {confidence} cannot be")
    return confidence


def read_date(value, day_zero):
    if isinstance(value, datetime.datetime):
        return _checked_date(value.date, value)
    text = str(int(value)) if isinstance(value, float) and value == int(value) else str(value)
    if re.fullmatch(r"(19|20)\d{6}", text, re.ASCII):
        return _checked_date(lambda: datetime.date(int(text[:4]), int(text[4:6]), int(text[6:])), value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 20_000 <= value < 80_000:
        return _checked_date(lambda: day_zero + datetime.timedelta(days=int(value)), value)
    match = re.fullmatch(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[ T]00:00:00)?", text, re.ASCII)
    if not match:
        raise Unusable(f"{text[:40]!r} is no date; write it as 2020-02-18")
    return _checked_date(lambda: datetime.date(int(match[1]), int(match[3]), int(match[4])), value)


def _checked_date(make, value):
    try:
        date = make()
    except (ValueError, OverflowError):
        date = None
    if date is None or not _FIRST_DATE <= date < _END_OF_DATES:
        raise Unusable(f"{str(value)[:40]!r} is no date from {_FIRST_DATE} on")
    return date
