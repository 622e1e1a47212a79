"""Nights on a dask.distributed cluster: one task a night, of which only the small NightTask is sent.

A night and not an hour is the task: hours were measured to take as long (docs/scale.md), so nothing is gained
by them until there are fewer nights than threads, and labels are steadied over the whole night anyway. A
worker that dies costs the night in its hand, which the scheduler gives to another.
"""

import contextlib
import logging
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pulsaurora import __version__
from pulsaurora.archive.outcomes import failed
from pulsaurora.classification.engines import run_task, share_of_day
from pulsaurora.classification.model import load_model
from pulsaurora.problems import ContractError, PulsauroraError, UsageError
from pulsaurora.workers import n_cores

ANSWER_S = 15.0  # for the scheduler to answer
# For workers that are started here. dask has glibc give back memory at once, and looks 100 times a second at
# what a worker does: 43 s of processor time for four nights in place of 29.
WORKERS = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 64 * 2**20,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 32 * 2**20,
    "distributed.worker.profile.enabled": False,
}

_log = logging.getLogger(__name__)


class DaskEngine:
    """Does nights on a dask cluster.

    Parameters
    ----------
    scheduler : str, optional
        Address of the scheduler. When not given, that of dask's configuration (DASK_SCHEDULER_ADDRESS); if it
        has none, a cluster of `workers` processes is started on this machine.
    workers : int, optional
        As many as this process may use cores when not given.

    Raises
    ------
    UsageError
        If dask is not installed.
    """

    def __init__(self, scheduler=None, workers=None):
        try:
            import dask
            import distributed
        except ModuleNotFoundError as error:
            raise UsageError(
                f"--engine dask needs {error.name}, which is not installed: pip install 'pulsaurora[dask]'"
            ) from None
        self._dask, self._distributed = dask, distributed
        self.scheduler = scheduler or dask.config.get("scheduler-address", None)
        self.workers = workers or n_cores()
        self.run_id = secrets.token_hex(4)
        self._stack = contextlib.ExitStack()
        self._client = None

    def __str__(self):
        return f"dask at {self.scheduler}" if self.scheduler else f"dask, {self.workers} processes"

    def seen_from_there(self, *paths):
        """Paths as where the work is done they mean the same: absolute; None stays None."""
        return tuple(None if path is None else Path(path).absolute() for path in paths)

    def __enter__(self):
        """Connect; raise a UsageError if the scheduler does not answer."""
        with self._stack:
            address = self.scheduler
            if address is None:
                with self._dask.config.set(WORKERS):
                    # A free port of this machine alone: None takes port 8787, and warns where that is taken.
                    cluster = self._distributed.LocalCluster(
                        n_workers=self.workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
                    )
                address = self._stack.enter_context(cluster)
            self._client = self._stack.enter_context(self._connect(address))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def _connect(self, address):
        connected, wrong = [], []

        def connect():
            try:
                connected.append(self._distributed.Client(address, timeout=ANSWER_S, set_as_default=False))
            except (OSError, ValueError, TypeError) as error:
                wrong.append(" ".join(str(error).split()) or type(error).__name__)

        # In a thread, because dask waits for good where something listens that is no scheduler.
        thread = threading.Thread(target=connect, daemon=True)
        thread.start()
        thread.join(2 * ANSWER_S)
        if connected:
            return connected[0]
        said = wrong[0] if wrong else f"nothing within {2 * ANSWER_S:.0f} s"
        raise UsageError(f"--scheduler {address}: no answer ({said}); does `dask scheduler` run there?")

    def run(self, days, model, watch, work):
        """Do the tasks of each day; as `ThreadEngine.run`, but in the order in which they are finished."""
        client = self._client
        expected = __version__, None if model is None else model.sha256
        finished = self._distributed.as_completed(loop=client.loop)
        if not client.nthreads():
            _log.warning("%s: no worker has come yet; the work begins when one does", self)
        under_way = {}

        def collect():
            future = next(finished)
            _, task, advance = under_way.pop(future.key)
            results = self._result(future, task)
            if advance:
                advance(task.n_parts)
            return task, results

        try:
            for tasks in _ahead(days):
                advance = share_of_day(watch, sum(task.n_parts for task in tasks))
                for task in tasks:
                    if not task.out.is_absolute():
                        raise UsageError(f"{task.out}: name it by its full path: workers run elsewhere")
                    future = client.submit(
                        do_remotely, task, work, expected, self.run_id,
                        key=f"{task.name}-{secrets.token_hex(8)}", pure=False,
                    )  # fmt: skip
                    under_way[future.key] = future, task, advance
                    finished.add(future)
                    # One for each thread: what waits at one worker could have been another's.
                    while len(under_way) >= max(sum(client.nthreads().values()), 1):
                        yield collect()
            while under_way:
                yield collect()
        finally:
            if under_way:
                self._stop([future for future, _, _ in under_way.values()])

    def _result(self, future, task):
        try:
            return future.result()
        except self._distributed.client.FutureCancelledError as error:
            said = " ".join(str(error).split())
            raise PulsauroraError(
                f"dask's scheduler is gone ({said}); what is done is kept, the same command goes on with it"
            ) from None
        except Exception as error:
            # As of a night that fails here; among them that several workers died of it.
            return [failed(task.name, task.path, error)]

    def _stop(self, futures):
        """Have workers give up the nights in their hands, which leaves no trace of them."""
        if self._client.status != "running":
            return
        with contextlib.suppress(Exception):  # a cluster that is going need not be told
            self._client.run(stop_here, self.run_id, on_error="ignore")
            until = time.monotonic() + ANSWER_S
            while not all(future.done() for future in futures) and time.monotonic() < until:
                time.sleep(0.02)


def _ahead(days):
    """Yield what `days` does, of which the next is listed meanwhile: on a network disk that takes a while."""
    days = iter(days)
    with ThreadPoolExecutor(1, "listing") as lane:
        following = lane.submit(next, days, None)
        while (tasks := following.result()) is not None:
            following = lane.submit(next, days, None)
            yield tasks


_stopped = {}
_pools = {}
_models = {}
_making = threading.Lock()


def do_remotely(task, work, expected, run_id):
    """Do one night in a worker's process.

    Parameters
    ----------
    task, work
        As for `run_task`.
    expected : (str, str or None)
        Version of pulsaurora and sha256 of the model that whoever asks has.
    run_id : str
        Of the batch; see `stop_here`.
    """
    from distributed import get_worker

    with _making:
        stop = _stopped.setdefault(run_id, threading.Event())
        n_threads = get_worker().state.nthreads
        if n_threads not in _pools:
            _pools[n_threads] = ThreadPoolExecutor(n_threads, "pulsaurora")
    if __version__ != expected[0]:
        raise ContractError(f"the worker has pulsaurora {__version__}, expected {expected[0]}")
    model = None
    if expected[1] is not None:
        model = _model(task.model, expected[1])
    try:
        return run_task(task, model, _pools[n_threads], None, stop, work)
    except KeyboardInterrupt:  # would end the worker
        raise PulsauroraError("stopped") from None


def _model(path, sha256):
    """The model, loaded once."""
    with _making:
        if sha256 not in _models:
            model = load_model(path)
            if model.sha256 != sha256:
                raise ContractError(f"{model.path}: the worker has another model there")
            _models[sha256] = model
        return _models[sha256]


def stop_here(run_id):
    """Stop the nights of a batch in this process; those that are not begun will not be."""
    with _making:
        _stopped.setdefault(run_id, threading.Event()).set()
