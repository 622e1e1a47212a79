"""`classify` on an archive with everything wrong in it: no good frame lost, none doubled, each fault told."""

import numpy as np
import pytest
import tinymodel
from faultyarchive import FaultyArchive
from outcomes import problems_of, table_of

from pulsaurora.cli import log, main


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    proto = tinymodel.features_proto(tinymodel.weights() / 100)
    return tinymodel.save(proto, tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return FaultyArchive(tmp_path_factory.mktemp("stream0"))


def classify(archive, out, model, *more, dates=("2006-01-01", "2019-12-31")):
    folders = ["--stream0", archive.root, "--out", out, "--model", model]
    try:
        return main.run(["--logs", str(out) + "-logs", "classify", *dates, *map(str, (*folders, *more))])
    finally:
        log.stop()


def check_frames(out, archive):
    """Each good frame is there, once, in order, and is the one it should be."""
    n_found = 0
    for night, frames in archive.truth.items():
        table = table_of(out, night)
        expected = sorted(frames)
        np.testing.assert_array_equal(
            table["time"].to_numpy().astype("datetime64[us]"), np.array(expected, "M8[us]")
        )
        # The sky of a frame is the brighter the higher its number is.
        numbers = np.array([frames[time] for time in expected])
        by_brightness = np.argsort(table["brightness"].to_numpy(), kind="stable")
        np.testing.assert_array_equal(by_brightness, np.argsort(numbers), err_msg=str(night))
        n_found += len(table)
    assert n_found == archive.n_frames


def test_every_good_frame_of_a_faulty_archive_once_and_every_fault_told(archive, model, tmp_path):
    out = tmp_path / "out"
    assert classify(archive, out, model) == 3
    check_frames(out, archive)
    assert len(list(out.rglob("*.txt"))) == len(archive.truth)

    found = problems_of(out, archive.root)
    assert set(found) == set(archive.told)
    for path, expected in archive.told.items():
        assert len(found[path]) == len(expected), path
        for (reason, kept), (words, n) in zip(found[path], expected, strict=True):
            assert words in reason and kept == n, path
    assert not archive.silent & set(found)


def test_again_and_with_any_number_of_threads_it_is_the_same(archive, model, tmp_path):
    told = {}
    for workers in (1, 3):
        out = tmp_path / str(workers)
        assert classify(archive, out, model, "--workers", workers) == 3
        told[workers] = (out / "problems.csv").read_bytes()
        written = {path: path.stat().st_mtime_ns for path in out.rglob("*_classifications.*")}
        assert classify(archive, out, model, "--workers", workers) == 3
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*_classifications.*")} == written
        assert (out / "problems.csv").read_bytes() == told[workers]
    assert told[1] == told[3]
    for night in archive.truth:
        np.testing.assert_array_equal(
            table_of(tmp_path / "1", night).to_numpy(), table_of(tmp_path / "3", night).to_numpy()
        )
