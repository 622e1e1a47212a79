"""Day files: ours, other programs', broken ones, and ones made to harm."""

import datetime as dt
import json
import os
import resource
import zlib

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pulsaurora
from pulsaurora.archive import hdf5trial
from pulsaurora.archive.dayfile import DayFile, dayfile_path, parse_dayfile_name, read_dayfile
from pulsaurora.archive.daynights import find_dayfile_nights
from pulsaurora.archive.daywriter import DayWriter, compress_frame
from pulsaurora.problems import UnreadableFileError

NAME = "all-images-2014-03-10-gill.h5"
NOTES = {
    "version": "0",
    "imagers": [
        {"name": "themis19", "latitude": 56.4, "longitude": -94.6, "position_since": 360},
        {"name": "themis20", "latitude": None, "longitude": None, "position_since": None},
    ],
    "qualities": [[], ["file_truncated"]],
    "problems": [["/a/b.pgm", "is empty", 0, "themis19"], ["/a/s.sav", "is broken", 0, None]],
}


def frames(n=7, side=256, seed=0):
    """Raw counts, images and times."""
    rng = np.random.default_rng(seed)
    raw = rng.integers(2000, 5000, (n, side, side)).astype(np.uint16)
    times = np.datetime64("2014-03-10T06:00:00.063119", "us") + np.arange(n) * np.timedelta64(3, "s")
    return raw, (raw >> 5).astype(np.uint8), times


def write_ours(path, raw16=True, notes=NOTES, frames_last=True):
    raw, images, times = frames()
    n = len(raw)
    writer = DayWriter(path, raw.shape[1:], frames_last, raw16)
    for part in (slice(0, 3), slice(3, n)):
        writer.append(
            [compress_frame(image) for image in images[part]],
            [compress_frame(image) for image in raw[part]] if raw16 else [],
        )
    table = {
        "minute": np.array([360] * 3 + [361] * 4, np.int16),
        "imager": np.array([0] * 6 + [1], np.int8),
        "quality": np.array([0] * 6 + [1], np.int32),
    }
    attributes = {"about": "images", "wavelength": "white", "station_latitude": 56.4}
    attributes["station_longitude"] = -94.6
    skymap = {"elevation": np.full((256, 256), 30, np.float32)}
    writer.finish(times, {"version": "0", "inputs": "x", "settings": "{}"}, attributes, skymap, table, notes)
    return raw, images, times


def write_theirs(path, images, times, axis=2, texts="S27", **storage):
    """A day file as other programs write it."""
    stored = np.moveaxis(images, 0, axis)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=stored, **storage).attrs["station_latitude"] = "56.4"
        values = [f"{time}Z" for time in times]
        if texts == "object":
            file.create_dataset("iso_ut_time", data=values, dtype=h5py.string_dtype())
        elif texts == "posix":
            file["iso_ut_time"] = times.astype(np.int64) / 1e6
        else:
            file["iso_ut_time"] = np.array(values, texts)
    return path


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / NAME
    raw, images, times = write_ours(path)
    with pulsaurora.read_dayfile(path) as day:
        assert (day.shape, day.dtype, len(day)) == ((7, 256, 256), np.uint8, 7)
        assert (day.site, day.wavelength, day.date) == ("gill", "white", dt.date(2014, 3, 10))
        assert (day.latitude, day.longitude) == (56.4, -94.6)
        np.testing.assert_array_equal(day[:], images)
        np.testing.assert_array_equal(day[-1], images[-1])
        np.testing.assert_array_equal(day[1:6:2], images[1:6:2])
        np.testing.assert_array_equal(day.raw16(), raw)
        np.testing.assert_array_equal(day.raw16(2), raw[2])
        np.testing.assert_array_equal(day.times, times)
        assert day.times.dtype == "datetime64[us]" and day.problems == []
        for i, (time, image) in enumerate(day):
            assert time == times[i] and (image == images[i]).all()
        assert [len(block) for block, _ in day.blocks(3)] == [3, 3, 1]
        np.testing.assert_array_equal(day.skymap("elevation"), np.full((256, 256), 30, np.float32))
        assert day.skymap("azimuth") is None
        assert day.frame_table()["minute"].tolist() == [360] * 3 + [361] * 4
        assert [problem.path for problem in day.noted_problems("themis20")] == ["/a/s.sav"]
        assert len(day.noted_problems()) == 2
        with pytest.raises(IndexError):
            day[7]
        with pytest.raises(TypeError):
            day[1, 2]


def test_plain_h5py_reads_it(tmp_path):
    raw, images, times = write_ours(tmp_path / NAME)
    with h5py.File(tmp_path / NAME) as file:
        assert file["images"].shape == (256, 256, 7) and file["images"].chunks == (256, 256, 1)
        np.testing.assert_array_equal(np.moveaxis(file["images"][()], 2, 0), images)
        np.testing.assert_array_equal(file["raw_images"][()], raw)
        assert file["iso_ut_time"].dtype == "S27" and file["iso_ut_time"][0] == b"2014-03-10T06:00:00.063119Z"
        assert file["images"].attrs["wavelength"] == "white"
        assert all("about" in file[name].attrs for name in ("images", "iso_ut_time", "skymap_elev"))
        # Filters that every HDF5 has: deflate and shuffle.
        for name, wanted in (("images", {1}), ("raw_images", {1, 2})):
            plist = file[name].id.get_create_plist()
            assert {plist.get_filter(i)[0] for i in range(plist.get_nfilters())} == wanted


def test_pfrr_files_have_frames_first(tmp_path):
    path = tmp_path / "all-images-2014-03-10-558.h5"
    _, images, _ = write_ours(path, frames_last=False)
    with h5py.File(path) as file:
        assert file["images"].shape == (7, 256, 256) and file["images"].chunks == (1, 256, 256)
    with read_dayfile(path) as day:
        assert day.site == "pkr"
        np.testing.assert_array_equal(day[:], images)


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("texts", ["S27", "S40", "object", "posix"])
@pytest.mark.parametrize(
    "storage",
    [{}, {"chunks": True}, {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True}],
    ids=["contiguous", "chunked", "compressed"],
)
def test_files_of_other_programs(tmp_path, axis, texts, storage):
    _, images, times = frames(11, side=64)
    with read_dayfile(write_theirs(tmp_path / NAME, images, times, axis, texts, **storage)) as day:
        np.testing.assert_array_equal(day[:], images)
        np.testing.assert_array_equal(day[3], images[3])
        np.testing.assert_array_equal(day[2:9:3], images[2:9:3])
        np.testing.assert_array_equal(day.times, times)
        assert day.about == {} and day.frame_table() is None and not day.has_raw16 and day.problems == []
        assert day.latitude == 56.4 and day.longitude is None
        with pytest.raises(UnreadableFileError, match="no raw 16-bit frames"):
            day.raw16()


def test_as_many_frames_as_pixels(tmp_path):
    _, images, times = frames(64, side=64)
    for axis, chunks in ((2, None), (2, (64, 64, 1)), (0, (1, 64, 64))):
        with read_dayfile(write_theirs(tmp_path / NAME, images, times, axis, chunks=chunks)) as day:
            np.testing.assert_array_equal(day[:], images)


def test_frames_come_in_time_order(tmp_path):
    _, images, times = frames(9, side=64)
    order = np.array([4, 5, 6, 0, 1, 8, 7, 2, 3])
    with read_dayfile(write_theirs(tmp_path / NAME, images[order], times[order])) as day:
        np.testing.assert_array_equal(day[:], images)
        np.testing.assert_array_equal(day.times, times)
        np.testing.assert_array_equal(day[5], images[5])
        assert "not in time order" in str(day.problems[0])


def test_frames_without_a_time_are_left_out_and_told(tmp_path):
    _, images, times = frames(6, side=64)
    path = write_theirs(tmp_path / NAME, images, times)
    with h5py.File(path, "r+") as file:
        file["iso_ut_time"][1] = b""
        file["iso_ut_time"][4] = b"2014-13-45T00:00:00Z"
        file["iso_ut_time"][5] = b"now"
    with read_dayfile(path) as day:
        np.testing.assert_array_equal(day[:], images[[0, 2, 3]])
        assert "3 of 6 frames have no readable time" in day.problems[0].reason


def test_names():
    assert dayfile_path("x", dt.date(2014, 3, 10), "gill").name == NAME
    assert parse_dayfile_name(NAME) == (dt.date(2014, 3, 10), "gill", None)
    assert parse_dayfile_name("all-images-2014-03-10-558.h5").wavelength == "558"
    for name in ("2014-13-10-gill.h5", "2014-03-10-../x.h5", "2014-03-10-gill.h5x"):
        assert parse_dayfile_name(f"all-images-{name}") is None


def test_nights_of_day_files(tmp_path):
    write_ours(tmp_path / NAME)
    (tmp_path / "2014").mkdir()
    write_ours(tmp_path / "2014/all-images-2014-03-10-rank.h5", raw16=False)
    (tmp_path / "all-images-2014-03-11-fsmi.h5").write_text("no HDF5")
    first, last = dt.date(2014, 3, 9), dt.date(2014, 3, 12)
    nights, problems = find_dayfile_nights(tmp_path, first, last)
    assert [(night.site, night.imager) for night in nights] == [("gill", "themis19"), ("gill", "themis20")]
    assert [minute[:2] for minute in nights[0].hours[6]] == [(6, 0), (6, 1)]
    assert nights[1].n_minutes == 1 and nights[0].dayfile == tmp_path / NAME
    assert all("raw 16-bit" in problem.reason or "HDF5" in problem.reason for problem in problems)
    assert len(problems) == 2
    assert find_dayfile_nights(tmp_path, first, last, ["fsmi"])[0] == []


def test_of_two_day_files_of_one_night_the_one_with_more_frames_counts(tmp_path):
    """Whichever was done last was written over the other."""
    date = dt.date(2014, 3, 10)
    for folder in ("", "2014", "2014/03"):
        (tmp_path / folder).mkdir(exist_ok=True)
        write_ours(tmp_path / folder / NAME)
    paths = [tmp_path / NAME, tmp_path / "2014" / NAME, tmp_path / "2014/03" / NAME]

    def found():
        nights, problems = find_dayfile_nights(tmp_path, date, date)
        assert [night.imager for night in nights] == ["themis19", "themis20"]
        assert all("left aside, keep one" in problem.reason for problem in problems)
        return {night.dayfile for night in nights}, [problem.path for problem in problems]

    # Of equals the nearest to the root.
    assert found() == ({paths[0]}, [str(paths[1]), str(paths[2])])
    with h5py.File(paths[0], "r+") as file:
        file["iso_ut_time"][0] = b""
    assert found() == ({paths[1]}, [str(paths[0]), str(paths[2])])


@pytest.mark.parametrize(
    ("night", "name", "found"),
    [
        ("2014-03-10-gill", "all-images-2014-03-11-gill.h5", "frames of 2014-03-10-gill, not"),
        ("2014-03-10-gill", "all-images-2014-03-10-rank.h5", "frames of 2014-03-10-gill, not"),
        # Older files tell times alone, which may be a day off.
        (None, "all-images-2014-03-12-gill.h5", "frames of 2014-03-10, not"),
        (None, "all-images-2014-03-11-gill.h5", None),
    ],
)
def test_a_day_file_under_the_name_of_another_night_is_refused(tmp_path, night, name, found):
    """Its frames were labelled as of the night in the name."""
    write_ours(tmp_path / name, notes=NOTES if night is None else NOTES | {"night": night})
    named = parse_dayfile_name(name)
    nights, problems = find_dayfile_nights(tmp_path, named.date, named.date)
    assert bool(nights) == (found is None)
    assert [found in problem.reason for problem in problems] == ([] if found is None else [True])


def external_link(file, elsewhere):
    del file["images"]
    file["images"] = h5py.ExternalLink(str(elsewhere), "images")


def soft_link(file, elsewhere):
    del file["images"]
    file["other"] = h5py.ExternalLink(str(elsewhere), "images")
    file["images"] = h5py.SoftLink("/other")


def external_storage(file, elsewhere):
    del file["images"]
    file.create_dataset("images", (64, 64, 6), "u1", external=[(str(elsewhere), 0, 64 * 64 * 6)])


def virtual(file, elsewhere):
    del file["images"]
    layout = h5py.VirtualLayout((64, 64, 6), "u1")
    layout[:] = h5py.VirtualSource(str(elsewhere), "images", (64, 64, 6))
    file.create_virtual_dataset("images", layout)


def huge_claim(file, elsewhere):
    del file["images"]
    file.create_dataset("images", (64, 64, 6), "u1", chunks=(64, 64, 1))


def huge_frames(file, elsewhere):
    del file["images"]
    file.create_dataset("images", (2**20, 2**20, 6), "u1", chunks=(256, 256, 1))


def huge_chunk(file, elsewhere):
    del file["images"]
    data = file.create_dataset("images", (8192, 8192, 6), "u1", chunks=(8192, 8192, 2), compression="gzip")
    for first in (0, 2, 4):
        data.id.write_direct_chunk((0, 0, first), b"x")


def too_many_frames(file, elsewhere):
    del file["images"], file["iso_ut_time"]
    file.create_dataset("images", (64, 64, 10**9), "u1", chunks=(64, 64, 1))
    file.create_dataset("iso_ut_time", (10**9,), "S27", chunks=(10**6,))


def unknown_filter(file, elsewhere):
    del file["images"]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((64, 64, 1))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple((64, 64, 6))
    h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, space, plist)


def a_group(file, elsewhere):
    del file["images"]
    file.create_group("images")


def no_images(file, elsewhere):
    del file["images"]


def texts_for_images(file, elsewhere):
    del file["images"]
    file["images"] = np.full((64, 64, 6), b"x", "S3")


def two_dimensions(file, elsewhere):
    del file["images"]
    file["images"] = np.zeros((64, 6), np.uint8)


def fewer_times(file, elsewhere):
    del file["iso_ut_time"]
    file["iso_ut_time"] = np.full(5, b"2014-03-10T06:00:00Z")


def no_times(file, elsewhere):
    del file["iso_ut_time"]


def odd_times(file, elsewhere):
    del file["iso_ut_time"]
    file["iso_ut_time"] = np.zeros(6, [("a", "i4"), ("b", "f8")])


def times_of_references(file, elsewhere):
    del file["iso_ut_time"]
    file.create_dataset("iso_ut_time", (6,), h5py.ref_dtype)


def damaged_notes(file, elsewhere):
    file["pulsaurora/about"] = np.bytes_(b'{"imagers": [{"name": "../x"}], "qualities": [], "problems": []}')


HARMFUL = [
    external_link, soft_link, external_storage, virtual, huge_claim, huge_frames, huge_chunk, too_many_frames,
    unknown_filter, a_group, no_images, texts_for_images, two_dimensions, fewer_times, no_times, odd_times,
    times_of_references, damaged_notes,
]  # fmt: skip


@pytest.mark.parametrize("harm", HARMFUL, ids=lambda harm: harm.__name__)
def test_files_made_to_harm_are_refused_by_name(tmp_path, harm):
    _, images, times = frames(6, side=64)
    elsewhere = write_theirs(tmp_path / "elsewhere.h5", images, times)
    path = write_theirs(tmp_path / NAME, images, times)
    with h5py.File(path, "r+") as file:
        harm(file, elsewhere)
    with pytest.raises(UnreadableFileError) as caught:
        read_dayfile(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300
    os.remove(path)  # closed


def test_what_is_no_hdf5_file_is_refused(tmp_path):
    path = tmp_path / NAME
    for make in (lambda: None, lambda: path.write_bytes(b""), lambda: path.write_text("<html>" * 100)):
        make()
        with pytest.raises(UnreadableFileError, match=NAME):
            read_dayfile(path)
    path.unlink()
    os.mkfifo(path) if hasattr(os, "mkfifo") else path.mkdir()
    with pytest.raises(UnreadableFileError, match="not a regular file"):
        read_dayfile(path)


def test_damaged_frames_are_told_by_number_and_the_others_read(tmp_path):
    path = tmp_path / NAME
    _, images, _ = write_ours(path)
    with h5py.File(path, "r+") as file:
        file["images"].id.write_direct_chunk((0, 0, 2), b"no deflate stream")
        file["images"].id.write_direct_chunk((0, 0, 3), compress_frame(np.zeros((1000, 1000), np.uint8)))
        file["images"].id.write_direct_chunk((0, 0, 4), compress_frame(np.zeros((2, 2), np.uint8)))
        file["images"].id.write_direct_chunk((0, 0, 5), b"x" * 200_000)
    with read_dayfile(path) as day:
        np.testing.assert_array_equal(day[:2], images[:2])
        np.testing.assert_array_equal(day[6], images[6])
        for number in (2, 3, 4):
            with pytest.raises(UnreadableFileError, match=f"frame {number} is damaged"):
                day[number]
        with pytest.raises(UnreadableFileError, match="cannot be read"):
            day[5]


def test_notes_that_are_no_notes(tmp_path):
    for notes in ([], {}, NOTES | {"night": "a/b"}, NOTES | {"night": 7},
                  NOTES | {"imagers": [{"name": "a/b", "position_since": None}]},
                  NOTES | {"problems": [[1, 2, 3, 4]]}, NOTES | {"qualities": [["a;b"]]}):  # fmt: skip
        write_ours(tmp_path / NAME, notes=notes)
        with pytest.raises(UnreadableFileError, match="notes of pulsaurora in it are damaged"):
            DayFile(tmp_path / NAME)
    write_ours(tmp_path / NAME, notes=NOTES | {"qualities": [[]]})  # the table names a second
    with DayFile(tmp_path / NAME) as day:
        assert day.frame_table() is None


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / NAME
    write_ours(path)
    return path.read_bytes()


@settings(max_examples=150)
@given(data=st.data())
def test_no_damage_does_more_than_be_told(whole, tmp_path, data):
    """Cut or changed anywhere, a file gives frames or one error that names it."""
    broken = bytearray(whole)
    if data.draw(st.booleans()):
        broken = broken[: data.draw(st.integers(0, len(whole)))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            # The first thousands of bytes hold most of the structure.
            at = data.draw(st.one_of(st.integers(0, 8000), st.integers(0, len(whole) - 1)))
            broken[at] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
    path = tmp_path / NAME
    path.write_bytes(broken)
    try:
        with read_dayfile(path) as day:
            assert sum(len(times) for times, _ in day.blocks()) == len(day) <= 7
            json.dumps(day.about)
            day.frame_table()
            find_dayfile_nights(tmp_path, day.date, day.date)
    except UnreadableFileError as error:
        assert str(error).startswith(str(path))


def deflated_zeros(n_mb):
    """Zeros without their memory."""
    stream = zlib.compressobj(1)
    return b"".join([*(stream.compress(bytes(2**20)) for _ in range(n_mb)), stream.flush()])


@pytest.mark.parametrize(
    ("name", "filters", "shuffled"),
    [
        ("images", {"compression": "gzip"}, True),
        ("images", {"compression": "gzip", "fletcher32": True}, False),
        ("images", {"compression": "lzf"}, False),
        ("iso_ut_time", {"compression": "gzip"}, False),
        ("skymap_elev", {"compression": "gzip"}, True),
        ("pulsaurora/about", {"compression": "gzip"}, False),
    ],
)
def test_chunks_that_inflate_without_end_take_no_memory(tmp_path, name, filters, shuffled):
    """HDF5 inflates all of a chunk, whatever the shape says: 2 MB took 2 GB."""
    path = tmp_path / NAME
    _, images, _ = write_ours(path)
    with h5py.File(path, "r+") as file:
        shape = {"images": (256, 256, 7), "iso_ut_time": (7,), "pulsaurora/about": (1,)}.get(name, (256, 256))
        kind = {"iso_ut_time": "S27", "pulsaurora/about": "S9", "skymap_elev": "f4"}.get(name, "u1")
        del file[name]
        dataset = file.create_dataset(name, shape, kind, chunks=shape, shuffle=shuffled, **filters)
        bomb = deflated_zeros(150) if "gzip" in filters.values() else bytes(4 * 2**20)
        dataset.id.write_direct_chunk((0,) * len(shape), bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableFileError, match="has a chunk of .* bytes that inflates to more"):
        day = read_dayfile(path)
        with day:
            day.skymap("elevation")
            day[0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    # Chunks as large, but of what the shape says, are read.
    with h5py.File(path, "w") as file:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (256, 256, 7)).astype(np.uint8)
        file.create_dataset("images", data=images, chunks=images.shape, compression="gzip", fletcher32=True)
        file["iso_ut_time"] = np.array([f"{time}Z" for time in frames()[2]], "S27")
    with read_dayfile(path) as day:
        np.testing.assert_array_equal(day[3], images[:, :, 3])


@pytest.mark.parametrize("of", ["times", "attribute"])
def test_texts_whose_heap_goes_round_for_ever_are_refused(tmp_path, monkeypatch, of):
    """HDF5 2.0 never comes back from a heap with an object that takes no room, and holds Python's lock."""
    monkeypatch.setattr(hdf5trial, "SECONDS", 1)
    _, images, times = frames(6, side=64)
    path = write_theirs(tmp_path / NAME, images, times, texts="object" if of == "times" else "S27")
    data = bytearray(path.read_bytes())
    at = data.index(b"GCOL\x01")
    data[at + 16 : at + 32] = bytes(16)  # free space of no size: the next object is itself
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError, match="is a broken HDF5 file .looking into it does not end"):
        read_dayfile(path)
    # The child that was lost is started again for the next file.
    with read_dayfile(write_theirs(tmp_path / NAME, images, times, texts="object")) as day:
        np.testing.assert_array_equal(day.times, times)


def test_free_space_that_goes_round_takes_no_memory(tmp_path):
    """HDF5 2.0 lists the free space of a heap until memory ends, where a piece of it follows itself."""
    path = tmp_path / NAME
    write_ours(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"HEAP\0")
    free, place = (int.from_bytes(data[at + i : at + i + 8], "little") for i in (16, 24))
    data[place + free : place + free + 8] = free.to_bytes(8, "little")
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableFileError, match="is a broken HDF5 file .* takes all memory"):
        read_dayfile(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
