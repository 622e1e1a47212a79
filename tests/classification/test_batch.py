"""Many nights: what is done again and what is not, and what is told of problems."""

import csv
import datetime
import logging
import os
import pickle
import shutil
import sys
import threading

import pytest
import synthetic
import tinymodel

from pulsaurora.archive.claims import Claims
from pulsaurora.archive.problem_table import update_problems
from pulsaurora.archive.tables import parquet_path, read_about, read_classifications
from pulsaurora.classification import batch
from pulsaurora.classification.batch import classify_nights
from pulsaurora.classification.engines import ThreadEngine, run_task
from pulsaurora.classification.tasks import list_tasks
from pulsaurora.imaging import inflate
from pulsaurora.problems import ContractError, Problem, UnreadableFileError, UsageError

FIRST, LAST = datetime.date(2014, 3, 9), datetime.date(2014, 3, 11)


@pytest.fixture
def stream0(tmp_path):
    """Four nights of two sites on three dates, two minutes each."""
    images = synthetic.pixels(4)
    for day, site in ((9, "gill"), (10, "gill"), (10, "rank"), (11, "rank")):
        for minute in (0, 1):
            start = f"2014-03-{day:02d}T06:{minute:02d}"
            path = synthetic.minute_path(tmp_path / "stream0", start, site, suffix=".pgm")
            synthetic.write_minute(path, images, synthetic.frame_times(4, f"{start}:00.05"), site=site)
    return tmp_path / "stream0"


def statuses(result):
    return {night.name[6:13]: night.status for night in result.nights}


def content(path):
    """A classification file without the line that tells when it was made, and the table beside it."""
    return path.read_text().split("\n", 1)[1], parquet_path(path).read_bytes()


def table_of_problems(out):
    with open(out / "problems.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_all_nights_are_done_in_order(stream0, model, tmp_path, caplog):
    caplog.set_level(logging.INFO, "pulsaurora")
    told = []
    out = tmp_path / "out"
    result = classify_nights(stream0, out, FIRST, LAST, model=model, watch=told.append)
    assert [night.name for night in result.nights] == [
        "20140309_gill_themis19",
        "20140310_gill_themis19",
        "20140310_rank_themis19",
        "20140311_rank_themis19",
    ]
    assert [night.n_frames for night in result.nights] == [8] * 4
    for night in result.nights:
        assert night.path == out / night.name[:4] / night.name[4:6] / night.name[6:8] / (
            f"{night.name}_classifications.txt"
        )
        assert len(read_classifications(night.path)) == 8
    assert result.n_problems == 0 and not (out / "problems.csv").exists()
    assert sum(told) == pytest.approx(3)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4 and all(": 8 frames (8 " in line and "frames/s" in line for line in lines)
    some = classify_nights(stream0, tmp_path / "some", FIRST, LAST, ["rank"], model=model)
    assert [night.name[:13] for night in some.nights] == ["20140310_rank", "20140311_rank"]


def test_what_is_done_is_not_done_again_unless_something_changed(stream0, model, tmp_path):
    out = tmp_path / "out"

    def again(**changed):
        return statuses(classify_nights(stream0, out, FIRST, LAST, **({"model": model} | changed)))

    first = classify_nights(stream0, out, FIRST, LAST, model=model)
    before = {night.path: content(night.path) for night in first.nights}
    assert set(again().values()) == {"skipped"}
    assert set(again(overwrite=True).values()) == {"done"}
    assert {path: content(path) for path in before} == before

    # Another minute, a file grown, a table cut, a table gone: those nights are done again, others are not.
    source = synthetic.minute_path(stream0, "2014-03-09T06:01", suffix=".pgm")
    shutil.copy(source, source.with_name(source.name.replace("_0601_", "_0602_")))
    assert again() == {"09_gill": "done", "10_gill": "skipped", "10_rank": "skipped", "11_rank": "skipped"}
    source = synthetic.minute_path(stream0, "2014-03-10T06:01", suffix=".pgm")
    source.write_bytes(source.read_bytes() + b"more")
    table = parquet_path(first.nights[2].path)
    table.write_bytes(table.read_bytes()[:-5])
    parquet_path(first.nights[3].path).unlink()
    assert again() == {"09_gill": "skipped", "10_gill": "done", "10_rank": "done", "11_rank": "done"}
    assert set(again().values()) == {"skipped"}
    text = first.nights[1].path
    text.write_bytes(text.read_bytes()[:-30])
    assert again() == {"09_gill": "skipped", "10_gill": "done", "10_rank": "skipped", "11_rank": "skipped"}

    other = tinymodel.save(tinymodel.features_proto(tinymodel.weights(seed=1)), tmp_path / "other.onnx")
    assert set(again(model=other).values()) == {"done"}
    assert read_about(first.nights[0].path)["model"] != ""


def test_a_night_is_done_again_when_a_file_that_was_kept_back_can_be_read(
    stream0, model, tmp_path, monkeypatch
):
    """A disk that is away for a moment: the file looks the same afterwards, and its frames are not lost."""
    away = {"yes": True}
    whole = inflate._read_bytes

    def read(path):
        if away["yes"] and "20140310_0601_gill" in str(path):
            raise UnreadableFileError(f"{path}: cannot be read (Input/output error)")
        return whole(path)

    def again():
        out = tmp_path / "out"
        return classify_nights(stream0, out, FIRST, LAST, ["gill"], model=model).nights

    monkeypatch.setattr(inflate, "_read_bytes", read)
    _, night = again()
    assert night.n_frames == 4 and "Input/output" in night.problems[0].reason
    away["yes"] = False
    first, night = again()
    assert first.status == "skipped" and night.status == "done"
    assert night.n_frames == 8 and not night.problems and not table_of_problems(tmp_path / "out")
    assert again()[1].status == "skipped"


def test_waiting_for_others_takes_no_processor_time_though_our_clock_is_ahead(
    stream0, model, tmp_path, monkeypatch, caplog
):
    """By our clock the claim is dead, by that of its file it is not: it is looked at now and then."""
    caplog.set_level(logging.INFO, "pulsaurora")
    claims = Claims.of(tmp_path / "out")
    looks, held, let_go = [], threading.Event(), threading.Event()
    monkeypatch.setattr(Claims, "holder", lambda self, name: looks.append(name))

    def hold():
        with claims.hold("20140310_gill_themis19_classifications.txt") as other:
            assert other is None
            held.set()
            let_go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    threading.Timer(1.5, let_go.set).start()
    date = datetime.date(2014, 3, 10)
    (night,) = classify_nights(stream0, tmp_path / "out", date, date, ["gill"], model=model).nights
    thread.join()
    assert night.status == "done" and 1 < len(looks) < 10
    assert caplog.text.count("waiting for 1 nights") == 1


def test_another_version_does_it_again(stream0, model, tmp_path, monkeypatch):
    classify_nights(stream0, tmp_path / "out", FIRST, FIRST, model=model)
    monkeypatch.setattr(batch, "__version__", "99.0")
    result = classify_nights(stream0, tmp_path / "out", FIRST, FIRST, model=model)
    assert set(statuses(result).values()) == {"done"}
    assert read_about(result.nights[0].path)["version"] == "99.0"


def test_one_bad_night_does_not_stop_the_rest(stream0, model, tmp_path, monkeypatch, caplog):
    whole = batch.classify_night

    def broken(night, *rest):
        if (night.date.day, night.site) == (10, "gill"):
            raise MemoryError("no more")
        return whole(night, *rest)

    monkeypatch.setattr(batch, "classify_night", broken)
    out = tmp_path / "out"
    result = classify_nights(stream0, out, FIRST, LAST, model=model)
    assert statuses(result) == {"09_gill": "done", "10_gill": "failed", "10_rank": "done", "11_rank": "done"}
    assert result.n_failed == 1
    assert "20140310_gill_themis19: failed: MemoryError: no more" in caplog.text
    assert not result.nights[1].path.exists()
    assert [row["reason"] for row in table_of_problems(out)] == ["not made: MemoryError: no more"]
    monkeypatch.undo()
    result = classify_nights(stream0, out, FIRST, LAST, model=model)
    assert statuses(result) == {
        "09_gill": "skipped",
        "10_gill": "done",
        "10_rank": "skipped",
        "11_rank": "skipped",
    }
    assert table_of_problems(out) == []


def test_problems_are_kept_for_nights_that_are_not_done_again(stream0, model, tmp_path, caplog):
    out = tmp_path / "out"
    for day, site in ((9, "gill"), (10, "rank")):
        path = synthetic.minute_path(stream0, f"2014-03-{day:02d}T06:01", site, suffix=".pgm")
        path.write_bytes(path.read_bytes()[:-1000])
    (stream0 / "2014/03/11/rank_themis19/ut06/notes.txt").write_text("what is this")
    first = classify_nights(stream0, out, FIRST, LAST, model=model)
    rows = table_of_problems(out)
    assert [(row["night"], os.path.basename(row["path"]), row["n_frames_kept"]) for row in rows] == [
        ("", "notes.txt", "0"),
        ("20140309_gill_themis19", "20140309_0601_gill_themis19_full.pgm", "3"),
        ("20140310_rank_themis19", "20140310_0601_rank_themis19_full.pgm", "3"),
    ]
    assert first.n_problems == 3
    again = classify_nights(stream0, out, FIRST, LAST, model=model)
    assert set(statuses(again).values()) == {"skipped"} and again.n_problems == 3
    assert table_of_problems(out) == rows
    # A batch of some nights leaves the rows of others.
    classify_nights(stream0, out, LAST, LAST, model=model, overwrite=True)
    assert table_of_problems(out) == rows
    # What was repaired is no problem any more.
    path = synthetic.minute_path(stream0, "2014-03-09T06:01", suffix=".pgm")
    synthetic.write_minute(path, synthetic.pixels(4), synthetic.frame_times(4, "2014-03-09T06:01:00.05"))
    (stream0 / "2014/03/11/rank_themis19/ut06/notes.txt").unlink()
    classify_nights(stream0, out, FIRST, LAST, model=model)
    assert table_of_problems(out) == rows[2:]


def test_problems_of_other_archives_dates_and_sites_stay(tmp_path):
    def problem(path):
        return Problem(path, "passed over")

    others = [
        "/a/2014/03/12/gill_themis19/x",
        "/a/2014/03/10/rank_themis18/x",
        "/b/2014/03/10/gill_themis19/x",
    ]
    update_problems(tmp_path, [(problem(path), "") for path in others], [], "/a", FIRST, LAST)
    update_problems(
        tmp_path, [(problem("/a/2014/03/10/gill_themis19/x"), "")], [], "/a", FIRST, LAST, ["gill"]
    )
    assert [row["path"] for row in table_of_problems(tmp_path)] == sorted(
        [*others, "/a/2014/03/10/gill_themis19/x"]
    )
    update_problems(tmp_path, [], [], "/a", FIRST, LAST, ["gill"])
    assert [row["path"] for row in table_of_problems(tmp_path)] == sorted(others)


def test_a_task_can_be_sent_elsewhere(stream0, model, tmp_path):
    days = list(list_tasks(stream0, tmp_path / "out", FIRST, LAST, model=model))
    assert [len(tasks) for tasks in days] == [1, 2, 1]
    task = pickle.loads(pickle.dumps(days[0][0]))
    assert task == days[0][0]
    (result,) = pickle.loads(pickle.dumps(run_task(task)))
    assert (result.status, result.n_frames, result.path) == ("done", 8, task.path)
    assert task.path.exists()
    assert [again.status for again in run_task(task)] == ["skipped"]


def test_the_first_frame_of_another_imager_is_marked(stream0, model, tmp_path):
    for minute in (2, 3):
        path = synthetic.minute_path(stream0, f"2014-03-09T06:{minute:02d}", imager="themis07", suffix=".pgm")
        times = synthetic.frame_times(4, f"2014-03-09T06:{minute:02d}:00.05")
        synthetic.write_minute(path, synthetic.pixels(4), times, imager="themis07")
    result = classify_nights(stream0, tmp_path / "out", FIRST, FIRST, model=model)
    marked = {}
    for night in result.nights:
        quality = read_classifications(parquet_path(night.path))["quality"]
        marked[night.name[14:]] = [index for index, flags in enumerate(quality) if "imager_changed" in flags]
    assert marked == {"themis07": [0], "themis19": []}


def test_an_interrupted_batch_leaves_whole_files_only_and_goes_on(stream0, model, tmp_path, monkeypatch):
    out = tmp_path / "out"

    whole = ThreadEngine.run

    def stopped(*arguments):
        for result in whole(*arguments):
            yield result
            raise KeyboardInterrupt

    monkeypatch.setattr(ThreadEngine, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        classify_nights(stream0, out, FIRST, LAST, model=model)
    monkeypatch.undo()
    assert not list(out.rglob("*.part"))
    result = classify_nights(stream0, out, FIRST, LAST, model=model)
    assert len(result.nights) == 4 and result.nights[0].status == "skipped"
    undisturbed = classify_nights(stream0, tmp_path / "other", FIRST, LAST, model=model)
    for night, other in zip(result.nights, undisturbed.nights, strict=True):
        assert content(night.path) == content(other.path)


def test_what_cannot_begin_is_refused(stream0, model, tmp_path):
    with pytest.raises(UsageError, match="none: is not a folder"):
        classify_nights(tmp_path / "none", tmp_path / "out", FIRST, LAST, model=model)
    with pytest.raises(ContractError, match="problems"):
        (tmp_path / "problems.onnx").write_text("no model")
        classify_nights(stream0, tmp_path / "out", FIRST, LAST, model=tmp_path / "problems.onnx")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match="cannot be written"):
        classify_nights(stream0, file / "out", FIRST, LAST, model=model)
    if sys.platform != "win32" and os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(UsageError, match="cannot be written"):
            classify_nights(stream0, tmp_path / "locked", FIRST, LAST, model=model)


def test_a_skymap_is_used_and_belongs_to_the_inputs(stream0, model, tmp_path, shared_data):
    skymaps = sorted((shared_data / "skymaps/gako").rglob("*.sav"))
    night = next(list_tasks(stream0, tmp_path / "out", FIRST, FIRST, model=model))[0].night
    without = batch.fingerprint(night)
    assert batch.fingerprint(night, skymaps[0]) != without == batch.fingerprint(night, None)
    # A skymap that cannot be read is told, and the night is done without it.
    bad = stream0 / "2014/03/09/gill_themis19/themis_skymap_gill_20110305-+_v02.sav"
    bad.write_bytes(b"SR no skymap")
    result = classify_nights(stream0, tmp_path / "out", FIRST, FIRST, model=model)
    assert [(night.status, len(night.problems)) for night in result.nights] == [("done", 1)]
    assert "the sky is where the frames show it" in result.nights[0].problems[0].reason
