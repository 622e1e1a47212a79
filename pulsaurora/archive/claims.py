"""Claims: who works on what in an output folder that several programs and machines write to.

A claim is a small file under `OUT/.batch/claims` that says who holds it. It comes into being whole and at
most once, by a hard link, which is atomic on local disks and over NFS where locks (`flock`) are not to be
relied on. Its holder touches it every few seconds. A claim is dead when its process is gone, if that ran on
this machine since it was started, and otherwise when it was not touched for five minutes by the clock of the
machine that keeps the files.

A dead claim is never removed to make room for another: two programs that found it dead could then remove each
other's. It is succeeded, by a file whose name holds the dead claim's own number; only one program can make
that, and it counts only as long as the dead claim is still there.
"""

import contextlib
import json
import logging
import os
import secrets
import socket
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pulsaurora.archive.files import make_folder

FOLDER = ".batch"
BEAT_S = 10.0  # between touches
STALE_S = 300.0  # 30 touches; NFS may show a time of change that is a minute old
_POLL_S = 0.02
_SUFFIX = ".claim"  # so that whoever looks for the files that are claimed does not find claims

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a claim.

    Attributes
    ----------
    id : str
        Of this claim alone.
    host : str
    pid : int
    machine : str
        Of the host since it was started, and of the container: within it pids can be compared. Empty where
        that cannot be told.
    born : str
        When the process began, as its machine counts: pids are used again.
    since : float, seconds since 1970
    """

    id: str
    host: str
    pid: int
    machine: str = ""
    born: str = ""
    since: float = 0.0

    def __str__(self):
        return f"process {self.pid} on {self.host}"

    @classmethod
    def new(cls):
        """This process, with a new id."""
        pid = os.getpid()
        return cls(secrets.token_hex(8), socket.gethostname(), pid, _machine(), _born(pid) or "", time.time())

    @classmethod
    def read(cls, path):
        """Who holds the claim in a file; None if there is no such file."""
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text, inode = file.read(), os.fstat(file.fileno()).st_ino
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            told = json.loads(text)
            return cls(**{name: told[name] for name in cls.__slots__})
        except (ValueError, KeyError, TypeError):
            return cls(f"inode{inode}", "an unknown machine", 0)  # cut by a full disk, say

    def is_alive(self, path, now=None):
        """Whether whoever made the file at `path` still works.

        Parameters
        ----------
        path : path-like
            The file that is touched.
        now : float, seconds since 1970, optional
            By the clock that stamps the file; by our own when not given.
        """
        if self.machine and self.machine == _machine():
            born = _born(self.pid)
            if born is not None or _is_gone(self.pid):
                return born == self.born
            # Another user's, which this machine does not show (/proc mounted with hidepid).
        elif not self.machine and self.host == socket.gethostname() and _is_gone(self.pid):
            return False
        try:
            touched = os.stat(path).st_mtime
        except OSError:
            return False
        # Touched in the future: before the clock was set back.
        return abs((time.time() if now is None else now) - touched) < STALE_S


class Claims:
    """The claims of this process in one output folder.

    Parameters
    ----------
    out : path-like
        The output folder.
    """

    _all = {}
    _making = threading.Lock()

    def __init__(self, out):
        self.folder = Path(out) / FOLDER / "claims"
        self._held = {}
        self._changing = threading.Lock()
        self._beating = None

    @classmethod
    def of(cls, out):
        """The claims in a folder; always the same object, for one thread to touch them all."""
        with cls._making:
            return cls._all.setdefault(os.path.abspath(out), cls(out))

    @contextlib.contextmanager
    def hold(self, name):
        """Claim a name for as long as the block runs, if nobody else has it.

        Parameters
        ----------
        name : str
            Of a file, say.

        Yields
        ------
        Holder or None
            None when the claim is ours, else who has it; then nothing is held.

        Raises
        ------
        OSError
            If no claim can be made.
        """
        holder = Holder.new()
        try:
            yield self._take(name, holder)
        finally:
            self._release(name, holder)

    @contextlib.contextmanager
    def wait(self, name, stop=None, pause_s=_POLL_S):
        """Claim a name for as long as the block runs, waiting for whoever has it.

        Parameters
        ----------
        name : str
        stop : threading.Event, optional
            When set, waiting is given up with KeyboardInterrupt.
        pause_s : float
            Between looks at whether it is free, and up to as much again.
        """
        stop = stop or threading.Event()
        while not stop.is_set():
            with self.hold(name) as other:
                if other is None:
                    yield
                    return
            stop.wait(pause_s * (1 + secrets.randbelow(100) / 100))
        raise KeyboardInterrupt

    def holder(self, name):
        """Who has a name; None if it is free or its holder is dead."""
        path, holder = self._current(name)
        return holder if holder is not None and holder.is_alive(path) else None

    def held(self):
        """Every claim there is: list of (name, Holder, path)."""
        names = [path.stem for path in _files(self.folder) if path.suffix == _SUFFIX]
        found = [(name, *self._current(name)) for name in names]
        return [(name, holder, path) for name, path, holder in found if holder is not None]

    def tidy(self):
        """Remove what programs that were killed left here, and the folder if it is empty."""
        for name, holder, path in self.held():
            if not holder.is_alive(path):
                with self.hold(name):  # succeeded and released: the only way that is safe
                    pass
        for path in _files(self.folder):
            name, _, succeeded = path.name.partition(".after-")
            if name.startswith(".") or (succeeded and not self._first(name).exists()):
                holder = Holder.read(path)
                # Cut: by a kill as it was written; if it is being written, its writer begins again.
                is_cut = holder is not None and name.startswith(".") and not holder.pid
                if holder is not None and (is_cut or not holder.is_alive(path)):
                    path.unlink(missing_ok=True)
        for folder in (self.folder, self.folder.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _take(self, name, holder):
        """Make the claim; return None, or who has it."""
        while True:
            passing = self.folder / f".{holder.id}"
            try:
                with open(passing, "x", encoding="utf-8") as file:
                    json.dump(asdict(holder), file)
                return self._take_by(passing, name, holder)
            except FileNotFoundError:
                # Another has just removed the folder, as it was empty, or took the file for a dead one's.
                make_folder(self.folder)
            finally:
                passing.unlink(missing_ok=True)

    def _take_by(self, passing, name, holder):
        """Make the claim of a file that is written."""
        now = os.stat(passing).st_mtime
        while True:
            path, other = self._current(name)
            if other is None:
                path = self._first(name)
            elif other.is_alive(path, now):
                return other
            else:
                path = self._after(name, other)
            self._keep(holder, path)
            if not _link(passing, path):
                self._drop(holder)
                time.sleep(_POLL_S)
                continue
            if other is None:
                return None
            if self._current(name)[1] == holder:
                _log.info("%s: taken over from %s, which was stopped", name, other)
                return None
            # What we succeeded had ended, with its name free or another's by now.
            self._drop(holder)
            path.unlink(missing_ok=True)

    def _current(self, name):
        """Return path and holder of the claim that counts; (None, None) if there is none."""
        path = self._first(name)
        holder = Holder.read(path)
        while holder is not None:
            after = self._after(name, holder)
            following = Holder.read(after)
            if following is None:
                return path, holder
            path, holder = after, following
        return None, None

    def _first(self, name):
        return self.folder / f"{name}{_SUFFIX}"

    def _after(self, name, holder):
        return self.folder / f"{name}.after-{holder.id}"

    def _release(self, name, holder):
        path = self._drop(holder)
        if path is None or Holder.read(path) != holder:
            return
        if self._after(name, holder).exists():
            _log.warning("%s: was taken over by another while this process stood still", name)
            return
        # Whoever was succeeded goes before its successors: without it they mean nothing.
        chain = [self._first(name)]
        while chain[-1] != path:
            before = Holder.read(chain[-1])
            if before is None:
                break
            chain.append(self._after(name, before))
        if chain[-1] != path:
            chain = [path]
        for each in chain:
            each.unlink(missing_ok=True)

    def _keep(self, holder, path):
        """Have a claim touched from now on."""
        with self._changing:
            self._held[holder.id] = path
            if self._beating is None:
                self._beating = threading.Thread(target=self._beat, name="claims", daemon=True)
                self._beating.start()

    def _drop(self, holder):
        with self._changing:
            return self._held.pop(holder.id, None)

    def _beat(self):
        while True:
            time.sleep(BEAT_S)
            with self._changing:
                if not self._held:
                    self._beating = None
                    return
                paths = list(self._held.values())
            for path in paths:
                with contextlib.suppress(OSError):  # ended just now, or the disk is away for a while
                    os.utime(path)


def _link(passing, path):
    """Give the written claim its name; return whether that is ours now."""
    try:
        os.link(passing, path)
        return True
    except FileExistsError:
        # Over NFS an answer that was lost makes a link that was made look like this.
        return os.stat(passing).st_nlink == 2
    except OSError:
        if not passing.exists():
            raise
    # No hard links here (FAT, some network disks): made at once all the same, but filled afterwards.
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(passing.read_text(encoding="utf-8"))
        return True
    except FileExistsError:
        return False


def _files(folder):
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _machine():
    """Name of this machine since it was started, and of this container; empty if it has none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _is_gone(pid):
    """Whether there is surely no such process."""
    if os.name != "posix" or pid <= 0:  # elsewhere the same call would end it
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def _born(pid):
    """When a process began, as its machine counts; empty if it has ended, None if none is seen."""
    try:
        # Fields after the name, which may hold anything and stands in brackets: state is the first of them.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
    except (OSError, IndexError):
        return None
