"""The manifest and the table of problems, brought up to date by several programs at once."""

import datetime
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from killed import ROOT, finish

from pulsaurora.archive import files
from pulsaurora.archive.manifest import DONE, FAILED, TO_DO, Row, read_manifest, update_manifest
from pulsaurora.archive.outcomes import NightResult
from pulsaurora.archive.problem_table import read_rows, update_problems
from pulsaurora.archive.shard import Shard
from pulsaurora.problems import Problem

UPDATES = """
import datetime, sys
from pulsaurora.archive.manifest import Row, update_manifest
from pulsaurora.archive.problem_table import update_problems
from pulsaurora.problems import Problem
out, number = sys.argv[1], int(sys.argv[2])
date = datetime.date(2014, 3, 10)
for i in range(12):
    name = f"20140310_s{number:03d}_i{i}"
    update_manifest(out, [Row(f"{name}.txt", name, "done", i)], [Row(f"{name}.txt", name, "to do")])
    found = [(Problem(f"/a/{name}", "is cut"), name), (Problem("/a/2014/03/10/notes", "passed over"), "")]
    update_problems(out, found, [name], "/a", date, date)
"""


def row(name="20140310_gill_themis19", state=DONE, **known):
    return Row(f"{name}.txt", name, state, **known)


def test_programs_that_update_at_once_lose_nothing(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", UPDATES, str(tmp_path), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for number in range(4)
    ]
    assert [finish(one) for one in programs] == [(0, "", "")] * 4
    names = [f"20140310_s{number:03d}_i{i}" for number in range(4) for i in range(12)]
    assert sorted(row.night for row in read_manifest(tmp_path).values()) == sorted(names)
    assert {row.state for row in read_manifest(tmp_path).values()} == {DONE}
    problems = read_rows(tmp_path / "problems.csv")
    assert sorted(cells[3] for cells in problems) == ["", *sorted(names)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.csv", "problems.csv"]


def test_what_is_known_of_a_night_is_not_taken_back_by_listing_it(tmp_path):
    update_manifest(tmp_path, [], [row(state=TO_DO)])
    assert read_manifest(tmp_path) == {row().file: row(state=TO_DO)}
    update_manifest(tmp_path, [row(n_frames=5, counted="pulsating 5; no_aurora 0")])
    update_manifest(tmp_path, [], [row(state=TO_DO)])
    (kept,) = read_manifest(tmp_path).values()
    assert kept.state == DONE and kept.counts == {"pulsating": 5, "no_aurora": 0}
    update_manifest(tmp_path, [], gone=lambda one: one.state == DONE)
    assert read_manifest(tmp_path) == {}


def test_an_update_without_news_leaves_the_file(tmp_path):
    update_manifest(tmp_path, [])
    assert not (tmp_path / "manifest.csv").exists()
    update_manifest(tmp_path, [row()])
    os.utime(tmp_path / "manifest.csv", (0, 0))
    update_manifest(tmp_path, [row()], [row(state=TO_DO)])
    assert (tmp_path / "manifest.csv").stat().st_mtime == 0


def test_what_an_update_that_was_killed_left_is_removed(tmp_path):
    (tmp_path / ".manifest.csv.1.aa.part").write_text("half")
    (tmp_path / ".other.csv.1.aa.part").write_text("another's")
    update_manifest(tmp_path, [row()])
    left = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert left == [".other.csv.1.aa.part", "manifest.csv"]


def test_rows_come_from_results_and_damaged_ones_are_passed_over(tmp_path):
    path = tmp_path / "2014/x.txt"
    failed = Row.of(NightResult("n", "failed", path, error="disk\nfull"), tmp_path)
    assert failed == Row("2014/x.txt", "n", FAILED, error="disk full")
    done = NightResult("n", "skipped", path, 7, {"patches": 2}, [Problem("a", "b")])
    assert Row.of(done, tmp_path) == Row("2014/x.txt", "n", DONE, 7, "patches 2", 1)
    update_manifest(tmp_path, [Row.of(done, tmp_path)])
    file = Path(tmp_path / "manifest.csv")
    file.write_text(file.read_text() + "a,b\nc,d,done,many,,0,\n")
    assert list(read_manifest(tmp_path)) == ["2014/x.txt"]


def test_tables_that_cannot_be_read_are_not_taken_for_empty_ones(tmp_path, monkeypatch):
    long = row(error="x" * 200_000)
    update_manifest(tmp_path, [long, row("20140311_gill_themis19"), row("20140312_gill_b")])
    assert len(read_manifest(tmp_path)) == 2  # csv refuses so long a cell, and only its row is lost
    date = datetime.date(2014, 3, 10)
    update_problems(tmp_path, [(Problem("/a/b", "is cut"), "n")], ["n"], "/a", date, date)
    before = {name: (tmp_path / name).read_bytes() for name in ("manifest.csv", "problems.csv")}

    def away(*arguments, **known):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files, "open", away, raising=False)
    with pytest.raises(OSError, match="Input/output"):
        update_manifest(tmp_path, [row()])
    with pytest.raises(OSError, match="Input/output"):
        update_problems(tmp_path, [], [], "/a", date, date)
    assert before == {name: (tmp_path / name).read_bytes() for name in before}


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        (("2014-03-10", "2014-03-10"), True),
        (("2014-03-11", "2014-03-12"), False),
        (("2014-03-10", "2014-03-10", ["rank"]), False),
        (("2014-03-10", "2014-03-10", ["gill"], Shard(1, 1)), True),
    ],
)
def test_a_row_knows_what_batch_it_is_of(within, expected):
    start, end, *rest = within
    dates = map(datetime.date.fromisoformat, (start, end))
    assert row().is_within(*dates, *rest) is expected
    assert not row("nonsense").is_within(datetime.date(1, 1, 1), datetime.date(9999, 1, 1))


def test_problems_of_an_archive_whose_name_goes_on_stay(tmp_path):
    day = datetime.date(2014, 3, 10)
    told = [(Problem(f"/data/{root}/2014/03/10/x", "is no frame file"), "") for root in ("arch", "arch2")]
    update_problems(tmp_path, told, [], "/data/arch", day, day)
    update_problems(tmp_path, [], [], "/data/arch", day, day)
    assert [row[0] for row in read_rows(tmp_path / "problems.csv")] == ["/data/arch2/2014/03/10/x"]
