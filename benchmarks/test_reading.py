"""Reading 1,200 frames: ours, themis-imager-readfile's and pyucalgarysrs' readers, and inflating alone.

    python -m pytest benchmarks/test_reading.py -o addopts= -s
"""

import deflate
import numpy as np
import pytest
from conftest import WORKERS
from ratios import require

from pulsaurora import read_frames
from pulsaurora.imaging.themis import read_minute

WORK = "reading 1,200 frames"


def inflate_alone(paths):
    """Read the files and inflate those that are compressed, one after the other: the floor."""
    n_bytes = 0
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = deflate.gzip_decompress(data, int.from_bytes(data[-4:], "little"))
        n_bytes += len(data)
    return n_bytes


def read_with_pyucalgarysrs(paths):
    srs = pytest.importorskip("pyucalgarysrs", reason="pyucalgarysrs is not installed: see peers.txt")
    return srs.PyUCalgarySRS().data.readers.read_themis(paths, n_parallel=WORKERS, quiet=True)


def test_reading_beside_themis_imager_readfile(beside, paths, frames, themis_readfile):
    images, metadata, problems = themis_readfile.read(paths, workers=WORKERS)
    assert not problems and np.array_equal(np.moveaxis(frames.images, 0, 2), images)
    assert frames.metadata == metadata
    del images, metadata
    peers = {
        "readfile": lambda: themis_readfile.read(paths, workers=WORKERS),
        "libdeflate": lambda: inflate_alone(paths),
    }
    took = beside(lambda: read_frames(paths, WORKERS), peers, len(frames), rounds=3)
    name = "themis_imager_readfile.read(workers=2)"
    row = beside.note(WORK, name, took["ours"][0], took["readfile"][0], least=3)
    beside.note(f"{WORK}, CPU time", name, took["ours"][1], took["readfile"][1])
    floor = "libdeflate inflating alone"
    beside.note(f"{WORK}, CPU time", floor, took["ours"][1], took["libdeflate"][1], larger=False)
    require(row)


def test_reading_beside_pyucalgarysrs(beside, paths, frames):
    data = read_with_pyucalgarysrs(paths)
    assert np.array_equal(np.moveaxis(frames.images, 0, 2), data.data[::-1])  # it turns them north up
    assert [str(time) for time in data.timestamp] == [str(time) for time in frames.times.tolist()]
    del data
    took = beside(
        lambda: read_frames(paths, WORKERS), {"srs": lambda: read_with_pyucalgarysrs(paths)}, len(frames), 3
    )
    name = "pyucalgarysrs read_themis(n_parallel=2)"
    beside.note(WORK, name, took["ours"][0], took["srs"][0])


def test_one_minute_in_one_thread(beside, paths, themis_readfile):
    assert len(read_minute(paths[0])) == 20
    peer = {"readfile": lambda: themis_readfile.read(paths[0])}
    took = beside(lambda: read_minute(paths[0]), peer, 20, rounds=20)
    name = "themis_imager_readfile.read"
    beside.note("reading one minute file, one thread", name, took["ours"][0], took["readfile"][0])
