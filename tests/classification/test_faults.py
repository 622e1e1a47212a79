"""`classify` on an archive with everything wrong in it: no good frame lost, none doubled, each fault told."""

import os
import subprocess
import sys

import numpy as np
import pytest
import synthetic
import tinymodel
from faultyarchive import FaultyArchive
from outcomes import problems_of, table_of

from pulsaurora.classification import night as night_module
from pulsaurora.cli import log, main
from pulsaurora.pulsation.looks import look_features
from pulsaurora.pulsation.table import FEATURE_NAMES, N_HIDDEN


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


def own_brightness(reduced, inner, *position):
    """Features of looks, but each frame's own brightness, by which it is known."""
    rows = look_features(reduced, inner, *position)
    rows[:, FEATURE_NAMES.index("brightness")] = reduced.structure[inner, N_HIDDEN]
    return rows


def test_every_good_frame_of_a_faulty_archive_once_and_every_fault_told(
    archive, model, tmp_path, monkeypatch
):
    monkeypatch.setattr(night_module, "look_features", own_brightness)
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


def test_folders_whose_names_are_no_text(model, tmp_path):
    """Names may hold any byte; what is told of them comes out escaped, and nothing is lost for it."""
    places = [tmp_path / os.fsdecode(name) for name in (b"archive \xe9", b"out \xe9")]
    try:
        places[0].mkdir()
    except OSError:
        pytest.skip("names of files must be text here")
    for minute in ("06:29", "06:30"):  # the same frames in files of different chunks
        path = synthetic.minute_path(places[0], f"2014-03-10T{minute}")
        synthetic.write_minute(path, synthetic.pixels(4), synthetic.frame_times(4, "2014-03-10T06:29:50"))
    (path.parent.parent / "themis_skymap_gill_20130901-+_v02.sav").write_bytes(b"no skymap")
    command = [
        "classify",
        "2014-03-10",
        "2014-03-10",
        "--stream0",
        places[0],
        "--out",
        places[1],
        "--model",
        model,
    ]
    child = subprocess.run(
        [sys.executable, "-m", "pulsaurora", "--logs", tmp_path / "logs", *command],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONUTF8": "1"},
    )
    assert child.returncode == 3, child.stderr
    assert b"Traceback" not in child.stderr and rb"results under" in child.stdout
    assert len(table_of(places[1], ("2014-03-10", "gill", "themis19"))) == 4
    with open(places[1] / "problems.csv", encoding="utf-8") as file:
        told = file.read()
    assert told.count("archive \\udce9/2014/03/10") >= 2 and told.count("\n") == 3
