"""The table of problems beside what a batch makes: what could not be read, why, and what was saved.

One row a problem, ordered by night, path and reason, so that the same archive gives the same table. Several
programs may bring it up to date at once: each claims it, reads it, and puts another in its place.
"""

import csv
import datetime
import os
import re
from pathlib import Path

from pulsaurora.archive.claims import Claims
from pulsaurora.archive.files import clear_leftovers, read_csv, try_writing, whole_file
from pulsaurora.archive.layout import plain_text
from pulsaurora.archive.manifest import MANIFEST_NAME
from pulsaurora.problems import UsageError

PROBLEMS_NAME = "problems.csv"
PROBLEMS_HEADER = ("path", "reason", "n_frames_kept", "night")

_SLASH = r"[/\\]"
# YYYY/MM/DD and YYYY-MM-DD, or the YYYYMMDD of a folder.
_DATE = re.compile(rf"(\d{{4}})[/\\-](\d\d)[/\\-](\d\d)(?!\d)|{_SLASH}(\d{{4}})(\d\d)(\d\d)(?={_SLASH})")
# SITE_IMAGER below a date, SITE above one, or SITE at the end of a day file's name.
_SITE = re.compile(
    rf"\d\d{_SLASH}([a-z0-9]{{4}})_|{_SLASH}([a-z0-9]{{4}}){_SLASH}\d{{4}}-\d\d-\d\d|\d\d-([a-z]{{4}})\.h5$"
)


def check_writable(out):
    """Raise a UsageError if files cannot be written into a folder; it is made if it is not there."""
    for name in (PROBLEMS_NAME, MANIFEST_NAME):
        if (Path(out) / name).is_dir():
            raise UsageError(f"{Path(out) / name}: is a folder, expected a table or nothing")
    try_writing(Path(out) / PROBLEMS_NAME)
    claims = Claims.of(out).folder
    for folder in (claims.parent, claims):
        # Before years of nights fail one by one: what another user's run has made is that user's. A run that
        # ends just now removes it.
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK) and folder.is_dir():
            raise UsageError(
                f"{folder}: cannot be written; it is another user's, whose run is under way or was killed: "
                "users of one output folder need a group in common and umask 002"
            )


def update_problems(out, problems, nights, stream0, start, end, sites=None, shard=None):
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
    stream0, start, end, sites, shard
        What was listed.
    """
    claims = Claims.of(out)
    with claims.wait(PROBLEMS_NAME):
        clear_leftovers(Path(out) / PROBLEMS_NAME)
        _update(Path(out) / PROBLEMS_NAME, problems, set(nights), (stream0, start, end, sites, shard))
    claims.tidy()


def _update(path, problems, looked_at, listed):
    rows = {
        row
        for row in read_rows(path)
        if row[3] not in looked_at and not _is_listed(row, *listed)
    }
    rows |= {(problem.path, problem.reason, str(problem.n_frames_kept), night) for problem, night in problems}
    if not rows and not path.exists():
        return
    text = {"newline": "", "encoding": "utf-8", "errors": "backslashreplace"}
    with whole_file(path) as passing, open(passing, "w", **text) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PROBLEMS_HEADER)
        writer.writerows(sorted(rows, key=lambda row: (row[3], row[0], row[1], row[2])))


def read_rows(path):
    """Read a table of problems: list of (path, reason, n_frames_kept, night), all texts.

    Raises
    ------
    OSError
        If there is one that cannot be read.
    """
    return [tuple(row) for row in read_csv(path) if len(row) == len(PROBLEMS_HEADER)]


def _is_listed(row, stream0, start, end, sites, shard):
    """Tell whether a problem found by listing lies in what this batch has listed again."""
    path, night = row[0], row[3]
    root = plain_text(stream0)
    if night or not Path(path).is_relative_to(root):
        return False
    inside = f"/{Path(path).relative_to(root).as_posix()}"
    date = _date_in(inside)
    if date is None:
        return True
    if not start <= date <= end:
        return False
    if shard is not None:
        site = _SITE.search(inside)
        # What is of no site is listed by every shard, and removed by one.
        if not shard.takes(next(filter(None, site.groups())) if site else "", date):
            return False
    return sites is None or any(re.search(rf"[/\\]{site}[_/\\]", inside) for site in sites)


def _date_in(path):
    for parts in _DATE.findall(path):
        try:
            return datetime.date(*map(int, filter(None, parts)))
        except ValueError:
            continue
    return None
