"""Packing 600 frames into a day file, against the recipe that existing day files are made with.

    python -m pytest benchmarks/test_packing.py -o addopts= -s

The recipe: themis-imager-readfile a minute at a time, OpenCV's CLAHE and 8-bit scaling a frame at a time, and
an HDF5 dataset that is resized and appended to. Two threads on our side; OpenCV takes as many as there are
processors. Beside it, what compresses the frames alone: ours in one thread, and h5py's own gzip.
"""

import h5py
import numpy as np
import pytest
from conftest import WORKERS
from nights import DATE, DEVICE, repeat
from ratios import require

from pulsaurora.archive.daywriter import LEVEL, DayWriter, compress_frame
from pulsaurora.imaging.contrast import clahe
from pulsaurora.imaging.themispack import pack_themis

NAME = f"all-images-{DATE}-{DEVICE[:4]}.h5"
N_MINUTES = 30

cv2 = pytest.importorskip("cv2", reason="OpenCV, part of the recipe, is not installed")


@pytest.fixture(scope="module")
def half_an_hour(minutes, tmp_path_factory):
    root = tmp_path_factory.mktemp("half_an_hour")
    repeat(minutes, root, N_MINUTES, hour=6)
    return root


def recipe(read, stream0, path):
    equalizer = cv2.createCLAHE(3.0, (8, 8))
    with h5py.File(path, "w") as file:
        for minute in sorted(stream0.rglob("*.pgm*")):
            images, metadata, _ = read(str(minute))
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


def test_packing_beside_the_recipe(beside, half_an_hour, themis_readfile, tmp_path):
    made = ours(half_an_hour, tmp_path / "made")
    reference = recipe(themis_readfile.read, half_an_hour, tmp_path / "recipe.h5")
    with h5py.File(made) as one, h5py.File(reference) as other:
        for name in ("images", "iso_ut_time"):
            np.testing.assert_array_equal(one[name][()], other[name][()])
        n_frames = len(one["iso_ut_time"])
    assert made.stat().st_size < reference.stat().st_size
    peers = {
        "recipe": lambda: recipe(themis_readfile.read, half_an_hour, tmp_path / "recipe.h5"),
        "raw": lambda: ours(half_an_hour, tmp_path / "raw", True),
    }
    took = beside(lambda: ours(half_an_hour, tmp_path / "made"), peers, n_frames, rounds=3)
    work, name = "packing a day file", "reader, OpenCV, h5py, frame after frame"
    row = beside.note(work, name, took["ours"][0], took["recipe"][0], aim=8, least=6)
    beside.note(f"{work} with raw frames", name, took["raw"][0], took["recipe"][0])
    require(row)


def write_ours(images, path):
    writer = DayWriter(path, images.shape[1:], frames_last=True)
    writer.append([compress_frame(image) for image in images])
    writer.close()


def write_h5py(images, path):
    with h5py.File(path, "w") as file:
        shape = (*images.shape[1:], len(images))
        chunk = (*images.shape[1:], 1)
        made = file.create_dataset(
            "images", shape, "u1", chunks=chunk, compression="gzip", compression_opts=LEVEL
        )
        for i, image in enumerate(images):
            made[:, :, i] = image


def test_compressing_beside_h5py(beside, frames, tmp_path):
    images = clahe(frames.images[:120])
    paths = tmp_path / "ours.h5", tmp_path / "h5py.h5"
    write_ours(images, paths[0])
    write_h5py(images, paths[1])
    for path in paths:
        with h5py.File(path) as file:
            assert np.array_equal(np.moveaxis(file["images"][()], 2, 0), images)
    peer = {"h5py": lambda: write_h5py(images, paths[1])}
    took = beside(lambda: write_ours(images, paths[0]), peer, len(images))
    work = "compressing and writing 8-bit frames, one thread"
    beside.note(work, f"h5py's gzip, level {LEVEL}", took["ours"][0], took["h5py"][0])
