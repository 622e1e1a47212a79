"""What came, what was there and what failed, counted by night while it happens."""

import logging
import threading
import time
from dataclasses import dataclass, field

from pulsaurora.problems import Problem

_log = logging.getLogger(__name__)
_LINE_EVERY_S = 60.0
# The log file has it at once; the terminal has it in the list that the run ends with.
_TOLD_AT_THE_END = {"shown": True}


@dataclass(slots=True)
class NightCount:
    """Files and bytes of one night (or of one site's skymaps).

    Attributes
    ----------
    name : str
        Such as `gill/2020-02-18`.
    n_came, n_there, n_failed : int
    came_bytes, there_bytes : int
    """

    name: str
    n_came: int = 0
    n_there: int = 0
    n_failed: int = 0
    came_bytes: int = 0
    there_bytes: int = 0
    n_open: int = 0


@dataclass(slots=True)
class Downloaded:
    """What a download did.

    Attributes
    ----------
    nights : list of NightCount
        By name.
    problems : list of Problem
        One for each file, folder or night that did not come.
    planned : list of (RemoteFile, int)
        In a dry run, the files that would come and their bytes.
    took_s : float
    """

    nights: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    planned: list = field(default_factory=list)
    took_s: float = 0.0

    @property
    def n_came(self):
        return sum(night.n_came for night in self.nights)

    @property
    def n_there(self):
        return sum(night.n_there for night in self.nights)

    @property
    def n_failed(self):
        return sum(night.n_failed for night in self.nights)

    @property
    def came_bytes(self):
        return sum(night.came_bytes for night in self.nights)


class Tally:
    """Counts for all threads, and tells a progress display of bytes.

    Parameters
    ----------
    n_listings : int
        Listings that are to be made; how much is left is guessed from those that were.
    watch : callable, optional
        `watch(n, total=None)`: n more bytes have come, of so many.
    """

    def __init__(self, n_listings, watch=None):
        self._guard = threading.Lock()
        self._nights = {}
        self._problems = []
        self._planned = []
        self._watch = watch or (lambda n=0, total=None: None)
        self._moved = {}  # file -> bytes shown of it
        self._n_listings, self._n_listed = n_listings, 0
        self._due_bytes = 0  # of all files listed so far, less what was there or failed
        self._came_bytes = 0
        self._begun = self._spoke = time.monotonic()

    def result(self):
        with self._guard:
            nights = sorted(self._nights.values(), key=lambda night: night.name)
            problems = sorted(self._problems, key=lambda problem: problem.path)
            planned = sorted(self._planned, key=lambda pair: pair[0].local)
            return Downloaded(nights, problems, planned, time.monotonic() - self._begun)

    def listed(self, files, n_further=0):
        """A listing has named these files, and as many further listings to make."""
        with self._guard:
            self._n_listed += 1
            self._n_listings += n_further
            for file in files:
                self._night(file.night).n_open += 1
                self._due_bytes += file.size.estimate
            self._show()

    def moved(self, file, n_bytes):
        with self._guard:
            self._moved[file] = self._moved.get(file, 0) + n_bytes
            self._show(n_bytes)
            now = time.monotonic()
            if now - self._spoke > _LINE_EVERY_S:
                self._spoke = now
                rate = self._came_bytes / (now - self._begun) / 1e6
                _log.info("%.1f MB have come so far, %.2f MB/s", self._came_bytes / 1e6, rate)

    def came(self, file, n_bytes):
        with self._guard:
            night = self._night(file.night)
            night.n_came += 1
            night.came_bytes += n_bytes
            self._came_bytes += n_bytes
            self._due_bytes += n_bytes - file.size.estimate
            self._show(n_bytes - self._moved.pop(file, 0))
            self._close(night)
        _log.debug("%s: came, %d bytes", file.local, n_bytes)

    def there(self, file, n_bytes):
        with self._guard:
            night = self._night(file.night)
            night.n_there += 1
            night.there_bytes += n_bytes
            self._due_bytes -= file.size.estimate
            self._show()
            self._close(night)
        _log.debug("%s: was there", file.local)

    def would_come(self, file, n_bytes):
        """In a dry run: the file is not here."""
        with self._guard:
            self._planned.append((file, n_bytes))
            self._night(file.night).n_open -= 1

    def failed(self, file, reason):
        with self._guard:
            night = self._night(file.night)
            night.n_failed += 1
            self._problems.append(Problem(str(file.local), reason))
            self._due_bytes -= file.size.estimate
            self._show(-self._moved.pop(file, 0))
            self._close(night)
        _log.warning("%s: %s", file.local, reason, extra=_TOLD_AT_THE_END)

    def problem(self, night, path, reason):
        """Something that is not a listed file was refused or is missing."""
        with self._guard:
            self._night(night).n_failed += 1
            self._problems.append(Problem(path, reason))
        _log.warning("%s: %s", path, reason, extra=_TOLD_AT_THE_END)

    def _night(self, name):
        return self._nights.setdefault(name, NightCount(name))

    def _close(self, night):
        night.n_open -= 1
        if not night.n_open:
            _log.info(
                "%s: %d files came (%.1f MB), %d were there, %d failed",
                night.name,
                night.n_came,
                night.came_bytes / 1e6,
                night.n_there,
                night.n_failed,
            )

    def _show(self, n_bytes=0):
        unknown = self._n_listings - self._n_listed
        guess = self._due_bytes * unknown / self._n_listed if self._n_listed else 0
        self._watch(n_bytes, total=max(1, round(self._due_bytes + guess)))
