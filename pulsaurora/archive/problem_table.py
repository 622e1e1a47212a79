"""The table of problems beside what a batch makes: what could not be read, why, and what was saved.

One row a problem, ordered by night, path and reason, so that the same archive gives the same table.
"""

import csv
import re
from pathlib import Path

from pulsaurora.archive.files import whole_file
from pulsaurora.problems import UsageError

PROBLEMS_NAME = "problems.csv"
PROBLEMS_HEADER = ("path", "reason", "n_frames_kept", "night")


def check_writable(out):
    """Raise a UsageError if files cannot be written into a folder; it is made if it is not there."""
    if (Path(out) / PROBLEMS_NAME).is_dir():
        raise UsageError(f"{Path(out) / PROBLEMS_NAME}: is a folder, expected a table or nothing")
    try:
        with whole_file(Path(out) / PROBLEMS_NAME) as passing:
            passing.touch()
            raise _Tried
    except _Tried:
        pass
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror or error}") from None


class _Tried(Exception):
    """Ends an attempt to write, leaving nothing behind."""


def update_problems(out, problems, nights, stream0, start, end, sites=None):
    """Bring the table of problems up to date with what a batch found.

    Rows of nights outside this batch stay; there is one row a problem, ordered by night, path and reason.

    Parameters
    ----------
    out : path-like
        Holds `problems.csv`.
    problems : list of (Problem, str)
        Each with the name of its night, or an empty string for what was found listing the archive.
    nights : list of str
        Names of the nights that were looked at.
    stream0, start, end, sites
        What was listed.
    """
    path = Path(out) / PROBLEMS_NAME
    looked_at = set(nights)
    rows = {
        row
        for row in _read_rows(path)
        if row[3] not in looked_at and not _is_listed(row, stream0, start, end, sites)
    }
    rows |= {(problem.path, problem.reason, str(problem.n_frames_kept), night) for problem, night in problems}
    if not rows and not path.exists():
        return
    text = {"newline": "", "encoding": "utf-8", "errors": "backslashreplace"}
    with whole_file(path) as passing, open(passing, "w", **text) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PROBLEMS_HEADER)
        writer.writerows(sorted(rows, key=lambda row: (row[3], row[0], row[1], row[2])))


def _read_rows(path):
    try:
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            reader = csv.reader(file)
            next(reader, None)
            return [tuple(row) for row in reader if len(row) == len(PROBLEMS_HEADER)]
    except (OSError, csv.Error):
        return []


def _is_listed(row, stream0, start, end, sites):
    """Tell whether a problem found by listing lies in what this batch has listed again."""
    path, night = row[0], row[3]
    if night or not path.startswith(str(stream0)):
        return False
    inside = path[len(str(stream0)) :]
    date = re.search(r"(\d{4})[/\\-](\d\d)[/\\-](\d\d)", inside)
    if date is None:
        return True
    if not f"{start:%Y%m%d}" <= "".join(date.groups()) <= f"{end:%Y%m%d}":
        return False
    return sites is None or any(re.search(rf"[/\\]{site}[_/\\]", inside) for site in sites)
