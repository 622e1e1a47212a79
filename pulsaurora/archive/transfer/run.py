"""Working a list of listings and files off with a few connections, trying again what fails.

Files come before further listings, so that the list stays short. What fails waits outside the queue for its
pause, so that a bad file holds up no other.
"""

import errno
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pulsaurora.archive.transfer.incoming import Claims, is_whole
from pulsaurora.archive.transfer.remote import RefusedError, StoppedError, TransferError, UnreachableError
from pulsaurora.archive.transfer.tally import Tally

_log = logging.getLogger(__name__)

PAUSES_S = (2.0, 6.0, 20.0, 60.0)
# No other file would fare better.
_DISK = {errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}
_LEAVE_S = 3.0
# Jobs given up one after the other, each tried as often as any, before the rest is not tried at all.
_GONE_AFTER = 5
_FILES, _LISTINGS = 0, 1


@dataclass(frozen=True, slots=True)
class Listing:
    """One question to the server that gives files.

    Attributes
    ----------
    nights : tuple of str
        What a failure of it is counted with.
    find : callable
        `find(session)` returns what it found; it may be called again after it raised TransferError.
    path : str
        What is listed, where that is less than the nights.
    """

    nights: tuple
    find: Callable
    path: str = ""

    def __str__(self):
        return self.path or ", ".join(self.nights)


class Found(NamedTuple):
    """What a listing gave.

    Attributes
    ----------
    files : list of RemoteFile
    refused : list of (night, path, reason)
        What it names and must not be used, or lacks.
    listings : list of Listing
        Further questions that follow from it.
    """

    files: list = []
    refused: list = []
    listings: list = []


@dataclass(frozen=True, slots=True)
class _Batch:
    files: tuple
    n_failures: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    listing: Listing
    n_failures: int = 0


def run(open_session, listings, connections=4, pauses_s=PAUSES_S, dry_run=False, watch=None):
    """Fetch all that the listings find.

    Parameters
    ----------
    open_session : callable
        `open_session()` returns a Session; each thread has one.
    listings : list of Listing
    connections : int
        How many threads, each with one connection.
    pauses_s : sequence of float
        Pause before each further attempt; as many of them as attempts after the first.
    dry_run : bool
        Only tell what would come; nothing is written.
    watch : callable, optional
        See `Tally`.

    Returns
    -------
    Downloaded

    Raises
    ------
    OSError
        If the disk is full or cannot be written.
    KeyboardInterrupt, SystemExit
        As they come, once all threads have let go; `downloaded` on them is what was done until then.
    """
    tally = Tally(len(listings), watch)
    work = _Work(tally, tuple(pauses_s), dry_run)
    for listing in listings:
        work.add(_LISTINGS, _Asked(listing))
    threads = [
        threading.Thread(target=work.worker, args=(open_session,), name=f"download-{k}", daemon=True)
        for k in range(max(1, connections))
    ]
    try:
        for thread in threads:
            thread.start()
        work.wait()
        work.tidy()
    except BaseException as error:
        error.downloaded = tally.result()
        raise
    finally:
        work.stop()
        until = time.monotonic() + _LEAVE_S
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))
    return tally.result()


class _Work:
    """The queue, and what a thread does with it."""

    def __init__(self, tally, pauses_s, dry_run):
        self._tally, self._pauses_s, self._dry_run = tally, pauses_s, dry_run
        self._claims = Claims()
        self._folders = set()  # that hold files which were there
        self._changed = threading.Condition()
        self._ready, self._later = [], []  # heaps: (kind, number, job), (when, number, kind, job)
        self._number = itertools.count()
        self._n_open = 0
        self._stopped = False
        self._error = None
        self._sessions = []
        self._unreachable = 0  # jobs given up in a row because the server did not answer
        self._gone = None

    def add(self, kind, job, pause_s=0.0):
        with self._changed:
            self._n_open += 1
            if pause_s > 0:
                heapq.heappush(self._later, (time.monotonic() + pause_s, next(self._number), kind, job))
            else:
                heapq.heappush(self._ready, (kind, next(self._number), job))
            self._changed.notify()

    def wait(self):
        """Return when all is done; raise what made a thread fail."""
        with self._changed:
            # With a time limit, because without one Ctrl-C does not get through everywhere.
            while self._n_open and self._error is None:
                self._changed.wait(0.2)
            if self._error is not None:
                raise self._error

    def tidy(self):
        """Leave no hidden folder behind where all is there."""
        if not self._dry_run:
            for folder in sorted(self._folders):
                self._claims.tidy(folder)

    def stop(self):
        with self._changed:
            self._stopped = True
            sessions = list(self._sessions)
            self._changed.notify_all()
        for session in sessions:
            session.abort()

    def worker(self, open_session):
        session = None
        try:
            session = open_session()
            with self._changed:
                self._sessions.append(session)
            while (job := self._take()) is not None:
                if isinstance(job, _Batch):
                    self._fetch(session, job)
                else:
                    self._list(session, job)
                with self._changed:
                    self._n_open -= 1
                    self._changed.notify_all()
        except StoppedError:
            pass
        except BaseException as error:
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()
        finally:
            if session is not None:
                session.close()

    def _take(self):
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                while self._later and (self._later[0][0] <= now or self._gone):
                    _, number, kind, job = heapq.heappop(self._later)
                    heapq.heappush(self._ready, (kind, number, job))
                if self._ready:
                    return heapq.heappop(self._ready)[2]
                if not self._n_open:
                    return None
                self._changed.wait(self._later[0][0] - now if self._later else None)
            return None

    def _list(self, session, job):
        listing = job.listing
        if self._gone:
            self._not_listed(listing, self._gone)
            return
        try:
            found = listing.find(session)
        except TransferError as error:
            if self._may_retry(error, job.n_failures):
                pause_s = max(self._pauses_s[job.n_failures], error.after_s)
                _log.warning("%s: %s; tried again in %g s", listing, error, pause_s)
                self.add(_LISTINGS, _Asked(listing, job.n_failures + 1), pause_s)
            else:
                self._not_listed(listing, str(error))
            return
        self._unreachable = 0
        self._tally.listed(found.files, len(found.listings))
        for night, path, reason in found.refused:
            self._tally.problem(night, path, reason)
        for more in found.listings:
            self.add(_LISTINGS, _Asked(more))
        for batch in _batches(found.files, 1 if self._dry_run else session.batch):
            self.add(_FILES, _Batch(batch))

    def _not_listed(self, listing, reason):
        self._tally.listed([])
        for night in listing.nights:
            self._tally.problem(night, listing.path or night, reason)

    def _fetch(self, session, job):
        failures = []
        try:
            wanted = [file for file in job.files if self._is_wanted(session, file, failures)]
            if wanted:
                self._fetch_files(session, wanted, failures)
        finally:
            self._settle(failures, job)

    def _is_wanted(self, session, file, failures):
        """Tell whether to fetch a file; otherwise count it."""
        if self._gone:
            self._tally.failed(file, self._gone)
            return False
        try:
            if self._is_there(session, file):
                self._tally.there(file, file.local.stat().st_size)
                self._folders.add(file.local.parent)
                return False
            if self._dry_run:
                size = file.size if file.size.exact else session.size(file)
                self._tally.would_come(file, size.estimate)
                return False
        except TransferError as error:
            failures.append((file, error))
            return False
        return True

    def _fetch_files(self, session, wanted, failures):
        open_files = set(wanted)
        try:
            wanted[0].local.parent.mkdir(parents=True, exist_ok=True)
            with self._claims.claim(wanted[0].local.parent) as incoming:
                # Another run may have fetched it while this one waited for the folder.
                for file in wanted:
                    if self._is_there(session, file):
                        open_files.discard(file)
                        self._tally.there(file, file.local.stat().st_size)
                wanted = [file for file in wanted if file in open_files]
                for file, error in session.fetch(wanted, incoming, self._moved(wanted)) if wanted else ():
                    open_files.discard(file)
                    if error is None:
                        self._unreachable = 0
                        self._tally.came(file, file.local.stat().st_size)
                    else:
                        failures.append((file, error))
        except TransferError as error:
            failures += [(file, error) for file in wanted if file in open_files]
        except OSError as error:
            if error.errno in _DISK:
                raise
            reason = RefusedError(f"cannot be written: {error.strerror or error}")
            failures += [(file, reason) for file in wanted if file in open_files]

    def _is_there(self, session, file):
        """Tell whether the file is here already; asks the server where the listing rounds sizes."""
        if not is_whole(file.local, file.size):
            return False
        return file.size.exact or is_whole(file.local, session.size(file))

    def _moved(self, files):
        def moved(n_bytes):
            if self._stopped:
                raise StoppedError
            self._tally.moved(files[0], n_bytes)

        return moved

    def _settle(self, failures, job):
        """Queue what failed for another attempt, together, or count it as failed."""
        again = []
        for file, error in failures:
            if self._may_retry(error, job.n_failures):
                _log.info("%s: %s; will be tried again", file.local, error)
                again.append((file, error))
            else:
                self._tally.failed(file, str(error))
        if again:
            pause_s = max(self._pauses_s[job.n_failures], max(error.after_s for _, error in again))
            self.add(_FILES, _Batch(tuple(file for file, _ in again), job.n_failures + 1), pause_s)

    def _may_retry(self, error, n_failures):
        """Tell whether another attempt is to be made after an error; notice when the server is gone."""
        if self._gone:
            return False
        if error.retry and n_failures < len(self._pauses_s):
            return True
        if isinstance(error, UnreachableError):
            self._unreachable += 1
            if self._unreachable >= _GONE_AFTER:
                self._gone = f"not tried: the server has stopped answering ({error})"
                with self._changed:
                    self._changed.notify_all()
        return False


def _batches(files, n):
    """Group files by folder, at most n together, in the order they were found."""
    for _, group in itertools.groupby(files, key=lambda file: (file.folder, file.local.parent)):
        group = list(group)
        for k in range(0, len(group), n):
            yield tuple(group[k : k + n])
