"""rsync, as a client of a daemon (`rsync://`): one process lists a folder or fetches the files of one.

The program is called with a list of arguments and no shell; the names it is given have been checked and come
after `--`, and it follows no links. It writes under `.incoming`, in place, so that what
had come before a kill is not sent again.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import threading

from pulsaurora.archive.transfer.listing import parse_rsync_line
from pulsaurora.archive.transfer.names import shown
from pulsaurora.archive.transfer.remote import (
    MAX_ENTRIES,
    MAX_FILE_BYTES,
    NotThereError,
    RefusedError,
    Session,
    StoppedError,
    TransferError,
    UnreachableError,
)

_VERSION = re.compile(r"rsync +version v?([3-9])\.", re.ASCII)
# Exit statuses of rsync(1): the connection was not made, or broke off.
_UNREACHABLE = (10, 35)
# A file system's own time may be rounded to two seconds (FAT).
_TIME_SLACK_S = 2.0


def find_rsync():
    """Return the path of an rsync that understands what it is told here (version 3 or later), else None."""
    program = shutil.which("rsync")
    if program is None:
        return None
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace", timeout=20, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return program if _VERSION.match(said) else None


class RsyncSession(Session):
    """One thread's calls of rsync.

    Parameters
    ----------
    base : Base
    timeout_s : float
        For connecting and for every wait for bytes.
    program : str, optional
        From `find_rsync`.
    """

    lists_trees = True
    batch = 60  # an hour of THEMIS: one connection for it, and no more than it to do again

    def __init__(self, base, timeout_s=60.0, program=None):
        self._base = base
        self._timeout_s = max(1, round(timeout_s))
        self._program = program or find_rsync()
        if self._program is None:
            raise RefusedError(
                "there is no rsync (version 3 or later) on this machine; use another --transport"
            )
        self._guard = threading.Lock()
        self._process = None
        self._aborted = False

    def list(self, folder):
        return [entry for below, entry in self._listing(folder, ["--exclude=/*/*"]) if not below]

    def tree(self, folder):
        return self._listing(folder, ["--exclude=/*/*/*"])

    def fetch(self, files, incoming, moved):
        command = [
            *self._options(),
            "--times",
            "--inplace",
            "--chmod=F644",
            f"--max-size={MAX_FILE_BYTES}",
            "--out-format=%b %n",
            "--",
            # Not by --files-from: daemons of Debian's 3.2.7 then say that every file has vanished.
            *(self._base.url(file.path) for file in files),
            "./",  # not the folder's own path, in which rsync would take a colon for a host
        ]
        for file in files:
            incoming.part(file).forget()
        with self._run(command, incoming.folder, incoming.lock) as lines:
            for line in lines:
                n_bytes, _, _ = line.partition(" ")
                if n_bytes.isdigit():
                    moved(int(n_bytes))
        failure = self._failure
        for file in files:
            try:
                self._finish(file, incoming.part(file), failure)
            except TransferError as error:
                yield file, error
            else:
                yield file, None

    def _finish(self, file, part, failure):
        # rsync sets the time when it is done with a file, so that it tells a whole one from a part.
        try:
            late = abs(part.path.stat().st_mtime - file.modified)
        except OSError:
            raise failure or TransferError("did not come") from None
        except TypeError:
            late = 0.0
        if failure is not None and late > _TIME_SLACK_S:
            raise failure
        part.finish(file.size, None)

    def abort(self):
        with self._guard:
            self._aborted = True
            if self._process is not None:
                self._process.terminate()

    def _options(self):
        return [
            self._program,
            "--no-motd",
            "--no-human-readable",
            "--safe-links",
            f"--timeout={self._timeout_s}",
            f"--contimeout={self._timeout_s}",
        ]

    def _listing(self, folder, options):
        url = self._base.url(f"{folder}/" if folder else "")
        found, n_lines = [], 0
        with self._run([*self._options(), "--list-only", "--recursive", *options, "--", url]) as lines:
            for line in lines:
                n_lines += 1
                if n_lines > MAX_ENTRIES:
                    raise RefusedError(f"the listing has more than {MAX_ENTRIES} entries")
                entry = parse_rsync_line(line)
                if entry is not None and entry.name != ".":
                    below, _, name = entry.name.rpartition("/")
                    found.append((below, entry._replace(name=name)))
        if self._failure is not None:
            raise self._failure
        return found

    @contextlib.contextmanager
    def _run(self, command, folder=None, lock=None):
        """Run rsync; yields its lines; afterwards `_failure` says how it ended.

        The lock goes on to the child: should this process be killed, the folder stays claimed until the child
        has noticed.
        """
        self._failure = None
        keep = {"pass_fds": (lock.fileno(),)} if lock is not None and os.name == "posix" else {}
        with tempfile.TemporaryFile() as said, self._start(command, said, folder, keep) as process:
            try:
                yield (line.decode("utf-8", "replace").rstrip("\r\n") for line in process.stdout)
            except BaseException:
                process.kill()
                raise
            finally:
                process.stdout.close()
                status = process.wait()
                with self._guard:
                    self._process = None
            if self._aborted:
                raise StoppedError
            said.seek(0)
            self._failure = _failure(status, said.read(1 << 16).decode("utf-8", "replace"))

    def _start(self, command, said, folder, keep):
        # Times in UTC and words in English, whatever the user's own are.
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
        with self._guard:
            if self._aborted:
                raise StoppedError
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=folder,
                env=environment,
                **keep,
            )
            return self._process


def _failure(status, said):
    if status == 0:
        return None
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # The last line only tells the status again; the first says what happened.
    reason = shown(lines[0]) if lines else "it says nothing"
    text = f"rsync ended with status {status}: {reason}"
    if "Unknown module" in said:
        return RefusedError(text)
    if "No such file" in said:
        return NotThereError(text)
    return UnreachableError(text) if status in _UNREACHABLE else TransferError(text)
