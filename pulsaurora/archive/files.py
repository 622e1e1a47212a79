"""Files that are written whole or not at all, and what is left of those that were not."""

import contextlib
import csv
import os
import secrets
from pathlib import Path

from pulsaurora.problems import UsageError

_TRIES = 100  # each lost only to another program that came between two calls


def make_folder(path):
    """Make a folder and those above it, also while others remove them as they are empty.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    OSError
        If it cannot be made, or something else stands there.
    """
    for left in reversed(range(_TRIES)):
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
            return
        except (FileNotFoundError, FileExistsError):
            # What was there when one call looked was removed before the next did.
            if not left:
                raise


@contextlib.contextmanager
def whole_file(path, lasting=False):
    """Write a file under a passing name and give it its own name only when it is complete.

    Whoever reads `path` meanwhile, or after the machine or the program was stopped, finds what was there
    before or the new file, never a part of it. Folders above it are made.

    Parameters
    ----------
    path : path-like
        The file to make or replace.
    lasting : bool
        Whether it must not be found cut after the machine lost power: what is in it is then on the disk
        before it gets its name, which takes some milliseconds.

    Yields
    ------
    pathlib.Path
        Where to write; hidden, in the same folder (a rename must not cross file systems), and gone
        afterwards whatever happens short of SIGKILL.
    """
    path = Path(path)
    make_folder(path.parent)
    passing = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        yield passing
        if lasting:
            with open(passing, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(passing, path)
    finally:
        passing.unlink(missing_ok=True)


def try_writing(path):
    """Raise a UsageError if a file cannot be written; its folder is made if it is not there."""
    try:
        with whole_file(path) as passing:
            passing.touch()
            raise _Tried
    except _Tried:
        pass
    except OSError as error:
        raise UsageError(f"{Path(path).parent}: cannot be written: {error.strerror or error}") from None


def refuse_unwritable(out):
    """Raise a UsageError if files could not be written into a folder, there or not yet; nothing is made."""
    out = Path(out)
    there = next(path for path in (out, *out.absolute().parents) if os.path.exists(path))
    try_writing(there / "tried")


class _Tried(Exception):
    """Ends an attempt to write, leaving nothing behind."""


def read_csv(path):
    """Return the rows of a table that several programs write, without its header; none if there is no file.

    A row that is no CSV is left out. Whatever else is wrong is an OSError: who took a table that the machine
    does not give just now for an empty one would put an empty one in its place.
    """
    rows = []
    try:
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            reader = csv.reader(file)
            while True:
                try:
                    rows.append(next(reader))
                except csv.Error:
                    continue
                except StopIteration:
                    return rows[1:]
    except (FileNotFoundError, NotADirectoryError):
        return []


def clear_leftovers(*paths):
    """Remove the passing files of some files, left by programs that were killed while they wrote.

    Only for who alone may write them: another's passing file would be removed as well.
    """
    for folder in {Path(path).parent for path in paths}:
        starts = tuple(f".{Path(path).name}." for path in paths if Path(path).parent == folder)
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            if name.startswith(starts) and name.endswith(".part"):
                (folder / name).unlink(missing_ok=True)
