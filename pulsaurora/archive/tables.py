"""Classification files and the Parquet tables beside them, read and written.

A classification file is text that any program reads: comment lines beginning `#`, an empty line, the header
`date,time,prediction,prediction_str,confidence` and one row a frame in time order. The Parquet table of the
same stem has the same rows to the microsecond and everything else that is known of each frame.

pandas is imported where a table is handed out, not where one is written: classifying needs none.
"""

import datetime
import json
import logging
import re
import time
from pathlib import Path

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.classes import CLASSES
from pulsaurora.problems import Problem, UnreadableFileError

HEADER = "date,time,prediction,prediction_str,confidence"
MAX_BYTES = 16 * 2**20  # 10 times the longest night's file: more is not one of these
# A night has at most some 30,000 rows of some hundred columns; a few bytes can claim thousands of millions.
MAX_ROWS, MAX_COLUMNS, MAX_INFLATED_BYTES = 500_000, 1000, 512 * 2**20

_log = logging.getLogger(__name__)
_ROW = re.compile(
    r"(\d{4})(\d\d)(\d\d),(\d\d:\d\d:\d\d(?:\.\d{1,6})?),([0-3]),(\w+),([0-9.eE+-]+)[ \t]*", re.ASCII
)
_METADATA_KEY = b"pulsaurora"


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
    with whole_file(path) as text, whole_file(parquet_path(path)) as parquet:
        write_parquet(parquet, {**dict(table), "time": times}, about, problems)
        created = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        lines = [f"# File created on {created}", *(f"# {key}: {value}" for key, value in about.items()), ""]
        lines.append(HEADER)
        lines.extend(_rows(times, _codes(table["label"]), np.asarray(table["confidence"], np.float32)))
        text.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def prepare_to_write():
    """Import what writing needs; takes 0.1 s, which can pass while a night is read."""
    import pyarrow.parquet  # noqa: F401


def read_classifications(path, problems=None):
    """Read a classification file, ours or another program's of the same layout.

    Rows are put in time order whatever order they come in, rows that say nothing usable are left out, and
    both are reported.

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


def read_parquet_about(path):
    """Return what a Parquet table of ours tells of itself, as a dictionary; empty if it cannot be read."""
    import pyarrow.parquet

    try:
        with open(path, "rb") as file:
            metadata = pyarrow.parquet.read_metadata(file).metadata or {}
        about = json.loads(metadata[_METADATA_KEY])
    except (OSError, pyarrow.ArrowException, KeyError, ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def count_rows(path):
    """Return how many rows a Parquet table has; None if it cannot be read."""
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_metadata(path).num_rows
    except (OSError, pyarrow.ArrowException):
        return None


def count_labels(path):
    """Return how many frames of each class a Parquet table has, by class; None if it cannot be read.

    Reads the column `label` only, 1 ms for a night.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            column = file.read(columns=["label"])["label"]
        counts = dict.fromkeys(CLASSES, 0)
        for part in column.chunks:
            for name, code in zip(part.dictionary.to_pylist(), range(len(part.dictionary)), strict=True):
                counts[name] += int(np.count_nonzero(part.indices.to_numpy(zero_copy_only=False) == code))
        return counts
    except (OSError, KeyError, ValueError, AttributeError, pyarrow.ArrowException):
        return None


def read_parquet_columns(path, names):
    """Return columns of a Parquet table of ours, or None if it cannot be read or lacks one of them.

    Parameters
    ----------
    path : path-like
    names : sequence of str
        Columns of numbers or times.

    Returns
    -------
    list of ndarray, or None
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with open(path, "rb") as file:
            _check_claims(path, file)
            whole = pyarrow.parquet.read_table(file, columns=list(names), partitioning=None)
        return [whole[name].to_numpy() for name in names]
    except (OSError, KeyError, ValueError, pyarrow.ArrowException):
        return None


def _check_claims(path, file):
    """Refuse a Parquet file that says it holds more than any table of a night, before memory is set aside."""
    import pyarrow.parquet

    about = pyarrow.parquet.read_metadata(file)
    n_bytes = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    for found, most, what in (
        (about.num_rows, MAX_ROWS, "rows"),
        (about.num_columns, MAX_COLUMNS, "columns"),
        (n_bytes, MAX_INFLATED_BYTES, "bytes when inflated"),
    ):
        if not 0 <= found <= most:
            raise UnreadableFileError(
                f"{path}: claims {found:,} {what}; a table of a night has at most {most:,}"
            )


def _codes(label):
    """Return class codes (int8) from codes, class names or a categorical."""
    if hasattr(label, "cat"):
        label = label.cat.set_categories(CLASSES).cat.codes
    label = np.asarray(label)
    if label.dtype.kind in "OUT":
        label = np.array([CLASSES.index(name) if name in CLASSES else -1 for name in label.tolist()])
    if label.size and (label.min() < 0 or label.max() >= len(CLASSES)):
        raise ValueError(f"labels must be class codes 0 to {len(CLASSES) - 1}")
    return label.astype(np.int8)


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


def write_parquet(path, table, about, problems=()):
    """Write a Parquet table that tells what it was made from and what was wrong with that.

    Parameters
    ----------
    path : path-like
        Written in place; see `whole_file`.
    table : mapping of str to array of shape (n,)
        Numbers, times or texts. Columns named `label` or ending in `_label` hold classes.
    about : mapping of str to str
    problems : iterable of Problem
    """
    import pyarrow
    import pyarrow.parquet

    columns = {}
    for name in table:
        if name == "label" or name.endswith("_label"):
            codes = _column(_codes(table[name]))
            columns[name] = pyarrow.DictionaryArray.from_arrays(codes, _texts(CLASSES))
        else:
            values = np.asarray(table[name])
            if values.dtype.kind in "OUT":
                texts = sorted(set(values.tolist()))
                codes = {text: code for code, text in enumerate(texts)}
                codes = _column(np.array([codes[text] for text in values.tolist()], np.int32))
                columns[name] = pyarrow.DictionaryArray.from_arrays(codes, _texts(texts))
            else:
                columns[name] = _column(values)
    kept = [(problem.path, problem.reason, problem.n_frames_kept) for problem in problems]
    note = {_METADATA_KEY: json.dumps({**about, "problems": kept})}
    whole = pyarrow.table(columns).replace_schema_metadata(note)
    with open(path, "wb") as file:
        pyarrow.parquet.write_table(whole, file, compression="zstd", compression_level=1)


def _column(values):
    """Return an Arrow array of numbers or times, of the same memory.

    Made from a buffer because pyarrow.array imports pandas, which takes longer than some minute files do.
    """
    import pyarrow

    values = np.ascontiguousarray(values)
    kind = pyarrow.from_numpy_dtype(values.dtype)
    if values.dtype == bool:
        return pyarrow.array(values)
    return pyarrow.Array.from_buffers(kind, len(values), [None, pyarrow.py_buffer(values)])


def _texts(texts):
    """Return an Arrow array of strings."""
    import pyarrow

    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(encoded))]
    return pyarrow.Array.from_buffers(pyarrow.string(), len(encoded), buffers)


def read_parquet_table(path, needed, what="a Parquet table of classifications"):
    """Read a whole Parquet table of ours, or what somebody else calls one.

    Parameters
    ----------
    path : pathlib.Path
    needed : set of str
        Columns that it must have.
    what : str
        What it should be, for the message if it is not.

    Returns
    -------
    table : DataFrame
    about : dict
        What it tells of itself.

    Raises
    ------
    UnreadableFileError
        If it is no such table, or claims more than any of a night has.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        if not path.is_file():
            raise UnreadableFileError(f"{path}: no such file")
        # Opened here: pyarrow takes no name whose bytes are no text.
        with open(path, "rb") as file:
            _check_claims(path, file)
            whole = pyarrow.parquet.read_table(file, partitioning=None)
        whole.validate(full=True)  # texts are decoded only when they are used, far from here
        about = json.loads((whole.schema.metadata or {}).get(_METADATA_KEY, b"{}"))
        if missing := needed - set(whole.column_names):
            raise UnreadableFileError(f"{path}: has no column {', '.join(sorted(missing))}")
        # Without what pandas would believe of it.
        table = whole.replace_schema_metadata(None).to_pandas()
    except (OSError, pyarrow.ArrowException, ValueError, RecursionError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        said = " ".join(str(error).split())
        raise UnreadableFileError(f"{path}: not {what} ({said:.200})") from None
    return table, about if isinstance(about, dict) else {}


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
    elif (times[1:] < times[:-1]).any():
        n_back = int((times[1:] < times[:-1]).sum())
        reason = f"rows step back in time {n_back} times; put in order"
        problems.append(Problem(str(path), reason, len(times)))
        order = np.argsort(times, kind="stable")
        times, codes, confidence = times[order], codes[order], confidence[order]
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
