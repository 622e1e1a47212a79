"""Which PFRR images a tree holds."""

import datetime as dt

import pytest

from pulsaurora.archive.pfrr_layout import find_calibration, find_pfrr_nights, parse_pfrr_name
from pulsaurora.problems import UsageError

DATE = dt.date(2015, 10, 7)


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_names():
    named = parse_pfrr_name("PKR_DASC_0558_20151007_082351.743.FITS")
    assert named == (dt.datetime(2015, 10, 7, 8, 23, 51, 743000), "558")
    assert parse_pfrr_name("pkr_dasc_0428_20151007_082351.7.fit").start.microsecond == 700000
    assert parse_pfrr_name("PKR_DASC_20090115_082351.743.FITS").wavelength == "000"
    assert parse_pfrr_name("PKR_DASC_20090115_082351.Fits").start.microsecond == 0
    for name in ("PKR_DASC_0558_20151007_082361.743.FITS", "PKR_DASC_0558_20151007_082351.743.FITS.tmp",
                 "PKR_DASC_0558_20150213_El.FIT", "x", ""):  # fmt: skip
        assert parse_pfrr_name(name) is None


def test_both_trees_are_found(tmp_path):
    inside = tmp_path / "2015/20151007"
    touch(inside, "PKR_DASC_0558_20151007_082404.243.FITS", "PKR_DASC_0558_20151007_082351.743.FIT",
          "PKR_DASC_0428_20151007_082355.961.FITS")  # fmt: skip
    touch(inside, ".hidden", "notes.txt", "PKR_DASC_0558_20151008_000000.000.FITS")
    flat = tmp_path / "2015-10-07-558"
    touch(flat, "PKR_DASC_0558_20151007_082404.243.fits", "PKR_DASC_0558_20151007_090000.000.FITS")
    touch(tmp_path / "2015-10-08-630", "PKR_DASC_0630_20151008_010000.000.FITS")
    touch(tmp_path / "2015-13-40-630", "x")
    nights, problems = find_pfrr_nights(tmp_path, DATE, DATE)
    assert [night.name for night in nights] == ["2015-10-07-428", "2015-10-07-558"]
    # In time order, whatever the suffix, and what both trees have once.
    assert [path.name[23:29] for path in nights[1].files] == ["082351", "082404", "090000"]
    assert sorted(problem.path.rpartition("/")[2] for problem in problems) == [
        "PKR_DASC_0558_20151008_000000.000.FITS", "notes.txt"]  # fmt: skip
    nights, _ = find_pfrr_nights(tmp_path, DATE, dt.date(2015, 10, 9), ["630"])
    assert [night.name for night in nights] == ["2015-10-08-630"]


def test_names_without_a_wavelength_are_listed_whatever_is_asked(tmp_path):
    touch(tmp_path / "2009/20090115", "PKR_DASC_20090115_082351.743.FITS")
    nights, _ = find_pfrr_nights(tmp_path, dt.date(2009, 1, 15), dt.date(2009, 1, 15), ["558"])
    assert [night.wavelength for night in nights] == ["000"]
    with pytest.raises(UsageError, match="is not a folder"):
        find_pfrr_nights(tmp_path / "nowhere", DATE, DATE)


def test_the_calibration_is_the_newest_not_after_the_night(tmp_path):
    assert find_calibration([tmp_path, tmp_path / "nowhere"], DATE) == {}
    for day in ("20120101", "20150213", "20160101"):
        touch(tmp_path, f"PKR_DASC_0558_{day}_El.FIT", f"PKR_DASC_0558_{day}_Az.FIT")
    touch(tmp_path, "PKR_DASC_0558_20151001_Az.FIT")  # without its elevations
    assert {kind: path.name[14:22] for kind, path in find_calibration([tmp_path], DATE).items()} == {
        "el": "20150213", "az": "20150213"}  # fmt: skip
    assert find_calibration([tmp_path], dt.date(2000, 1, 1))["el"].name[14:22] == "20120101"
