"""Training from human labels: a simulated archive and workbooks in, a model and its scores out."""

import datetime
import itertools
import json
import os
import re
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import savwriter
import servers
from workbooks import write_sheets

from pulsaurora.archive.labels import read_workbooks
from pulsaurora.classes import CLASSES
from pulsaurora.classification import labelled_training, nightfeatures
from pulsaurora.classification import night as night_module
from pulsaurora.classification.assessment import assess
from pulsaurora.classification.date_split import split_dates
from pulsaurora.classification.labelled_frames import (
    CONTESTED_FRAMES,
    NO_LABEL,
    OTHER_CODE,
    LabelledFrames,
    gather,
    label_frames,
)
from pulsaurora.classification.labelled_training import settings_of, train_on_nights, training_rows
from pulsaurora.classification.model import load_model
from pulsaurora.classification.networks import fit_networks
from pulsaurora.classification.nightfeatures import NightFeatures
from pulsaurora.classification.onnxmodel import onnx_probabilities, temper
from pulsaurora.classification.trainedmodel import export, pooled_probabilities
from pulsaurora.classification.truth import judge_nights
from pulsaurora.cli import log, main
from pulsaurora.problems import ContractError, UsageError
from pulsaurora.pulsation.table import FEATURE_NAMES
from pulsaurora.simulation.drawn_camera import draw_camera
from pulsaurora.simulation.night import simulate_minutes
from pulsaurora.simulation.stream0 import write_stream0

pytest.importorskip("skl2onnx", reason="training needs the train extra")

SCENES = ("overcast", "clear_dark", "arcs_active", "pulsating_patchy")
NIGHTS = [("gill", day) for day in (2, 4, 6, 8, 10, 12)] + [("rank", 2), ("rank", 14)]
WITHOUT_FILES = ("atha", 16)
QUICK = ("--penalties", "0.5", "--rounds", "10", "--n-networks", "2")
UPDATED = ("camera", "Date", "Start frame", "End frame", "Classification", "Comment")
THEMIS = ("Date", "camera", "Start time", "End time", "Classification", "Start frame", "End frame", "length")
STATION = ("Station", "Date", "Start frame", "End frame", "Classification", "Comment")
CODES = ("bv", "cs", "dis-sub", "pa"), ("cl", " CS", "diff", "p"), ("BV", "cs", "sub", "ps")


def simulate_night(root, k):
    """A minute of each class, an hour apart, by one and the same lens."""
    site, day = NIGHTS[k]
    camera = draw_camera(np.random.default_rng(1), (128.0, 128.0), 124.0)
    scenes = SCENES[k % 4 :] + SCENES[: k % 4]
    starts = [f"2014-03-{day:02}T0{4 + hour}:00" for hour in range(4)]
    parts = [
        simulate_minutes(k, start, 1, site, [(scene, 1)], camera=camera)
        for start, scene in zip(starts, scenes, strict=True)
    ]
    write_stream0(root, itertools.chain(*parts))


def simulate_archive(root):
    with ProcessPoolExecutor(2) as pool:
        for job in [pool.submit(simulate_night, root, k) for k in range(len(NIGHTS))]:
            job.result()


def runs_of(path):
    """Site, date, and (first frame, last frame, class, first and last time) of each run of one class."""
    date, site, *_ = path.name.split("_")
    table = pd.read_csv(path).sort_values("time", ignore_index=True)
    clock = table["time"].str.slice(11, 19)
    edges = np.flatnonzero(np.diff(table["label"], prepend=-1, append=-1))
    runs = [
        (int(a), int(b) - 1, int(table["label"][a]), clock[a], clock[b - 1])
        for a, b in zip(edges[:-1], edges[1:], strict=True)
    ]
    return site, date, runs


def write_workbooks(folder, truth):
    """The nights' truth in three workbooks, each of another layout, with what workbooks have besides.

    On 4 March no frame of the first run has a class, but a code that is none; on 6 March a second opinion
    contests the first three frames; on 8 March the last run has no label.
    """
    updated, themis, station = [UPDATED], [THEMIS], [("Table 1",), STATION]
    for k, path in enumerate(sorted(truth.glob("*.csv"))):
        site, date, runs = runs_of(path)
        codes = CODES[k % 3]
        for number, (first, last, label, start, end) in enumerate(runs):
            code = codes[label]
            if date == "20140304" and number == 0:
                code = "np"
            if date == "20140308" and number == len(runs) - 1:
                continue
            if k % 3 == 0:
                updated.append((site, int(date), first, last, code, None))
            elif k % 3 == 1:
                day = f"{date[:4]}-{date[4:6]}-{date[6:]}"
                themis.append((day, site, start, end, code, f"{first:05}", f"{last:05}", "=G2-F2"))
            else:
                head = (site, date, str(first)) if number == 0 else (None, None, None)
                station.append((*head, str(last), code, None))
        if date == "20140306":
            other = codes[(runs[0][2] + 1) % 4]
            updated.append((site, int(date), 0, 2, other, "second opinion"))
    site, day = WITHOUT_FILES
    updated.append((site, 20140300 + day, 0, 600, "pa", None))
    dates = [("Table 1",), ("year", "month", "date", "camera"), ("2014", "03", "02", "gill, rank")]
    legend = [("classification",), ("pulsating aurora", "across the entire sky", "p", "pulsating aurora")]
    return [
        write_sheets(folder / "updated.xlsx", {"camera dates": dates, "classification-updated": updated}),
        write_sheets(folder / "themis.xlsx", {"themis": themis, "classification": legend}),
        write_sheets(folder / "station.xlsx", {"classification": station, "types": legend}),
    ]


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("PULSAURORA_LOGS", str(tmp_path / "logs"))
    monkeypatch.chdir(tmp_path)
    yield
    log.stop()


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Download, train, classify, evaluate: by the commands alone."""
    folder = tmp_path_factory.mktemp("chain")
    truth = folder / "served" / "truth"
    simulate_archive(folder / "served")
    truth = truth.rename(folder / "truth")
    books = write_workbooks(folder, truth)
    labels = [word for book in books for word in ("--labels", str(book))]
    stream0, model, labelled = folder / "stream0", folder / "models" / "mine.onnx", folder / "labelled"
    web = servers.WebArchive(folder / "served")
    status, saved = {}, os.environ.get("PULSAURORA_LOGS")
    os.environ["PULSAURORA_LOGS"] = str(folder / "logs")
    try:
        asked = ("--out", stream0, "--base", web.base, "--pause", 0.02, "--retries", 1)
        status["download"] = main.run(["download", "themis", *labels, *map(str, asked)])
        asked = (*labels, "--stream0", stream0, "--features", folder / "features", "--out", model, *QUICK)
        train = ["train", *map(str, asked)]
        status["train"] = main.run(train)
        asked = ("2014-03-01", "2014-03-31", "--stream0", stream0, "--out", labelled, "--model", model)
        status["classify"] = main.run(["classify", *map(str, asked)])
        asked = (*labels, "--classifications", labelled, "--out", folder / "scores")
        status["evaluate"] = main.run(["evaluate", *map(str, asked)])
    finally:
        web.close()
        log.stop()
        os.environ.pop("PULSAURORA_LOGS") if saved is None else os.environ.update(PULSAURORA_LOGS=saved)
    return SimpleNamespace(
        folder=folder,
        books=books,
        stream0=stream0,
        features=folder / "features",
        model=model,
        card=model.with_suffix(".md").read_text(),
        labelled=labelled,
        train=train,
        status=status,
        table=read_workbooks(books, "themis")[0],
    )


def test_what_was_downloaded_and_labelled_makes_a_model_that_labels(chain):
    # 3: the archive lacks one of the labelled nights; two people contradict each other.
    assert chain.status == {"download": 3, "train": 3, "classify": 0, "evaluate": 3}
    scores = json.loads((chain.folder / "scores" / "evaluation.json").read_text())
    assert scores["frames"]["accuracy"]["value"] > 0.8
    assert scores["frames"]["f1_pulsating"]["value"] > 0.7
    model = load_model(chain.model)
    assert model.learned_from.startswith("human labels: ") and "8 nights, 7 dates" in model.learned_from
    first = next(chain.labelled.rglob("*.txt")).read_text()
    assert "# trained on: human labels: " in first


def test_the_figures_of_the_card_are_those_of_what_classify_gives(chain):
    """The nights tested on, read from classification files: another way to the same numbers."""
    tested = re.search(r"^- tested on: (.*)$", chain.card, re.MULTILINE)[1]
    dates = re.findall(r"\d{4}-\d{2}-\d{2}", tested)
    nights = [n for n in judge_nights(chain.table, chain.labelled, []) if f"{n.date}" in dates]
    assessment = assess(nights, 10)
    figures, sure = assessment.frames, assessment.reliability.expected_calibration_error
    scores = json.loads(load_model(chain.model).card["scores"])
    assert len(dates) == 2 and tested.startswith(f"{len(nights)} nights of 2 dates")
    assert scores["steadied_accuracy"] == pytest.approx(figures["accuracy"].value, abs=1e-4)
    assert scores["steadied_macro_f1"] == pytest.approx(figures["macro_f1"].value, abs=1e-4)
    assert scores["steadied_calibration_error"] == pytest.approx(sure.value, abs=1e-4)
    assert sure.value > 20 * 1e-4  # no number that anything near nought would match
    assert f"| accuracy | {figures['accuracy'].value:.3f}" in chain.card
    right = [(n.probabilities.argmax(axis=1) == n.truth)[n.truth >= 0] for n in nights]
    assert scores["accuracy"] == pytest.approx(np.concatenate(right).mean(), abs=1e-4)


def test_features_are_those_of_classify(chain):
    for path in chain.labelled.rglob("*.parquet"):
        name = path.name.replace("_classifications", "_features")
        (kept,) = chain.features.rglob(name)
        mine, theirs = pd.read_parquet(kept), pd.read_parquet(path)
        pd.testing.assert_frame_equal(mine, theirs[["time", *FEATURE_NAMES]])


def test_the_card_says_what_was_learned_from(chain):
    for book in chain.books:
        assert f"| {book.name} | `" in chain.card
    assert "**Trained on human labels: " in chain.card and "no simulated sky" in chain.card
    assert "networks, penalty 0.5 + trees, rounds 10 |" in chain.card
    assert re.search(r"ONNX and what was fitted differ.*\n +0\.00000 of all", chain.card)
    assert str(chain.folder) not in chain.card


def test_frames_that_count_for_nothing_are_counted(chain):
    row = dict(re.findall(r"^\| ([a-z_ ]+) \| (\d+ \| \d+) \|$", chain.card, re.MULTILINE))
    counts = {name: sum(map(int, numbers.split(" | "))) for name, numbers in row.items()}
    expected = Counter()
    for path in sorted((chain.folder / "truth").glob("*.csv")):
        site, date, runs = runs_of(path)
        for number, (first, last, label, *_) in enumerate(runs):
            name, n = CLASSES[label], last - first + 1
            if date == "20140304" and number == 0:
                name = OTHER_CODE
            elif date == "20140308" and number == len(runs) - 1:
                name = NO_LABEL
            elif date == "20140306" and number == 0:
                expected[CONTESTED_FRAMES] += 3
                n -= 3
            expected[name] += n
    assert expected[CONTESTED_FRAMES] == 3 and expected[OTHER_CODE] > 10 and expected[NO_LABEL] > 10
    assert {name: counts[name] for name in expected} == dict(expected)


def test_a_night_without_files_is_listed(chain):
    told = (chain.features / "problems.csv").read_text()
    assert told.count("which is labelled") == 1 and "no files of 2014-03-16 atha" in told


def test_the_same_seed_gives_the_same_bytes_and_reads_no_frame_again(chain, monkeypatch):
    read = count_reads(monkeypatch)
    before = chain.model.read_bytes(), chain.card
    again = chain.folder / "again.onnx"
    assert main.run([str(again) if word == str(chain.model) else word for word in chain.train]) == 3
    assert (again.read_bytes(), again.with_suffix(".md").read_text()) == before
    assert not read


def night_of(path):
    """YYYY/MM/DD/SITE_IMAGER of a minute file."""
    return "/".join(path.parts[-6:-2])


def count_reads(monkeypatch):
    """Return a Counter that gets every minute file that is read from here on, by night."""
    read, whole = Counter(), night_module._read

    def counting(minute, *rest):
        read[night_of(minute.alternatives[0])] += 1
        return whole(minute, *rest)

    monkeypatch.setattr(night_module, "_read", counting)
    return read


def test_only_what_changed_is_read_again(chain, tmp_path, monkeypatch):
    read, features = count_reads(monkeypatch), tmp_path / "features"
    shutil.copytree(chain.features, features)

    def read_now():
        read.clear()
        found = gather(chain.table, chain.stream0, features)
        return dict(read), found

    assert read_now()[0] == {}
    (path, *_) = sorted(chain.stream0.glob("2014/03/04/gill_*/ut04/*.gz"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    night = night_of(path)
    counts, found = read_now()
    assert counts == {night: 4} and night.startswith("2014/03/04/gill_") and found.n_computed == 1
    assert any(problem.path == str(path) for problem in found.problems)
    assert read_now()[0] == {}
    path.write_bytes(whole)
    assert read_now()[0] == {night: 4}
    # A table that was cut short, and one of features that meant something else.
    (kept,) = features.glob("2014/03/04/*.parquet")
    kept.write_bytes(kept.read_bytes()[:-100])
    assert read_now()[0] == {night: 4}
    monkeypatch.setattr(nightfeatures, "FEATURE_VERSION", "of another time")
    counts, found = read_now()
    assert len(counts) == len(NIGHTS) and found.n_computed == len(NIGHTS)


def test_day_files_give_the_same_features(chain, tmp_path):
    date = "2014-03-12"
    asked = (date, date, "--stream0", chain.stream0, "--out", tmp_path / "days", "--raw16")
    assert main.run(["pack", "themis", *map(str, asked)]) in (0, 3)  # there is no skymap
    table = chain.table[chain.table["date"] == date]
    (night,) = gather(table, chain.stream0, tmp_path / "a").nights
    (again,) = gather(table, tmp_path / "days", tmp_path / "b", dayfiles=True).nights
    np.testing.assert_array_equal(night.features, again.features)
    np.testing.assert_array_equal(night.truth, again.truth)
    assert night.counts == again.counts and len(night.times) == 80


def test_a_skymap_that_comes_later_is_used(chain, tmp_path, monkeypatch):
    night = "2014/03/12"
    shutil.copytree(chain.stream0 / night, tmp_path / "stream0" / night)
    table = chain.table[chain.table["date"] == "2014-03-12"]
    read = count_reads(monkeypatch)

    def features():
        read.clear()
        found = gather(table, tmp_path / "stream0", tmp_path / "kept")
        return found.nights[0].features, sum(read.values()), found.problems

    without, *_ = features()
    skymap = tmp_path / "stream0" / "themis_skymap_gill_20110305-+_v02.sav"
    skymap.write_bytes(savwriter.skymap_bytes(SITE_UID="gill"))
    within, n_read, problems = features()
    assert n_read == 4 and not problems and (within != without).any()
    skymap.write_bytes(b"SR no skymap")
    again, n_read, problems = features()
    assert n_read == 4 and len(problems) == 1 and "where the frames show it" in problems[0].reason
    np.testing.assert_array_equal(again, without)


def labels_of(tmp_path, *rows):
    return read_workbooks(write_sheets(tmp_path / "a.xlsx", {"a": [UPDATED, *rows]}), "themis")[0]


def some_frames(start, n, step_s=3):
    times = np.datetime64(start, "us") + np.arange(n) * np.timedelta64(step_s, "s")
    return NightFeatures(times, np.arange(n, dtype=np.float32)[:, None])


def test_labels_of_a_date_whose_imager_changed_count_on(tmp_path):
    rows = labels_of(
        tmp_path,
        ("gill", 20140302, 1, 6, "pa", None),
        ("gill", 20140302, 6, 7, "cs", None),
        ("gill", 20140302, 8, 8, "Sunset", None),
        ("gill", 20140302, 5, 5, "np", None),
    )
    parts = [("b", some_frames("2014-03-02T08:00", 5)), ("a", some_frames("2014-03-02T04:00", 5))]
    problems, date = [], datetime.date(2014, 3, 2)
    night = label_frames("gill", date, parts, rows, problems)
    assert night.truth.tolist() == [-1, 3, 3, 3, 3, 3, -2, 1, -1, -1] and not problems
    assert night.features[:, 0].tolist() == [0, 1, 2, 3, 4] * 2
    assert (np.diff(night.times).astype(int) > 0).all()
    assert {k: n for k, n in night.counts.items() if n} == {
        "pulsating": 5,
        "no_aurora": 1,
        CONTESTED_FRAMES: 1,
        OTHER_CODE: 1,
        NO_LABEL: 2,
    }
    # Labels may reach past the last frame, but not far: then it is not known which frames are missing.
    rows["end_frame"] = rows["end_frame"].where(rows["code"] != "cs", 60)
    assert label_frames("gill", date, parts, rows, problems) is None
    assert "has 10 frames, 51 fewer than are labelled by number" in problems.pop().reason
    rows["end_frame"] = rows["end_frame"].where(rows["code"] != "cs", 7)
    # Two that saw the same hours are two opinions of one sky: the one with more frames is taken.
    parts.append(("c", some_frames("2014-03-02T04:00", 9)))
    night = label_frames("gill", date, parts, rows, problems)
    assert len(night.times) == 9 and len(problems) == 2 and "left aside" in problems[0].reason
    assert label_frames("gill", date, [("a", some_frames("2014-03-02T04:00", 1))], rows, problems) is None
    assert "of none of its 1 frames" in problems[-1].reason


def made_up_nights(seed=0, n_dates=8):
    """Nights whose classes differ in a few features; two sites on each second date."""
    rng = np.random.default_rng(seed)
    nights = []
    for k in range(n_dates):
        for site in ("gill", "rank")[: 1 + k % 2]:
            truth = np.repeat(np.arange(4, dtype=np.int8), 60)
            truth[::7] = -1
            features = rng.normal(size=(240, len(FEATURE_NAMES))).astype(np.float32)
            features[:, 3] += 6 * truth
            features[:, 8] -= 6 * (truth == 3)
            date = datetime.date(2014, 3, 1 + k)
            times = some_frames(f"{date}T06:00", 240).times
            nights.append(LabelledFrames(site, date, times, features, truth, Counter()))
    return nights


def test_no_date_is_in_two_parts_and_those_tested_on_are_in_no_fit(monkeypatch, tmp_path):
    nights, fitted = made_up_nights(), []
    whole = labelled_training.fit_all

    def recording(tasks, *rest):
        tasks = list(tasks)
        fitted.append([{name[:10] for name in dataset.scenes} for _, dataset, _, _ in tasks])
        return whole(tasks, *rest)

    monkeypatch.setattr(labelled_training, "fit_all", recording)
    trained = train_on_nights(nights, [], settings_of([0.5], [3], 1), workers=2)
    test, folds = split_dates({night.date: {0, 1, 2, 3} for night in nights})
    test, folds = {f"{date}" for date in test}, [{f"{date}" for date in fold} for fold in folds]
    parts = [test, *folds]
    assert len(test) == 2 and sum(map(len, parts)) == 8 and len(set().union(*parts)) == 8
    while_choosing, at_last = fitted
    rest = set().union(*folds)
    assert while_choosing == [rest - fold for fold in folds] * 2
    assert at_last and all(dates == rest for dates in at_last)

    # What people said of the nights tested on changes the figures, and nothing of the model.
    for night in nights:
        if f"{night.date}" in test:
            night.truth[night.truth >= 0] = 3 - night.truth[night.truth >= 0]
    other = train_on_nights(nights, [], settings_of([0.5], [3], 1), workers=2)
    rows = np.concatenate([night.features for night in nights])
    np.testing.assert_array_equal(
        onnx_probabilities(trained.onnx, rows), onnx_probabilities(other.onnx, rows)
    )
    assert trained.scores["accuracy"] > 0.7 > 0.3 > other.scores["accuracy"]


def test_every_class_is_on_both_sides_however_rare():
    classes = {datetime.date(2014, 3, day): {0, 1} for day in range(1, 13)}
    for day, more in ((2, {2, 3}), (5, {3}), (6, {2}), (9, {2}), (11, {3})):
        classes[datetime.date(2014, 3, day)] |= more
    seen = set()
    for seed in range(20):
        test, folds = split_dates(classes, seed)
        parts = [test, *folds]
        assert sorted(itertools.chain(*parts)) == sorted(classes) and len(test) == 3
        seen.add(tuple(test))
        for fold in folds:
            kept = [date for other in folds if other is not fold for date in other]
            assert set().union(*(classes[date] for date in kept)) == {0, 1, 2, 3}
        assert set().union(*(classes[date] for date in test)) == {0, 1, 2, 3}
    assert len(seen) > 3 and split_dates(classes, 3) == split_dates(classes, 3)


def test_classes_are_balanced_whatever_nights_hold():
    night = made_up_nights(n_dates=1)[0]
    night.truth[:] = np.repeat([0, 1, 2, 3], [100, 110, 10, 20])
    night.features[:5] = np.nan  # cannot be learned from
    rows = training_rows([night])
    # 235 frames: 58 of each class.
    assert np.bincount(rows.labels).tolist() == [58] * 4
    assert np.isfinite(rows.features).all()
    rare = night.features[night.truth == 2]
    taken = rows.features[rows.labels == 2]
    shares = [int((taken == row).all(axis=1).sum()) for row in rare]
    assert set(shares) == {5, 6} and sum(shares) == 58
    common = rows.features[rows.labels == 1]
    assert len(np.unique(common, axis=0)) == 58


def test_the_frames_of_a_look_teach_once_for_each_label_they_have():
    night = made_up_nights(n_dates=1)[0]
    night.features[:] = np.repeat(night.features[::20], 20, axis=0)  # twelve looks of twenty frames
    night.truth[:] = np.repeat([0, 1, 2, 3], 60)
    rows = training_rows([night])
    np.testing.assert_array_equal(rows.features, night.features[::20])
    assert rows.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    night.truth[55:60] = 1  # a look of two labels
    rows = training_rows([night])
    assert (rows.features == night.features[40]).all(axis=1).sum() == 2
    night.truth[:] = -1
    assert len(training_rows([night, made_up_nights(n_dates=1)[0]])) > 0


@pytest.mark.parametrize(
    ("n_dates", "codes", "said"),
    [
        (5, ("bv", "cs", "dis", "pa"), "labelled frames of 5 dates; at least 6 are needed"),
        (7, ("bv", "cs", "dis", "np"), "no labelled frame is pulsating"),
        (7, ("bv", "cs", "dis", "pulsatng"), "7 rows have codes that stand for no class: 'pulsatng' 7"),
        (7, ("np",), "no labelled frame is bad_viewing or no_aurora or other_aurora or pulsating"),
    ],
)
def test_too_few_nights_or_classes_are_refused_before_any_reading(n_dates, codes, said, tmp_path, capfd):
    rows = [("gill", 20140301 + k, 10 * i, 10 * i + 9, code, None)
            for k in range(n_dates) for i, code in enumerate(codes)]  # fmt: skip
    book = write_sheets(tmp_path / "a.xlsx", {"a": [UPDATED, *rows]})
    out = tmp_path / "m.onnx"
    asked = ("--labels", book, "--stream0", tmp_path, "--out", out, "--features", tmp_path / "f")
    assert main.run(["train", *map(str, asked)]) == main.WRONG_USAGE
    assert said in capfd.readouterr().err and not out.exists() and not (tmp_path / "f").exists()


def test_too_few_nights_with_files_are_refused(tmp_path):
    rare = {datetime.date(2014, 3, 1 + day): {0, 1, 2} | ({3} if day < 2 else set()) for day in range(8)}
    with pytest.raises(UsageError, match="3 dates or more.*there is pulsating on 2"):
        split_dates(rare)
    with pytest.raises(UsageError, match="no labelled frame is"):
        train_on_nights([], [], settings_of())


def test_labelled_nights_without_any_files_are_refused_and_listed(tmp_path, capfd):
    rows = [("gill", 20140301 + k, 10 * i, 10 * i + 9, code, None)
            for k in range(6) for i, code in enumerate(CODES[0])]  # fmt: skip
    book = write_sheets(tmp_path / "a.xlsx", {"a": [UPDATED, *rows]})
    (tmp_path / "stream0").mkdir()
    asked = ("--labels", book, "--stream0", tmp_path / "stream0", "--out", "m.onnx", "--features", "f")
    assert main.run(["train", *map(str, asked)]) == main.WRONG_USAGE
    assert "none of the labelled nights has frames" in capfd.readouterr().err
    assert Path("f/problems.csv").read_text().count("gill, which is labelled") == 6
    assert not Path("m.onnx").exists()


def test_an_onnx_file_that_does_not_say_what_was_fitted_is_not_written(monkeypatch):
    night = made_up_nights(n_dates=1)[0]
    models = [fit_networks(training_rows([night]), n_networks=1, epochs=1)]
    expected = temper(pooled_probabilities(models, night.features), 1.3)
    content, disagrees = export(models, 1.3, "made up", {}, night.features, expected)
    assert disagrees == 0 and len(content) > 1000
    expected[:10] = expected[:10, ::-1]
    with pytest.raises(ContractError, match="differ on 4.2% of 240 rows"):
        export(models, 1.3, "made up", {}, night.features, expected)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what to train on"),
        (("--simulated", "--labels", "a.xlsx"), "two things to train on"),
        (("--simulated", "--rounds", "10"), "--rounds is for --labels"),
        (("--labels", "a.xlsx", "--stream0", ".", "--n-sites", "32"), "--n-sites is for --simulated"),
        (("--labels", "a.xlsx", "--stream0", "nowhere"), "nowhere is not a folder"),
        (("--labels", "a.xlsx", "--stream0", ".", "--penalties", "0.1,-1"), "lists no positive numbers"),
    ],
)
def test_wrong_usage(arguments, said, capfd):
    assert main.run(["train", "--out", "m.onnx", *arguments]) == main.WRONG_USAGE
    assert said in capfd.readouterr().err and not Path("m.onnx").exists()
