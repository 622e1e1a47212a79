"""Minute files -> Frames, against themis-imager-readfile and files damaged on purpose."""

import numpy as np
import pytest

from pulsaurora.imaging.themis import read_frames

HOUR = "stream0/2014/03/10/gill_themis19/ut06"


def test_real_files_read_as_themis_imager_readfile_reads_them(shared_data):
    peer = pytest.importorskip("themis_imager_readfile", reason="needs numpy < 2")
    paths = sorted(str(path) for path in (shared_data / HOUR).iterdir())
    images, metadata, problematic = peer.read(paths)
    frames = read_frames(paths)
    assert problematic == [] and frames.problems == []
    assert np.array_equal(np.moveaxis(frames.images, 0, 2), images)
    assert frames.metadata == metadata
    assert (frames.site, frames.imager) == ("gill", "themis19")
