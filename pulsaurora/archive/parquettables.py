"""Parquet tables of a night: written with what they were made from, read without trusting what they claim.

pandas is imported where a table is handed out, not where one is written: classifying needs none.
"""

import json

import numpy as np

from pulsaurora.archive.parquetpages import count_inflated, read_chunks
from pulsaurora.classes import CLASSES
from pulsaurora.problems import UnreadableFileError

# A night has at most some 30,000 rows of some hundred columns; a few bytes can claim thousands of millions.
MAX_ROWS, MAX_COLUMNS, MAX_INFLATED_BYTES = 500_000, 1000, 512 * 2**20
_METADATA_KEY = b"pulsaurora"
# Bytes that a value takes; of texts, its number in a dictionary.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 4}


def prepare_to_write():
    """Import what writing needs; takes 0.1 s, which can pass while a night is read."""
    import pyarrow.parquet  # noqa: F401


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
            codes = _column(class_codes(table[name]))
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
    # Dictionaries of numbers take half of the time again, and more room: zstd finds what comes twice. To note
    # the least and the largest of each of hundreds of columns takes a quarter; only times are looked for so.
    texts = [name for name, column in columns.items() if isinstance(column, pyarrow.DictionaryArray)]
    with open(path, "wb") as file:
        pyarrow.parquet.write_table(
            whole,
            file,
            compression="zstd",
            compression_level=1,
            use_dictionary=texts,
            write_statistics=["time"] if "time" in columns else False,
        )


def class_codes(label):
    """Return class codes (int8) from codes, class names or a categorical."""
    if hasattr(label, "cat"):
        label = label.cat.set_categories(CLASSES).cat.codes
    label = np.asarray(label)
    if label.dtype.kind in "OUT":
        label = np.array([CLASSES.index(name) if name in CLASSES else -1 for name in label.tolist()])
    if label.size and (label.min() < 0 or label.max() >= len(CLASSES)):
        raise ValueError(f"labels must be class codes 0 to {len(CLASSES) - 1}")
    return label.astype(np.int8)


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
            texts = _check_claims(path, file, names)
            whole = _read(file, texts, columns=list(names))
        return [whole[name].to_numpy() for name in names]
    except (OSError, KeyError, ValueError, pyarrow.ArrowException):
        return None


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
        If it is no such table, claims more than any of a night has, or has columns of lists or structures.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        if not path.is_file():
            raise UnreadableFileError(f"{path}: no such file")
        # Opened here: pyarrow takes no name whose bytes are no text.
        with open(path, "rb") as file:
            texts = _check_claims(path, file)
            known = pyarrow.parquet.read_schema(file)
            file.seek(0)
            whole = _read(file, texts)
        whole.validate(full=True)  # texts are decoded only when they are used, far from here
        about = json.loads((whole.schema.metadata or {}).get(_METADATA_KEY, b"{}"))
        if missing := needed - set(whole.column_names):
            raise UnreadableFileError(f"{path}: has no column {', '.join(sorted(missing))}")
        # Without what pandas would believe of it.
        table = whole.replace_schema_metadata(None).to_pandas(use_threads=False)
        for name in texts:
            if name in known.names and not pyarrow.types.is_dictionary(known.field(name).type):
                table[name] = table[name].astype(object)
    except (OSError, pyarrow.ArrowException, ValueError, RecursionError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        said = " ".join(str(error).split())
        raise UnreadableFileError(f"{path}: not {what} ({said:.200})") from None
    return table, about if isinstance(about, dict) else {}


def count_rows(path):
    """Return how many rows a Parquet table has; None if it cannot be read, or claims more than it may."""
    import pyarrow.parquet

    try:
        with open(path, "rb") as file:
            _check_claims(path, file, ())
            return pyarrow.parquet.read_metadata(file).num_rows
    except (OSError, ValueError, pyarrow.ArrowException):
        return None


def count_labels(path):
    """Return how many frames of each class a Parquet table has, by class; None if it cannot be read.

    Reads the column `label` only, 1 ms for a night.
    """
    import pyarrow

    try:
        with open(path, "rb") as file:
            texts = _check_claims(path, file, ("label",))
            column = _read(file, texts, columns=["label"])["label"]
        counts = dict.fromkeys(CLASSES, 0)
        for part in column.chunks:
            for name, code in zip(part.dictionary.to_pylist(), range(len(part.dictionary)), strict=True):
                counts[name] += int(np.count_nonzero(part.indices.to_numpy(zero_copy_only=False) == code))
        return counts
    except (OSError, KeyError, ValueError, AttributeError, pyarrow.ArrowException):
        return None


def _read(file, texts, columns=None):
    """Read a table whose claims were checked, texts as dictionaries.

    Starts no thread: of programs that end soon after Arrow started one, some are aborted ("terminate called
    without an active exception", pyarrow 25.0.1). `pyarrow.parquet.read_table` starts one, always.
    """
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(file, read_dictionary=texts, pre_buffer=False) as opened:
        return opened.read(columns=columns, use_threads=False)


def _check_claims(path, file, names=None):
    """Refuse a Parquet file that says it holds more than any table of a night, before memory is set aside.

    Refused too are columns that no table of ours has; see `_refuse_odd_columns`.

    Parameters
    ----------
    path : path-like
    file : binary file
        Opened from it.
    names : collection of str, optional
        Columns that will be read; all of them when not given. Pages of the others are not looked at.

    Returns
    -------
    list of str
        Columns of texts. They are to be read as dictionaries: a long text that a few bytes repeat would take
        its length each time.
    """
    import pyarrow.parquet

    about = pyarrow.parquet.read_metadata(file)
    _refuse_more(path, about.num_rows, MAX_ROWS, "rows")
    _refuse_more(path, about.num_columns, MAX_COLUMNS, "columns")
    n_inflated = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    _refuse_more(path, n_inflated, MAX_INFLATED_BYTES, "bytes when inflated")
    try:
        groups = read_chunks(file)
    except UnreadableFileError as error:
        raise UnreadableFileError(f"{path}: {error}") from None
    if any(len(group) != about.num_columns for group in groups):
        raise UnreadableFileError(f"{path}: a group of rows has not {about.num_columns} columns")
    n_inflated = n_decoded = 0
    texts = []
    for i in range(about.num_columns):
        column = about.schema.column(i)
        if names is not None and column.path not in names:
            continue
        if column.physical_type == "BYTE_ARRAY":
            texts.append(column.path)
        width = _WIDTHS.get(column.physical_type, column.length)
        chunks = [group[i] for group in groups]
        # A reader sets aside room for the values that chunks claim, not for the rows.
        for chunk in chunks:
            _refuse_more(path, chunk.num_values, MAX_ROWS, f"values in column {column.path:.40}")
        n_decoded += width * sum(chunk.num_values for chunk in chunks)
        for chunk in chunks:
            try:
                n_inflated += count_inflated(file, chunk)
            except UnreadableFileError as error:
                raise UnreadableFileError(f"{path}: column {column.path:.40} has {error}") from None
            _refuse_more(path, n_inflated, MAX_INFLATED_BYTES, "bytes when inflated")
        _refuse_more(path, n_decoded, MAX_INFLATED_BYTES, "bytes when decoded")
    _refuse_odd_columns(path, about.schema)
    file.seek(0)
    return texts


def _refuse_odd_columns(path, schema):
    """Refuse columns of lists or structures, and names that stand for two columns.

    What reads a column by its name would get others' values too, of which no claim was checked.
    """
    names = set()
    for column in map(schema.column, range(len(schema))):
        if column.path != column.name or column.max_repetition_level or column.max_definition_level > 1:
            found = "holds lists or structures; numbers, times or texts are read"
            raise UnreadableFileError(f"{path}: column {column.path:.40} {found}")
        if column.name in names:
            raise UnreadableFileError(f"{path}: has two columns {column.name:.40}")
        names.add(column.name)


def _refuse_more(path, found, most, what):
    if not 0 <= found <= most:
        raise UnreadableFileError(f"{path}: claims {found:,} {what}; a table of a night has at most {most:,}")
