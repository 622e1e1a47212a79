"""The main job, from real minute files in whatever state to one labelled row a frame."""

import csv
import gzip
import random

import numpy as np
import pandas as pd
import pytest
import tinymodel

from pulsaurora.archive.tables import read_about, read_classifications
from pulsaurora.cli import log, main
from pulsaurora.imaging.themis import read_frames

NIGHT = "2014/03/10/gill_themis19"
STEM = "20140310_gill_themis19_classifications"


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    monkeypatch.setenv("PULSAURORA_LOGS", str(tmp_path / "logs"))
    yield tmp_path / "logs"
    log.stop()


@pytest.fixture
def model(tmp_path):
    return tinymodel.save(tinymodel.features_proto(tinymodel.weights() / 100), tmp_path / "tiny.onnx")


def classify(stream0, out, *more):
    folders = ["--stream0", stream0, "--out", out]
    return main.run(["classify", "2014-03-10", "2014-03-10", *map(str, (*folders, *more))])


def rows(out):
    """The rows of the file as text, and what they say."""
    path = out / "2014/03/10" / f"{STEM}.txt"
    lines = path.read_text().split("\n")
    return lines[lines.index("") :], read_classifications(path)


def all_columns(out):
    return read_classifications(out / "2014/03/10" / f"{STEM}.parquet")


def test_real_frames_are_labelled(shared_data, tmp_path):
    out = tmp_path / "out"
    assert classify(shared_data / "stream0", out) == 0
    text, table = rows(out)
    assert len(table) == 120 and table["time"].is_monotonic_increasing
    frames = read_frames(sorted((shared_data / "stream0" / NIGHT).rglob("*.pgm*")))
    np.testing.assert_array_equal(table["time"], frames.times.astype("datetime64[s]"))
    # What these frames are: an overcast, moonlit sky.
    assert (table["label"] == "bad_viewing").sum() >= 100
    about = read_about(out / "2014/03/10" / f"{STEM}.txt")
    assert about.keys() >= {"version", "model", "inputs"}
    assert about["trained on"].startswith("simulated skies only")
    assert not (out / "problems.csv").exists()


def test_real_frames_among_everything_an_archive_holds(shared_data, tmp_path, model, logs):
    clean = shared_data / "stream0"
    assert classify(clean, tmp_path / "expected", "--model", model) == 0

    stream0, out = tmp_path / "stream0", tmp_path / "out"
    hour = stream0 / NIGHT / "ut06"
    hour.mkdir(parents=True)
    sources = sorted((clean / NIGHT / "ut06").glob("*_full.pgm*"))
    random.Random(0).shuffle(sources)
    for source in sources:
        name = source.name.removesuffix(".gz")
        data = source.read_bytes()
        data = gzip.decompress(data) if source.suffix == ".gz" else data
        (hour / name).write_bytes(data)
        (hour / f"{name}.gz").write_bytes(gzip.compress(data, 1))
        (hour / f".{name}").write_bytes(data[:1000])
        (hour / name.replace("_full", "_wide")).write_bytes(data[: len(data) // 2])
    (hour / "20140310_06_gill_themis19_full_row2.pgm.gz").write_bytes(gzip.compress(b"P5\n256 1\n65535\n"))
    one = gzip.decompress(next(source for source in sources if source.suffix == ".gz").read_bytes())
    frame = one.index(b"65535\n") + 6 + 131072

    def like(minute):
        """The first minute as if it had been taken at another, so that its good frames are known."""
        return one.replace(b" 06:0", f" 06:{minute}".encode())

    bad = {
        # name: (content, frames that are good all the same)
        "20140310_0610_gill_themis19_full.pgm.gz": (b"", 0),
        "20140310_0612_gill_themis19_full.pgm": (b"", 0),
        "20140310_0620_gill_themis19_full.pgm.gz": (gzip.compress(like(2), 1)[:-200_000], None),
        "20140310_0630_gill_themis19_full.pgm": (like(3)[: frame + 5000], 1),
        "20140310_0640_gill_themis19_full.pgm.gz": (b"<!DOCTYPE html><html>not found</html>", 0),
        "20140310_0650_gill_themis19_full.pgm": (b"\x89PNG\r\n\x1a\n" * 100, 0),
    }
    for name, (content, _) in bad.items():
        (hour / name).write_bytes(content)
    # One of two files of a minute is damaged: nothing is lost, and it is told.
    twice = hour / "20140310_0604_gill_themis19_full.pgm.gz"
    twice.write_bytes(twice.read_bytes()[:300_000])
    (hour / "notes.txt").write_text("imager cleaned today")
    (stream0 / NIGHT / "ut07").mkdir()
    (stream0 / NIGHT / "ut08").write_text("a file, not an hour")

    assert classify(stream0, out, "--model", model) == 3
    text, table = rows(out)
    assert table["time"].is_monotonic_increasing
    # Every good frame is there, and what is said of each by itself is what is said without the others.
    found, wanted = (all_columns(folder) for folder in (out, tmp_path / "expected"))
    alone = ["time", *(name for name in wanted if name.startswith("raw_")), "brightness", "frac_modulated"]
    pd.testing.assert_frame_equal(found[alone][:120], wanted[alone])

    with open(out / "problems.csv", newline="") as file:
        told = {row["path"].rpartition("/")[2]: row for row in csv.DictReader(file)}
    assert set(told) == {*bad, twice.name, "notes.txt", "ut08"}
    kept = {name: int(row["n_frames_kept"]) for name, row in told.items()}
    cut = kept.pop("20140310_0620_gill_themis19_full.pgm.gz")
    assert 15 <= cut < 20
    assert all(kept[name] == count for name, (_, count) in bad.items() if count is not None)
    assert len(table) == 120 + cut + 1
    assert all(row["reason"] for row in told.values())
    logged = sorted(logs.glob("*classify*.log"))[-1].read_text()
    for name, row in told.items():
        assert logged.count(f"{name}: {row['reason']}") == 1

    # Again: nothing is left to do, and what was wrong is still told.
    assert classify(stream0, out, "--model", model) == 3
    assert rows(out)[0] == text


def test_nothing_to_do_is_wrong_usage(tmp_path, model, capsys):
    (tmp_path / "stream0").mkdir()
    assert classify(tmp_path / "stream0", tmp_path / "out", "--model", model) == 2
    assert "no frames of 2014-03-10" in capsys.readouterr().err


def test_a_model_that_cannot_be_used_is_told_in_one_line(shared_data, tmp_path, capsys):
    (tmp_path / "m.onnx").write_text("no model")
    assert classify(shared_data / "stream0", tmp_path / "out", "--model", tmp_path / "m.onnx") == 1
    assert capsys.readouterr().err.startswith("pulsaurora: ")
