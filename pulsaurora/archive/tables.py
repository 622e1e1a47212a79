"""Classification files and the Parquet tables beside them, read and written.

A classification file is text that any program reads: comment lines beginning `#`, an empty line, the header
`date,time,prediction,prediction_str,confidence` and one row a frame in time order. The Parquet table of the
same stem has the same rows to the microsecond and everything else that is known of each frame.
"""

import datetime
import logging
import os
import re
import time
from pathlib import Path

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.archive.parquettables import (
    class_codes,
    read_parquet_about,
    read_parquet_table,
    write_parquet,
)
from pulsaurora.classes import CLASSES
from pulsaurora.problems import Problem, UnreadableFileError

HEADER = "date,time,prediction,prediction_str,confidence"
MAX_BYTES = 16 * 2**20  # 10 times the longest night's file: more is not one of these

_log = logging.getLogger(__name__)
_ROW = re.compile(
    r"(\d{4})(\d\d)(\d\d),(\d\d:\d\d:\d\d(?:\.\d{1,6})?),([0-3]),(\w+),([0-9.eE+-]+)[ \t]*", re.ASCII
)


def classification_path(out, site, imager, date):
    """Return where the classification file of a night is: `OUT/YYYY/MM/DD/YYYYMMDD_SITE_IMAGER_...txt`.

    Parameters
    ----------
    out : path-like
        Root of the tree of classification files.
    site, imager : str
        Such as `gill`, `themis19`.
    date : datetime.date
        The night's UT date.
    """
    return Path(out) / f"{date:%Y/%m/%d}" / f"{date:%Y%m%d}_{site}_{imager}_classifications.txt"


def parquet_path(path):
    """Return where the Parquet table beside a classification file is."""
    return Path(path).with_suffix(".parquet")


def write_classifications(path, table, about, problems=()):
    """Write a classification file and its Parquet table.

    The Parquet table comes first: where there is a classification file, both are complete.

    Parameters
    ----------
    path : path-like
        The classification file; its folders are made.
    table : mapping of str to array of shape (n_frames,), or DataFrame
        One row a frame in time order. `time` (datetime64, UTC), `label` (class codes, or a pandas
        categorical of CLASSES) and `confidence` (0 to 1) are needed; every other column goes into the
        Parquet table as it is. Columns named `label` or ending in `_label` hold classes.
    about : mapping of str to str
        `version`, `model` (its sha256) and `inputs` (their fingerprint), from which later runs tell that
        the work is done; and whatever else is to be noted in the comments.
    problems : iterable of Problem
        What was wrong with this night's inputs; kept in the Parquet table's metadata.

    Raises
    ------
    ValueError
        If the rows are not in time order.
    OSError
        If the files cannot be written; then neither is changed.
    """
    times = np.asarray(table["time"]).astype("datetime64[us]")
    if times.size and (np.isnat(times).any() or (times[1:] < times[:-1]).any()):
        raise ValueError(f"{Path(path).name}: rows must be in time order, each with a time")
    with whole_file(path, lasting=True) as text, whole_file(parquet_path(path), lasting=True) as parquet:
        write_parquet(parquet, {**dict(table), "time": times}, about, problems)
        created = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        lines = [f"# File created on {created}", *(f"# {key}: {value}" for key, value in about.items()), ""]
        lines.append(HEADER)
        lines.extend(_rows(times, class_codes(table["label"]), np.asarray(table["confidence"], np.float32)))
        text.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def read_classifications(path, problems=None):
    """Read a classification file, ours or another program's of the same layout.

    Rows are put in time order whatever order they come in; rows that say nothing usable are left out, as are
    those of a frame that has one already. All of this is reported.

    Parameters
    ----------
    path : path-like
        A `..._classifications.txt` file, or the Parquet table beside one (which has more columns).
    problems : list of Problem, optional
        What was wrong with the file is appended here; logged as warnings when not given.

    Returns
    -------
    DataFrame
        Columns `time` (UTC), `label` (categorical of CLASSES), `confidence` (float32, 0 to 1); no rows where
        the file has none. `.attrs` holds what its comments say (`version`, `model`, `inputs`, ...).

    Raises
    ------
    UnreadableFileError
        If there is no such file or it is no classification file at all.
    """
    path = Path(path)
    found = []
    table = _read_parquet(path) if path.suffix == ".parquet" else _read_text(path, found)
    for problem in found:
        if problems is None:
            _log.warning("%s", problem)
    if problems is not None:
        problems.extend(found)
    return table


def read_whole_night(path, problems):
    """Read all that is known of a night's frames: a classification file with the Parquet table beside it.

    The table is taken if its times, labels and confidences are those of the text, which people and other
    programs change.

    Parameters
    ----------
    path : path-like
        The classification file; its table alone is read where there is no text.
    problems : list of Problem
        What was wrong with both is appended.

    Returns
    -------
    DataFrame
        As `read_classifications` gives it, with every column of the table; those of the text where the table
        is of other rows or cannot be read.

    Raises
    ------
    UnreadableFileError
        If the text cannot be read, or there is none and the table cannot.
    """
    path, beside = Path(path), parquet_path(path)
    if not path.is_file() and beside.is_file():
        return read_classifications(beside, problems)
    text = read_classifications(path, problems)
    if not (len(text) and beside.is_file()):
        return text
    try:
        whole = read_classifications(beside, problems)
    except UnreadableFileError as error:
        reason = str(error).removeprefix(f"{beside}: ")
        problems.append(Problem(str(beside), f"{reason}; left aside", len(text)))
        return text
    if not _are_of_one(text, whole):
        reason = "has other rows than the text beside it; left aside"
        problems.append(Problem(str(beside), reason, len(text)))
        return text
    whole.attrs |= text.attrs
    return whole


def read_about(path):
    """Return what the comments of a classification file say, as a dictionary; empty if it cannot be read.

    Reads only the beginning of the file. Used to tell whether a night is done already.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(8192).decode("utf-8", "replace")
    except OSError:
        return {}
    return _comments(start.split("\n"))


def count_text_rows(path):
    """Return how many whole rows a classification file has; 0 if it cannot be read. Takes a millisecond."""
    try:
        _, header, rows = Path(path).read_bytes().partition(f"\n{HEADER}\n".encode())
    except OSError:
        return 0
    return rows.count(b"\n") if header else 0


def read_problems(path):
    """Return the problems of the night that a Parquet table tells of; None if it is not whole.

    Parameters
    ----------
    path : path-like
        The Parquet table, or the classification file beside it.
    """
    about = read_parquet_about(parquet_path(path))
    try:
        kept = about["problems"]
        return [Problem(str(path), str(reason), int(n_kept)) for path, reason, n_kept in kept]
    except (KeyError, TypeError, ValueError):
        return None


def were_kept_back(problems):
    """Tell whether the machine would not give a file that is there: no permission, a disk or server away.

    Nothing was wrong with the file, so that it looks the same when it can be read again; what was made
    without it is not done. A link that leads nowhere is not there, and looks different once it leads there.
    """
    return any(
        (problem.reason == "no such file" or ": cannot be read (" in f": {problem.reason}")
        and os.path.exists(problem.path)
        for problem in problems
    )


def _rows(times, codes, confidence):
    """Return the text rows: times cut to the second, confidence as the shortest decimal that is exact."""
    seconds = np.datetime_as_string(times.astype("datetime64[s]"))
    shortest = confidence.astype("U16").tolist()
    names = [f"{code},{name}" for code, name in enumerate(CLASSES)]
    return [
        f"{second[:4]}{second[5:7]}{second[8:10]},{second[11:]},{names[code]},"
        f"{value if 'e' not in value else np.format_float_positional(np.float32(value))}"
        for second, code, value in zip(seconds.tolist(), codes.tolist(), shortest, strict=True)
    ]


def _are_of_one(text, whole):
    """Tell whether a Parquet table has the rows of a text, whose times may be cut to the second."""
    times, known = text["time"].to_numpy(), whole["time"].to_numpy()
    confidence = whole["confidence"].to_numpy()
    if len(times) != len(known) or known.dtype.kind != "M" or confidence.dtype.kind not in "fiu":
        return False
    return bool(
        (times.astype("datetime64[s]") == known.astype("datetime64[s]")).all()
        and (text["label"].cat.codes.to_numpy() == whole["label"].cat.codes.to_numpy()).all()
        and (text["confidence"].to_numpy() == confidence.astype(np.float32)).all()
    )


def _read_parquet(path):
    import pandas as pd

    table, about = read_parquet_table(path, {"time", "label", "confidence"})
    for name in table.columns:
        if name == "label" or name.endswith("_label"):
            if unknown := set(table[name].dropna()) - set(CLASSES):
                raise UnreadableFileError(
                    f"{path}: {name} holds {min(map(str, unknown))!r:.40}, none of the classes"
                )
            table[name] = pd.Categorical(table[name], categories=CLASSES)
    table.attrs = {key: value for key, value in about.items() if isinstance(value, str)}
    return table


def _read_text(path, problems):
    import pandas as pd

    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableFileError(
                f"{path}: {size:,} bytes is no classification file; the largest has some millions"
            )
        lines = path.read_bytes().decode("utf-8", "replace").replace("\r", "").split("\n")
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror or error}") from None

    about = _comments(lines)
    rows = [line for line in lines if line and not line.startswith("#")]
    n_headers = rows.count(HEADER)
    if rows and not n_headers and not any(map(_ROW.fullmatch, rows)):
        raise UnreadableFileError(f"{path}: begins {rows[0][:60]!r}, expected the header {HEADER!r}")
    times, codes, confidence, refused = _parse_rows([row for row in rows if row != HEADER])
    if refused:
        number = lines.index(refused[0]) + 1
        problems.append(
            Problem(
                str(path),
                f"{len(refused)} of {len(rows) - n_headers} rows cannot be read; "
                f"the first is line {number}: {refused[0][:60]!r}",
                len(times),
            )
        )
    if not len(times):
        problems.append(Problem(str(path), "holds no rows"))
    elif (other := _other_date(path.name, times)) is not None:
        problems.append(
            Problem(str(path), f"no row is of the date of its name, all are of {other}", len(times))
        )
    n_back = int((times[1:] < times[:-1]).sum())
    if n_back:
        reason = f"rows step back in time {n_back} times; put in order"
        problems.append(Problem(str(path), reason, len(times)))
    order = np.argsort(times, kind="stable")
    times, codes, confidence = times[order], codes[order], confidence[order]
    again = _said_again(times, codes, confidence, order)
    if again.any():
        times, codes, confidence = times[~again], codes[~again], confidence[~again]
        reason = f"{again.sum()} rows have the time of another: dropped"
        problems.append(Problem(str(path), reason, len(times)))
    table = pd.DataFrame(
        {
            "time": times.astype("datetime64[us]"),
            "label": pd.Categorical.from_codes(codes, categories=CLASSES),
            "confidence": confidence,
        }
    )
    table.attrs = about
    return table


def _parse_rows(rows):
    """Return times, codes, confidence of the rows that can be read, and the rows that cannot."""
    times, codes, confidence, refused = [], [], [], []
    for row in rows:
        match = _ROW.fullmatch(row)
        try:
            year, month, day, clock, code, name, value = match.groups()
            instant = datetime.datetime.fromisoformat(f"{year}-{month}-{day}T{clock}")
            value = float(value)
            if CLASSES[int(code)] != name or not 0.0 <= value <= 1.0:
                raise ValueError
        except (AttributeError, ValueError):
            refused.append(row)
        else:
            times.append(instant)
            codes.append(int(code))
            confidence.append(value)
    return (
        np.array(times, "datetime64[us]"),
        np.array(codes, np.int8),
        np.array(confidence, np.float64).astype(np.float32),
        refused,
    )


def _other_date(name, times):
    """Return the dates of rows, as text, where none is the date with which the file's name begins, if any."""
    match = re.match(r"(\d{4})(\d\d)(\d\d)_", name, re.ASCII)
    dates = np.unique(times.astype("datetime64[D]")).astype(str).tolist()
    if match is None or "-".join(match.groups()) in dates:
        return None
    return dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def _said_again(times, codes, confidence, places):
    """Tell which rows, in time order, are of a frame that has a row already.

    Times to a fraction of a second tell frames apart. Two frames may share a whole second; then their rows
    differ, and stand together in the file.
    """
    again = np.diff(times, prepend=np.datetime64("NaT")) == np.timedelta64(0)
    if (times != times.astype("datetime64[s]")).any():
        return again
    n_apart = np.cumsum(again & (np.diff(places, prepend=0) != 1))
    first = np.maximum.accumulate(np.where(again, 0, np.arange(len(times))))
    alike = (np.diff(codes, prepend=-1) == 0) & (np.diff(confidence, prepend=-1) == 0)
    return again & (alike | (n_apart > n_apart[first]))


def _comments(lines):
    """Return `key: value` of the comment lines, and the time of creation."""
    about = {}
    for line in lines:
        if not line.startswith("#"):
            if line:
                break
            continue
        key, colon, value = line[1:].partition(": ")
        if colon:
            about[key.strip()] = value.strip()
        elif line.startswith("# File created on "):
            about["created"] = line[len("# File created on ") :].strip()
    return about
