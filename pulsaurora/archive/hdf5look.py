"""What the child of `hdf5trial` runs, as a program without pulsaurora so that it starts fast.

It looks at all that `pulsaurora.archive.hdf5` may ask for, without following links or loading filters, one
thing after the other, whatever becomes of each. It ends with whoever started it, and by itself where that one
can no longer end it, or when it has come to its limit of memory.
"""

import contextlib
import json
import signal
import sys

import h5py
from h5py import h5d, h5z

KNOWN = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_LZF}


class Trial:
    """Goes on whatever is raised; remembers whether memory was refused, which may leave no peak."""

    refused_memory = False

    @contextlib.contextmanager
    def trying(self):
        """Pass over what is raised within."""
        try:
            yield
        except Exception as error:
            if isinstance(error, MemoryError) or "alloc" in str(error).lower():
                self.refused_memory = True

    def look_into(self, path, names, most_texts):
        """Look at some datasets of a file."""
        with self.trying(), h5py.File(path, "r", locking="best-effort") as file:
            for name in names:
                with self.trying():
                    node = _find(file, name)
                    if node is not None:
                        self._look_at(node, most_texts)

    def _look_at(self, node, most_texts):
        for attribute in node.attrs:
            with self.trying():
                node.attrs[attribute]
        if not isinstance(node, h5py.Dataset):
            return
        plist = node.id.get_create_plist()
        filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
        if plist.get_external_count() or plist.get_layout() == h5d.VIRTUAL or not filters <= KNOWN:
            return
        if node.chunks:
            node.id.get_num_chunks()
        if node.dtype.kind == "O" and len(node.shape) == 1 and len(node) <= most_texts:
            for i in range(len(node)):
                with self.trying():
                    node[i]


def _find(node, name):
    for part in name.split("/"):
        link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            return None
        node = node[part]
    return node


def _held():
    """Return how much address space this process has, and the most it ever had, in bytes."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmSize"].split()[0]) * 1024, int(lines["VmPeak"].split()[0]) * 1024


def _limit_memory(most_bytes):
    """Limit what this process may take beyond what it has; None where that cannot be done."""
    with contextlib.suppress(Exception):
        import resource

        limit = _held()[0] + most_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return limit
    return None


def _set_alarm(seconds):
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def main(most_bytes, lines):
    """Look into the file that each line names, and answer each that was looked into."""
    limit, trial = _limit_memory(most_bytes), Trial()
    for line in lines:
        path, names, most_texts, seconds = json.loads(line)
        _set_alarm(seconds + 5)
        trial.look_into(path, names, most_texts)
        _set_alarm(0)
        # Half of the limit: what was refused at the limit came near it.
        if trial.refused_memory or (limit is not None and _held()[1] > limit - most_bytes // 2):
            break
        print("looked", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.stdin)
