"""The whole of `classify` on 1,200 real frames, against themis-imager-readfile merely reading them.

    python -m pytest benchmarks/test_classify.py -o addopts= -s

Two threads each, in one run and turn about. Classifying reads, computes features, runs the model, steadies
the labels and writes the text file and the Parquet table.
"""

import datetime
import gzip
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from pulsaurora import read_frames
from pulsaurora.archive.tables import read_classifications
from pulsaurora.classification.batch import classify_nights

ROOT = Path(__file__).resolve().parents[1]
DATE = datetime.date(2014, 3, 10)
N_TIMES = 10
WORKERS = 2
ROUNDS = 5


@pytest.fixture(scope="module")
def peer():
    return pytest.importorskip("themis_imager_readfile", reason="themis-imager-readfile needs numpy < 2")


@pytest.fixture(scope="module")
def stream0(tmp_path_factory):
    """The six real minutes ten times over, one after the other from 06:00 on."""
    hour = ROOT.parent / "shared/data/stream0/2014/03/10/gill_themis19/ut06"
    if not hour.is_dir():
        pytest.skip(f"real data not found: {hour} is not there")
    root = tmp_path_factory.mktemp("stream0")
    sources = sorted(hour.glob("*_full.pgm*"))
    for number in range(N_TIMES * len(sources)):
        copy_to_minute(sources[number % len(sources)], root, number)
    return root


def copy_to_minute(source, root, minute):
    """Write a real file as if it had been taken `minute` minutes after 06:00; compressed as it was."""
    data = source.read_bytes()
    packed = data[:2] == b"\x1f\x8b"
    data = gzip.decompress(data) if packed else data
    was = source.name[9:13]
    name = source.name.replace(f"_{was}_", f"_06{minute:02d}_", 1)
    data = data.replace(
        b"2014-03-10 %s:%s:" % (was[:2].encode(), was[2:].encode()), b"2014-03-10 06:%02d:" % minute
    )
    target = root / "2014/03/10/gill_themis19/ut06" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(data, 6) if packed else data)


@pytest.fixture
def classify(stream0, tmp_path):
    """A call that classifies into a new folder each time and returns the result."""
    runs = iter(range(1000))

    def call(workers=WORKERS):
        return classify_nights(stream0, tmp_path / f"out{next(runs)}", DATE, DATE, workers=workers)

    return call


def test_every_frame_is_read_as_the_peer_reads_it_and_labelled(stream0, classify, peer):
    paths = sorted(map(str, stream0.rglob("*.pgm*")))
    images, metadata, problematic = peer.read(paths, workers=WORKERS)
    frames = read_frames(paths)
    assert not problematic and np.array_equal(np.moveaxis(frames.images, 0, 2), images)
    (night,) = classify().nights
    table = read_classifications(night.path.with_suffix(".parquet"))
    starts = [entry["Image request start"].removesuffix(" UTC") for entry in metadata]
    assert night.n_frames == len(starts) == 1200 and not night.problems
    np.testing.assert_array_equal(table["time"].to_numpy(), np.array(starts, "datetime64[us]"))


@pytest.mark.benchmark(group="classifying 1,200 real frames, against reading them")
@pytest.mark.parametrize("workers", [1, 2])
def test_classify(benchmark, classify, workers):
    result = benchmark.pedantic(classify, (workers,), rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info["ms_a_frame"] = 1000 * benchmark.stats.stats.min / result.nights[0].n_frames


@pytest.mark.benchmark(group="classifying 1,200 real frames, against reading them")
def test_themis_imager_readfile_reads(benchmark, stream0, peer):
    paths = sorted(map(str, stream0.rglob("*.pgm*")))
    images, _, _ = benchmark.pedantic(peer.read, (paths, WORKERS), rounds=3, warmup_rounds=1)
    benchmark.extra_info["ms_a_frame"] = 1000 * benchmark.stats.stats.min / images.shape[2]


def test_classifying_takes_at_most_half_of_what_the_peer_takes_to_read(stream0, classify, peer, tmp_path):
    paths = sorted(map(str, stream0.rglob("*.pgm*")))
    command = [sys.executable, "-m", "pulsaurora", "--logs", str(tmp_path / "logs"), "classify", str(DATE)]
    command += [str(DATE), "--stream0", str(stream0), f"--workers={WORKERS}", "--out"]
    classify()
    ours, theirs, started = [], [], []
    for number in range(ROUNDS):  # turn about, so that all meet the same load
        ours.append(_seconds(classify))
        theirs.append(_seconds(peer.read, paths, WORKERS))
        started.append(_seconds(_run, [*command, str(tmp_path / f"command{number}")]))
    ours, theirs, started = (1000 * min(times) / 1200 for times in (ours, theirs, started))
    print(
        f"\nPython {platform.python_version()}, numpy {np.__version__}, onnxruntime "
        f"{onnxruntime.__version__}, {os.cpu_count()} processors: classify {ours:.3f} ms a frame, "
        f"themis-imager-readfile reads in {theirs:.3f} ms, ratio {ours / theirs:.2f}; as a command, with its "
        f"start, {started:.3f} ms a frame, ratio {started / theirs:.2f}"
    )
    assert ours / theirs <= 0.5


def _run(command):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    subprocess.run(command, check=True, env=environment, capture_output=True)


def _seconds(function, *arguments):
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began
