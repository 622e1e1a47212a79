"""The whole of `classify` on 1,200 frames, against themis-imager-readfile merely reading them.

    python -m pytest benchmarks/test_classify.py -o addopts= -s

Two threads each, in one run and turn about. Classifying reads, computes features, runs the model, steadies
the labels and writes the text file and the Parquet table. Many nights are the same frames as six nights.
"""

import datetime
import itertools
import shutil

import numpy as np
import pytest
from conftest import WORKERS
from nights import DATE, repeat
from ratios import require
from test_reading import inflate_alone

from pulsaurora.archive.tables import read_classifications
from pulsaurora.classification.batch import classify_nights

N_NIGHTS = 6
READER = "themis_imager_readfile.read(workers=2)"


@pytest.fixture(scope="module")
def nights(minutes, tmp_path_factory):
    """The same number of frames in six nights."""
    root = tmp_path_factory.mktemp("nights")
    for number in range(N_NIGHTS):
        repeat(minutes, root, 10, DATE + datetime.timedelta(number), hour=6)
    return root


@pytest.fixture
def classify(tmp_path):
    """A call that classifies into a new folder each time and returns the result."""
    numbers = itertools.count()

    def call(root, workers=WORKERS, n_nights=1):
        out = tmp_path / f"out{next(numbers)}"
        result = classify_nights(
            root, out, DATE, DATE + datetime.timedelta(n_nights - 1), workers=workers
        )
        return result, out

    return call


def done(result, n_nights):
    """The number of frames, once it is sure that all nights are done and nothing was wrong with them."""
    assert [night.status for night in result.nights] == ["done"] * n_nights and not result.n_problems
    return sum(night.n_frames for night in result.nights)


def timed(classify, *arguments):
    """Classify and clear away what was written: the disk is the same for every round."""
    _, out = classify(*arguments)
    shutil.rmtree(out)


def test_classifying_one_night(beside, stream0, paths, classify, themis_readfile):
    result, out = classify(stream0)
    _, metadata, _ = themis_readfile.read(paths, workers=WORKERS)
    table = read_classifications(next(out.rglob("*.parquet")))
    starts = [entry["Image request start"].removesuffix(" UTC") for entry in metadata]
    np.testing.assert_array_equal(table["time"].to_numpy(), np.array(starts, "datetime64[us]"))
    n_frames = done(result, 1)
    peers = {
        "readfile": lambda: themis_readfile.read(paths, workers=WORKERS),
        "libdeflate": lambda: inflate_alone(paths),
        "one thread": lambda: timed(classify, stream0, 1),
    }
    took = beside(lambda: timed(classify, stream0), peers, n_frames)
    work = "classify, 1,200 frames"
    rows = [
        beside.note(
            work, READER, took["ours"][0], took["readfile"][0], larger=False, aim=0.3, least=0.5
        ),
        beside.note(
            f"{work}, CPU time", "libdeflate inflating alone", took["ours"][1], took["libdeflate"][1],
            larger=False, aim=1.8, least=2.5,
        ),
        beside.note(
            f"{work}, two threads", "one thread", took["ours"][0], took["one thread"][0], aim=1.8, least=1.6
        ),
    ]  # fmt: skip
    for row in rows:
        require(row)


def test_classifying_many_nights(beside, nights, stream0, classify, themis_readfile):
    n_frames = done(classify(nights, WORKERS, N_NIGHTS)[0], N_NIGHTS)
    files = sorted(map(str, nights.rglob("*_full.pgm*")))
    assert themis_readfile.read(files, workers=WORKERS)[0].shape[2] == n_frames
    peers = {
        "readfile": lambda: themis_readfile.read(files, workers=WORKERS),
        "one night": lambda: timed(classify, stream0),
    }
    took = beside(lambda: timed(classify, nights, WORKERS, N_NIGHTS), peers, n_frames)
    work = "classify, six nights of 200 frames"
    beside.note(work, READER, took["ours"][0], took["readfile"][0], larger=False)
    beside.note(work, "one night of 1,200 frames", took["ours"][0], took["one night"][0], larger=False)
