"""The pack command: what it says and how it exits."""

import fitswriter
import pytest
import synthetic
import tinymodel
from servedtree import workbook

import pulsaurora
from pulsaurora.cli import log, main

DATES = ["2014-03-10", "2014-03-10"]
NAME = "all-images-2014-03-10-gill.h5"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    log.stop()


def write(root, start, **known):
    path = synthetic.minute_path(root, start, **known)
    times = synthetic.frame_times(3, f"{start}:00.5")
    return synthetic.write_minute(path, synthetic.pixels(), times, **known)


def test_a_day_file_is_made_classified_and_left_alone(tmp_path, capsys, monkeypatch):
    write(tmp_path / "s", "2014-03-10T06:00")
    monkeypatch.setenv("PULSAURORA_STREAM0", "s")
    monkeypatch.setenv("PULSAURORA_OUT", "o")
    assert main.run(["pack", "themis", *DATES, "--raw16", "--sites", "gill"]) == 0
    shown = capsys.readouterr()
    assert "1 day files made under o" in shown.out and "3 frames" in shown.err
    assert main.run(["pack", "themis", *DATES, "--raw16"]) == 0
    assert "1 day files skipped" in capsys.readouterr().out

    tinymodel.save(tinymodel.features_proto(tinymodel.weights() / 100), tmp_path / "tiny.onnx")
    labels = ["classify", *DATES, "--model", "tiny.onnx", "--out"]
    assert main.run([*labels, "a"]) == 0
    assert main.run([*labels, "b", "--dayfiles", "o", "--stream0", "nowhere"]) == 0
    name = "2014/03/10/20140310_gill_themis19_classifications.txt"
    texts = [(tmp_path / out / name).read_text().split("\n\n")[1] for out in "ab"]
    assert texts[0] == texts[1] and texts[0].count("\n") == 4
    with pulsaurora.read_dayfile(f"o/{NAME}") as day:
        assert len(day) == 3


def test_problems_are_told_and_exit_with_3(tmp_path, capsys):
    write(tmp_path / "s", "2014-03-10T06:00")
    write(tmp_path / "s", "2014-03-10T06:01").write_bytes(b"")
    assert main.run(["pack", "themis", *DATES, "--stream0", "s", "--out", "o"]) == 3
    assert "1 problems, listed in o/problems.csv" in capsys.readouterr().err
    # Without raw frames it cannot be classified, which is said.
    tinymodel.save(tinymodel.features_proto(tinymodel.weights() / 100), tmp_path / "tiny.onnx")
    assert main.run(["classify", *DATES, "--dayfiles", "o", "--out", "c", "--model", "tiny.onnx"]) == 3
    assert "--raw16" in (tmp_path / "c/problems.csv").read_text()


def test_nights_named_by_workbook_or_one_by_one(tmp_path, capsys):
    for site, date in (("gill", "2014-03-10"), ("rank", "2014-03-10"), ("rank", "2014-03-12")):
        write(tmp_path / "s", f"{date}T06:00", site=site)
    book = workbook(tmp_path / "a.xlsx", [("20140310", "gill"), ("20140312", "rank")])
    where = ["--stream0", "s", "--out", "o"]
    assert main.run(["pack", "themis", "--labels", str(book), *where]) == 0
    made = ["all-images-2014-03-10-gill.h5", "all-images-2014-03-12-rank.h5"]
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == made
    # A named night that is not there is told, until it is.
    named = ["--nights", "gill/2014-03-10,atha/2014-03-11"]
    capsys.readouterr()
    assert main.run(["pack", "themis", *named, *where]) == 3
    shown = capsys.readouterr()
    assert "1 day files skipped" in shown.out and "1 problems, listed" in shown.err
    told = (tmp_path / "o/problems.csv").read_text()
    assert "s/2014/03/11/atha_*" in told and "no frames" in told
    write(tmp_path / "s", "2014-03-11T06:00", site="atha")
    assert main.run(["pack", "themis", *named, *where]) == 0
    assert "atha_" not in (tmp_path / "o/problems.csv").read_text()
    for arguments in (["2014-03-10"], [*DATES, *named], [], ["--nights", "-x/2014-03-10"]):
        assert main.run(["pack", "themis", *arguments, *where]) == 2


def test_pfrr_nights_named_one_by_one(tmp_path, capsys):
    fitswriter.write(tmp_path / "r/2015/20151007")
    where = ["--raw", "r", "--out", "o"]
    assert main.run(["pack", "pfrr", "--nights", "2015-10-07", *where]) == 0
    assert main.run(["pack", "pfrr", "--nights", "pfrr/2015-10-07,2015-10-08", *where]) == 3
    assert "no images" in (tmp_path / "o/problems.csv").read_text()
    assert "1 day files skipped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2014-03-10", "2014-03-09", "--stream0", "."], "before the first"),
        ([*DATES, "--stream0", "nowhere"], "nowhere is not a folder"),
        ([*DATES, "--stream0", "."], "no frames of 2014-03-10"),
    ],
)
def test_wrong_usage(arguments, said, capsys):
    assert main.run(["pack", "themis", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", [["pack", "themis"], ["classify", "--model", "tiny.onnx"], ["events"]])
def test_sites_asked_for_that_have_no_night_are_named(command, tmp_path, capsys):
    tinymodel.save(tinymodel.features_proto(tinymodel.weights() / 100), tmp_path / "tiny.onnx")
    write(tmp_path / "s", "2014-03-10T06:00")
    asked = [*command, *DATES, "--stream0", "s", "--out", "o", "--sites"]
    assert main.run([*asked, "gill,rank,atha"]) == 0
    assert "no frames of atha, rank on these dates" in capsys.readouterr().err
    assert main.run([*asked, "gill"]) == 0
    assert "on these dates" not in capsys.readouterr().err


def test_a_folder_without_day_files(tmp_path, capsys):
    tinymodel.save(tinymodel.features_proto(tinymodel.weights() / 100), tmp_path / "tiny.onnx")
    assert main.run(["classify", *DATES, "--dayfiles", ".", "--out", "c", "--model", "tiny.onnx"]) == 2
    assert "is it a folder of day files?" in capsys.readouterr().err
