"""PFRR nights through a model made for THEMIS frames."""

import datetime as dt
from pathlib import Path

import fitswriter
import h5py
import numpy as np
import pandas as pd
import pytest
import tinymodel

from pulsaurora.archive.status import read_status
from pulsaurora.archive.tables import read_classifications
from pulsaurora.classification import model as model_module
from pulsaurora.classification import pfrr
from pulsaurora.classification.pfrr import as_themis, cadence_of, classify_pfrr
from pulsaurora.cli import log, main
from pulsaurora.imaging.pfrrpack import pack_pfrr
from pulsaurora.problems import ContractError
from pulsaurora.pulsation.reduction import SkyGrid, reduce_frames, window_features
from pulsaurora.pulsation.table import WINDOW_NAMES

DATE = dt.date(2015, 10, 7)
SCRIPT = Path(__file__).resolve().parents[2] / "scripts/all_tasks_pfrr.py"


@pytest.fixture
def model(tmp_path):
    return tinymodel.save(tinymodel.features_proto(tinymodel.weights() / 100), tmp_path / "tiny.onnx")


def night(root, n=12, wavelength="558"):
    for i in range(n):
        seconds = 23 * 60 + 51.743 + 12.5 * i
        clock = f"08{int(seconds // 60):02d}{seconds % 60:06.3f}"
        fitswriter.write(root / "2015/20151007", clock, wavelength, pixels=fitswriter.counts(seed=i))


def test_frames_are_brought_to_the_counts_of_a_themis_imager():
    rng = np.random.default_rng(0)
    sky = np.full((512, 512), 375.0)
    sky[100:400, 100:400] += 200
    frames = np.rint(rng.normal(sky, np.sqrt(0.6 * (sky - 375) + 13), (4, 512, 512))).astype(np.uint16)
    scaled = as_themis(frames)
    assert scaled.shape == (4, 256, 256) and scaled.dtype == np.uint16
    inside, outside = scaled[:, 60:190, 60:190], scaled[:, :40, :40]
    assert abs(outside.mean() - 3000) < 5 and abs(inside.mean() - 3000 - 9.3 * 200) < 20
    # Noise is what features take for a THEMIS imager's, 1.68 x counts + 380, to a quarter.
    assert 0.75 < inside.var() / (1.68 * 9.3 * 200 + 380) < 1.25
    assert as_themis(np.full((1, 1024, 1024), 100, np.uint16)).mean() == 3000
    with pytest.raises(ContractError, match="expected"):
        as_themis(np.zeros((2, 500, 500), np.uint16))


def test_the_cadence_is_told_without_the_gaps():
    seconds = np.array([0, 12.5, 25, 37.6, 4000, 4012.5, 9000])
    times = np.datetime64("2015-10-07T08:00", "us") + (seconds * 1e6).astype("timedelta64[us]")
    assert cadence_of(times) == 12.5
    assert cadence_of(times[:1]) == 12.5
    doubled = np.sort(np.concatenate([times, times + np.timedelta64(50, "ms")]))
    assert cadence_of(doubled) == pytest.approx(12.5, abs=0.1)
    assert cadence_of(doubled[:2]) == 12.5


def test_the_cadence_changes_nothing_for_themis_frames():
    rng = np.random.default_rng(0)
    images = rng.normal(3600, 60, (30, 256, 256)).astype(np.uint16)
    times = np.datetime64("2014-03-10T06:00", "us") + np.arange(30) * np.timedelta64(3, "s")
    reduced = reduce_frames(images, times, SkyGrid())
    np.testing.assert_array_equal(window_features(reduced), window_features(reduced, cadence_s=3.0))
    # At four times the cadence a whole window is there, where it would seem three quarters empty.
    slow = reduce_frames(images, times[0] + np.arange(30) * np.timedelta64(12, "s"), SkyGrid())
    filled = WINDOW_NAMES.index("window_filled")
    assert window_features(slow)[15, filled] < 0.3
    assert window_features(slow, cadence_s=12.0)[15, filled] == pytest.approx(1, abs=0.11)
    with pytest.raises(ContractError, match="cadence of 0"):
        window_features(slow, cadence_s=0)


def test_a_night_is_labelled_each_filter_by_itself(tmp_path, model):
    night(tmp_path)
    night(tmp_path, 3, "428")
    (tmp_path / "2015/20151007" / fitswriter.name_of("093000.000")).touch()
    result = classify_pfrr(tmp_path, tmp_path / "o", DATE, DATE, model=model, workers=2)
    assert [(one.name, one.n_frames) for one in result.nights] == [
        ("20151007_pkr_dasc428", 3), ("20151007_pkr_dasc558", 12)]  # fmt: skip
    assert result.n_problems == 1 and "is empty" in result.nights[1].problems[0].reason
    table = read_classifications(result.nights[1].path.with_suffix(".parquet"))
    assert table["window_filled"].iloc[5] > 0.5 and not table["quality"].str.contains("few_samples").any()
    assert table["sun_elevation"].between(-60, -10).all()
    again = classify_pfrr(tmp_path, tmp_path / "o", DATE, DATE, model=model)
    assert [one.status for one in again.nights] == ["skipped", "skipped"] and again.n_problems == 1
    only = classify_pfrr(tmp_path, tmp_path / "p", DATE, DATE, ["428"], model=model)
    assert [one.name for one in only.nights] == ["20151007_pkr_dasc428"]


def test_early_files_are_told_apart_by_their_headers(tmp_path, model):
    folder, day = tmp_path / "2009/20090115", "20090115"
    fitswriter.write(folder, "082351.743", "", day=day)
    fitswriter.write(folder, "082404.243", "", day=day, changed={"FILTWAV": "'0630'"})
    date = dt.date(2009, 1, 15)
    for status in ("done", "skipped"):
        result = classify_pfrr(tmp_path, tmp_path / "o", date, date, model=model)
        assert [one.name[9:] for one in result.nights] == ["pkr_dasc", "pkr_dasc630"]
        assert [one.status for one in result.nights] == [status, status]


def test_names_with_and_without_a_filter_on_one_date_go_to_one_file_a_filter(tmp_path, model):
    night(tmp_path)
    folder = tmp_path / "2015/20151007"
    fitswriter.write(folder, "100000.000", "", changed={"FILTWAV": "'0558'"})
    fitswriter.write(folder, "100013.000", "", changed={"FILTWAV": "'0630'"})
    for status in ("done", "skipped"):
        result = classify_pfrr(tmp_path, tmp_path / "o", DATE, DATE, model=model)
        assert [(one.name[9:], one.status, one.n_frames) for one in result.nights] == [
            ("pkr_dasc558", status, 13), ("pkr_dasc630", status, 1)]  # fmt: skip
    # Nothing of what was to be made under a name that tells no filter is left to do.
    assert read_status(tmp_path / "o")["nights"] == {"done": 2, "failed": 0, "under_way": 0, "to_do": 0}


def n_rows(result):
    return {one.name[9:]: one.n_frames for one in result.nights}


def statuses(result):
    return {one.name[9:]: one.status for one in result.nights}


def test_an_image_whose_name_and_header_disagree_harms_no_other_filter(tmp_path, model):
    """Its one row was written over the night of the filter in its header."""
    raw = tmp_path / "raw"
    night(raw, 4, "428")
    night(raw, 3, "630")
    wrong = fitswriter.write(raw / "2015/20151007", "083000.000", "630", changed={"FILTWAV": "'0428'"})
    # Headers that tell 557.7 nm agree with names that tell 558.
    fitswriter.write(raw / "2015/20151007", "083004.000", "558", changed={"FILTWAV": "'0557.7'"})
    pack_pfrr(raw, tmp_path / "d", DATE, DATE, raw16=True)
    for source in (raw, tmp_path / "d"):
        for status in ("done", "skipped"):
            result = classify_pfrr(source, tmp_path / source.name / "o", DATE, DATE, model=model)
            assert n_rows(result) == {"pkr_dasc428": 4, "pkr_dasc558": 1, "pkr_dasc630": 3}
            assert set(statuses(result).values()) == {status}
            (problem,) = result.nights[2].problems
            assert result.n_problems == 1 and "its name tells 630 nm, its header 428" in problem.reason
            assert problem.path == str(wrong) or problem.path.endswith("630.h5, frame 3")


@pytest.mark.parametrize("packed", [False, True])
def test_files_are_made_of_no_filter_that_was_not_asked_for(tmp_path, model, packed):
    """An image without a filter in its name, of 558 nm, was written over all labels of that filter."""
    raw, out = tmp_path / "raw", tmp_path / "o"
    night(raw, 4, "428")
    night(raw, 3)
    fitswriter.write(raw / "2015/20151007", "100000.000", "", changed={"FILTWAV": "'0558'"})
    if packed:
        pack_pfrr(raw, tmp_path / "d", DATE, DATE, raw16=True)
        raw = tmp_path / "d"
    for status in ("done", "skipped"):
        result = classify_pfrr(raw, out, DATE, DATE, model=model)
        assert n_rows(result) == {"pkr_dasc428": 4, "pkr_dasc558": 4}
        assert set(statuses(result).values()) == {status}
    # What was made for one question is the answer to the other.
    result = classify_pfrr(raw, out, DATE, DATE, ["428"], model=model)
    assert statuses(result) == {"pkr_dasc428": "skipped"}
    result = classify_pfrr(raw, out, DATE, DATE, ["428"], model=model, overwrite=True)
    assert n_rows(result) == {"pkr_dasc428": 4}
    assert len(read_classifications(out / "2015/10/07/20151007_pkr_dasc558_classifications.txt")) == 4
    for status in ("done", "skipped"):
        result = classify_pfrr(raw, tmp_path / "p", DATE, DATE, ["558"], model=model)
        assert statuses(result) == {"pkr_dasc558": status} and n_rows(result) == {"pkr_dasc558": 4}
    assert read_status(out)["nights"] == {"done": 2, "failed": 0, "under_way": 0, "to_do": 0}


def test_a_filter_that_no_header_tells_is_answered_once(tmp_path, model):
    folder, date = tmp_path / "2009/20090115", dt.date(2009, 1, 15)
    fitswriter.write(folder, "082351.743", "", day="20090115", changed={"FILTWAV": "'0777'"})
    for status in ("done", "skipped"):
        result = classify_pfrr(tmp_path, tmp_path / "o", date, date, ["428"], model=model)
        assert statuses(result) == {"pkr_dasc428": status} and n_rows(result) == {"pkr_dasc428": 0}
    for status in ("done", "skipped"):
        result = classify_pfrr(tmp_path, tmp_path / "o", date, date, model=model)
        assert statuses(result) == {"pkr_dasc777": status} and n_rows(result) == {"pkr_dasc777": 1}


def test_problems_of_a_mixed_date_are_told_with_the_filter_that_the_name_tells(tmp_path, model):
    """All of them were told with the first filter."""
    night(tmp_path, 2, "428")
    night(tmp_path, 2, "558")
    folder = tmp_path / "2015/20151007"
    fitswriter.write(folder, "100000.000", "", changed={"FILTWAV": "'0428'"})
    empty = [folder / fitswriter.name_of("093000.000", wavelength) for wavelength in ("558", "630", "")]
    for path in empty:
        path.touch()
    result = classify_pfrr(tmp_path, tmp_path / "o", DATE, DATE, model=model)
    told = {one.name[9:]: [problem.path for problem in one.problems] for one in result.nights}
    assert told == {
        "pkr_dasc428": [str(empty[2])], "pkr_dasc558": [str(empty[0])], "pkr_dasc630": [str(empty[1])]
    }  # fmt: skip


def test_early_files_of_a_run_that_was_killed_between_two_filters_are_all_made(tmp_path, model, monkeypatch):
    """What it had written was taken for the whole night."""
    raw, date = tmp_path / "raw", dt.date(2009, 1, 15)
    fitswriter.write(raw / "2009/20090115", "082351.743", "", day="20090115")
    fitswriter.write(raw / "2009/20090115", "082404.243", "", day="20090115", changed={"FILTWAV": "'0630'"})
    keep = pfrr.keep_labels

    def statuses(out):
        return [(one.name, one.status) for one in classify_pfrr(raw, out, date, date, model=model).nights]

    def stopped(name, *more):
        if name.endswith("dasc630"):
            raise OSError("No space left on device")
        return keep(name, *more)

    names = ["20090115_pkr_dasc", "20090115_pkr_dasc630"]
    with monkeypatch.context() as patched:
        patched.setattr(pfrr, "keep_labels", stopped)
        assert statuses(tmp_path / "o") == [(names[0], "failed")]
    assert [path.name[:17] for path in (tmp_path / "o").rglob("*.txt")] == [names[0]]
    assert statuses(tmp_path / "o") == [(name, "done") for name in names]
    assert statuses(tmp_path / "o") == [(name, "skipped") for name in names]


def test_labels_from_a_day_file_are_those_from_the_images(tmp_path, model):
    raw = tmp_path / "raw"
    night(raw)
    night(raw, 3, "428")
    folder = raw / "2015/20151007"
    (folder / fitswriter.name_of("093000.000")).touch()
    damaged = fitswriter.counts()
    damaged[100, 100:103] = 20_000
    fitswriter.write(folder, "083000.000", pixels=damaged)
    (raw / "cal").mkdir()
    elevation = np.full((512, 512), 90, np.float32) - 0.3 * np.abs(np.arange(512) - 255, dtype=np.float32)
    angles = fitswriter.fits_bytes(elevation, dtype=">f4", bitpix=-32)
    (raw / "cal/PKR_DASC_0558_20150213_El.FIT").write_bytes(angles)

    pack_pfrr(raw, tmp_path / "d", DATE, DATE, raw16=True)
    one = classify_pfrr(raw, tmp_path / "a", DATE, DATE, model=model)
    other = classify_pfrr(tmp_path / "d", tmp_path / "b", DATE, DATE, model=model)
    assert [(each.name, each.n_frames) for each in other.nights] == [
        ("20151007_pkr_dasc428", 3), ("20151007_pkr_dasc558", 13)]  # fmt: skip
    for first, second in zip(one.nights, other.nights, strict=True):
        assert sorted(map(str, first.problems)) == sorted(map(str, second.problems))
        tables = [read_classifications(each.path.with_suffix(".parquet")) for each in (first, second)]
        pd.testing.assert_frame_equal(*tables)
    assert len(other.nights[1].problems) == 2
    again = classify_pfrr(tmp_path / "d", tmp_path / "b", DATE, DATE, ["558"], model=model)
    assert [(each.name, each.status) for each in again.nights] == [("20151007_pkr_dasc558", "skipped")]


def test_day_files_that_cannot_be_labelled_are_told(tmp_path, model):
    night(tmp_path / "raw", 2)
    pack_pfrr(tmp_path / "raw", tmp_path / "d", DATE, DATE)
    path = tmp_path / "d/all-images-2015-10-07-558.h5"
    result = classify_pfrr(tmp_path / "d", tmp_path / "o", DATE, DATE, model=model)
    assert not result.nights and "--raw16" in str(result.problems[0])
    pack_pfrr(tmp_path / "raw", tmp_path / "d", DATE, DATE, raw16=True)
    with h5py.File(path, "r+") as file:  # a frame that does not inflate
        file["raw_images"].id.write_direct_chunk((1, 0, 0), b"damaged")
    result = classify_pfrr(tmp_path / "d", tmp_path / "o", DATE, DATE, model=model)
    assert result.nights[0].n_frames == 1 and "frame 1 is damaged" in str(result.nights[0].problems[0])
    # Where there are images of the filter, no day file is looked at.
    pack_pfrr(tmp_path / "raw", tmp_path / "raw", DATE, DATE)
    result = classify_pfrr(tmp_path / "raw", tmp_path / "p", DATE, DATE, model=model)
    assert result.nights[0].n_frames == 2 and not result.n_problems
    path.write_bytes(path.read_bytes()[:1000])
    result = classify_pfrr(tmp_path / "d", tmp_path / "o", DATE, DATE, model=model)
    assert not result.nights and str(path) in str(result.problems[0])


def test_a_night_without_an_image(tmp_path, model):
    (tmp_path / "2015-10-07-558").mkdir()
    (tmp_path / "2015-10-07-558" / fitswriter.name_of()).touch()
    result = classify_pfrr(tmp_path, tmp_path / "o", DATE, DATE, model=model)
    assert result.nights[0].n_frames == 0 and result.n_problems == 1 and not result.n_failed


def test_an_image_model_is_refused(tmp_path):
    night(tmp_path, 1)
    model = tinymodel.save(tinymodel.image_proto(), tmp_path / "image.onnx")
    with pytest.raises(ContractError, match="need a features model"):
        classify_pfrr(tmp_path, tmp_path / "o", DATE, DATE, model=model)


def test_the_real_images_through_the_command(shared_data, tmp_path, model, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    raw = shared_data / "pfrr/RAW"
    dates = ["2015-10-07", "2015-10-07"]
    arguments = ["--pfrr", str(raw), "--out", "o", "--model", str(model)]
    assert main.run(["classify", *dates, *arguments, "--wavelengths", "558"]) == 0
    table = read_classifications("o/2015/10/07/20151007_pkr_dasc558_classifications.txt")
    assert [str(time)[:19] for time in table["time"]] == ["2015-10-07 08:23:51", "2015-10-07 08:24:04"]
    assert main.run(["classify", *dates, *arguments, "--dayfiles", "."]) == 2
    assert main.run(["classify", *dates, "--wavelengths", "558"]) == 2
    assert main.run(["classify", *dates, *arguments, "--sites", "gill"]) == 2
    assert "--sites is not for --pfrr" in capsys.readouterr().err
    assert main.run(["classify", *dates, *arguments, "--wavelengths", "555"]) == 2
    assert main.run(["classify", "2015-10-08", "2015-10-08", *arguments]) == 2
    assert "is it the root of a PFRR tree?" in capsys.readouterr().err
    assert main.run(["pack", "pfrr", *dates, "--raw", str(raw), "--out", "d"]) == 0
    assert main.run(["pack", "pfrr", *dates, "--raw", str(raw), "--out", "d", "--tiles", "5"]) == 2
    log.stop()


def test_the_script_under_its_known_name(tmp_path, model, monkeypatch, capsys):
    night(tmp_path / "raw", 3)
    monkeypatch.setattr(model_module, "_EMBEDDED", model)
    monkeypatch.setattr(model_module, "_embedded_models", {})
    monkeypatch.setenv("PULSAURORA_PFRR", str(tmp_path / "raw"))
    monkeypatch.setenv("PULSAURORA_OUT", str(tmp_path / "o"))
    monkeypatch.chdir(tmp_path)
    spec = {"__name__": "tried"}
    exec(compile(SCRIPT.read_text(), str(SCRIPT), "exec"), spec)
    assert spec["main"](["2015-10-07", "2015-10-07", "2"]) == 0
    assert len(read_classifications(tmp_path / "o/2015/10/07/20151007_pkr_dasc558_classifications.txt")) == 3
    assert spec["main"](["2015-10-07"]) == 2 and "[NUM_PROCESSES]" in capsys.readouterr().err
    assert spec["main"](["--help"]) == 0
    assert len(SCRIPT.read_text().split("\n")) < 60  # a page
    log.stop()
