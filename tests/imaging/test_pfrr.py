"""PFRR images: what is read, what is mended, what is refused, and the day files made of them."""

import datetime as dt
import gzip

import fitswriter
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsaurora.archive.dayfile import read_dayfile
from pulsaurora.imaging.pfrr import read_calibration, read_pfrr, read_pfrr_file, to_8bit
from pulsaurora.imaging.pfrrpack import pack_pfrr
from pulsaurora.problems import UnreadableFileError, UsageError

DATE = dt.date(2015, 10, 7)


def only(path):
    """The one frame of a file that reads without a complaint."""
    frames = read_pfrr_file(path)
    assert frames.problems == [] and len(frames) == 1
    return frames


def refusal(path):
    """Why a file gave no frame."""
    frames = read_pfrr_file(path)
    assert len(frames) == 0 and len(frames.problems) == 1 and frames.problems[0].path == str(path)
    return frames.problems[0].reason


def test_the_real_images(shared_data):
    folder = shared_data / "pfrr/RAW/2015/20151007"
    paths = sorted(folder.glob("*.FITS"), reverse=True)
    fits = pytest.importorskip("astropy.io.fits")
    frames = read_pfrr(paths, 558)
    assert frames.images.shape == (2, 512, 512) and (frames.site, frames.imager) == ("pkr", "dasc558")
    assert list(map(str, frames.times)) == ["2015-10-07T08:23:51.743000", "2015-10-07T08:24:04.243000"]
    assert (frames.latitude, frames.longitude) == (65.126, -147.479)
    assert frames.metadata[0]["FILTWAV"] == "0558" and frames.problems == []
    for image, path in zip(frames.images, sorted(folder.glob("*_0558_*")), strict=True):
        np.testing.assert_array_equal(image, fits.getdata(path))
    with pytest.raises(UsageError, match="dasc428, dasc558, dasc630"):
        read_pfrr(paths)


def test_the_real_images_are_packed_as_the_recipe_does(shared_data, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is the oracle")
    for tiles in ((4, 4), (8, 8)):
        result = pack_pfrr(shared_data / "pfrr/RAW", tmp_path, DATE, DATE, raw16=True, tiles=tiles)
        assert [day.name[-3:] for day in result.days] == ["428", "558", "630"] and not result.n_problems
        equalizer = cv2.createCLAHE(300, tiles)
        for wavelength, n in ((428, 1), (558, 2), (630, 1)):
            frames = read_pfrr((shared_data / "pfrr/RAW/2015/20151007").glob("*.FITS"), wavelength)
            with h5py.File(tmp_path / f"all-images-2015-10-07-{wavelength}.h5") as file:
                assert file["images"].shape == (n, 512, 512) and file["images"].chunks == (1, 512, 512)
                for packed, raw in zip(file["images"], frames.images, strict=True):
                    equal = equalizer.apply(raw)
                    assert np.array_equal(packed, cv2.convertScaleAbs(equal, alpha=255 / equal.max()))
                np.testing.assert_array_equal(file["raw_images"], frames.images)
                assert file["iso_ut_time"][()].tolist() == [f"{time}Z".encode() for time in frames.times]
                assert file["images"].attrs["wavelength"] == str(wavelength)
                elevation = file["skymap_elev"][()]
                assert elevation.shape == (512, 512) and 89 < np.nanmax(elevation) <= 90
                assert np.isnan(elevation[0, 0]) and np.isnan(file["skymap_azim"][0, 0])


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 60, 375, 16384, 65535]))
def test_8_bits_are_opencvs(seed, largest):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is the oracle")
    images = np.random.default_rng(seed).integers(0, largest + 1, (2, 128, 128)).astype(np.uint16)
    for image, ours in zip(images, to_8bit(images), strict=True):
        equal = cv2.createCLAHE(300, (4, 4)).apply(image)
        assert np.array_equal(ours, cv2.convertScaleAbs(equal, alpha=255 / equal.max()))


def test_a_frame_of_one_count_stays_one():
    assert np.unique(to_8bit(np.zeros((1, 64, 64), np.uint16))).size == 1


@pytest.mark.parametrize("suffix", [".FITS", ".fits", ".FIT", ".fit", ".Fit"])
def test_any_suffix(tmp_path, suffix):
    frames = only(fitswriter.write(tmp_path, suffix=suffix))
    np.testing.assert_array_equal(frames.images[0], fitswriter.counts())
    assert str(frames.times[0]) == "2015-10-07T08:23:51.743000" and frames.imager == "dasc558"


def test_three_axes_1024_pixels_unsigned_and_gzipped(tmp_path):
    pixels = fitswriter.counts(1024)
    for known in ({"extra_axis": True}, {}, {"changed": {"BZERO": "32768", "BSCALE": "1"}}):
        stored = pixels.astype(np.int32) - 32768 if "changed" in known else pixels
        path = fitswriter.write(tmp_path, pixels=stored, **known)
        np.testing.assert_array_equal(only(path).images[0], pixels)
    path.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(only(path).images[0], pixels)
    path = fitswriter.write(tmp_path, pixels=pixels, dtype=">f4", bitpix=-32)
    np.testing.assert_array_equal(only(path).images[0], pixels)


def test_the_time_is_the_headers_else_the_names(tmp_path):
    for changed in ({"OBSSTART": None}, {"OBSDATE": "'nonsense'"}, {"OBSSTART": "'25:00:00'"},
                    {"OBSDATE": "'1999-01-01'"}):  # fmt: skip
        frames = read_pfrr_file(fitswriter.write(tmp_path, changed=changed))
        assert str(frames.times[0]) == "2015-10-07T08:23:51.743000"
        assert frames.quality == [("time_from_name",)] and "the name's is taken" in frames.problems[0].reason
    frames = only(fitswriter.write(tmp_path, changed={"OBSSTART": "'08:23:52'"}))
    assert str(frames.times[0]) == "2015-10-07T08:23:52.000000"
    path = fitswriter.write(tmp_path).rename(tmp_path / "image.fits")
    assert str(only(path).times[0]) == "2015-10-07T08:23:51.743000"
    (tmp_path / "other.fits").write_bytes(fitswriter.fits_bytes(fitswriter.counts(), {"OBSDATE": None}))
    assert "neither its header nor its name" in refusal(tmp_path / "other.fits")


def test_the_filter_is_the_headers_else_the_names(tmp_path):
    assert only(fitswriter.write(tmp_path, changed={"FILTWAV": None})).imager == "dasc558"
    assert only(fitswriter.write(tmp_path, changed={"FILTWAV": "'0630'"})).imager == "dasc630"
    early = fitswriter.write(tmp_path, wavelength="", day="20090115")
    assert only(early).imager == "dasc"
    assert only(fitswriter.write(tmp_path, wavelength="", changed={"FILTWAV": "'0428'"})).imager == "dasc428"


def test_few_damaged_pixels_are_mended_and_told(tmp_path):
    pixels = fitswriter.counts()
    damaged = pixels.copy()
    damaged[100, 100:103] = [-5, 16385, 32767]
    damaged[0, 0], damaged[300, 300] = -32768, 16384
    frames = read_pfrr_file(fitswriter.write(tmp_path, pixels=damaged))
    assert frames.quality == [("pixels_damaged",)]
    assert "4 of 262144 pixels are damaged" in frames.problems[0].reason
    around = np.delete(pixels[97:104, 98:105].ravel(), [3 * 7 + 2, 3 * 7 + 3, 3 * 7 + 4])
    assert abs(int(frames.images[0, 100, 101]) - np.median(around)) < 2
    assert frames.images[0, 300, 300] == 16384
    same = np.ones(pixels.shape, bool)
    same[[0, 100, 100, 100, 300], [0, 100, 101, 102, 300]] = False
    np.testing.assert_array_equal(frames.images[0][same], pixels[same])


def test_random_values_are_refused_with_how_many(tmp_path):
    noise = np.random.default_rng(0).integers(-32768, 32768, (512, 512)).astype(np.int16)
    n = int(((noise < 0) | (noise > 16384)).sum())
    assert f"{n} of 262144 pixels are damaged" in refusal(fitswriter.write(tmp_path, pixels=noise))
    pixels = fitswriter.counts()
    pixels[5] = noise[5]  # two sectors of a disk
    assert "pixels are damaged" in refusal(fitswriter.write(tmp_path, pixels=pixels))


def test_what_is_no_image_is_refused(tmp_path):
    path = fitswriter.write(tmp_path)
    whole = path.read_bytes()
    for data, said in (
        (b"", "is empty"),
        (whole[:100_000], "holds 97120 bytes of pixels, expected 524288"),
        (whole[:900], "no end in its first"),
        (b"<html>" * 100, "is not a FITS file"),
        (b"SIMPLE  =" + b" " * 200_000, "no end in its first"),
        (whole.replace(b"BITPIX  =                   16", b"BITPIX  =                   17"), "broken"),
        (whole.replace(b"NAXIS1  =                  512", b"NAXIS1  =           9999999999"), "9999999999"),
        (whole.replace(b"NAXIS   =                    2", b"NAXIS   =                    0"), "broken"),
        (fitswriter.fits_bytes(np.zeros((64, 64))), "expected 512 x 512"),
        (fitswriter.fits_bytes(np.full((512, 512), np.nan), dtype=">f4", bitpix=-32), "no numbers"),
    ):
        path.write_bytes(data)
        assert said in refusal(path), data[:30]
    path.unlink()
    assert "no such file" in refusal(path)
    path.mkdir()
    assert "is a folder" in refusal(path)


@settings(max_examples=60)
@given(data=st.data())
def test_no_damage_does_more_than_be_told(tmp_path, data):
    whole = bytearray(fitswriter.fits_bytes(np.full((256, 256), 400)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 2879))] = data.draw(st.integers(0, 255))
    path = tmp_path / fitswriter.name_of()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    frames = read_pfrr_file(path)
    assert len(frames) == 1 or frames.problems


def test_files_of_a_night_come_in_order_once_each_and_of_one_size(tmp_path):
    clocks = ("082404.243", "082351.743", "082416.743", "082429.243")
    paths = [
        fitswriter.write(tmp_path, clock, pixels=fitswriter.counts(seed=i)) for i, clock in enumerate(clocks)
    ]
    paths.append(fitswriter.write(tmp_path / "again", clocks[1], pixels=fitswriter.counts(seed=1)))
    paths.append(fitswriter.write(tmp_path, "090000.000", pixels=fitswriter.counts(1024)))
    frames = read_pfrr(paths)
    assert frames.images.shape == (4, 512, 512)
    np.testing.assert_array_equal(frames.images[0], fitswriter.counts(seed=1))
    np.testing.assert_array_equal(frames.images[1], fitswriter.counts(seed=0))
    assert (np.diff(frames.times) > np.timedelta64(0)).all() and "duplicate_dropped" in frames.quality[0]
    assert sorted(len(problem.reason) > 0 for problem in frames.problems) == [True, True]
    with pytest.raises(UsageError, match="no files"):
        read_pfrr([])


def test_damaged_files_of_a_night_are_told_and_the_rest_packed(tmp_path):
    folder = tmp_path / "2015-10-07-558"
    for i, clock in enumerate(("082351.743", "082404.243", "082416.743")):
        fitswriter.write(folder, clock, pixels=fitswriter.counts(seed=i))
    (folder / fitswriter.name_of("082430.000")).touch()
    noise = np.random.default_rng(0).integers(-32768, 32768, (512, 512)).astype(np.int16)
    fitswriter.write(folder, "082440.000", pixels=noise)
    few = fitswriter.counts()
    few[0, :5] = -1
    fitswriter.write(folder, "082450.000", pixels=few)
    result = pack_pfrr(tmp_path, tmp_path / "o", DATE, DATE)
    assert result.days[0].n_frames == 4 and result.n_problems == 3 and not result.n_failed
    with read_dayfile(tmp_path / "o/all-images-2015-10-07-558.h5") as day:
        assert day.shape == (4, 512, 512) and day.skymap("elevation") is None
        flags = [day.about["qualities"][number] for number in day.frame_table()["quality"]]
        assert flags == [[], [], [], ["pixels_damaged"]]
    rows = (tmp_path / "o/problems.csv").read_text()
    assert "is empty (0 bytes)" in rows and "pixels are damaged" in rows and "082440" in rows
    assert pack_pfrr(tmp_path, tmp_path / "o", DATE, DATE).days[0].status == "skipped"
    assert pack_pfrr(tmp_path, tmp_path / "o", DATE, DATE, tiles=(8, 8)).days[0].status == "done"


def test_early_files_make_a_day_file_without_a_filter(tmp_path):
    folder, day = tmp_path / "2009/20090115", "20090115"
    fitswriter.write(folder, "082351.743", "", day=day, extra_axis=True)
    fitswriter.write(folder, "082404.243", "", day=day, changed={"FILTWAV": "'0630'"})
    date = dt.date(2009, 1, 15)
    assert not pack_pfrr(tmp_path, tmp_path / "o", date, date).n_problems
    with read_dayfile(tmp_path / "o/all-images-2009-01-15-000.h5") as day:
        assert len(day) == 2 and day.wavelength == "unknown"
        assert [imager["name"] for imager in day.about["imagers"]] == ["dasc", "dasc630"]
        assert day.frame_table()["imager"].tolist() == [0, 1]


def test_calibrations_that_are_none(tmp_path):
    (tmp_path / "cal").mkdir()
    path = tmp_path / "cal/PKR_DASC_0558_20150213_El.FIT"
    grid = np.full((512, 512), 45, np.float32)
    for pixels, said in ((grid[:256, :256], "shape"), (grid * 3, "no angles"), (grid * np.nan, "no angles")):
        path.write_bytes(fitswriter.fits_bytes(pixels, dtype=">f4", bitpix=-32))
        with pytest.raises(UnreadableFileError, match=said):
            read_calibration({"el": path})
    fitswriter.write(tmp_path / "2015-10-07-558")
    result = pack_pfrr(tmp_path, tmp_path / "o", DATE, DATE)
    assert result.days[0].status == "done" and "done without elevations" in result.days[0].problems[0].reason
