"""The manifest of an output folder: whether each night is done, failed or to do, and what came of it.

`OUT/manifest.csv` holds nothing that differs from run to run, so that the same archive gives the same
manifest. Several programs may bring it up to date at once: each claims it, reads it, and puts another in its
place.
"""

import csv
import datetime
from pathlib import Path
from typing import NamedTuple

from pulsaurora.archive.claims import Claims
from pulsaurora.archive.files import clear_leftovers, read_csv, whole_file

MANIFEST_NAME = "manifest.csv"
DONE, FAILED, TO_DO = "done", "failed", "to do"


class Row(NamedTuple):
    """One night of a manifest.

    Attributes
    ----------
    file : str
        What is made of it, below the output folder.
    night : str
        `YYYYMMDD_SITE_IMAGER`.
    state : str
        `done`, `failed` or `to do`.
    n_frames : int
    counted : str
        Frames of each class, or whatever was counted: `bad_viewing 1200; pulsating 34`.
    n_problems : int
    error : str
        Why it failed.
    """

    file: str
    night: str
    state: str
    n_frames: int = 0
    counted: str = ""
    n_problems: int = 0
    error: str = ""

    @classmethod
    def of(cls, result, out):
        """The row of a night that was done, was done already, or failed."""
        file = relative(result.path, out)
        if result.status == "failed":
            return cls(file, result.name, FAILED, error=" ".join(result.error.split()))
        counted = "; ".join(f"{name} {count}" for name, count in result.n_labels.items())
        return cls(file, result.name, DONE, result.n_frames, counted, len(result.problems))

    @property
    def kind(self):
        """What the file is of the night: `classifications`, `patches`."""
        return Path(self.file).stem.rpartition(self.night)[2].lstrip("_")

    @property
    def counts(self):
        """What was counted: dict of str to int."""
        pairs = (part.rpartition(" ") for part in self.counted.split("; "))
        return {name: int(count) for name, _, count in pairs if count.isdecimal()}

    def is_within(self, start, end, sites=None, shard=None):
        """Whether the night is of these dates, both included, sites and shard."""
        site = self.night[9:].partition("_")[0]
        try:
            date = datetime.date(int(self.night[:4]), int(self.night[4:6]), int(self.night[6:8]))
        except ValueError:
            return False
        if not start <= date <= end or not (sites is None or site in sites):
            return False
        return shard is None or shard.takes(site if len(site) == 4 else "", date)


def relative(path, out):
    """A path below the output folder, as the manifest has it."""
    return Path(path).relative_to(out).as_posix()


def read_manifest(out):
    """Read the manifest of an output folder.

    Returns
    -------
    dict of str to Row
        By file; empty if there is none. Rows that cannot be read are left out.

    Raises
    ------
    OSError
        If there is one that cannot be read.
    """
    rows = {}
    for cells in read_csv(Path(out) / MANIFEST_NAME):
        try:
            file, night, state, n_frames, counted, n_problems, error = cells
            rows[file] = Row(file, night, state, int(n_frames), counted, int(n_problems), error)
        except ValueError:
            continue
    return rows


def update_manifest(out, rows, to_do=(), gone=None):
    """Bring the manifest up to date; it appears whole or not at all.

    Parameters
    ----------
    out : path-like
    rows : iterable of Row
        Take the place of those of the same file.
    to_do : iterable of Row
        Entered where there is no row of the file.
    gone : callable, optional
        Takes a Row; those for which it is true are removed.
    """
    path = Path(out) / MANIFEST_NAME
    with Claims.of(out).wait(MANIFEST_NAME):
        clear_leftovers(path)
        before = read_manifest(out)
        known = {row.file: row for row in to_do} | before | {row.file: row for row in rows}
        kept = [row for _, row in sorted(known.items()) if gone is None or not gone(row)]
        if {row.file: row for row in kept} == before and (path.exists() or not kept):
            return
        text = {"newline": "", "encoding": "utf-8", "errors": "backslashreplace"}
        with whole_file(path) as passing, open(passing, "w", **text) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row._fields)
            writer.writerows(kept)
