"""Reading 1,200 real frames, against themis-imager-readfile in the same run.

    python -m pytest benchmarks/test_reading.py -o addopts= -s
"""

import os
import platform
import time

import numpy as np
import pytest

from pulsaurora import read_frames
from pulsaurora.imaging.themis import read_minute

N_TIMES = 10
WORKERS = 2


@pytest.fixture(scope="module")
def paths():
    root = os.path.join(os.path.dirname(__file__), "..", "..", "shared", "data", "stream0")
    hour = os.path.join(root, "2014", "03", "10", "gill_themis19", "ut06")
    if not os.path.isdir(hour):
        pytest.skip(f"real data not found: {hour} is not there")
    return sorted(os.path.join(hour, name) for name in os.listdir(hour))


@pytest.fixture(scope="module")
def peer():
    return pytest.importorskip("themis_imager_readfile", reason="themis-imager-readfile needs numpy < 2")


@pytest.fixture(scope="module")
def copies(paths, tmp_path_factory):
    """The real files ten times over, an hour each, so that no frame is another's duplicate."""
    folder = tmp_path_factory.mktemp("copies")
    found = []
    for hour in range(N_TIMES):
        for path in paths:
            target = folder / os.path.basename(path).replace("_06", f"_{hour:02d}", 1)
            target.write_bytes(_shifted(path, hour))
            found.append(str(target))
    return found


def _shifted(path, hour):
    """The bytes of a file with its frames moved to another hour, compressed at the same level as it was."""
    import gzip

    with open(path, "rb") as file:
        data = file.read()
    packed = data[:2] == b"\x1f\x8b"
    data = gzip.decompress(data) if packed else data
    data = data.replace(b"2014-03-10 06:", b"2014-03-10 %02d:" % hour)
    return gzip.compress(data, 6) if packed else data


def test_same_frames_as_the_peer(paths, peer):
    images, metadata, _ = peer.read(paths)
    frames = read_frames(paths)
    assert np.array_equal(np.moveaxis(frames.images, 0, 2), images) and frames.metadata == metadata


@pytest.mark.benchmark(group="reading 1,200 real frames")
def test_read_frames(benchmark, copies):
    frames = benchmark.pedantic(read_frames, (copies, WORKERS), rounds=5, warmup_rounds=1)
    assert len(frames) == 20 * len(copies)
    benchmark.extra_info["ms_a_frame"] = 1000 * benchmark.stats.stats.min / len(frames)


@pytest.mark.benchmark(group="reading 1,200 real frames")
def test_themis_imager_readfile(benchmark, copies, peer):
    images, _, _ = benchmark.pedantic(peer.read, (copies, WORKERS), rounds=3, warmup_rounds=1)
    assert images.shape[2] == 20 * len(copies)
    benchmark.extra_info["ms_a_frame"] = 1000 * benchmark.stats.stats.min / images.shape[2]


@pytest.mark.benchmark(group="one minute file, one thread")
def test_read_minute(benchmark, paths):
    assert len(benchmark(read_minute, paths[0])) == 20


def test_reading_is_at_least_three_times_as_fast(copies, peer):
    ours, theirs = [], []
    for _ in range(3):  # turn about, so that both meet the same load
        ours.append(_seconds(read_frames, copies, WORKERS))
        theirs.append(_seconds(peer.read, copies, WORKERS))
    n_frames = 20 * len(copies)
    print(
        f"\nPython {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} processors: "
        f"pulsaurora {1000 * min(ours) / n_frames:.3f} ms a frame, themis-imager-readfile "
        f"{1000 * min(theirs) / n_frames:.3f} ms, ratio {min(theirs) / min(ours):.1f}"
    )
    assert min(theirs) / min(ours) >= 3


def _seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start
