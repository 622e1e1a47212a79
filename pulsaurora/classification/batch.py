"""Many nights: which are to be done, doing them, and what was wrong with their inputs.

A night is one task: a small description that can be sent to another thread, process or machine, which needs
nothing but the archive's folder and the output folder. A night that is done already (same files, same model,
same version) is left as it is, so a batch that was stopped goes on where it was.
"""

import datetime
import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pulsaurora import __version__
from pulsaurora.archive.layout import Night, find_nights, fingerprint, plain_text
from pulsaurora.archive.problem_table import check_writable, update_problems
from pulsaurora.archive.tables import (
    classification_path,
    parquet_path,
    prepare_to_write,
    read_about,
    read_problems,
    write_classifications,
)
from pulsaurora.classes import CLASSES
from pulsaurora.classification.model import load_model
from pulsaurora.classification.night import classify_night
from pulsaurora.classification.nightskymap import find_night_skymap, night_elevation
from pulsaurora.problems import Problem, PulsauroraError, UsageError
from pulsaurora.workers import n_cores

NIGHTS_AT_ONCE = 2  # the next is read while the last is written

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NightTask:
    """One night to be classified: all that whoever does it must know.

    Attributes
    ----------
    night : Night
    stream0 : Path
        Root of the archive; skymaps are looked for there, beside it and in the night's own folder. For a
        night in a day file its folder; the file has its skymap in it.
    out : Path
    model : Path or None
        None is the model that comes with pulsaurora.
    overwrite : bool
        Whether to do again what is done.
    imager_changed : bool
        Whether the site had another imager earlier on that date.
    """

    night: Night
    stream0: Path
    out: Path
    model: Path | None = None
    overwrite: bool = False
    imager_changed: bool = False

    @property
    def name(self):
        return f"{self.night.date:%Y%m%d}_{self.night.site}_{self.night.imager}"

    @property
    def path(self):
        """The classification file that is to be there."""
        return classification_path(self.out, self.night.site, self.night.imager, self.night.date)


@dataclass(slots=True)
class NightResult:
    """What became of one night.

    Attributes
    ----------
    name : str
        `YYYYMMDD_SITE_IMAGER`.
    status : str
        `done`, `skipped` (was done already) or `failed`.
    path : Path
        The classification file.
    n_frames : int
    n_labels : dict of str to int
        Frames of each class; or whatever else was counted.
    problems : list of Problem
    seconds : float
    error : str
        Why it failed.
    """

    name: str
    status: str
    path: Path
    n_frames: int = 0
    n_labels: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def __str__(self):
        said = f"{self.name}: "
        if self.status == "failed":
            return f"{said}failed: {self.error}"
        if self.status == "skipped":
            said += "done already"
        else:
            labels = ", ".join(f"{count} {name}" for name, count in self.n_labels.items() if count)
            rate = self.n_frames / max(self.seconds, 1e-9)
            said += f"{self.n_frames} frames" + (f" ({labels})" if labels else "")
            said += f", {self.seconds:.2f} s, {rate:.0f} frames/s"
        return said + (f", {len(self.problems)} problems" if self.problems else "")


@dataclass(slots=True)
class BatchResult:
    """What became of a batch: `nights`, and the problems found when listing them."""

    nights: list
    problems: list

    @property
    def n_problems(self):
        return len(self.problems) + sum(len(night.problems) for night in self.nights)

    @property
    def n_failed(self):
        return sum(night.status == "failed" for night in self.nights)


def list_tasks(
    stream0,
    out,
    start,
    end,
    sites=None,
    model=None,
    overwrite=False,
    problems=None,
    dayfiles=False,
    kind=NightTask,
):
    """List what a batch has to do, a date at a time.

    Parameters
    ----------
    stream0, out : path-like
        Root of the archive's files, and of the classification files.
    start, end : datetime.date
        Both included.
    sites : list of str, optional
        All sites when not given.
    model : path-like, optional
    overwrite : bool
    problems : list, optional
        What lies in the archive and is no part of it is appended, each once.
    dayfiles : bool
        Whether `stream0` is a folder of day files with raw frames.
    kind : type
        NightTask or a class made of it.

    Yields
    ------
    list of NightTask
        Those of one date, by site and imager; a date without any gives an empty list. Years of nights have
        millions of files, so they are not listed all at once.
    """
    stream0, out = Path(stream0), Path(out)
    model = None if model is None else Path(model)
    told = set()
    find = find_nights
    if dayfiles:
        from pulsaurora.archive.daynights import find_dayfile_nights as find
    for day in range((end - start).days + 1):
        date = start + datetime.timedelta(days=day)
        nights, found = find(stream0, date, date, sites)
        if problems is not None:
            problems.extend(problem for problem in dict.fromkeys(found) if problem not in told)
            told.update(found)
        first = {}
        for night in sorted(nights, key=_beginning):
            first.setdefault(night.site, night)
        yield [
            kind(night, stream0, out, model, overwrite, first[night.site] is not night) for night in nights
        ]


def _beginning(night):
    hour = min(night.hours)
    return hour, night.hours[hour][0].minute


def classify_nights(
    stream0,
    out,
    start,
    end,
    sites=None,
    workers=None,
    model=None,
    overwrite=False,
    watch=None,
    dayfiles=False,
):
    """Label every frame of every night from `start` to `end`.

    Parameters
    ----------
    stream0, out, start, end, sites, model, overwrite, dayfiles
        As for `list_tasks`.
    workers : int, optional
        Threads; as many as this process may use cores when not given.
    watch : callable, optional
        Called with the part of a day that was finished since the last call, from any thread.

    Returns
    -------
    BatchResult

    Raises
    ------
    UsageError
        If a folder is missing or cannot be written.
    ContractError
        If the model cannot be used.
    """
    loaded = load_model(model)
    threading.Thread(target=prepare_to_write, daemon=True).start()

    def list_days(problems):
        return list_tasks(stream0, out, start, end, sites, model, overwrite, problems, dayfiles)

    return run_batch(list_days, stream0, out, start, end, sites, workers, watch, loaded, classify_task)


def run_batch(list_days, stream0, out, start, end, sites, workers, watch, model, work):
    """Do the nights of some days and bring the table of problems up to date, whatever happens.

    Parameters
    ----------
    list_days : callable
        Takes a list for problems and returns what `list_tasks` yields.
    stream0, out, start, end, sites, workers, watch
        As for `classify_nights`.
    model, work
        As for `run_task`.

    Returns
    -------
    BatchResult

    Raises
    ------
    UsageError
        If a folder is missing or cannot be written.
    """
    if not Path(stream0).is_dir():
        raise UsageError(f"{stream0}: is not a folder, expected the root of an archive")
    check_writable(out)
    listed, results = [], []
    try:
        for result in run_here(list_days(listed), model, workers or n_cores(), watch, work):
            results.append(result)
            report(result)
    finally:
        listed = list(dict.fromkeys(listed))
        here = [(problem, "") for problem in listed]
        here += [(problem, result.name) for result in results for problem in result.problems]
        done = [result.name for result in results if result.status != "failed"]
        update_problems(out, here, done, stream0, start, end, sites)
    for problem in listed:
        _log.warning("%s", problem)
    return BatchResult(results, listed)


def run_here(days, model, workers, watch=None, work=None):
    """Run the tasks of each day in threads of this process; yield their results in order.

    All nights share `workers` threads. Two are under way at once, so that there is something to compute
    while the last minutes of one are finished and its files are written.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(workers, "pulsaurora") as pool, ThreadPoolExecutor(NIGHTS_AT_ONCE) as lanes:
        futures = deque()
        try:
            for tasks in days:
                advance = _share(watch, sum(task.night.n_minutes for task in tasks))
                for task in tasks:
                    futures.append(lanes.submit(run_task, task, model, pool, advance, stop, work))
                    if len(futures) > NIGHTS_AT_ONCE:
                        yield futures.popleft().result()
            while futures:
                yield futures.popleft().result()
        finally:
            stop.set()
            for future in futures:
                future.cancel()


def _share(watch, total):
    """Return a function that tells `watch` what part of a day some minutes are."""
    if watch is None:
        return None
    if not total:
        watch(1.0)
    return lambda n_minutes: watch(n_minutes / total)


def run_task(task, model=None, pool=None, advance=None, stop=None, work=None):
    """Do one night unless it is done already; never raises for what is wrong with it.

    Parameters
    ----------
    task : NightTask
    model : Model, optional
        As loaded from `task.model`; loaded here when not given.
    pool : concurrent.futures.Executor, optional
        Threads to use; those of a pool of its own when not given.
    advance, stop
        As `on_minutes` and `stop` of `classify_night`.
    work : callable, optional
        Does it: takes task, model, pool, advance and stop and returns a NightResult. `classify_task` when not
        given.

    Returns
    -------
    NightResult
    """
    if pool is None:
        with ThreadPoolExecutor(n_cores()) as pool:
            return run_task(task, model, pool, advance, stop, work)
    began = time.perf_counter()
    n_counted = 0

    def count(n):
        nonlocal n_counted
        n_counted += n
        if advance:
            advance(n)

    try:
        result = (work or classify_task)(task, model, pool, count, stop)
    except Exception as error:
        # Whatever is wrong with one night, the others are to be done: it is told, and the batch fails at
        # its end.
        _log.debug("%s failed", task.name, exc_info=True)
        known = isinstance(error, (OSError, PulsauroraError))
        said = str(error) if known else f"{type(error).__name__}: {error}"
        problem = Problem(str(task.path), f"not made: {said}")
        result = NightResult(task.name, "failed", task.path, problems=[problem], error=said)
    count(task.night.n_minutes - n_counted)
    result.seconds = time.perf_counter() - began
    return result


def classify_task(task, model, pool, count, stop):
    """Classify one night unless it is done already; the arguments are those of `run_task`."""
    model = load_model(task.model) if model is None else model
    night = task.night
    skymap_path = find_night_skymap(night, task.stream0)
    about = {
        "version": __version__,
        "model": model.sha256,
        "trained on": model.learned_from,
        "inputs": fingerprint(night, skymap_path),
    }
    if not task.overwrite and (problems := classified_already(task.path, about)) is not None:
        return NightResult(task.name, "skipped", task.path, problems=problems)
    elevation, problems = night_elevation(night, skymap_path)
    labelled = classify_night(night, model, pool, elevation, count, stop)
    if task.imager_changed and len(labelled):
        quality = labelled.table["quality"]
        quality[0] = ";".join(filter(None, ["imager_changed", quality[0]]))
    problems += labelled.problems
    # The name may change without the model: it is told, but whether the work is done does not rest on it.
    told = {**about, "model name": plain_text(model.path.name)}
    write_classifications(task.path, labelled.table, told, problems)
    counts = np.bincount(labelled.table["label"], minlength=len(CLASSES)).tolist()
    return NightResult(
        task.name, "done", task.path, len(labelled), dict(zip(CLASSES, counts, strict=True)), problems
    )


def classified_already(path, about):
    """Return the problems of a night that was classified from the same inputs, else None."""
    if not parquet_path(path).is_file() or not read_about(path).items() >= about.items():
        return None
    return read_problems(path)


def report(result):
    """Log what became of a night: one line, and one for each of its problems."""
    for problem in result.problems if result.status == "done" else ():
        _log.warning("%s", problem)
    _log.log(logging.ERROR if result.status == "failed" else logging.INFO, "%s", result)
