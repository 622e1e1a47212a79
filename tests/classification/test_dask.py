"""Nights on a real dask cluster: a scheduler and two workers, each a program of its own."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import fitswriter
import killed
import pytest
import tinymodel

from pulsaurora.archive.claims import Claims
from pulsaurora.classification import daskengine
from pulsaurora.classification.batch import classify_nights
from pulsaurora.classification.engines import ThreadEngine, choose_engine
from pulsaurora.classification.event_nights import find_events_of_nights
from pulsaurora.classification.pfrr import classify_pfrr
from pulsaurora.cli import log, main
from pulsaurora.imaging.themispack import pack_themis
from pulsaurora.problems import PulsauroraError, UsageError

distributed = pytest.importorskip("distributed", reason="dask is not installed")

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals"),
    # Of distributed's own making, when a cluster goes.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]


def dask(*arguments):
    program = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
    path = os.pathsep.join([str(killed.ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": path}
    )


class Cluster:
    """A scheduler and two workers of one thread."""

    def __init__(self):
        self._start()
        self.complete()

    def _start(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = dask("scheduler", "--port", str(port))
        self.workers = []

    @classmethod
    def without_workers(cls):
        cluster = cls.__new__(cls)
        cluster._start()
        return cluster

    def complete(self):
        """Start as many workers as are missing, and wait until there are two."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < 2:
            self.workers.append(dask("worker", self.address, "--nthreads", "1", "--no-nanny"))
        with distributed.Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)

    def close(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Arguments of a batch over eight nights, and what threads leave."""
    folder = tmp_path_factory.mktemp("batch")
    stream0 = killed.make_archive(folder / "stream0")
    model = tinymodel.save(tinymodel.features_proto(), folder / "tiny.onnx")
    arguments = ["--stream0", str(stream0), "--model", str(model)]
    assert killed.finish(killed.start_batch(folder / "out", *arguments))[0] == 3
    return arguments, killed.tree(folder / "out")


@pytest.fixture(autouse=True)
def ended():
    yield
    log.stop()
    killed.end_all()


def on(cluster):
    return ["--engine", "dask", "--scheduler", cluster.address]


def claims_of_workers(out, cluster):
    pids = {worker.pid for worker in cluster.workers}
    return [holder.pid for _, holder, _ in Claims(out).held() if holder.pid in pids]


def test_a_worker_that_is_killed_costs_nothing_and_results_are_those_of_threads(cluster, batch, tmp_path):
    arguments, expected = batch
    cluster.complete()
    out = tmp_path / "out"
    process = killed.start_batch(out, *arguments, *on(cluster))
    pid, *_ = killed.wait_until(lambda: claims_of_workers(out, cluster), process)
    os.kill(pid, signal.SIGKILL)  # with a night in its hand, or the next
    status, said, error = killed.finish(process)
    assert (status, said.split("\n")[0]) == (3, f"nights: 8 done; results under {out}"), error
    assert killed.tree(out) == expected
    # Workers, which run elsewhere, find a folder that is named as seen from here.
    status, said, _ = killed.finish(killed.start_batch("out", *arguments, *on(cluster), cwd=tmp_path))
    assert (status, said) == (3, f"nights: 8 done already; results under {out}\n")


def test_day_files_pfrr_images_and_events_are_the_same_too(cluster, batch, tmp_path):
    cluster.complete()
    stream0, first = Path(batch[0][1]), killed.START
    pack_themis(stream0, tmp_path / "days", first, first, ["gill"], raw16=True)
    for i in range(6):
        fitswriter.write(tmp_path / "pfrr/2014/20140301", f"0800{10 * i:02d}.743", day="20140301")
    kinds = {
        "days": lambda out, **known: classify_nights(
            tmp_path / "days", out, first, first, dayfiles=True, model=batch[0][3], **known
        ),
        "pfrr": lambda out, **known: classify_pfrr(
            tmp_path / "pfrr", out, first, first, model=batch[0][3], **known
        ),
        "events": lambda out, **known: find_events_of_nights(stream0, out, first, first, **known),
    }
    for name, run in kinds.items():
        run(tmp_path / name / "threads")
        result = run(tmp_path / name / "dask", engine=daskengine.DaskEngine(cluster.address))
        assert {night.status for night in result.nights} == {"done"}
        assert killed.tree(tmp_path / name / "threads") == killed.tree(tmp_path / name / "dask")


@pytest.mark.parametrize(("how", "status"), [("INT", 130), ("TERM", 143)])
def test_a_batch_that_is_stopped_leaves_nothing_at_work(how, status, cluster, batch, tmp_path):
    arguments, expected = batch
    cluster.complete()
    out = tmp_path / "out"
    process = killed.start_batch(out, *arguments, *on(cluster))
    killed.wait_until(lambda: claims_of_workers(out, cluster), process)
    process.send_signal(getattr(signal, f"SIG{how}"))
    returned, _, error = killed.finish(process)
    assert returned == status and "the same command goes on from there" in error
    left = killed.tree(out)
    assert {name: left[name] for name in left if name.startswith("2014")} == {
        name: expected[name] for name in left if name.startswith("2014")
    }
    assert not [name for name in left if name.startswith(".batch") or name.endswith(".part")]
    assert all(worker.poll() is None for worker in cluster.workers)
    assert killed.finish(killed.start_batch(out, *arguments, *on(cluster)))[0] == 3
    assert killed.tree(out) == expected


def test_a_scheduler_that_goes_ends_the_batch_and_the_next_goes_on(batch, tmp_path):
    arguments, expected = batch
    cluster = Cluster()
    out = tmp_path / "out"
    try:
        process = killed.start_batch(out, *arguments, *on(cluster))
        killed.wait_until(lambda: claims_of_workers(out, cluster), process)
        for one in (*cluster.workers, cluster.scheduler):
            one.kill()
        status, _, error = killed.finish(process)
    finally:
        cluster.close()
    assert status == 1 and "scheduler is gone" in error.split("\n")[-2], error
    assert killed.finish(killed.start_batch(out, *arguments))[0] == 3
    assert killed.tree(out) == expected


def test_it_is_told_that_no_worker_has_come_and_the_work_begins_when_one_does(batch, tmp_path):
    arguments, expected = batch
    cluster = Cluster.without_workers()
    logs, out = tmp_path / "logs", tmp_path / "out"
    try:
        process = killed.start_batch(out, *arguments, *on(cluster), PULSAURORA_LOGS=str(logs))
        killed.wait_until(
            lambda: "no worker has come" in "".join(path.read_text() for path in logs.glob("*.log")), process
        )
        cluster.complete()
        status, said, error = killed.finish(process)
    finally:
        cluster.close()
    assert (status, said.split("\n")[0]) == (3, f"nights: 8 done; results under {out}"), error
    assert killed.tree(out) == expected


def test_a_cluster_of_this_machine_is_started_where_no_scheduler_is_named(batch, tmp_path):
    arguments, expected = batch
    out = tmp_path / "out"
    process = killed.start_batch(out, *arguments, "--engine", "dask", "--workers", "1")
    status, _, error = killed.finish(process)
    assert status == 3, error
    assert killed.tree(out) == expected


def allocator_of_worker():
    import dask

    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
    return [os.environ.get(name) for name in names], dask.config.get("distributed.worker.profile.enabled")


def test_workers_that_are_started_here_keep_memory_and_are_not_watched(tmp_path):
    import dask

    before = dask.config.get("distributed.nanny.pre-spawn-environ")
    with choose_engine("dask", None, 1) as engine:
        ((thresholds, is_watched),) = engine._client.run(allocator_of_worker).values()
    assert thresholds == [str(64 * 2**20), str(32 * 2**20)] and not is_watched
    assert dask.config.get("distributed.nanny.pre-spawn-environ") == before


def test_a_port_that_is_taken_disturbs_nothing(recwarn):
    with socket.socket() as other:
        try:
            other.bind(("", 8787))  # where dask would serve its pages
            other.listen()
        except OSError:
            pass  # somebody else has it: all the better
        with choose_engine("dask", None, 1) as engine:
            served = engine._client.scheduler_info()["services"]["dashboard"]
    assert served != 8787 and not [w for w in recwarn if "8787" in str(w.message)]


def test_what_cannot_be_is_said_in_a_line(monkeypatch, tmp_path, capsys, batch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(daskengine, "ANSWER_S", 0.5)
    dates = ["2014-03-01", "2014-03-01", *batch[0]]
    with socket.socket() as silent:  # listens, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert main.run(["classify", *dates, "--engine", "dask", "--scheduler", address]) == 2
    assert f"--scheduler {address}: no answer" in capsys.readouterr().err
    assert main.run(["classify", *dates, "--engine", "dask", "--scheduler", "nonsense"]) == 2
    assert "--scheduler nonsense: no answer" in capsys.readouterr().err
    assert main.run(["classify", *dates, "--scheduler", address]) == 2
    assert "--scheduler is for --engine dask" in capsys.readouterr().err
    assert main.run(["classify", *dates, "--engine", "spark"]) == 2
    assert "--engine spark: there is threads and dask" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"not installed: pip install 'pulsaurora\[dask\]'"):
        choose_engine("dask")
    assert isinstance(choose_engine(), ThreadEngine)


def test_a_worker_of_another_version_or_model_is_refused(batch, tmp_path, monkeypatch):
    model = tinymodel.save(tinymodel.features_proto(tinymodel.weights(seed=1)), tmp_path / "other.onnx")
    worker = type("Worker", (), {"state": type("State", (), {"nthreads": 1})})
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    task = type("Task", (), {"model": model})
    with pytest.raises(PulsauroraError, match="the worker has pulsaurora .*, expected 99"):
        daskengine.do_remotely(task, None, ("99", None), "run")
    with pytest.raises(PulsauroraError, match="the worker has another model there"):
        daskengine.do_remotely(task, None, (daskengine.__version__, "a sum"), "run")
