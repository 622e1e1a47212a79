"""CLAHE and 8-bit scaling, ours and OpenCV's, one thread each.

    python -m pytest benchmarks/test_contrast.py -o addopts= -s
"""

import numpy as np
import pytest

from pulsaurora.imaging.contrast import clahe

cv2 = pytest.importorskip("cv2", reason="OpenCV, the peer, is not installed")
SETTINGS = [(3.0, (8, 8)), (300.0, (4, 4))]


def opencv(images, clip_limit, tiles):
    equalizer = cv2.createCLAHE(clip_limit, tiles)
    return np.stack([cv2.convertScaleAbs(equalizer.apply(image), alpha=255 / 65535) for image in images])


@pytest.mark.parametrize(("clip_limit", "tiles"), SETTINGS, ids=["clip3-8x8", "clip300-4x4"])
def test_clahe(beside, frames, clip_limit, tiles):
    cv2.setNumThreads(1)
    images = frames.images[:120:3]
    assert np.array_equal(clahe(images, clip_limit, tiles), opencv(images, clip_limit, tiles))
    peer = {"opencv": lambda: opencv(images, clip_limit, tiles)}
    took = beside(lambda: clahe(images, clip_limit, tiles), peer, len(images))
    work = f"CLAHE, clip limit {clip_limit:g}, {tiles[0]} x {tiles[1]} tiles, one thread"
    beside.note(work, "OpenCV", took["ours"][0], took["opencv"][0])
