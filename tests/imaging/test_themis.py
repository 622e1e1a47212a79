"""Minute files -> Frames, against themis-imager-readfile and files damaged on purpose."""

import bz2
import gzip
import shutil

import numpy as np
import pytest
import sanitize
import synthetic

from pulsaurora import read_frames
from pulsaurora.imaging.frames import PackedImages
from pulsaurora.imaging.themis import read_minute
from pulsaurora.problems import UsageError

HOUR = "stream0/2014/03/10/gill_themis19/ut06"
NAME = "20140310_0600_gill_themis19_full.pgm"
IMAGES = synthetic.pixels(3)


@pytest.fixture
def minute(tmp_path):
    """Writes bytes under a minute's name; returns the path."""

    def write(data, name=NAME):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def spoiled(position, old, new, images=IMAGES):
    """A minute file with one header changed."""
    pieces = synthetic.pieces(images)
    pieces[position] = (pieces[position][0].replace(old, new), pieces[position][1])
    return b"".join(header + pixels for header, pixels in pieces)


# -- real files ---------------------------------------------------------------------------------------


def test_real_files_read_as_themis_imager_readfile_reads_them(shared_data):
    peer = pytest.importorskip("themis_imager_readfile", reason="themis-imager-readfile needs numpy < 2")
    paths = sorted(str(path) for path in (shared_data / HOUR).iterdir())
    images, metadata, problematic = peer.read(paths)
    frames = read_frames(paths[::-1], workers=2)
    assert problematic == [] and frames.problems == []
    assert frames.images.dtype == images.dtype and frames.images.flags.c_contiguous
    assert np.array_equal(np.moveaxis(frames.images, 0, 2), images)
    assert frames.metadata == metadata
    assert (frames.site, frames.imager) == ("gill", "themis19")
    assert (frames.latitude, frames.longitude) == (56.3539, -94.6557)
    assert frames.quality == [()] * 120
    texts = [str(time).replace("T", " ") + " UTC" for time in frames.times]
    assert texts == [entry["Image request start"] for entry in metadata]


def test_real_file_cut_at_bytes_all_over(shared_data, minute):
    path = shared_data / HOUR / "20140310_0605_gill_themis19_full.pgm"
    whole, data = read_minute(path), path.read_bytes()
    for cut in np.linspace(0, len(data), 60).astype(int):
        frames = read_minute(minute(data[:cut], path.name))
        n_whole = len(frames)
        assert np.array_equal(frames.images, whole.images[:n_whole])
        assert frames.metadata == whole.metadata[:n_whole]
        assert (n_whole + 1) * 131900 > cut - 1300 * (n_whole == 0) - 131900
        assert len(frames.problems) == (cut < len(data))


# -- whole files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix, compress", [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress)])
def test_each_compression(minute, suffix, compress):
    frames = read_minute(minute(compress(synthetic.minute(IMAGES)), NAME + suffix))
    assert np.array_equal(frames.images, IMAGES) and frames.problems == []
    assert np.array_equal(frames.times, synthetic.frame_times(3))


def test_content_counts_and_not_the_suffix(minute):
    data = synthetic.minute(IMAGES)
    for path in (minute(data, NAME + ".gz"), minute(gzip.compress(data), NAME)):
        assert np.array_equal(read_frames(path).images, IMAGES)


def test_header_values(minute):
    frames = read_minute(minute(synthetic.minute(IMAGES, exposure="Exposure duration plus readout")))
    first, later = frames.metadata[0], frames.metadata[2]
    assert first["Project unique ID"] == "THEMIS"  # given twice: the last counts
    assert first["Exposure duration plus readout"] == "985.07 ms"
    assert "Geodetic latitude" not in later
    assert (later["Site unique ID"], later["Imager unique ID"]) == ("gill", "themis19")
    assert later["Mode sequence number"] == "2027382"
    assert (frames.latitude, frames.longitude) == (56.3539, -94.6557)
    plain = read_minute(minute(synthetic.minute(IMAGES)), metadata=False)
    assert plain.metadata == [{}] * 3 and (plain.site, plain.longitude) == ("gill", -94.6557)


def test_any_order_and_more_frames_than_a_minute_has(tmp_path):
    paths, stacks = [], []
    for k, n_frames in enumerate((20, 23, 1, 20)):
        start = f"2014-03-10T06:0{k}"
        images = synthetic.pixels(n_frames, seed=k)
        path = synthetic.minute_path(tmp_path, start)
        cadence = 2 if n_frames > 20 else 3
        paths.append(synthetic.write_minute(path, images, synthetic.frame_times(n_frames, start, cadence)))
        stacks.append(images)
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        for workers in (1, 3):
            frames = read_frames([paths[i] for i in order], workers)
            assert np.array_equal(frames.images, np.concatenate(stacks))
            assert (np.diff(frames.times) > np.timedelta64(0)).all() and frames.problems == []


def test_frames_missing_leave_no_holes(tmp_path):
    paths, stacks = [], []
    for k, n_frames in enumerate((19, 20, 18)):
        start = f"2014-03-10T06:0{k}"
        stacks.append(synthetic.pixels(n_frames, seed=k))
        path = synthetic.minute_path(tmp_path, start, suffix=".pgm")
        paths.append(synthetic.write_minute(path, stacks[-1], synthetic.frame_times(n_frames, start)))
    frames = read_frames(paths)
    assert np.array_equal(frames.images, np.concatenate(stacks)) and frames.images.flags.c_contiguous


# -- damaged files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason", "n_kept"),
    [
        (synthetic.minute(IMAGES)[:-40960], "frame 2 has 90112 bytes, expected 131072", 2),
        (synthetic.minute(IMAGES[:2]) + synthetic.header(2)[:60], "ends inside the header of frame 2", 2),
        (gzip.compress(synthetic.minute(IMAGES))[:-300], "gzip stream ends early", 2),
        (gzip.compress(b"", mtime=0), "holds no frame", 0),
        (b"", "is empty (0 bytes)", 0),
        (b"<!DOCTYPE html><html>", "is not a PGM file of frames (begins with b'<!DOCTYPE html><'", 0),
        (spoiled(1, b"256 256", b"512 512"), "frame 1 is 512 x 512 pixels, expected 256 x 256", 2),
        (spoiled(1, b"\n65535", b"\n255"), "frame 1 has largest value 255, expected 65535", 2),
        (spoiled(1, b"full", b"f\xe9ll"), "frame 1 has a header line that is not ASCII, skipped", 3),
        (spoiled(1, b"256 256\n", b""), "frame 1 has no line `256 256` in its header", 3),
        (spoiled(0, b'ID" gill', b'ID" rank'), "header says site 'rank', name says 'gill'", 3),
        (synthetic.minute(IMAGES, site="atha"), "header says site 'atha', name says 'gill'", 3),
    ],
)
def test_problems_are_told_and_good_frames_kept(minute, data, reason, n_kept):
    path = minute(data)
    frames = read_frames(path)
    (problem,) = frames.problems
    assert problem.path == str(path) and reason in problem.reason
    assert problem.n_frames_kept == n_kept == len(frames)
    for image in frames.images:
        assert any(np.array_equal(image, one) for one in IMAGES)
    assert frames.site in ("gill", None)


def test_problems_name_the_file(minute):
    (problem,) = read_frames(minute(synthetic.minute(IMAGES)[:-40960])).problems
    expected = "20140310_0600_gill_themis19_full.pgm: frame 2 has 90112 bytes, expected 131072"
    assert str(problem).endswith(expected)


def test_quality_names_what_touched_a_frame(minute):
    assert read_frames(minute(synthetic.minute(IMAGES)[:-5])).quality == [("file_truncated",)] * 2
    damaged = read_frames(minute(spoiled(1, b"256 256", b"128 128")))
    assert damaged.quality == [("file_damaged",)] * 2
    line = read_frames(minute(spoiled(1, b"full", b"f\xe9ll")))
    assert line.quality == [(), ("header_damaged",), ()]
    assert "Mode unique ID" not in line.metadata[1] and line.metadata[2]["Mode unique ID"] == "full"


def test_hundreds_of_wounds_make_one_problem(minute):
    data = (b'P5\n#"x"\n256 256\n1\n') * 500 + synthetic.minute(IMAGES)
    (problem,) = read_frames(minute(data)).problems
    assert problem.n_frames_kept == 3 and "and 492 more such places" in problem.reason


def test_files_that_are_not_there_never_stop_the_others(tmp_path, minute):
    good = minute(synthetic.minute(IMAGES))
    (tmp_path / "folder.pgm").mkdir()
    missing = [tmp_path / "none.pgm", tmp_path / "new\nline.pgm"]
    frames = read_frames([*missing, good, str(tmp_path / "folder.pgm")])
    assert np.array_equal(frames.images, IMAGES)
    reasons = {problem.path.rpartition("/")[2]: problem.reason for problem in frames.problems}
    assert reasons["none.pgm"] == "no such file"
    assert reasons["folder.pgm"] == "is a folder, expected a file of frames"
    assert reasons["new\\nline.pgm"] == "no such file"
    nothing = read_frames(tmp_path / "none.pgm")
    assert nothing.images.shape == (0, 256, 256) and len(nothing.problems) == 1


def test_nothing_sensible_asked_for(minute):
    path = minute(synthetic.minute(IMAGES))
    for paths, workers in (([], None), (5, None), ([None], None), (path, 0), (path, 1.5), (path, "2")):
        with pytest.raises(UsageError):
            read_frames(paths, workers)


# -- times --------------------------------------------------------------------------------------------


def test_a_frame_without_a_time_takes_it_from_its_neighbour(minute):
    frames = read_frames(minute(spoiled(1, b"Image request start", b"Image request stars")))
    assert np.array_equal(frames.times, synthetic.frame_times(3)) and np.array_equal(frames.images, IMAGES)
    assert frames.quality == [(), ("time_estimated",), ()]
    assert "frame 1 has no `Image request start`" in frames.problems[0].reason


def test_no_time_at_all(minute):
    data = synthetic.minute(IMAGES).replace(b"Image request start", b"Image request stars")
    frames = read_frames(minute(data))
    assert [str(time)[11:19] for time in frames.times] == ["06:00:00", "06:00:03", "06:00:06"]
    frames = read_frames(minute(data, "some.pgm"))
    assert len(frames) == 0 and "dropped" in frames.problems[0].reason


def test_a_clock_that_is_off(minute):
    late = synthetic.frame_times(3, "2014-03-10T06:20:00")
    frames = read_frames(minute(synthetic.minute(IMAGES, late)))
    assert np.array_equal(frames.times, late) and frames.quality == [("clock_jump",)] * 3
    expected = "frame 0 has the time 2014-03-10T06:20:00.000000, far from the file's minute"
    assert expected in frames.problems[0].reason
    reset = synthetic.frame_times(3, "1970-01-01T00:00:00.000001")
    frames = read_frames(minute(synthetic.minute(IMAGES, reset)))
    assert str(frames.times[2]) == "2014-03-10T06:00:06.000000"
    assert frames.quality == [("time_estimated",)] * 3
    # With a name that tells no minute, the header is all there is.
    assert np.array_equal(read_frames(minute(synthetic.minute(IMAGES, reset), "some.pgm")).times, reset)


def test_frames_out_of_order_in_a_file(minute):
    times = synthetic.frame_times(3)[[2, 0, 1]]
    frames = read_minute(minute(synthetic.minute(IMAGES, times)))
    assert np.array_equal(frames.times, synthetic.frame_times(3))
    assert np.array_equal(frames.images, IMAGES[[1, 2, 0]])


# -- the same frames twice ----------------------------------------------------------------------------


def test_duplicates_are_dropped_and_told(minute):
    data = synthetic.minute(IMAGES)
    raw, gzipped = minute(data), minute(gzip.compress(data), NAME + ".gz")
    for paths in ([raw, gzipped], [gzipped, raw]):
        frames = read_frames(paths)
        assert np.array_equal(frames.images, IMAGES)
        assert frames.quality == [("duplicate_dropped",)] * 3
        (problem,) = frames.problems
        assert problem.path == str(gzipped) and problem.n_frames_kept == 0
        assert problem.reason == f"3 frames have the times of frames of {NAME}: dropped"


def test_the_better_of_two_copies_is_kept(minute):
    data = synthetic.minute(IMAGES)
    spoilt = bytearray(gzip.compress(data))
    spoilt[-8:-4] = b"\0\0\0\0"
    damaged, whole = minute(bytes(spoilt), NAME + ".gz"), minute(data)
    for read in (read_frames, read_minute):
        frames = read([damaged, whole])
        assert np.array_equal(frames.images, IMAGES)
        assert frames.quality == [("duplicate_dropped",)] * 3
        assert frames.problems[0].path == str(damaged)


def test_a_repeated_frame_in_one_file(minute):
    times = synthetic.frame_times(3)[[0, 1, 1]]
    frames = read_frames(minute(synthetic.minute(IMAGES, times)))
    assert np.array_equal(frames.images, IMAGES[:2])
    assert frames.quality == [(), ("duplicate_dropped",)]
    assert frames.problems[0].reason == "1 frames have the times of frames in the same file: dropped"


def test_an_estimated_time_does_not_make_a_frame_twice(minute):
    times = synthetic.frame_times(3)
    times[1] += np.timedelta64(41, "ms")
    whole = synthetic.minute(IMAGES, times)
    at = whole.index(b"Image request start", whole.index(b"2027381"))
    damaged = minute(whole[:at] + b"x" + whole[at + 1 :], NAME + ".gz")
    for read in (read_frames, read_minute):
        frames = read([damaged, minute(whole)])
        assert np.array_equal(frames.times, times) and np.array_equal(frames.images, IMAGES)


def test_alternatives_are_consulted_only_when_needed(minute, tmp_path):
    data = synthetic.minute(IMAGES)
    good = minute(data)
    none = tmp_path / (NAME + ".gz")
    frames = read_minute([good, none])
    assert frames.problems == [] and frames.quality == [()] * 3
    frames = read_minute([none, good])
    assert len(frames) == 3 and [problem.reason for problem in frames.problems] == ["no such file"]


def test_two_halves_make_a_minute(minute):
    (h0, p0), (h1, p1), (h2, p2) = synthetic.pieces(IMAGES)
    first = minute(h0 + p0 + h1 + p1[:9] + h2 + p2, NAME + ".gz")
    second = minute(h0 + p0 + h1 + p1 + h2[:99])
    frames = read_minute((first, second))
    assert np.array_equal(frames.images, IMAGES) and len(frames.problems) == 2


def test_files_of_one_minute_with_other_names_are_all_read(minute):
    times = synthetic.frame_times(6)
    images = synthetic.pixels(6)
    a = minute(synthetic.minute(images[::2], times[::2]))
    b = minute(synthetic.minute(images[1::2], times[1::2]), NAME.replace("full", "full_1000ms"))
    frames = read_minute([a, b])
    assert np.array_equal(frames.images, images) and frames.problems == []


def test_packed_images_hold_the_same_pixels(minute):
    path = minute(gzip.compress(synthetic.minute(IMAGES)), NAME + ".gz")
    packed, whole = read_minute(path, packed=True), read_minute(path)
    images = packed.images
    assert isinstance(images, PackedImages) and len(packed) == len(whole) == len(images)
    for start, image in zip(images.starts, whole.images, strict=True):
        pixels = np.frombuffer(images.data, ">u2", image.size, start)
        assert np.array_equal(pixels.reshape(image.shape), image)
    assert np.array_equal(packed.times, whole.times) and packed.metadata == whole.metadata
    assert packed.quality == whole.quality and packed.site == whole.site


def test_images_of_a_damaged_or_unordered_minute_are_not_packed(minute):
    data = synthetic.minute(IMAGES)
    for path in (
        minute(data[:-1]),
        minute(synthetic.minute(IMAGES, synthetic.frame_times(3)[::-1]), NAME.replace("19_", "12_")),
        minute(b"", NAME.replace("19_", "13_")),
    ):
        packed, whole = read_minute(path, packed=True), read_minute(path)
        assert np.array_equal(packed.images, whole.images) and packed.problems == whole.problems


def test_sites_are_not_mixed_silently(tmp_path):
    paths = [
        synthetic.write_minute(
            synthetic.minute_path(tmp_path, start, site=site),
            IMAGES,
            synthetic.frame_times(3, start),
            site=site,
        )
        for start, site in (("2014-03-10T06:00", "gill"), ("2014-03-10T06:01", "rank"))
    ]
    frames = read_frames(paths)
    assert len(frames) == 6 and frames.site is None and frames.imager == "themis19"
    assert "other sites (gill, rank)" in frames.problems[0].reason


def test_growing_file_is_read_as_far_as_it_is_there(minute, shared_data):
    source = shared_data / HOUR / "20140310_0600_gill_themis19_full.pgm.gz"
    path = minute(b"", source.name)
    shutil.copy(source, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    half = read_minute(path)
    assert 8 <= len(half) <= 10 and "ends early" in half.problems[0].reason
    path.write_bytes(data)
    assert len(read_minute(path)) == 20


# -- any bytes at all ---------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [bytes, lambda data: gzip.compress(data, 1)])
def test_no_file_stops_the_reading(minute, compress):
    rng = np.random.default_rng(11)
    whole = synthetic.minute(IMAGES)
    for _ in range(60):
        data = compress(sanitize.mutated(whole, rng))
        if compress is not bytes and rng.random() < 0.5:
            data = sanitize.mutated(data, rng)
        frames = read_frames(minute(data, NAME + ".gz"))
        assert (np.diff(frames.times) > np.timedelta64(0)).all()
        assert len(frames.metadata) == len(frames.quality) == len(frames) < 10
        # Whoever is told of no problem has every frame that was written.
        untold = not frames.problems and len(frames) < 3
        assert not untold or len(data) < len(compress(whole))
