"""read_skymap, find_skymap, optics_elevation, elevation_mask."""

import datetime as dt
import os
import struct
import warnings

import numpy as np
import pytest
import savwriter
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora import read_skymap as exported
from pulsaurora.imaging._savcheck import MAX_BYTES, check_save_file
from pulsaurora.imaging.skymap import elevation_mask, find_skymap, optics_elevation, read_skymap
from pulsaurora.problems import ContractError, UnreadableFileError

GAKO = "skymaps/gako/gako_20110305/themis_skymap_gako_20110305-+_vXX.sav"


@pytest.fixture
def written(tmp_path):
    def write(data, name="themis_skymap_gill_20130901-+_vXX.sav"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_the_real_gako_skymap_equals_readsav(shared_data):
    from scipy.io import readsav

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = readsav(shared_data / GAKO)["skymap"]
    skymap = read_skymap(shared_data / GAKO)
    elevation = raw["FULL_ELEVATION"][0]
    above = elevation >= 0
    assert np.array_equal(np.isnan(skymap.elevation), ~above)
    assert np.array_equal(skymap.elevation[above], elevation[above])
    assert np.array_equal(skymap.azimuth[above], raw["FULL_AZIMUTH"][0][above])
    assert np.array_equal(skymap.latitude, raw["FULL_MAP_LATITUDE"][0], equal_nan=True)
    assert np.array_equal(skymap.longitude, raw["FULL_MAP_LONGITUDE"][0], equal_nan=True)
    assert skymap.altitudes_km.tolist() == [90.0, 110.0, 150.0]
    assert (skymap.site, skymap.imager, skymap.valid_from) == ("gako", "themis20", dt.date(2011, 3, 5))
    assert skymap.site_latitude == pytest.approx(62.41)
    assert skymap.site_longitude == pytest.approx(214.84)
    for array in (skymap.elevation, skymap.azimuth, skymap.latitude, skymap.longitude):
        assert array.dtype == np.dtype("=f4")
        assert array.flags.c_contiguous


def test_the_reference_mask_source_is_the_gako_skymap_one_row_up(shared_data):
    """T_angle.npy was made from this skymap and shifted: row i holds the skymap's row i + 1."""
    reference = np.load(shared_data / "reference/T_angle.npy")
    skymap = read_skymap(shared_data / GAKO)
    shifted = np.roll(reference, 1, axis=0)
    seen = ~np.isnan(skymap.elevation)
    assert np.array_equal(shifted[seen].astype(np.float32), skymap.elevation[seen])
    assert (shifted[~seen] <= 0).all()
    # Unshifted, they differ by up to 0.82 degrees; the 15 degree masks by 414 of 34,889 pixels.
    assert np.abs(reference[seen] - skymap.elevation[seen]).max() < 0.82
    assert (elevation_mask(reference) ^ elevation_mask(skymap.elevation)).sum() == 414


def test_the_optics_alone_come_near_the_gako_skymap(shared_data):
    skymap = read_skymap(shared_data / GAKO)
    off = np.abs(optics_elevation() - skymap.elevation)
    assert np.nanmax(off) < 5.5
    assert np.nanmedian(off) < 2
    centred = np.abs(optics_elevation(centre=(128.6, 124.2)) - skymap.elevation)
    assert np.nanmax(centred) < 2.2
    assert (elevation_mask(optics_elevation()) ^ elevation_mask(skymap.elevation)).mean() < 0.03


def test_the_optics_circle_lies_on_that_of_real_gill_frames(shared_data):
    data = (
        shared_data / "stream0/2014/03/10/gill_themis19/ut06/20140310_0605_gill_themis19_full.pgm"
    ).read_bytes()
    frame = np.frombuffer(data[-131072:], ">u2").reshape(256, 256).astype(float)
    elevation = optics_elevation()
    lit, dark = frame[elevation > 8], frame[np.isnan(elevation)]
    # Between the pedestal outside and the faintest sky inside there is a threshold that parts nearly all.
    threshold = (np.median(dark) + np.percentile(lit, 5)) / 2
    assert (lit > threshold).mean() > 0.97
    assert (dark < threshold).mean() > 0.9


@pytest.mark.parametrize("compressed", [False, True])
def test_a_written_skymap_comes_back(written, compressed):
    skymap = read_skymap(written(savwriter.skymap_bytes(compressed)))
    fields = savwriter.skymap_fields()
    above = fields["FULL_ELEVATION"] >= 0
    assert np.array_equal(skymap.elevation[above], fields["FULL_ELEVATION"][above])
    assert np.isnan(skymap.elevation[~above]).all()
    assert np.isnan(skymap.azimuth[~above]).all()
    assert skymap.valid_from == dt.date(2013, 9, 1)
    assert skymap.longitude.min() >= 0
    assert skymap.longitude[0, 0, 128] == pytest.approx(265.4)
    assert skymap.site_longitude == pytest.approx(265.36)
    assert exported is read_skymap


def test_heights_in_metres_and_kilometres_are_the_same(written):
    metres = read_skymap(written(savwriter.skymap_bytes()))
    km = read_skymap(written(savwriter.skymap_bytes(heights=(90.0, 110.0, 150.0))))
    assert metres.altitudes_km.tolist() == km.altitudes_km.tolist() == [90.0, 110.0, 150.0]


def test_longitudes_just_west_of_greenwich_stay_below_360(written):
    longitude = np.full((3, 257, 257), -1e-9, "f4")
    skymap = read_skymap(written(savwriter.skymap_bytes(FULL_MAP_LONGITUDE=longitude)))
    assert (skymap.longitude == 0).all()


def test_site_and_date_come_from_the_name_where_the_file_does_not_tell(written):
    data = savwriter.skymap_bytes(SITE_UID=None, GENERATION_INFO=None, IMAGER_UID=None)
    skymap = read_skymap(written(data, "themis_skymap_rank_20150211-%2B_v02.sav"))
    assert (skymap.site, skymap.valid_from, skymap.imager) == ("rank", dt.date(2015, 2, 11), None)
    with pytest.raises(UnreadableFileError, match="SITE_UID"):
        read_skymap(written(data, "other.sav"))


GRID = np.zeros((256, 256), "f4")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"FULL_ELEVATION": None}, "no FULL_ELEVATION"),
        ({"FULL_ELEVATION": np.zeros((255, 256), "f4")}, r"\(255, 256\), expected \(256, 256\)"),
        ({"FULL_ELEVATION": GRID + 91}, "91 to 91"),
        ({"FULL_ELEVATION": GRID + np.inf}, "inf"),
        ({"FULL_ELEVATION": GRID * np.nan}, "above the horizon"),
        ({"FULL_ELEVATION": "high"}, "FULL_ELEVATION holds"),
        ({"FULL_AZIMUTH": GRID - 1}, "FULL_AZIMUTH runs from -1"),
        ({"FULL_MAP_ALTITUDE": np.array([90.0, 110.0], "f4")}, r"expected \(2, 257, 257\)"),
        ({"heights": (1.0, 2.0, 3.0)}, "50 to 1000 km"),
        ({"FULL_MAP_ALTITUDE": np.array([np.nan] * 3, "f4")}, "a few heights"),
        ({"FULL_MAP_LATITUDE": np.zeros((3, 256, 256), "f4")}, "FULL_MAP_LATITUDE has shape"),
        ({"SITE_MAP_LATITUDE": np.float32(91)}, "SITE_MAP_LATITUDE is"),
        ({"SITE_MAP_LONGITUDE": np.float32(np.nan)}, "SITE_MAP_LONGITUDE is"),
        ({"SITE_UID": "Gillam"}, "gillam"),
    ],
)
def test_what_is_wrong_with_a_skymap_is_said(written, changes, said):
    path = written(savwriter.skymap_bytes(**changes))
    with pytest.raises(UnreadableFileError, match=said) as error:
        read_skymap(path)
    assert str(error.value).startswith(path.name)


def _claiming(n_elements):
    """A structure of so many elements, each of them an empty array: 16 GB from 200 bytes."""
    return savwriter.variable("SKYMAP", {"X": np.zeros(0, "f4")}, n_elements)


def _loop():
    data = bytearray(savwriter.skymap_bytes())
    data[8:12] = struct.pack(">I", 4)  # the first record says the next one is itself
    return bytes(data)


def _pointers():
    return savwriter.save_file([(16, savwriter.long(1, 0, 10, 0, 7, 1))])


def _bomb():
    return savwriter.save_file([(2, b"\0" * (MAX_BYTES + 1))], compressed=True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "begins with"),
        (b"<!DOCTYPE html>", "begins with"),
        (b"SR\0\7", "save format"),
        (b"SR\0\4", "end marker"),
        (savwriter.save_file([]), "no variables"),
        (savwriter.save_file([(12, b"")]), "type 12"),
        (savwriter.save_file([(2, savwriter.variable("OTHER", {"X": np.float32(1)}))]), "OTHER|other"),
        (savwriter.save_file([(2, _claiming(2**31 - 1))]), "2147483647 elements"),
        (_loop(), "says it ends at"),
        (_pointers(), "type 16"),
        (_bomb(), "inflates past"),
        (savwriter.skymap_bytes()[:-1000], "ends at"),
    ],
    ids=[
        "empty",
        "html",
        "format",
        "header",
        "nothing",
        "code",
        "other",
        "claim",
        "loop",
        "heap",
        "bomb",
        "cut",
    ],
)
def test_hostile_and_broken_files_are_refused_at_once(written, data, said):
    with pytest.raises(UnreadableFileError, match=said):
        read_skymap(written(data))


@pytest.fixture(scope="module")
def small_save_file():
    fields = {
        "GENERATION_INFO": {"AUTHOR": "me"},
        "SITE_UID": "gill",
        "A": np.arange(6, dtype="f4").reshape(2, 3),
    }
    return savwriter.save_file([(2, savwriter.variable("SKYMAP", fields))])


@given(st.data())
def test_no_damage_gets_past_as_anything_but_our_error(small_save_file, tmp_path_factory, data):
    damaged = bytearray(small_save_file)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
    path = tmp_path_factory.mktemp("damaged") / "themis_skymap_gill_20130901-+_vXX.sav"
    path.write_bytes(damaged)
    with pytest.raises(UnreadableFileError):  # even whole, it is no skymap
        read_skymap(path)


def test_a_sound_save_file_passes_the_check(small_save_file):
    check_save_file(small_save_file)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.sav")
    (tmp_path / "loop.sav").symlink_to("loop.sav")
    for path, said in (
        (tmp_path / "none.sav", "none.sav: cannot be read .No such file"),
        (tmp_path, "is no file"),
        (tmp_path / "pipe.sav", "is no file"),
        (tmp_path / "loop.sav", "loop.sav: cannot be read"),
    ):
        with pytest.raises(UnreadableFileError, match=said):
            read_skymap(path)


def test_find_skymap_takes_the_newest_not_after_the_night(tmp_path):
    folder = tmp_path / "gill" / "gill_x"
    folder.mkdir(parents=True)
    for name in (
        "themis_skymap_gill_20130101-+_vXX.sav",
        "themis_skymap_gill_20130901-%2B_vXX.sav",
        "themis_skymap_gill_20140310-+_v01.sav",
        "themis_skymap_gill_20140310-+_v02.sav",
        "themis_skymap_gill_20140310-%2B_v02.sav",
        "themis_skymap_gill_20141399-+_vXX.sav",
        "._themis_skymap_gill_20140310-+_v09.sav",
        "themis_skymap_rank_20140310-+_vXX.sav",
        "notes.sav",
    ):
        (folder / name).touch()
    (folder / "themis_skymap_gill_20140309-+_vXX.sav").mkdir()

    def found(date, root=tmp_path):
        path = find_skymap(root, "gill", date)
        return path and path.name

    assert found("2014-03-10") == "themis_skymap_gill_20140310-+_v02.sav"
    assert found(dt.date(2014, 3, 9)) == "themis_skymap_gill_20130901-%2B_vXX.sav"
    assert found("2013-08-31") == "themis_skymap_gill_20130101-+_vXX.sav"
    assert found("2012-12-31") is None
    first = find_skymap(tmp_path, "gill", "2012-12-31", later=True)
    assert first.name == "themis_skymap_gill_20130101-+_vXX.sav"
    assert find_skymap(tmp_path, "gill", "2014-03-10", later=True) is None
    assert found("2014-03-10", folder) == "themis_skymap_gill_20140310-+_v02.sav"
    assert find_skymap(tmp_path, "../..", "2014-03-10") is None
    assert find_skymap(tmp_path / "nowhere", "gill", "2014-03-10") is None


def test_find_skymap_in_the_training_layout_and_the_real_folder(tmp_path, shared_data):
    night = tmp_path / "gill" / "2014-03-10"
    (night / "ut06").mkdir(parents=True)
    path = night / "themis_skymap_gill_20130901-+_vXX.sav"
    path.touch()
    assert find_skymap(night, "gill", "2014-03-10") == path
    assert find_skymap(tmp_path, "GILL", "2014-03-10") == path
    assert find_skymap(shared_data, "gako", "2020-01-31") == shared_data / GAKO


def test_optics_elevation_by_hand():
    elevation = optics_elevation((5, 5), centre=(2, 2), radius=2)
    assert elevation.dtype == np.float32
    assert elevation[2, 2] == 90
    assert elevation[2, 0] == pytest.approx(0, abs=1e-5)
    assert elevation[2, 1] == pytest.approx(90 * (1 - 0.943 / 2 - 0.057 / 8))
    assert np.isnan(elevation[0, 0])
    assert optics_elevation((512, 512)).shape == (512, 512)
    assert np.nanargmax(optics_elevation((512, 512))[258]) == 256
    with pytest.raises(ContractError, match="radius"):
        optics_elevation(radius=0)
    with pytest.raises(ContractError, match="shape"):
        optics_elevation((0, 256))


def test_elevation_mask_counts_nan_as_below():
    mask = elevation_mask(np.array([np.nan, 14.9, 15.0, 90.0]))
    assert mask.tolist() == [False, False, True, True]
    assert elevation_mask(np.array([4.0, 6.0]), minimum_deg=5).tolist() == [False, True]
