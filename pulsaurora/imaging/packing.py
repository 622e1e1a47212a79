"""Frames -> day files: equalized, compressed and written a few at a time.

Threads read, equalize and compress one part of a day each (a minute file, some FITS files); what they give
is a megabyte or two and is written in order by the thread that asked. Memory therefore does not grow with
the day. What a day is made of and how its parts are read is told by `themispack` and `pfrrpack`.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pulsaurora import __version__
from pulsaurora.archive.claims import Claims
from pulsaurora.archive.dayfile import read_dayfile
from pulsaurora.archive.daywriter import DayWriter
from pulsaurora.archive.files import clear_leftovers, whole_file
from pulsaurora.archive.hdf5 import open_hdf5, text_attribute
from pulsaurora.archive.outcomes import NightResult, attempt, collected
from pulsaurora.archive.problem_table import check_writable
from pulsaurora.archive.tables import were_kept_back
from pulsaurora.imaging.packparts import Found
from pulsaurora.problems import Problem, UnreadableFileError
from pulsaurora.workers import n_cores

# Parts read ahead for each thread; a part of raw frames takes some 3 MB.
_AHEAD = 2
# Between looks at whether another program has made the file that both are to make.
_LOOK_S = 0.5

@dataclass(slots=True)
class Day:
    """One day file that is to be made.

    Attributes
    ----------
    name : str
        Such as `2014-03-10-gill`.
    path : Path
    parts : list
        Whatever `pack` takes, in order of time.
    pack : callable
        Part of a day, and whether raw frames are kept -> Part; called in threads.
    frames_last : bool
        Whether `images` is (rows, columns, n).
    raw16 : bool
    inputs : str
        Fingerprint of the files.
    settings : str
        What decides how images are made of them.
    skymap : dict of ndarray
    image_attributes : dict
        Of the dataset `images`; the station's position is added from the files where they tell it.
    problems : list of Problem
        Found before any frame is read.
    """

    name: str
    path: Path
    parts: list
    pack: Callable
    frames_last: bool
    raw16: bool
    inputs: str
    settings: str
    skymap: dict = field(default_factory=dict)
    image_attributes: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)


def pack_days(
    dates, out, root, start, end, sites=None, workers=None, overwrite=False, watch=None, listed=None
):
    """Make day files.

    Parameters
    ----------
    dates : iterable of list of Day
        Those of one date at a time.
    out : path-like
        Folder of the day files and of `problems.csv`.
    root, start, end, sites
        What was listed to find them, for the table of problems.
    workers : int, optional
        Threads; as many as this process may use cores when not given.
    overwrite : bool
        Whether to do again what is done.
    watch : callable, optional
        Called with the part of a date that was finished since the last call.
    listed : list of Problem, optional
        Filled while `dates` is gone through.

    Returns
    -------
    BatchResult

    Raises
    ------
    UsageError
        If `out` cannot be written.
    """
    check_writable(out)
    n_threads = workers or n_cores()
    stop = threading.Event()
    # Written by a thread of its own: h5py calls back into Python where an exception that a signal raises
    # is lost, and signals come to the thread that waits here.
    with (
        collected(out, root, start, end, sites, listed=listed) as batch,
        ThreadPoolExecutor(n_threads, "pulsaurora") as pool,
        ThreadPoolExecutor(1) as lane,
    ):
        try:
            for days in dates:
                total = sum(len(day.parts) for day in days)
                if watch and not total:
                    watch(1.0)
                for day in days:
                    advance = None if watch is None else lambda n, total=total: watch(n / total)
                    writing = lane.submit(_pack_day, day, pool, _AHEAD * n_threads, overwrite, advance, stop)
                    while not wait([writing], timeout=0.5).done:  # else Windows would not hear Ctrl-C
                        continue
                    for result in writing.result():
                        batch.add(result)
        finally:
            stop.set()
    return batch


def _pack_day(day, pool, n_ahead, overwrite, advance, stop):
    """Make one day file unless it is there; never raises for what is wrong with it."""

    def work(count):
        with Claims.of(day.path.parent).wait(day.path.name, stop, _LOOK_S):
            clear_leftovers(day.path)
            n_before, had_raw16 = _made_before(day.path)
            # Raw frames that were kept are dropped only where that is asked for.
            made = day if overwrite or not had_raw16 else replace(day, raw16=True)
            result = None if overwrite else _done(made)
            if result is None:
                result = _write(made, pool, n_ahead, count, stop)
                if result.status == "done" and result.n_frames < n_before:
                    reason = f"has {result.n_frames} frames, the file that it took the place of {n_before}"
                    result.problems.append(Problem(str(day.path), reason, result.n_frames))
            return result

    return attempt(day.name, day.path, len(day.parts), advance, work)


def _made_before(path):
    """Return how many frames a day file has and whether raw ones are kept; 0, False if it cannot be read."""
    try:
        with read_dayfile(path) as made:
            return len(made), made.has_raw16
    except UnreadableFileError:
        return 0, False


def _done(day):
    """Return the result of a day file that was made of the same files in the same way, else None."""
    if not day.path.is_file():
        return None
    try:
        with open_hdf5(day.path) as file:
            told = {name: text_attribute(file, name) for name in ("version", "inputs", "settings")}
            if told != {"version": __version__, "inputs": day.inputs, "settings": day.settings}:
                return None
        with read_dayfile(day.path) as made:
            if day.raw16 and not made.has_raw16:
                return None
            problems = made.noted_problems()
            if were_kept_back(problems):
                return None
            return NightResult(day.name, "skipped", day.path, made.shape[0], problems=problems)
    except UnreadableFileError:
        return None


def _write(day, pool, n_ahead, count, stop):
    found = Found(day)
    with contextlib.ExitStack() as stack:
        writer = passing = None
        for part in _in_order(pool, partial(day.pack, raw16=day.raw16), day.parts, n_ahead):
            count(1)
            if stop.is_set():
                raise KeyboardInterrupt
            if not found.takes(part):
                continue
            if writer is None:
                passing = stack.enter_context(whole_file(day.path))
                writer = stack.enter_context(_open(passing, part.shape, day))
            writer.append(part.images, part.raw)
        if writer is None:
            return NightResult(day.name, "empty", day.path, problems=found.sorted_problems())
        order = found.order()
        if order is None:
            found.finish(writer)
        else:
            # Rare: clocks that overlap. The chunks are copied as they are to another file.
            second = stack.enter_context(whole_file(passing))
            sorted_writer = stack.enter_context(_open(second, found.shape, day))
            for number in order.tolist():
                if stop.is_set():
                    raise KeyboardInterrupt
                image, raw = writer.chunks(number)
                sorted_writer.append([image], [raw])
            found.finish(sorted_writer, order)
            writer.close()
    result = NightResult(day.name, "done", day.path, len(found.times), problems=found.sorted_problems())
    result.n_bytes = day.path.stat().st_size
    return result


def _open(path, shape, day):
    return contextlib.closing(DayWriter(path, shape, day.frames_last, day.raw16))


def _in_order(pool, pack, parts, n_ahead):
    """Yield what `pack` makes of each part, in order, a few of them under way in the pool."""
    futures, following = deque(), iter(parts)
    try:
        for part in following:
            futures.append(pool.submit(pack, part))
            if len(futures) > n_ahead:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
    finally:
        for future in futures:
            future.cancel()
