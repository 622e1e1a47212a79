"""Day files made of THEMIS minute files: the images of the recipe, exact times, and nothing half done."""

import datetime as dt
import gzip
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fitswriter
import h5py
import numpy as np
import pandas as pd
import pytest
import synthetic
import tinymodel

from pulsaurora.archive.claims import Claims
from pulsaurora.archive.dayfile import read_dayfile
from pulsaurora.archive.problem_table import PROBLEMS_NAME
from pulsaurora.archive.tables import read_classifications
from pulsaurora.classification.batch import classify_nights
from pulsaurora.imaging import packing, themispack
from pulsaurora.imaging.pfrrpack import pack_pfrr
from pulsaurora.imaging.skymap import read_skymap
from pulsaurora.imaging.themispack import pack_themis
from pulsaurora.problems import UsageError

DATE = dt.date(2014, 3, 10)
NAME = "all-images-2014-03-10-gill.h5"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def quick_contrast(request, monkeypatch):
    """Where images do not matter, a frame's high bytes do for its image."""
    if "real" not in request.keywords and "shared_data" not in request.fixturenames:
        monkeypatch.setattr(themispack, "_to_8bit", lambda images: (images >> 8).astype(np.uint8))


def write(root, start, n_frames=3, seed=0, suffix=".pgm.gz", **known):
    """Write one minute file; return its images and times."""
    images = synthetic.pixels(n_frames, seed)
    times = synthetic.frame_times(n_frames, f"{start}:00.063119")
    path = synthetic.minute_path(root, start, suffix=suffix, **known)
    synthetic.write_minute(path, images, times, **known)
    return images, times


def pack(stream0, out, date=DATE, **options):
    return pack_themis(stream0, out, date, date, **options)


def chunks_of(path):
    """The length and checksums of each frame's chunk: as it is stored, and of the pixels in it."""
    with h5py.File(path) as file:
        stored = [file["images"].id.read_direct_chunk((0, 0, i))[1] for i in range(file["images"].shape[2])]
        stored += [file["raw_images"].id.read_direct_chunk((i, 0, 0))[1] for i in range(len(stored))]
    return [(len(chunk), zlib.crc32(chunk), zlib.crc32(zlib.decompress(chunk))) for chunk in stored]


def left_behind(folder):
    return sorted(path.name for path in Path(folder).rglob("*") if path.is_file())


def test_images_are_those_of_the_recipe(shared_data, tmp_path):
    """Against OpenCV and themis-imager-readfile, frame by frame, to the last bit."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is the oracle")
    peer = pytest.importorskip("themis_imager_readfile", reason="themis-imager-readfile is the oracle")
    stream0 = shared_data / "stream0"
    paths = sorted(map(str, (stream0 / "2014/03/10/gill_themis19/ut06").glob("*.pgm*")))
    result = pack(stream0, tmp_path, raw16=True, workers=2)
    assert [(day.status, day.n_frames) for day in result.days] == [("done", 120)] and not result.n_problems

    images, metadata, _ = peer.read(paths)
    equalizer = cv2.createCLAHE(3.0, (8, 8))
    with h5py.File(tmp_path / NAME) as file:
        packed, raw = file["images"][()], file["raw_images"][()]
        for i in range(images.shape[2]):
            frame = np.ascontiguousarray(images[:, :, i])
            wanted = cv2.convertScaleAbs(equalizer.apply(frame), alpha=255 / 65536)
            assert np.array_equal(packed[:, :, i], wanted) and np.array_equal(raw[i], frame)
        starts = [entry["Image request start"].removesuffix(" UTC").replace(" ", "T") for entry in metadata]
        assert file["iso_ut_time"][()].tolist() == [f"{start}Z".encode() for start in starts]
        about = dict(file["images"].attrs)
        assert (about["station_latitude"], about["station_longitude"]) == (56.3539, -94.6557)
        assert about["wavelength"] == "white" and "255/65536" in about["about"]
        # Smaller than the images by themselves.
        assert file["images"].id.get_storage_size() < 0.9 * packed.nbytes
        assert file["raw_images"].id.get_storage_size() < 0.65 * raw.nbytes


def test_labels_from_a_day_file_are_those_from_the_minute_files(shared_data, tmp_path):
    """The same table, every column of it, with a skymap and files in every state."""
    source = shared_data / "stream0/2014/03/10/gill_themis19/ut06"
    hour = tmp_path / "stream0/2014/03/10/gill_themis19/ut06"
    shutil.copytree(source, hour, copy_function=shutil.copyfile)
    third = hour / "20140310_0603_gill_themis19_full.pgm.gz"
    third.write_bytes(third.read_bytes()[:900_000])  # ends early
    (hour / "20140310_0607_gill_themis19_full.pgm.gz").write_bytes(b"")
    again = gzip.decompress((source / "20140310_0602_gill_themis19_full.pgm.gz").read_bytes())
    (hour / "20140310_0606_gill_themis19_full.pgm").write_bytes(again)  # times of another minute
    model = tinymodel.save(tinymodel.features_proto(tinymodel.weights() / 100), tmp_path / "tiny.onnx")

    result = pack(tmp_path / "stream0", tmp_path / "day", raw16=True)
    assert result.days[0].status == "done" and result.n_problems >= 3
    options = {"model": model, "workers": 2}
    wanted = classify_nights(tmp_path / "stream0", tmp_path / "a", DATE, DATE, **options)
    found = classify_nights(tmp_path / "day", tmp_path / "b", DATE, DATE, dayfiles=True, **options)
    assert (found.n_problems, found.n_failed) == (wanted.n_problems, 0)
    assert (tmp_path / "a" / PROBLEMS_NAME).read_text() == (tmp_path / "b" / PROBLEMS_NAME).read_text()
    tables = [read_classifications(night.path.with_suffix(".parquet")) for night in
              (wanted.nights[0], found.nights[0])]  # fmt: skip
    pd.testing.assert_frame_equal(*tables)
    # The frames that another file has too were looked at among their neighbours.
    assert not tables[0]["quality"].iloc[40:60].str.contains("few_samples").any()
    # And again: done already, from either.
    again = classify_nights(tmp_path / "day", tmp_path / "b", DATE, DATE, dayfiles=True, **options)
    assert again.nights[0].status == "skipped"


def test_the_skymap_goes_into_the_file_and_into_the_labels(shared_data, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("pulsaurora"), "propagate", True)  # a command turns it off
    name = "themis_skymap_gako_20110305-+_vXX.sav"
    for date in ("2011-04-01", "2011-01-01"):
        write(tmp_path / "s", f"{date}T06:00", site="gako", imager="themis20")
    shutil.copyfile(shared_data / "skymaps/gako/gako_20110305" / name, tmp_path / "s" / name)
    skymap = read_skymap(tmp_path / "s" / name)
    pack(tmp_path / "s", tmp_path / "o", dt.date(2011, 4, 1), raw16=True)
    with h5py.File(tmp_path / "o/all-images-2011-04-01-gako.h5") as file:
        for ours, theirs in (("skymap_elev", skymap.elevation), ("skymap_azim", skymap.azimuth),
                             ("skymap_glat", skymap.latitude), ("skymap_glon", skymap.longitude),
                             ("skymap_alt", skymap.altitudes_km)):  # fmt: skip
            np.testing.assert_array_equal(file[ours][()], theirs)
            assert file[ours].attrs["about"]
    assert "without a skymap" not in caplog.text
    pack(tmp_path / "s", tmp_path / "o", dt.date(2011, 1, 1), raw16=True)  # before the skymap begins
    assert f"{name}: begins after gako/2011-01-01; the day file is made without a skymap" in caplog.text
    with h5py.File(tmp_path / "o/all-images-2011-01-01-gako.h5") as file:
        assert "skymap_elev" not in file

    model = tinymodel.save(tinymodel.features_proto(tinymodel.weights() / 100), tmp_path / "tiny.onnx")
    tables = []
    for root, dayfiles in ((tmp_path / "s", False), (tmp_path / "o", True)):
        out = tmp_path / f"labels{dayfiles}"
        classify_nights(root, out, dt.date(2011, 1, 1), dt.date(2011, 4, 1), model=model, dayfiles=dayfiles)
        paths = sorted(out.rglob("*.parquet"))
        assert len(paths) == 2
        tables.append([read_classifications(path) for path in paths])
    for one, other in zip(*tables, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_a_broken_skymap_is_told(tmp_path):
    write(tmp_path / "s", "2014-03-10T06:00")
    (tmp_path / "s/themis_skymap_gill_20130101-+_vXX.sav").write_text("no skymap")
    result = pack(tmp_path / "s", tmp_path / "o")
    assert [day.status for day in result.days] == ["done"] and result.n_problems == 1
    assert "made without a skymap" in result.days[0].problems[0].reason


def test_bad_files_and_gaps(tmp_path):
    first, _ = write(tmp_path / "s", "2014-03-10T06:00")
    last, _ = write(tmp_path / "s", "2014-03-10T11:30", seed=1)
    empty = synthetic.minute_path(tmp_path / "s", "2014-03-10T06:01")
    empty.write_bytes(b"")
    cut = synthetic.minute_path(tmp_path / "s", "2014-03-10T06:02", suffix=".pgm")
    data = synthetic.minute(synthetic.pixels(3, 2), synthetic.frame_times(3, "2014-03-10T06:02:00"))
    cut.write_bytes(data[: len(data) - 1000])
    write(tmp_path / "s", "2014-03-10T06:00", suffix=".pgm")  # the same minute twice
    synthetic.minute_path(tmp_path / "s", "2014-03-10T06:00").with_name("notes.txt").write_text("x")
    result = pack(tmp_path / "s", tmp_path / "o", raw16=True)
    assert result.days[0].n_frames == 8 and result.n_problems == 3 and not result.n_failed
    with read_dayfile(tmp_path / "o" / NAME) as day:
        np.testing.assert_array_equal(day.raw16(slice(0, 3)), first)
        np.testing.assert_array_equal(day.raw16(slice(5, 8)), last)
        assert [str(time)[11:19] for time in day.times[3:6]] == ["06:02:00", "06:02:03", "11:30:00"]
        flags = [day.about["qualities"][number] for number in day.frame_table()["quality"]]
        assert flags[3:5] == [["file_truncated"]] * 2 and flags[0] == flags[7] == []
    rows = (tmp_path / "o" / PROBLEMS_NAME).read_text()
    assert all(name in rows for name in (empty.name, cut.name, "notes.txt"))
    again = pack(tmp_path / "s", tmp_path / "o", raw16=True)
    assert again.days[0].status == "skipped" and again.n_problems == 3
    assert (tmp_path / "o" / PROBLEMS_NAME).read_text() == rows


def test_overlapping_clocks_are_put_in_order_once_each(tmp_path):
    one, times = write(tmp_path / "s", "2014-03-10T06:00")
    other = synthetic.pixels(4, 1)
    # Frames of the next file lie between those of the first, and one has the time of another.
    clock = times[[0, 1, 2, 2]] + np.array([1_500_000, 1_500_000, 0, 1_500_000]).astype("timedelta64[us]")
    synthetic.write_minute(synthetic.minute_path(tmp_path / "s", "2014-03-10T06:01"), other, clock)
    result = pack(tmp_path / "s", tmp_path / "o", raw16=True)
    with read_dayfile(tmp_path / "o" / NAME) as day:
        np.testing.assert_array_equal(day.raw16(), [one[0], other[0], one[1], other[1], one[2], other[3]])
        assert (np.diff(day.times) > np.timedelta64(0)).all() and not day.problems
        assert day.frame_table()["minute"].tolist() == [360, 361, 360, 361, 360, 361]
        assert "duplicate_dropped" in day.about["qualities"][day.frame_table()["quality"][4]]
    assert "1 frames have the times of frames in" in result.days[0].problems[0].reason
    assert left_behind(tmp_path / "o") == [NAME, PROBLEMS_NAME]


def test_a_night_with_two_imagers_is_one_file(tmp_path):
    one, _ = write(tmp_path / "s", "2014-03-10T06:00")
    two, _ = write(tmp_path / "s", "2014-03-10T06:30", seed=1, imager="themis20")
    write(tmp_path / "s", "2014-03-10T06:30", seed=2, site="rank", imager="themis18")
    result = pack(tmp_path / "s", tmp_path / "o", raw16=True)
    assert [day.name for day in result.days] == ["2014-03-10-gill", "2014-03-10-rank"]
    with read_dayfile(tmp_path / "o" / NAME) as day:
        np.testing.assert_array_equal(day.raw16(), np.concatenate([one, two]))
        assert [imager["name"] for imager in day.about["imagers"]] == ["themis19", "themis20"]
    only = pack(tmp_path / "s", tmp_path / "p", sites=["rank"])
    assert [day.name for day in only.days] == ["2014-03-10-rank"]


def test_what_is_done_is_left_and_what_changed_is_done_again(tmp_path):
    write(tmp_path / "s", "2014-03-10T06:00")
    path = tmp_path / "o" / NAME

    def status(**options):
        return pack(tmp_path / "s", tmp_path / "o", **options).days[0].status

    assert status(raw16=True) == "done"
    bytes_before, chunks_before = path.read_bytes(), chunks_of(path)
    assert status(raw16=True) == status() == "skipped"  # with raw frames it is all that one without is
    assert status(raw16=True, overwrite=True) == "done" and chunks_of(path) == chunks_before
    assert path.read_bytes() == bytes_before
    path.write_bytes(path.read_bytes()[:-5000])
    assert status() == "done"
    assert status(raw16=True) == "done"
    write(tmp_path / "s", "2014-03-10T06:01", seed=1)
    assert status(raw16=True) == "done"
    with read_dayfile(path) as day:
        assert len(day) == 6


def test_raw_frames_stay_in_a_day_file_that_is_made_again(tmp_path):
    """Other tiles, or a minute more, and they were gone."""
    fitswriter.write(tmp_path / "r/2015/20151007")
    date = dt.date(2015, 10, 7)
    path = tmp_path / "o/all-images-2015-10-07-558.h5"
    raws = []
    for options in ({"raw16": True}, {"tiles": (8, 8)}, {"tiles": (8, 8), "overwrite": True}):
        result = pack_pfrr(tmp_path / "r", tmp_path / "o", date, date, **options)
        assert result.days[0].status == "done" and result.n_problems == 0
        with read_dayfile(path) as day:
            raws.append(day.raw16() if day.has_raw16 else None)
    np.testing.assert_array_equal(raws[0], raws[1])
    assert raws[2] is None


def test_a_day_file_with_fewer_frames_than_the_one_before_is_told(tmp_path):
    write(tmp_path / "s", "2014-03-10T06:00")
    write(tmp_path / "s", "2014-03-10T06:01", seed=1)
    assert pack(tmp_path / "s", tmp_path / "o").n_problems == 0
    synthetic.minute_path(tmp_path / "s", "2014-03-10T06:01").unlink()
    result = pack(tmp_path / "s", tmp_path / "o")
    assert result.days[0].n_frames == 3
    assert [problem.reason for problem in result.days[0].problems] == [
        "has 3 frames, the file that it took the place of 6"]  # fmt: skip
    assert pack(tmp_path / "s", tmp_path / "o").days[0].status == "skipped"


def test_what_a_killed_run_left_goes_and_another_program_is_waited_for(tmp_path):
    write(tmp_path / "s", "2014-03-10T06:00")
    out = tmp_path / "o"
    out.mkdir()
    left = out / f".{NAME}.4711.0123abcd.part"
    left.write_bytes(b"half a day file")
    with ThreadPoolExecutor(1) as thread:
        with Claims(out).hold(NAME):
            working = thread.submit(pack, tmp_path / "s", out)
            time.sleep(1.5)
            assert not working.done() and not (out / NAME).exists() and left.exists()
        assert working.result().days[0].status == "done"
    assert left_behind(out) == sorted([NAME, PROBLEMS_NAME]) or left_behind(out) == [NAME]


def test_a_damaged_frame_of_a_day_file_costs_itself_alone(tmp_path):
    for minute in range(3):
        write(tmp_path / "s", f"2014-03-10T06:{minute:02d}", seed=minute)
    pack(tmp_path / "s", tmp_path / "o", raw16=True)
    path = tmp_path / "o" / NAME
    with h5py.File(path) as file:
        raw = file["raw_images"]
        n_frames = len(file["iso_ut_time"])
        where = raw.id.get_chunk_info(4)
    with open(path, "r+b") as file:
        file.seek(where.byte_offset + where.size // 2)
        file.write(b"\xff" * 64)
    model = tinymodel.save(tinymodel.features_proto(tinymodel.weights()), tmp_path / "m.onnx")
    (night,) = classify_nights(tmp_path / "o", tmp_path / "c", DATE, DATE, model=model, dayfiles=True).nights
    assert night.n_frames == n_frames - 1
    (problem,) = night.problems
    assert "is damaged" in problem.reason and problem.n_frames_kept == n_frames // 3 - 1


def test_no_frames_no_file(tmp_path):
    path = synthetic.minute_path(tmp_path / "s", "2014-03-10T06:00")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    result = pack(tmp_path / "s", tmp_path / "o")
    assert [day.status for day in result.days] == ["empty"] and result.n_problems == 1
    assert left_behind(tmp_path / "o") == [PROBLEMS_NAME]
    with pytest.raises(UsageError, match="not a folder"):
        pack(tmp_path / "nowhere", tmp_path / "o")


def test_one_failed_day_leaves_nothing_and_stops_no_other(tmp_path, monkeypatch):
    write(tmp_path / "s", "2014-03-10T06:00")
    write(tmp_path / "s", "2014-03-10T06:01", seed=1)
    write(tmp_path / "s", "2014-03-10T06:00", site="rank", imager="themis18")
    real = themispack.read_minute

    def read(paths, metadata=True):
        if "0601_gill" in str(paths[0]):
            raise MemoryError("no room")
        return real(paths, metadata=metadata)

    monkeypatch.setattr(themispack, "read_minute", read)
    result = pack(tmp_path / "s", tmp_path / "o")
    assert [day.status for day in result.days] == ["failed", "done"] and result.n_failed == 1
    assert left_behind(tmp_path / "o") == ["all-images-2014-03-10-rank.h5", PROBLEMS_NAME]
    assert "no room" in (tmp_path / "o" / PROBLEMS_NAME).read_text()


def test_the_number_of_threads_changes_nothing(tmp_path):
    for minute in range(7):
        write(tmp_path / "s", f"2014-03-10T06:0{minute}", seed=minute)
    made = []
    for workers in (1, 3):
        pack(tmp_path / "s", tmp_path / f"o{workers}", raw16=True, workers=workers)
        made.append((tmp_path / f"o{workers}" / NAME).read_bytes())
    assert made[0] == made[1]


def test_few_parts_are_held_at_once(tmp_path, monkeypatch):
    """However long the day: what waits to be written is bounded by the number of threads."""
    for minute in range(30):
        write(tmp_path / "s", f"2014-03-10T06:{minute:02d}", n_frames=1, suffix=".pgm")
    n_under_way, most, lock = 0, 0, threading.Lock()
    real_pack, real_append = themispack.packed, packing.DayWriter.append

    def packed(*arguments, **known):
        nonlocal n_under_way, most
        with lock:
            n_under_way += 1
            most = max(most, n_under_way)
        return real_pack(*arguments, **known)

    def append(self, *arguments):
        nonlocal n_under_way
        time.sleep(0.01)
        with lock:
            n_under_way -= 1
        return real_append(self, *arguments)

    monkeypatch.setattr(themispack, "packed", packed)
    monkeypatch.setattr(packing.DayWriter, "append", append)
    pack(tmp_path / "s", tmp_path / "o", workers=2)
    assert n_under_way == 0 and most <= 2 * 2 + 1 + 1


def command(tmp_path, *arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PULSAURORA_LOGS": str(tmp_path / "logs")}
    return subprocess.Popen(
        [sys.executable, "-m", "pulsaurora", *map(str, arguments)],
        env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_stopped_half_way_it_leaves_nothing_half_named(tmp_path, sign):
    source = synthetic.minute_path(tmp_path / "s", "2014-03-10T06:00")
    write(tmp_path / "s", "2014-03-10T06:00", n_frames=20)
    for minute in range(1, 60):
        os.link(source, synthetic.minute_path(tmp_path / "s", f"2014-03-10T06:{minute:02d}"))
    arguments = ["pack", "themis", DATE, DATE, "--stream0", tmp_path / "s", "--out", tmp_path / "o"]
    running = command(tmp_path, *arguments, "--raw16", "--workers", 1)
    waited = time.monotonic() + 60
    while not list(tmp_path.glob("o/.*.part")) and running.poll() is None and time.monotonic() < waited:
        time.sleep(0.01)
    running.send_signal(sign)
    _, said = running.communicate(timeout=60)
    assert running.returncode == (143 if sign == signal.SIGTERM else 130), said[:1500]
    assert left_behind(tmp_path / "o") == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of file size are of POSIX")
def test_a_full_disk_is_one_line_and_no_file(tmp_path):
    for minute in range(3):
        write(tmp_path / "s", f"2014-03-10T06:0{minute}", n_frames=20, seed=minute)
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000));"
        "from pulsaurora.cli.main import run; sys.exit(run(sys.argv[1:]))"
    )
    arguments = ["pack", "themis", "2014-03-10", "2014-03-10", "--stream0", "s", "--out", "o"]
    done = subprocess.run(
        [sys.executable, "-c", limited, *arguments], env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=120,
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and "2014-03-10-gill: failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind(tmp_path / "o") == [PROBLEMS_NAME]
