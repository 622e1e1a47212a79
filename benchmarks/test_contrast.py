"""CLAHE and 8-bit scaling, ours and OpenCV's, one thread each, on the real frames.

Equality is checked before anything is timed.

    python -m pytest benchmarks/test_contrast.py -o addopts= --benchmark-group-by=group
"""

import os
import platform
from pathlib import Path

import numpy as np
import pytest

import pulsaurora
from pulsaurora.imaging.contrast import clahe

cv2 = pytest.importorskip("cv2", reason="OpenCV, the peer, is not installed")
SETTINGS = [(3.0, (8, 8)), (300.0, (4, 4))]


HOUR = Path(__file__).resolve().parents[2] / "shared/data/stream0/2014/03/10/gill_themis19/ut06"


@pytest.fixture(scope="module")
def frames():
    if not HOUR.is_dir():
        pytest.skip(f"real data not found: {HOUR} is not there")
    return pulsaurora.read_frames(sorted(HOUR.glob("*_full.pgm*"))).images[::3]


def opencv(frames, clip_limit, tiles):
    equalizer = cv2.createCLAHE(clip_limit, tiles)
    return np.stack([cv2.convertScaleAbs(equalizer.apply(frame), alpha=255 / 65535) for frame in frames])


@pytest.mark.parametrize("call", [clahe, opencv], ids=["pulsaurora", "opencv"])
@pytest.mark.parametrize(("clip_limit", "tiles"), SETTINGS, ids=["clip3-8x8", "clip300-4x4"])
def test_clahe(benchmark, frames, call, clip_limit, tiles):
    cv2.setNumThreads(1)
    assert np.array_equal(clahe(frames, clip_limit, tiles), opencv(frames, clip_limit, tiles))
    benchmark.group = f"clahe, clip limit {clip_limit:g}, {tiles[0]}x{tiles[1]} tiles, {len(frames)} frames"
    benchmark.extra_info |= {
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
    }
    benchmark(call, frames, clip_limit, tiles)
