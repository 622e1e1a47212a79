"""Whether an HDF5 file can be looked into at all, tried in another process.

HDF5 follows what a file says without looking where it goes. In a damaged heap of texts it goes round for
ever, holding Python's lock; a heap whose free space is followed by itself takes memory until there is none
(both seen with HDF5 2.0, in files with a few bytes changed). Nothing in its own process can stop that. So a
child looks first, with a limit of time and of memory. It stays for the next file: starting one takes 0.3 s,
asking it 3 ms.
"""

import atexit
import contextlib
import functools
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

SECONDS = 20
MOST_BYTES = 768 * 2**20  # of address space above what the child has when it begins
_MOST_TEXTS = 200_000
_LOOKING = Path(__file__).with_name("hdf5look.py")


def can_be_looked_into(path, names):
    """Tell whether looking at some datasets of a file comes to an end, in little memory.

    Parameters
    ----------
    path : path-like
    names : tuple of str
        Datasets, such as `images` or `pulsaurora/about`.
    """
    try:
        found = os.stat(path)
    except OSError:
        return False
    return _tried(os.path.abspath(path), found.st_ino, found.st_size, found.st_mtime_ns, names)


@functools.lru_cache(64)
def _tried(path, inode, size, changed, names):
    # One answer for a file as it is: its inode, size and time tell when it is another.
    return _child.looks(path, names)


class _Child:
    """The process that looks first; started when it is needed, and again after it had to be ended."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process = self._answers = self._owner = None

    def looks(self, path, names):
        """Tell whether the child has looked into a file within its limits."""
        with self._lock:
            if self._owner != os.getpid() or self._process.poll() is not None:
                self._start()
            try:
                self._process.stdin.write(json.dumps([path, names, _MOST_TEXTS, SECONDS]) + "\n")
                self._process.stdin.flush()
                answer = self._answers.get(timeout=SECONDS)
            except (OSError, queue.Empty):
                answer = ""
            if answer != "looked\n":
                self._end()
            return answer == "looked\n"

    def _start(self):
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_LOOKING), str(MOST_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._owner, self._answers = os.getpid(), queue.Queue()
        threading.Thread(target=_listen, args=(self._process.stdout, self._answers), daemon=True).start()

    def _end(self):
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def close(self):
        """End the child with its parent."""
        if self._owner == os.getpid() and self._process.poll() is None:
            self._end()


def _listen(lines, answers):
    with lines:
        for line in lines:
            answers.put(line)
    answers.put("")  # it has ended


_child = _Child()
atexit.register(_child.close)
