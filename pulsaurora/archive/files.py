"""Files that are written whole or not at all."""

import contextlib
import os
import secrets
from pathlib import Path


@contextlib.contextmanager
def whole_file(path):
    """Write a file under a passing name and give it its own name only when it is complete.

    Whoever reads `path` meanwhile, or after the machine or the program was stopped, finds what was there
    before or the new file, never a part of it. Folders above it are made.

    Parameters
    ----------
    path : path-like
        The file to make or replace.

    Yields
    ------
    pathlib.Path
        Where to write; hidden, in the same folder (a rename must not cross file systems), and gone
        afterwards whatever happens short of SIGKILL.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    passing = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        yield passing
        os.replace(passing, path)
    finally:
        passing.unlink(missing_ok=True)
