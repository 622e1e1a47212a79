"""Packing 600 real frames into a day file, against the recipe that existing day files are made with.

    python -m pytest benchmarks/test_packing.py -o addopts= -s

The recipe: themis-imager-readfile a minute at a time, OpenCV's CLAHE and 8-bit scaling a frame at a time, and
an HDF5 dataset that is resized and appended to. Two threads on our side; OpenCV takes as many as there are
processors. Both in one run, turn about, after their results have been compared.
"""

import datetime
import os
import platform
import time

import h5py
import numpy as np
import pytest
from test_classify import ROOT, copy_to_minute

from pulsaurora.imaging.themispack import pack_themis

DATE = datetime.date(2014, 3, 10)
NAME = "all-images-2014-03-10-gill.h5"
N_TIMES = 5
WORKERS = 2
ROUNDS = 3

cv2 = pytest.importorskip("cv2", reason="OpenCV, part of the recipe, is not installed")
peer = pytest.importorskip("themis_imager_readfile", reason="themis-imager-readfile needs numpy < 2")


@pytest.fixture(scope="module")
def stream0(tmp_path_factory):
    """The six real minutes several times over, one after the other from 06:00 on."""
    hour = ROOT.parent / "shared/data/stream0/2014/03/10/gill_themis19/ut06"
    if not hour.is_dir():
        pytest.skip(f"real data not found: {hour} is not there")
    sources = sorted(hour.glob("*_full.pgm*"))
    root = tmp_path_factory.mktemp("stream0")
    for number in range(N_TIMES * len(sources)):
        copy_to_minute(sources[number % len(sources)], root, number)
    return root


def recipe(stream0, path):
    equalizer = cv2.createCLAHE(3.0, (8, 8))
    with h5py.File(path, "w") as file:
        for minute in sorted(stream0.rglob("*.pgm*")):
            images, metadata, _ = peer.read(str(minute))
            n = images.shape[2]
            equalized = np.empty(images.shape, np.uint8)
            for i in range(n):
                frame = np.ascontiguousarray(images[:, :, i])
                equalized[:, :, i] = cv2.convertScaleAbs(equalizer.apply(frame), alpha=255 / 65536)
            starts = [entry["Image request start"] for entry in metadata]
            times = np.array([start.replace(" UTC", "Z").replace(" ", "T") for start in starts], "S27")
            if "images" not in file:
                file.create_dataset("images", data=equalized, maxshape=(256, 256, None))
                file.create_dataset("iso_ut_time", data=times, maxshape=(None,))
            else:
                file["images"].resize(file["images"].shape[2] + n, axis=2)
                file["images"][:, :, -n:] = equalized
                file["iso_ut_time"].resize(len(file["iso_ut_time"]) + n, axis=0)
                file["iso_ut_time"][-n:] = times
    return path


def ours(stream0, out, raw16=False):
    pack_themis(stream0, out, DATE, DATE, raw16=raw16, workers=WORKERS, overwrite=True)
    return out / NAME


def test_packing_is_at_least_six_times_as_fast_and_smaller(stream0, tmp_path):
    made, reference = ours(stream0, tmp_path / "made"), recipe(stream0, tmp_path / "recipe.h5")
    with h5py.File(made) as one, h5py.File(reference) as other:
        for name in ("images", "iso_ut_time"):
            np.testing.assert_array_equal(one[name][()], other[name][()])
        n_frames = len(one["iso_ut_time"])
    raw = ours(stream0, tmp_path / "raw", raw16=True)
    sizes = [path.stat().st_size / n_frames for path in (made, raw, reference)]

    seconds = {"made": [], "raw": [], "recipe": []}
    for _ in range(ROUNDS):  # turn about, so that all meet the same load
        seconds["made"].append(_seconds(ours, stream0, tmp_path / "made"))
        seconds["raw"].append(_seconds(ours, stream0, tmp_path / "raw", True))
        seconds["recipe"].append(_seconds(recipe, stream0, tmp_path / "recipe.h5"))
    packing, with_raw, theirs = (1000 * min(times) / n_frames for times in seconds.values())
    print(
        f"\nPython {platform.python_version()}, numpy {np.__version__}, OpenCV {cv2.__version__}, h5py "
        f"{h5py.__version__}, {os.cpu_count()} processors, {n_frames} frames: day file {packing:.3f} ms and "
        f"{sizes[0]:.0f} bytes a frame, with raw frames {with_raw:.3f} ms and {sizes[1]:.0f} bytes, the "
        f"recipe {theirs:.3f} ms and {sizes[2]:.0f} bytes; ratio {theirs / packing:.1f}, with raw frames "
        f"{theirs / with_raw:.1f}"
    )
    assert theirs / packing >= 6
    assert sizes[0] < sizes[2]


def _seconds(function, *arguments):
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began
