"""Human labels beside classification files: frames, files and contradictions; then the whole report."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
from workbooks import write_sheets

from pulsaurora.archive.labels import read_labels
from pulsaurora.archive.tables import classification_path, write_classifications
from pulsaurora.classes import CLASSES
from pulsaurora.classification.assessment import assess
from pulsaurora.classification.truth import CONTESTED, UNLABELLED, find_classifications, judge_nights
from pulsaurora.cli.main import run
from pulsaurora.problems import UsageError

DATE = datetime.date(2020, 2, 18)
START = np.datetime64("2020-02-18T02:00:00.250000", "us")
HEADER = ["camera", "Date", "Start frame", "End frame", "Start time", "End time", "Classification"]


def write_night(
    root, labels, site="gill", imager="themis19", start=START, probabilities=None, confidence=0.5
):
    n = len(labels)
    table = {
        "time": start + np.arange(n) * np.timedelta64(3, "s"),
        "label": np.array(labels, np.int8),
        "confidence": np.full(n, confidence, np.float32),
    }
    if probabilities is not None:
        table |= {name: probabilities[:, i] for i, name in enumerate(CLASSES)}
    path = classification_path(root, site, imager, DATE)
    write_classifications(path, table, {"version": "0"})
    return path


def labels_of(tmp_path, *rows):
    return read_labels(write_sheets(tmp_path / "labels.xlsx", {"a": [HEADER, *rows]}), problems=[])


def frames(site, first, last, code, date=20200218):
    return [site, date, first, last, None, None, code]


def judge(tmp_path, *rows):
    problems = []
    nights = judge_nights(labels_of(tmp_path, *rows), tmp_path / "out", problems)
    return nights, [problem.reason for problem in problems]


def test_frames_count_from_zero_and_both_ends_belong(tmp_path):
    write_night(tmp_path / "out", [0] * 10)
    rows = frames("gill", 1, 3, "p"), frames("gill", 4, 4, "np"), frames("gill", 6, 7, "cs")
    (night,), told = judge(tmp_path, *rows)
    assert night.truth.tolist() == [-1, 3, 3, 3, -1, -1, 1, 1, -1, -1]
    assert night.intervals == [(1, 4, 3), (6, 8, 1)] and told == []
    assert night.name == "2020-02-18 gill" and night.probabilities is None


def test_times_are_used_before_frame_numbers(tmp_path):
    write_night(tmp_path / "out", [0] * 10)
    row = ["gill", 20200218, 90, 95, "02:00:03", "02:00:09", "p"]
    (night,), _ = judge(tmp_path, row)
    assert night.truth.tolist() == [-1, 3, 3, 3] + [-1] * 6


def test_the_same_label_twice_counts_once_and_contradictions_not_at_all(tmp_path):
    write_night(tmp_path / "out", [0] * 10)
    rows = frames("gill", 0, 4, "p"), frames("gill", 0, 4, "ps"), frames("gill", 4, 6, "cs")
    (night,), told = judge(tmp_path, *rows)
    assert night.truth.tolist() == [3, 3, 3, 3, CONTESTED, 1, 1] + [UNLABELLED] * 3
    assert night.intervals == [(0, 5, 3), (4, 7, 1)]
    assert told == ["1 frames are labelled with two classes; they are not used"]
    assert assess([night], 10).n_contested == 1


def test_files_out_of_order_empty_short_and_missing_are_told(tmp_path):
    path = write_night(tmp_path / "out", [0] * 100, "gill")
    lines = path.read_text().split("\n")
    path.write_text("\n".join(lines[:4] + lines[60:-1] + lines[4:60]))
    empty = write_night(tmp_path / "out", [], "snkq")
    rank = write_night(tmp_path / "out", [0], "rank")
    rank.write_text("nothing of the kind")
    rows = [frames(site, 0, 200, "p") for site in ("gill", "snkq", "rank", "inuv", "atha")]
    (night,), told = judge(tmp_path, *rows)
    assert night.site == "gill" and len(night.times) == 100
    assert set(told) == {
        "rows step back in time 1 times; put in order",
        "has 100 rows, 101 fewer than are labelled; the labels beyond its end are not used",
        "begins 'nothing of the kind', expected the header 'date,time,prediction,prediction_str,confidence'",
        "holds no rows",
        "no classification file for 2 of the labelled nights: 2020-02-18 atha, 2020-02-18 inuv",
    }
    assert empty.exists()


def test_an_imager_changed_in_the_night_is_one_night_and_a_second_opinion_is_not(tmp_path):
    later = START + np.timedelta64(1, "h")
    write_night(tmp_path / "out", [0] * 5, imager="themis20", start=later)
    write_night(tmp_path / "out", [1] * 5, imager="themis21")
    (night,), told = judge(tmp_path, frames("gill", 0, 9, "p"))
    assert night.predicted.tolist() == [1] * 5 + [0] * 5 and told == [] and len(night.paths) == 2
    write_night(tmp_path / "out", [2] * 9, imager="themis")
    (night,), told = judge(tmp_path, frames("gill", 0, 8, "p"))
    assert night.predicted.tolist() == [2] * 9
    assert len(told) == 2 and all("has more rows; left aside" in reason for reason in told)


def test_probabilities_beside_a_file_are_taken_if_they_fit(tmp_path):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 6).astype(np.float32)
    path = write_night(tmp_path / "out", [0] * 6, probabilities=probabilities)
    (night,), _ = judge(tmp_path, frames("gill", 0, 5, "p"))
    np.testing.assert_array_equal(night.probabilities, probabilities)
    path.with_suffix(".parquet").write_bytes(b"no table")
    (night,), told = judge(tmp_path, frames("gill", 0, 5, "p"))
    assert night.probabilities is None
    (reason,) = told
    assert reason.startswith("not a Parquet table of classifications") and reason.endswith("; left aside")


def test_files_are_found_by_name_in_any_folder(tmp_path):
    path = write_night(tmp_path / "out", [0] * 6)
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in (path.name, "20200231_gill_themis_classifications.txt", "x.txt", ".20200218_gill_a.part"):
        (flat / name).write_bytes(path.read_bytes())
    assert find_classifications(flat) == {("gill", DATE): [flat / path.name]}
    table = labels_of(tmp_path, frames("gill", 0, 5, "p"))
    assert len(judge_nights(table, path)) == 1


def test_links_to_folders_are_followed_and_loops_end(tmp_path):
    path = write_night(tmp_path / "disk/nights", [0] * 6)
    root = tmp_path / "disk/out"
    (root / "2019").mkdir(parents=True)
    (root / "2020").symlink_to(tmp_path / "disk/nights/2020", target_is_directory=True)
    (root / "again").symlink_to(tmp_path / "disk/nights", target_is_directory=True)
    (root / "2019/up").symlink_to(tmp_path, target_is_directory=True)
    (root / "2019/here").symlink_to("here", target_is_directory=True)
    (path.parent / "round").symlink_to(root, target_is_directory=True)
    assert find_classifications(root) == {("gill", DATE): [root / "2020/02/18" / path.name]}
    assert find_classifications(tmp_path / "disk") == {("gill", DATE): [path]}
    assert find_classifications(tmp_path / "none") == {}


def test_labels_of_poker_flat_find_its_files_and_the_filter_is_told(tmp_path):
    """Sheets say pfrr, files pkr, which no pattern of four letters took."""
    short = write_night(tmp_path / "out", [0] * 4, "pkr", "dasc428")
    long = write_night(tmp_path / "out", [3] * 6, "pkr", "dasc558")
    row = ["pfrr", 20200218, None, None, "02:00:00", "02:00:09", "p"]
    (night,), told = judge(tmp_path, row)
    assert night.paths == [long] and night.truth.tolist() == [3] * 4 + [-1] * 2
    assert told == [f"tells of the same hours as {long.name}, which has more rows; left aside"]
    (night,) = judge_nights(labels_of(tmp_path, row), short)
    assert night.paths == [short]
    assert find_classifications(tmp_path / "out") == {("pkr", DATE): [short, long]}


def test_no_labelled_frame_is_said(tmp_path):
    write_night(tmp_path / "out", [0] * 6)
    nights, _ = judge(tmp_path, frames("gill", 100, 200, "p"))
    assert nights == []
    with pytest.raises(UsageError, match="no frame has both"):
        assess(nights)


def test_intervals_go_by_the_class_of_most_frames_and_nights_by_their_hours(tmp_path):
    write_night(tmp_path / "out", [3] * 300 + [1] * 10 + [3] * 30, confidence=0.9)
    (night,), _ = judge(tmp_path, frames("gill", 0, 299, "p"), frames("gill", 300, 339, "cs"))
    found = assess([night], 10)
    assert found.interval_confusion.tolist() == [[0] * 4, [0, 0, 0, 1], [0] * 4, [0, 0, 0, 1]]
    assert [row["right"] for row in found.per_interval] == [1.0, 0.25]
    assert found.per_interval[1]["start"] == "2020-02-18T02:15:00"
    assert found.per_night[0]["pulsating_hours"] == pytest.approx(0.25)
    assert found.nights["hours_error"].value == pytest.approx(30 * 3 / 3600)
    assert found.nights["pulsating_found"].value == found.nights["pulsating_true"].value == 1
    assert found.frames["accuracy"].value == pytest.approx(310 / 340)


@pytest.fixture(scope="session")
def reference_report(shared_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    arguments = ["--labels", str(shared_data / "labels/themis/final-test-classifications.xlsx")]
    arguments += ["--classifications", str(shared_data / "reference/classifications"), "--out", str(out)]
    return run(["evaluate", *arguments]), out


def test_the_reference_files_score_what_they_are_known_to(reference_report):
    status, out = reference_report
    found = json.loads((out / "evaluation.json").read_text())
    figures = found["frames"]
    assert round(figures["accuracy"]["value"], 3) == 0.639
    assert round(figures["precision_pulsating"]["value"], 2) == 0.41
    assert round(figures["recall_pulsating"]["value"], 2) == 0.46
    assert figures["accuracy"]["low"] < 0.6 and figures["accuracy"]["high"] > 0.68
    assert np.sum(figures["confusion"]) == 557_094 and len(found["per_night"]) == 40
    # One file ends long before its labels do; the others only had to be put in order.
    assert status == 3
    assert sum("put in order" in problem["reason"] for problem in found["problems"]) == 40
    assert [p["reason"] for p in found["problems"] if "put in order" not in p["reason"]] == [
        "has 1955 rows, 9242 fewer than are labelled; the labels beyond its end are not used"
    ]


def test_the_report_has_its_parts(reference_report):
    _, out = reference_report
    text = (out / "evaluation.md").read_text()
    for part in ("## By frame", "## By labelled interval", "## By night", "calibration error: 0.149"):
        assert part in text
    for name in ("confusion", "reliability", "nights"):
        assert f"figures/evaluation_{name}.png" in text
        picture = (out / "figures" / f"evaluation_{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG") and len(picture) > 5000
    assert len(pd.read_csv(out / "evaluation_nights.csv")) == 40
    assert len(pd.read_csv(out / "evaluation_intervals.csv")) == 205
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


def test_command_says_what_is_wrong(tmp_path, capsys):
    write_night(tmp_path / "out", [3] * 6)
    path = write_sheets(tmp_path / "labels.xlsx", {"a": [HEADER, frames("gill", 0, 5, "p")]})
    arguments = ["evaluate", "--labels", str(path), "--out", str(tmp_path / "report"), "--classifications"]
    assert run([*arguments, str(tmp_path / "out")]) == 0
    assert "accuracy 1.000" in capsys.readouterr().out
    assert run([*arguments, str(tmp_path / "none")]) == 2
    assert run([*arguments, str(tmp_path / "report")]) == 2
    assert "the folder of the labelled nights?" in capsys.readouterr().err


def test_codes_that_are_not_known_are_told(tmp_path, capsys):
    write_night(tmp_path / "out", [3] * 6)
    rows = frames("gill", 0, 2, "p"), frames("gill", 3, 4, "pulsatng"), frames("gill", 5, 5, "np")
    path = write_sheets(tmp_path / "labels.xlsx", {"a": [HEADER, *rows]})
    out = tmp_path / "report"
    arguments = ["evaluate", "--labels", path, "--classifications", tmp_path / "out", "--out", out]
    assert run(map(str, arguments)) == 3
    told = "1 rows have codes that stand for no class: 'pulsatng' 1"
    assert told in capsys.readouterr().err and told in (out / "evaluation.md").read_text()
