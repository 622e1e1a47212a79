"""Where the nights of a batch are done: in threads of this process, or on a dask cluster (`daskengine.py`).

An engine is entered for as long as the batch lasts, and then runs tasks as they are listed.
"""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from pulsaurora.archive.claims import Claims
from pulsaurora.archive.files import clear_leftovers
from pulsaurora.archive.outcomes import NightResult, attempt
from pulsaurora.problems import UsageError
from pulsaurora.workers import n_cores

NIGHTS_AT_ONCE = 2  # the next is read while the last is written
ENGINES = ("threads", "dask")


def choose_engine(name="threads", scheduler=None, workers=None):
    """Return an engine by its name.

    Parameters
    ----------
    name : str
        `threads` or `dask`.
    scheduler : str, optional
        Address of dask's scheduler, such as `tcp://10.0.0.1:8786`.
    workers : int, optional
        Threads; or, for dask without a scheduler, processes of a cluster on this machine.

    Raises
    ------
    UsageError
        If there is no such engine, or dask is asked for and not installed.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine {name}: there is {' and '.join(ENGINES)}")
    if name == "dask":
        from pulsaurora.classification.daskengine import DaskEngine

        return DaskEngine(scheduler, workers)
    if scheduler is not None:
        raise UsageError("--scheduler is for --engine dask")
    return ThreadEngine(workers)


class ThreadEngine:
    """Does nights in threads of this process.

    All nights share `workers` threads, as many as cores when not given. Two are under way at once, so that
    there is something to compute while the last minutes of one are finished and its files are written.
    """

    def __init__(self, workers=None):
        self.workers = workers or n_cores()

    def __str__(self):
        return f"{self.workers} threads"

    def seen_from_there(self, *paths):
        """Paths as where the work is done they mean the same; None stays None."""
        return paths

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def run(self, days, model, watch, work):
        """Do the tasks of each day.

        Parameters
        ----------
        days : iterable of list of tasks
        model : Model or None
        watch : callable or None
            Called with the part of a day that was finished since the last call, from any thread.
        work : callable
            As for `run_task`.

        Yields
        ------
        task, list of NightResult
            In the order of the tasks.
        """
        stop = threading.Event()
        with (
            ThreadPoolExecutor(self.workers, "pulsaurora") as pool,
            ThreadPoolExecutor(NIGHTS_AT_ONCE) as lanes,
        ):
            under_way = deque()
            try:
                for tasks in days:
                    advance = share_of_day(watch, sum(task.n_parts for task in tasks))
                    for task in tasks:
                        future = lanes.submit(run_task, task, model, pool, advance, stop, work)
                        under_way.append((task, future))
                        if len(under_way) > NIGHTS_AT_ONCE:
                            task, future = under_way.popleft()
                            yield task, future.result()
                while under_way:
                    task, future = under_way.popleft()
                    yield task, future.result()
            finally:
                stop.set()
                for _, future in under_way:
                    future.cancel()


def share_of_day(watch, total):
    """Return a function that tells `watch` what part of a day some parts of its nights are."""
    if watch is None:
        return None
    if not total:
        watch(1.0)
    return lambda n_parts: watch(n_parts / total)


def run_task(task, model=None, pool=None, advance=None, stop=None, work=None):
    """Do one night unless it is done already or another program is at it.

    Never raises for what is wrong with the night.

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
        Does it: takes task, model, pool, what counts minutes, and stop, and returns a NightResult or a list
        of them. `classify_task` when not given.

    Returns
    -------
    list of NightResult
        One, but where the images of a night turn out to be of several imagers.
    """
    if pool is None:
        with ThreadPoolExecutor(n_cores()) as pool:
            return run_task(task, model, pool, advance, stop, work)
    if work is None:
        from pulsaurora.classification.batch import classify_task as work
    stop = stop or threading.Event()

    def claimed(count):
        if stop.is_set():
            raise KeyboardInterrupt
        with Claims.of(task.out).hold(task.path.name) as other:
            if other is not None:
                return NightResult(task.name, "busy", task.path, error=str(other))
            clear_leftovers(*task.files)
            return work(task, model, pool, count, stop)

    return attempt(task.name, task.path, task.n_parts, advance, claimed)
