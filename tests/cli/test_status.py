"""`pulsaurora status`: what it says of an output folder, to people and to programs."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pulsaurora.archive.claims import STALE_S, Claims, Holder
from pulsaurora.archive.manifest import DONE, FAILED, TO_DO, Row, update_manifest
from pulsaurora.cli.main import run

ROOT = Path(__file__).resolve().parents[2]


def night(number):
    return f"201403{number:02d}_gill_themis19"


@pytest.fixture
def out(tmp_path):
    """Three nights done, of one of which the file is gone; one failed; three to do, one of them under way."""
    rows = [Row(f"{night(n)}.txt", night(n), DONE, 100, "no_aurora 90; pulsating 10") for n in (1, 2, 3)]
    rows += [Row(f"{night(4)}.txt", night(4), FAILED, error="disk full")]
    rows += [Row(f"{night(n)}.txt", night(n), TO_DO) for n in (5, 6)]
    update_manifest(tmp_path, rows)
    for n in (1, 2):
        (tmp_path / f"{night(n)}.txt").touch()
    (tmp_path / "problems.csv").write_text("path,reason,n_frames_kept,night\na,is cut,3,b\n")
    Claims(tmp_path).tidy()
    return tmp_path


@pytest.fixture
def running(out):
    """A batch of another machine that did 100 frames in 10 s, its claim, and a claim that is dead."""
    holder = replace(Holder.new(), host="elsewhere", pid=4711, machine="another", since=time.time() - 30)
    told = {"about": "8 threads", "began": time.time() - 10, "beat": time.time(), "listed": True}
    told |= {"took_s": 10.0, "n_done": 1, "n_failed": 1, "n_skipped": 0, "n_frames": 100}
    runs = out / ".batch/runs"
    runs.mkdir(parents=True)
    (runs / "one.json").write_text(json.dumps(asdict(holder) | told))
    claims = Claims(out).folder
    claims.mkdir()
    for n, ago_s in ((5, 0), (6, STALE_S + 60)):
        path = claims / f"{night(n)}.txt.claim"
        path.write_text(json.dumps(asdict(replace(holder, id=f"id{n}"))))
        os.utime(path, (time.time() - ago_s,) * 2)
    return out


def test_what_is_done_and_what_is_not_when_nothing_runs(out, capsys):
    assert run(["status", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "nights: 2 done, 1 failed, 0 under way, 3 to do",
        "frames: 200 (180 no_aurora, 20 pulsating)",
        "problems: 1, listed in problems.csv",
        f"failed: {night(4)}: disk full",
        "nothing runs; the same command goes on from here",
    ]


def test_labels_and_events_in_one_folder_are_told_apart(tmp_path, capsys):
    made = {"classifications.txt": "no_aurora 100", "patches.parquet": "patches 3; pulses 9"}
    for what, counted in made.items():
        file = f"{night(1)}_{what}"
        update_manifest(tmp_path, [Row(file, night(1), DONE, 100, counted)])
        (tmp_path / file).touch()
    assert run(["status", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "classifications, nights: 1 done, 0 failed, 0 under way, 0 to do",
        "classifications, frames: 100 (100 no_aurora)",
        "patches, nights: 1 done, 0 failed, 0 under way, 0 to do",
        "patches, frames: 100 (3 patches, 9 pulses)",
    ]


def test_the_folder_may_come_from_the_environment(out, capsys, monkeypatch):
    monkeypatch.setenv("PULSAURORA_OUT", str(out))
    assert run(["status"]) == 0
    assert "nights: 2 done" in capsys.readouterr().out


def test_who_is_at_what_and_how_long_it_has_to_go(running, capsys):
    assert run(["status", str(running)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "nights: 2 done, 1 failed, 1 under way, 2 to do"
    assert lines[3:6] == [
        "running: process 4711 on elsewhere, 8 threads, for 10 s: 1 nights done, 10 frames/s",
        f"under way: {night(5)}, by process 4711 on elsewhere, for 30 s",
        f"left behind: {night(6)}, by process 4711 on elsewhere; the next run does it",
    ]
    assert lines[-1] == "rate: 10 frames/s; to go: 30 s"  # three nights of a hundred frames


def test_programs_get_the_same_as_json_and_nothing_is_written(running, capsys):
    before = sorted((path, path.stat().st_mtime_ns) for path in running.rglob("*"))
    assert run(["status", str(running), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["nights"] == {"done": 2, "failed": 1, "under_way": 1, "to_do": 2}
    assert (told["n_frames"], told["counts"]) == (200, {"no_aurora": 180, "pulsating": 20})
    assert told["failed"] == [{"night": night(4), "error": "disk full"}]
    assert [(one["night"], one["host"], one["pid"]) for one in told["under_way"]] == [
        (night(5), "elsewhere", 4711)
    ]
    assert [one["night"] for one in told["left_behind"]] == [night(6)]
    assert told["left_s"] == pytest.approx(30, rel=0.1) and told["listing"] is False
    assert sorted((path, path.stat().st_mtime_ns) for path in running.rglob("*")) == before


def test_what_is_no_record_of_a_run_is_passed_over(running, capsys):
    one = json.loads((running / ".batch/runs/one.json").read_text())
    odd = ["", "[]", "1", "{}", json.dumps(one | {"began": "x"}), json.dumps(one)[:-20]]
    odd += [json.dumps({name: one[name] for name in one if name != left}) for left in ("took_s", "about")]
    for number, text in enumerate(odd):
        (running / f".batch/runs/odd{number}.json").write_text(text)
    assert run(["status", str(running), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["runs"]
    assert told["frames_per_s"] == 10


def test_what_is_wrong_is_said_once(tmp_path):
    (tmp_path / "manifest.csv").mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "pulsaurora", "status", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("manifest.csv") == 1


def test_a_run_that_was_not_heard_of_for_long_is_none(running, capsys):
    os.utime(running / ".batch/runs/one.json", (0, 0))
    assert run(["status", str(running)]) == 0
    assert "running:" not in capsys.readouterr().out


def test_a_folder_without_a_batch_is_wrong_usage(tmp_path, capsys):
    assert run(["status", str(tmp_path)]) == 2
    assert "has no manifest.csv; name one that" in capsys.readouterr().err
