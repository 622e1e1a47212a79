"""What became of each night of a batch, and how that is told: to the log, the table of problems, the caller.

A night here is whatever a batch makes at one time: the labels or events of a site's night, or a day file.
"""

import contextlib
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from pulsaurora.archive.problem_table import update_problems
from pulsaurora.problems import Problem, PulsauroraError

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class NightResult:
    """What became of one night.

    Attributes
    ----------
    name : str
        Such as `YYYYMMDD_SITE_IMAGER`.
    status : str
        `done`, `skipped` (was done already), `failed`, `empty` (no frame was read, so nothing was made), or
        `busy` (another program is at it).
    path : Path
        The file that is made.
    n_frames : int
    n_labels : dict of str to int
        Frames of each class; or whatever else was counted.
    problems : list of Problem
    seconds : float
    error : str
        Why it failed.
    n_bytes : int
        Of a file that is large.
    """

    name: str
    status: str
    path: Path
    n_frames: int = 0
    n_labels: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""
    n_bytes: int = 0

    def __str__(self):
        if self.status == "failed":
            return f"{self.name}: failed: {self.error}"
        if self.status == "skipped":
            said = ["done already"]
        elif self.status == "empty":
            said = ["no frames, nothing made"]
        else:
            labels = ", ".join(f"{count} {name}" for name, count in self.n_labels.items() if count)
            said = [f"{self.n_frames} frames" + (f" ({labels})" if labels else "")]
            said += [f"{self.n_bytes / 1e6:.1f} MB"] if self.n_bytes else []
            rate = self.n_frames / max(self.seconds, 1e-9)
            said += [f"{self.seconds:.2f} s", f"{rate:.0f} frames/s"]
        said += [f"{len(self.problems)} problems"] if self.problems else []
        return f"{self.name}: {', '.join(said)}"


@dataclass(slots=True)
class BatchResult:
    """What became of a batch: `nights`, and the problems found when listing them."""

    nights: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    _told: set = field(default_factory=set, repr=False, compare=False)

    @property
    def days(self):
        """The nights, where they are day files."""
        return self.nights

    @property
    def n_problems(self):
        return len(self.problems) + sum(len(night.problems) for night in self.nights)

    @property
    def n_failed(self):
        return sum(night.status == "failed" for night in self.nights)

    def add(self, result):
        """Take in a result and log it: one line, and one for each of its problems not told before."""
        self.nights.append(result)
        self.tell(result.problems if result.status in ("done", "empty") else ())
        _log.log(logging.ERROR if result.status == "failed" else logging.INFO, "%s", result)

    def tell(self, problems):
        """Log problems, each once: a bad skymap, say, is one of every night."""
        for problem in problems:
            if problem not in self._told:
                self._told.add(problem)
                _log.warning("%s", problem)


@contextlib.contextmanager
def collected(out, root, start, end, sites=None, shard=None, listed=None):
    """Collect the results of a batch; whatever happens, bring the table of problems up to date.

    Parameters
    ----------
    out : path-like
        Holds `problems.csv`.
    root, start, end, sites, shard
        What is listed.
    listed : list of Problem, optional
        Filled while the archive is listed.

    Yields
    ------
    BatchResult
    """
    batch = BatchResult(problems=[] if listed is None else listed)
    try:
        yield batch
    finally:
        batch.problems[:] = dict.fromkeys(batch.problems)
        found = [(problem, "") for problem in batch.problems]
        found += [(problem, result.name) for result in batch.nights for problem in result.problems]
        looked_at = [result.name for result in batch.nights if result.status != "failed"]
        update_problems(out, found, looked_at, root, start, end, sites, shard)
    batch.tell(batch.problems)


def attempt(name, path, n_parts, advance, work):
    """Do one night; never raises for what is wrong with it.

    Parameters
    ----------
    name : str
    path : Path
        What is to be made.
    n_parts : int
        How many parts it has.
    advance : callable or None
        Called with the number of parts finished since the last call; in the end all have been.
    work : callable
        Does it: takes what counts parts, and returns a NightResult or a list of them.

    Returns
    -------
    list of NightResult
    """
    began = time.perf_counter()
    n_counted = 0

    def count(n):
        nonlocal n_counted
        n_counted += n
        if advance:
            advance(n)

    try:
        results = work(count)
    except Exception as error:
        # Whatever is wrong with one night, the others are to be done: it is told, and the batch fails at
        # its end.
        _log.debug("%s failed", name, exc_info=True)
        results = failed(name, path, error)
    count(n_parts - n_counted)
    results = results if isinstance(results, list) else [results]
    for result in results:
        result.seconds = (time.perf_counter() - began) / len(results)
    return results


def failed(name, path, error):
    """The result of a night that an exception ended."""
    known = isinstance(error, (OSError, PulsauroraError))
    said = str(error) if known else f"{type(error).__name__}: {error}"
    return NightResult(name, "failed", path, problems=[Problem(str(path), f"not made: {said}")], error=said)
