"""Human labels: every sheet of every workbook into one table, and that table as CSV."""

import csv
import datetime
import io
import logging
from collections import Counter
from pathlib import Path

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.archive.labelsheet import (
    KNOWN_HEADER,
    RowProblem,
    Unusable,
    is_site,
    is_unknown,
    read_confidence,
    read_date,
    read_frame,
    read_sheet,
    read_whole,
)
from pulsaurora.archive.workbook import read_workbook
from pulsaurora.classes import CLASSES
from pulsaurora.problems import Problem, UnreadableFileError, UsageError

COLUMNS = (
    "instrument",
    "site",
    "date",
    "start_frame",
    "end_frame",
    "start_time",
    "end_time",
    "code",
    "label",
    "confidence",
    "comment",
    "workbook",
    "sheet",
    "row",
)
_MAX_CSV_BYTES = 64 * 2**20
_FORMULA_LIKE = ("=", "+", "-", "@", "\t")
_MOST_CODES = 10  # named in one problem

_log = logging.getLogger(__name__)


def read_labels(*paths, problems=None):
    """Read human labels from workbooks, or from the CSV that `write_labels` made of them.

    Every row of every sheet is either in the table or in `problems` (or both, if it was repaired): nothing
    is dropped unsaid. The same label in two workbooks is there twice.

    Parameters
    ----------
    *paths : path-like
        `.xlsx` workbooks, or `.csv` files of ours.
    problems : list, optional
        A RowProblem is appended for each row that is not in the table, and for each that is, but without
        one of its cells. Logged as warnings when not given, headings and legends left aside.

    Returns
    -------
    DataFrame
        One row an interval and site, in the order of the workbooks.

        ``instrument`` ``themis`` or ``pfrr``; ``site`` four letters or digits; ``date`` the UT date
        (datetime64); ``start_frame``, ``end_frame`` zero-based on the time-sorted UT date, both included
        (Int64, NA where not given); ``start_time``, ``end_time`` UTC (datetime64, NaT where not given);
        ``code`` as written; ``label`` a categorical of CLASSES, missing where the code is none of CODES;
        ``confidence`` as written, 1 to 4 (Int64); ``comment``; ``workbook``, ``sheet`` and ``row`` tell
        where it stands. Rows of lists of nights have no code and no frames.

    Raises
    ------
    UnreadableFileError
        If a file is no workbook or CSV of labels, is damaged, or too large to be one; or if a workbook gives
        no row though it has rows with dates, since its header is not known.
    """
    rows, found = [], []
    for path in map(Path, paths):
        (_read_csv if path.suffix.lower() == ".csv" else _read_xlsx)(path, rows, found)
    if problems is None:
        for problem in found:
            if problem.kind not in ("heading", "legend"):
                _log.warning("%s", problem)
    else:
        problems.extend(found)
    return _table(rows)


def read_workbooks(paths, instrument):
    """Read the labels of one instrument from workbooks, whatever becomes of some of them.

    Parameters
    ----------
    paths : path-like, or an iterable of them
        Workbooks, `.csv` files of ours, or folders whose workbooks are all read.
    instrument : str
        `themis` or `pfrr`.

    Returns
    -------
    table : DataFrame
        As `read_labels` returns it.
    problems : list of Problem
        Rows that were refused, and workbooks that could not be read.
    workbooks : list of pathlib.Path
        Those that were read.

    Raises
    ------
    UnreadableFileError
        If none can be read, or they hold no labels at all.
    UsageError
        If a folder holds no workbook.
    """
    import pandas as pd

    tables, problems, errors, read = [], [], [], []
    for workbook in _workbooks(paths):
        found = []
        try:
            tables.append(read_labels(workbook, problems=found))
        except UnreadableFileError as error:
            errors.append(error)
            problems.append(Problem(str(workbook), str(error)))
            continue
        read.append(workbook)
        problems += [problem for problem in found if problem.kind == "refused"]
    if not read:
        raise errors[0]
    table = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
    refuse_empty(table, problems, read)
    return table[table["instrument"] == instrument], problems, read


def refuse_empty(table, refused, paths):
    """Raise an UnreadableFileError if files that could be read gave no row, refused ones neither.

    Parameters
    ----------
    table : DataFrame
        As `read_labels` returns it.
    refused : list of Problem
    paths : list of path-like
    """
    if table.empty and not refused:
        names = ", ".join(map(str, paths))
        raise UnreadableFileError(f"{names}: no row of labels stands below a {KNOWN_HEADER}")


def unknown_codes(table):
    """Return what rows say that have a code and no label, where the code is not known to stand for no class.

    Parameters
    ----------
    table : DataFrame
        As `read_labels` returns it.

    Returns
    -------
    list of Problem
        One a workbook, with its rows counted by code as written, the most frequent first.
    """
    without = table[table["label"].isna() & (table["code"] != "")]
    without = without[without["code"].map(is_unknown).astype(bool)]
    problems = []
    for workbook, rows in without.drop_duplicates(["workbook", "sheet", "row"]).groupby("workbook"):
        counts = Counter(rows["code"].tolist())
        said = ", ".join(f"{code[:40]!r} {n}" for code, n in counts.most_common(_MOST_CODES))
        more = ", ..." if len(counts) > _MOST_CODES else ""
        problems.append(
            Problem(workbook, f"{len(rows)} rows have codes that stand for no class: {said}{more}")
        )
    return problems


def write_labels(path, table, problems=()):
    """Write a table of labels as CSV, and what is not in it as `..._left_out.csv` beside it.

    Text that a spreadsheet program would take for a formula gets an apostrophe in front, which `read_labels`
    takes off again.

    Parameters
    ----------
    path : path-like
        Replaced only when complete.
    table : DataFrame
        As `read_labels` returns it.
    problems : iterable of RowProblem

    Returns
    -------
    pathlib.Path
        The second file.
    """
    path = Path(path)
    columns = []
    for name in COLUMNS:
        values = table[name]
        if name == "date":
            columns.append([f"{value:%Y-%m-%d}" for value in values])
        elif name.endswith("_time"):
            columns.append(["" if v is None else f"{v:%Y-%m-%dT%H:%M:%S}" for v in _objects(values)])
        else:
            columns.append(["" if v is None else _harmless(v) for v in _objects(values)])
    beside = path.with_name(f"{path.stem}_left_out.csv")
    listed = ((p.path, p.sheet, p.row, p.kind, p.reason) for p in problems)
    lists = (
        (beside, ("workbook", "sheet", "row", "kind", "reason"), (map(_harmless, line) for line in listed)),
        (path, COLUMNS, zip(*columns, strict=True)),
    )
    for target, header, lines in lists:
        with whole_file(target) as passing, open(passing, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(lines)
    return beside


def _read_xlsx(path, rows, problems):
    n_before, told = len(rows), []
    unknown = list(filter(None, [read_sheet(path, sheet, rows, told) for sheet in read_workbook(path)]))
    n_refused = sum(problem.kind == "refused" for problem in told)
    if unknown and len(rows) == n_before and n_refused == len(unknown):
        raise UnreadableFileError(f"{path}: no sheet has a {KNOWN_HEADER}; found columns {unknown[0]}")
    problems.extend(told)


def _workbooks(paths):
    workbooks = []
    for path in map(Path, [paths] if isinstance(paths, str | Path) else paths):
        if path.is_dir():
            # A spreadsheet program's lock files begin with ~$.
            inside = sorted(p for p in path.glob("*.xlsx") if not p.name.startswith(("~", ".")))
            if not inside:
                raise UsageError(f"{path}: holds no workbook (.xlsx)")
            workbooks += inside
        else:
            workbooks.append(path)
    return workbooks


def _table(rows):
    import pandas as pd

    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    for name in ("date", "start_time", "end_time"):
        times = np.array([np.datetime64("NaT") if v is None else v for v in columns[name]], "datetime64[s]")
        columns[name] = times
    for name in ("start_frame", "end_frame", "confidence"):
        columns[name] = pd.array(columns[name], "Int64")
    columns["label"] = pd.Categorical(columns["label"], categories=CLASSES)
    for name in ("instrument", "site", "code", "comment", "workbook", "sheet"):
        columns[name] = np.array(columns[name], dtype=object)
    columns["row"] = np.array(columns["row"], dtype=np.int64)
    return pd.DataFrame(columns)


def _objects(values):
    """Return plain Python values of a column, None for what is missing."""
    return values.astype(object).where(values.notna(), None).tolist()


def _harmless(value):
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")  # the csv module would not quote it
    return f"'{text}" if text.startswith(_FORMULA_LIKE) else text


def _read_csv(path, rows, problems):
    """Read back what `write_labels` wrote (or what was added to it by hand)."""
    try:
        if path.stat().st_size > _MAX_CSV_BYTES:
            raise UnreadableFileError(f"{path}: more than {_MAX_CSV_BYTES:,} bytes; no table of labels has")
        text = path.read_bytes().decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror or error}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"{path}: not a CSV file ({error})") from None
    if not lines or tuple(lines[0]) != COLUMNS:
        begin = ",".join(lines[0])[:60] if lines else ""
        raise UnreadableFileError(f"{path}: begins {begin!r}, expected the header {','.join(COLUMNS)}")
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        try:
            rows.append(_csv_row(line))
        except Unusable as reason:
            problems.append(RowProblem(str(path), str(reason), 0, "", number, "refused"))


def _csv_row(line):
    if len(line) != len(COLUMNS):
        raise Unusable(f"{len(line)} columns, expected {len(COLUMNS)}")
    plain = (text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA_LIKE) else text for text in line)
    row = dict(zip(COLUMNS, plain, strict=True))
    if row["instrument"] not in ("themis", "pfrr") or not is_site(row["site"]):
        raise Unusable(f"{row['instrument'][:40]!r} and {row['site'][:40]!r} are no instrument and site")
    row["date"] = read_date(row["date"], None)
    for name, read in (("start_frame", read_frame), ("end_frame", read_frame), ("row", read_whole)):
        row[name] = read(row[name], name) if row[name] else None
    row["row"] = row["row"] or 0
    row["confidence"] = read_confidence(row["confidence"]) if row["confidence"] else None
    for name in ("start_time", "end_time"):
        try:
            row[name] = datetime.datetime.fromisoformat(row[name]) if row[name] else None
        except ValueError:
            raise Unusable(f"{name} {row[name][:40]!r} is no time; write it as 2020-02-18T02:50:00") from None
    for start, end in (("start_frame", "end_frame"), ("start_time", "end_time")):
        if None not in (row[start], row[end]) and row[end] < row[start]:
            raise Unusable(f"{end} is before {start}")
    if row["label"] not in ("", *CLASSES):
        raise Unusable(f"label {row['label'][:40]!r} is none of {', '.join(CLASSES)}")
    row["label"] = row["label"] or None
    return row
