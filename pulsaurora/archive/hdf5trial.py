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

SECONDS = 20
MOST_BYTES = 768 * 2**20  # of address space above what the child has when it begins
_MOST_TEXTS = 200_000

# What the child runs: it looks at all that `pulsaurora.archive.hdf5` may ask for, without following links or
# loading filters, one thing after the other, whatever becomes of each. It ends with whoever started it, and
# by itself where that one can no longer end it, or when it has come to its limit of memory.
_LOOKING = """
import contextlib, json, signal, sys
import h5py
from h5py import h5d, h5z

KNOWN = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_LZF}

refused_memory = False

@contextlib.contextmanager
def trying():
    global refused_memory
    try:
        yield
    except Exception as error:
        # One claim beyond the limit is refused at once and leaves no peak.
        if isinstance(error, MemoryError) or "alloc" in str(error).lower():
            refused_memory = True

def find(node, name):
    for part in name.split("/"):
        link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            return None
        node = node[part]
    return node

def look(node, most):
    for attribute in node.attrs.keys():
        with trying():
            node.attrs[attribute]
    if not isinstance(node, h5py.Dataset):
        return
    plist = node.id.get_create_plist()
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if plist.get_external_count() or plist.get_layout() == h5d.VIRTUAL or not filters <= KNOWN:
        return
    if node.chunks:
        node.id.get_num_chunks()
    if node.dtype.kind == "O" and len(node.shape) == 1 and len(node) <= most:
        for i in range(len(node)):
            with trying():
                node[i]

def held():
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmSize"].split()[0]) * 1024, int(lines["VmPeak"].split()[0]) * 1024

first = json.loads(sys.argv[1])
limit = None
with contextlib.suppress(Exception):
    import resource
    limit = held()[0] + first["most_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for line in sys.stdin:
    path, names, most, seconds = json.loads(line)
    if hasattr(signal, "alarm"):
        signal.alarm(seconds + 5)
    with trying(), h5py.File(path, "r", locking="best-effort") as file:
        for name in names:
            with trying():
                node = find(file, name)
                if node is not None:
                    look(node, most)
    if hasattr(signal, "alarm"):
        signal.alarm(0)
    if refused_memory:
        break
    if limit is not None and held()[1] > limit - first["most_bytes"] // 2:
        break  # half of it: what was refused at the limit came near it
    print("looked", flush=True)
"""


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
            [sys.executable, "-c", _LOOKING, json.dumps({"most_bytes": MOST_BYTES})],
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
