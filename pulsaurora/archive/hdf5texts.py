"""Whether texts of variable length can be read from an HDF5 file at all, tried in another process.

Such texts lie in heaps that HDF5 walks without looking where it goes: in a damaged heap it goes round for
ever, holding Python's lock, and nothing in its own process can stop it (seen with HDF5 2.0). So whoever is
about to read them from a file lets a child read them first, for a limited time. The child stays for the next
file: starting one takes 0.3 s, asking it 3 ms.
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

import h5py

SECONDS = 20
_MOST_TEXTS = 200_000

# What the child runs: every text that a day file's reader may ask for, one at a time, whatever becomes of it.
# It ends with whoever started it, and by itself where that one can no longer end it.
_READING = """
import contextlib, json, signal, sys
import h5py

def read(path, names, most):
    with h5py.File(path, "r", locking="best-effort") as file:
        for name in names:
            with contextlib.suppress(Exception):
                node = file[name]
                for attribute in node.attrs.keys():
                    with contextlib.suppress(Exception):
                        node.attrs[attribute]
                if node.dtype.kind == "O" and len(node.shape) == 1 and len(node) <= most:
                    for i in range(len(node)):
                        node[i]

for line in sys.stdin:
    path, names, most, seconds = json.loads(line)
    if hasattr(signal, "alarm"):
        signal.alarm(seconds + 5)
    with contextlib.suppress(Exception):
        read(path, names, most)
    if hasattr(signal, "alarm"):
        signal.alarm(0)
    print("read", flush=True)
"""


def is_variable(node, attribute=None):
    """Tell whether a dataset, or an attribute of one, holds anything of variable length."""
    if attribute is None:
        kind = node.id.get_type()
    elif h5py.h5a.exists(node.id, attribute.encode()):
        kind = h5py.h5a.open(node.id, attribute.encode()).get_type()
    else:
        return False
    return kind.detect_class(h5py.h5t.VLEN) or (
        kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()
    )


def texts_end(path, names=("images", "iso_ut_time")):
    """Tell whether reading the texts of variable length of some datasets comes to an end.

    Parameters
    ----------
    path : path-like
    names : tuple of str
        Datasets whose attributes and values are read; hard links in the file itself.
    """
    try:
        found = os.stat(path)
    except OSError:
        return False
    return _tried(os.path.abspath(path), found.st_ino, found.st_size, found.st_mtime_ns, names)


@functools.lru_cache(64)
def _tried(path, inode, size, changed, names):
    # One answer for a file as it is: its inode, size and time tell when it is another.
    return _child.reads(path, names)


class _Child:
    """The process that reads first; started when it is needed, and again after it had to be ended."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process = self._answers = self._owner = None

    def reads(self, path, names):
        """Tell whether the child has read a file within the time."""
        with self._lock:
            if self._owner != os.getpid() or self._process.poll() is not None:
                self._start()
            try:
                self._process.stdin.write(json.dumps([path, names, _MOST_TEXTS, SECONDS]) + "\n")
                self._process.stdin.flush()
                answer = self._answers.get(timeout=SECONDS)
            except (OSError, queue.Empty):
                answer = ""
            if answer != "read\n":
                self._end()
            return answer == "read\n"

    def _start(self):
        self._process = subprocess.Popen(
            [sys.executable, "-c", _READING],
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
