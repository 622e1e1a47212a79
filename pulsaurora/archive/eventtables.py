"""The tables of pulsating patches and their pulses, written and read; docs/events.md explains their columns.

Each night has four files, the same two tables as CSV and as Parquet. The Parquet table of patches comes last:
where it is, all four are complete. It tells what they were made from and what was wrong with that.
"""

import csv
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.archive.parquettables import count_rows, read_parquet_about, read_parquet_table, write_parquet
from pulsaurora.archive.tables import read_problems, were_kept_back
from pulsaurora.problems import UnreadableFileError

TABLES = ("patches", "pulses")
SUFFIXES = (".csv", ".parquet")


def events_path(out, site, imager, date, table="patches", suffix=".parquet"):
    """Return where a night's table is: `OUT/YYYY/MM/DD/YYYYMMDD_SITE_IMAGER_patches.parquet`.

    Parameters
    ----------
    out : path-like
    site, imager : str
    date : datetime.date
        The night's UT date.
    table : str
        `patches` or `pulses`.
    suffix : str
        `.parquet` or `.csv`.
    """
    return Path(out) / f"{date:%Y/%m/%d}" / f"{date:%Y%m%d}_{site}_{imager}_{table}{suffix}"


def write_events(path, patches, pulses, about, problems=()):
    """Write a night's tables.

    Parameters
    ----------
    path : path-like
        The Parquet table of patches, as `events_path` has it; the others come beside it.
    patches, pulses : mapping of str to ndarray
    about : mapping of str to str
        `version`, `method` and `inputs`, from which later runs tell that the work is done.
    problems : iterable of Problem

    Raises
    ------
    OSError
        If the files cannot be written; then none is changed.
    """
    path = Path(path)
    tables = dict(zip(TABLES, (patches, pulses), strict=True))
    with ExitStack() as stack:
        # Files get their names in reverse order, so the one that tells of the others is opened first.
        for name in TABLES:
            write_parquet(
                stack.enter_context(whole_file(_beside(path, name, ".parquet"), lasting=True)),
                tables[name],
                about,
                problems,
            )
        for name in TABLES:
            _write_csv(
                stack.enter_context(whole_file(_beside(path, name, ".csv"), lasting=True)), tables[name]
            )


def read_events(path):
    """Read a night's tables.

    Parameters
    ----------
    path : path-like
        The Parquet table of patches; that of pulses is beside it.

    Returns
    -------
    patches, pulses : DataFrame
        The `attrs` of patches tell what they were made from.

    Raises
    ------
    UnreadableFileError
        If either is missing or is no such table.
    """
    tables = []
    for name in TABLES:
        file = _beside(Path(path), name, ".parquet")
        if not read_parquet_about(file):
            raise UnreadableFileError(f"{file}: is not there or is no table of events")
        table, about = read_parquet_table(file, {"patch"}, f"a table of {name}")
        table.attrs = {key: value for key, value in about.items() if isinstance(value, str)}
        tables.append(table)
    return tuple(tables)


def events_already(path, about):
    """Tell what was found in a night whose events were found from the same inputs.

    Returns
    -------
    n_frames : int
    n_found : dict of str to int
        How many patches and pulses.
    problems : list of Problem

    None instead of the three if the night is to be done.
    """
    if not all(file.is_file() for file in event_files(path)):
        return None
    told = read_parquet_about(path)
    if not told.items() >= about.items():
        return None
    problems = read_problems(path)
    n_found = {name: count_rows(_beside(Path(path), name, ".parquet")) for name in TABLES}
    n_frames = told.get("frames", "")
    if problems is None or None in n_found.values() or not n_frames.isdecimal():
        return None
    if were_kept_back(problems):
        return None
    return int(n_frames), n_found, problems


def event_files(path):
    """Return the paths of a night's four files, the one that tells of the others last."""
    return tuple(_beside(Path(path), name, suffix) for name in reversed(TABLES) for suffix in SUFFIXES)


def _beside(path, table, suffix):
    stem = path.stem.removesuffix("_patches").removesuffix("_pulses")
    return path.with_name(f"{stem}_{table}{suffix}")


def _write_csv(path, table):
    """Write one table; what is not known is left empty, times are UTC to the millisecond."""
    columns = [_texts(np.asarray(values)) for values in table.values()]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*columns, strict=True))


def _texts(values):
    if values.dtype.kind == "M":
        return np.datetime_as_string(values.astype("datetime64[ms]")).tolist()
    if values.dtype.kind == "f":
        return ["" if np.isnan(v) else f"{v:.6g}" for v in values.tolist()]
    if values.dtype.kind == "b":
        return values.astype(int).tolist()
    return values.tolist()
