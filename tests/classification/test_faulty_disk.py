"""`classify` where the disk is full or read-only, access is denied, or files change while they are read.

Every fault is a real one. A full or read-only disk is a small one mounted for the child alone; where that
is not allowed the test says so and is skipped. A superuser, whom no mode stops, gives up that right in the
child.
"""

import ctypes
import datetime
import gzip
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import savwriter
import synthetic
from outcomes import problems_of, table_of

from pulsaurora.archive.tables import read_classifications
from pulsaurora.classification.batch import run_batch
from pulsaurora.classification.engines import ThreadEngine
from pulsaurora.classification.nightfeatures import FeatureTask, keep_features
from pulsaurora.classification.tasks import list_tasks
from pulsaurora.cli import log, main
from pulsaurora.imaging import inflate, nightreader
from pulsaurora.imaging.themispack import pack_themis
from pulsaurora.problems import UnreadableFileError

DAYS = ("2014-03-09", "2014-03-10", "2014-03-11")
N_FRAMES = 40
_DROP_BOUND, _DAC_OVERRIDE, _DAC_READ_SEARCH = 24, 1, 2  # of prctl(2) and capabilities(7)


@pytest.fixture
def stream0(tmp_path):
    """A night on each of three dates, ten minutes each."""
    images = synthetic.pixels(4)
    for day in DAYS:
        for minute in range(10):
            start = f"{day}T06:{minute:02d}"
            path = synthetic.minute_path(tmp_path / "stream0", start)
            synthetic.write_minute(path, images, synthetic.frame_times(4, f"{start}:00.05"))
    return tmp_path / "stream0"


def command(stream0, out, model, logs):
    folders = ["--stream0", stream0, "--out", out, "--model", model]
    return [sys.executable, "-m", "pulsaurora", "--logs", logs, "classify", DAYS[0], DAYS[-1], *folders]


def run(arguments, **options):
    child = subprocess.run(
        list(map(str, arguments)), capture_output=True, text=True, cwd="/", check=False, **options
    )
    assert "Traceback" not in child.stderr and "Logging error" not in child.stderr, child.stderr
    return child


def on_small_disk(tmp_path, where, prepare, arguments):
    """Run a command with a small disk mounted at a folder; what is on it in the end is copied to `left`."""
    script = (
        f'mount -t tmpfs -o size=200k tmpfs "$0" || exit 77; {prepare}; left="$1"; shift; "$@"; said=$?; '
    )
    script += 'cp -a "$0/." "$left"; exit $said'
    where.mkdir(parents=True)
    (tmp_path / "left").mkdir()
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare to mount a small disk with")
    child = run(["unshare", "-rm", "sh", "-c", script, where, tmp_path / "left", *arguments])
    if child.returncode == 77 or child.stderr.startswith("unshare:"):
        pytest.skip(f"a small disk cannot be mounted here: {child.stderr.strip()[:100]}")
    return child


def nights_in(out):
    """Dates whose classification file is there; it and the table beside it must be whole."""
    found = []
    for path in sorted(out.rglob("*_classifications.txt")):
        assert len(read_classifications(path, [])) == N_FRAMES
        assert len(read_classifications(path.with_suffix(".parquet"))) == N_FRAMES
        found.append(path.name[:8])
    assert not [path for path in out.rglob("*") if path.name.endswith(".part")]
    return found


@pytest.mark.parametrize("room_kb", [0, 30, 90])
def test_a_full_disk_leaves_whole_files_only_and_is_told(stream0, model, tmp_path, room_kb):
    out = tmp_path / "out"
    fill = f'head -c {(200 - room_kb) * 1024} /dev/zero > "$0/filler"'
    child = on_small_disk(tmp_path, out, fill, command(stream0, out, model, tmp_path / "logs"))
    assert child.returncode == 1, child.stderr
    assert "No space left on device" in child.stderr
    left = tmp_path / "left"
    (left / "filler").unlink()
    done = nights_in(left)
    assert len(done) < 3
    # With room again it goes on, and comes out as if nothing had been.
    again = run(command(stream0, left, model, tmp_path / "logs"))
    assert again.returncode == 0, again.stderr
    assert f"{len(done)} done already" in again.stdout or not done
    assert len(nights_in(left)) == 3
    problems = left / "problems.csv"
    assert not problems.exists() or problems_of(left, stream0) == {}


def test_a_full_disk_of_logs_stops_nothing(stream0, model, tmp_path):
    logs = tmp_path / "logs"
    fill = 'head -c 200k /dev/zero > "$0/filler"'
    child = on_small_disk(tmp_path, logs, fill, command(stream0, tmp_path / "out", model, logs))
    assert child.returncode == 0, child.stderr
    assert len(nights_in(tmp_path / "out")) == 3
    assert child.stderr.count("No space left on device") == 1


def test_a_read_only_folder_is_refused_at_once(stream0, model, tmp_path):
    out = tmp_path / "out"
    child = on_small_disk(
        tmp_path, out, 'mount -o remount,ro "$0"', command(stream0, out, model, tmp_path / "logs")
    )
    assert child.returncode == 2 and f"{out}: cannot be written: Read-only file system" in child.stderr


def test_a_read_only_night_fails_and_the_others_are_done(stream0, model, tmp_path):
    out = tmp_path / "out"
    night = out / "2014/03/10"
    child = on_small_disk(
        tmp_path, night, 'mount -o remount,ro "$0"', command(stream0, out, model, tmp_path / "logs")
    )
    assert child.returncode == 1
    assert nights_in(out) == ["20140309", "20140311"]
    ((told, (reason, kept)),) = [(path, *found) for path, found in problems_of(out, stream0).items()]
    assert told.endswith("20140310_gill_themis19_classifications.txt") and kept == 0
    assert "not made: [Errno 30] Read-only file system" in reason


def test_what_stands_in_the_way_of_results_is_told(stream0, model, tmp_path):
    out = tmp_path / "out"
    (out / "2014/03").mkdir(parents=True)
    (out / "2014/03/09").write_text("a file where a folder should be")
    (out / "2014/03/10/20140310_gill_themis19_classifications.txt").mkdir(parents=True)
    child = run(command(stream0, out, model, tmp_path / "logs"))
    assert child.returncode == 1
    assert [path.name[:8] for path in out.rglob("*_classifications.txt") if path.is_file()] == ["20140311"]
    assert sorted(path.rpartition("/")[2][:8] for path in problems_of(out, stream0)) == [
        "20140309",
        "20140310",
    ]
    (out / "problems.csv").unlink()
    (out / "problems.csv").mkdir()
    child = run(command(stream0, out, model, tmp_path / "logs"))
    assert child.returncode == 2 and "problems.csv" in child.stderr


def without_privilege():
    """In a child, before it runs its program: modes of files hold for a superuser too."""
    library = ctypes.CDLL(None)
    for right in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
        library.prctl(_DROP_BOUND, right, 0, 0, 0)


@pytest.fixture
def unprivileged(tmp_path):
    """Options of `run` for a child that modes of files hold for."""
    if not sys.platform.startswith("linux"):
        pytest.skip("dropping privileges is done as on Linux")
    locked = tmp_path / "locked"
    locked.touch(mode=0)
    if run(["cat", locked], preexec_fn=without_privilege).returncode == 0:
        pytest.skip("modes of files hold for nobody here")
    return {"preexec_fn": without_privilege}


def test_permission_denied(stream0, model, tmp_path, unprivileged):
    def at(day, minute="06:00"):
        return synthetic.minute_path(stream0, f"{day}T{minute}")

    file, hour = at(DAYS[0], "06:03"), at(DAYS[1]).parent
    later = synthetic.write_minute(
        at(DAYS[1], "07:00"), synthetic.pixels(2), synthetic.frame_times(2, "2014-03-10T07:00")
    )
    skymap = at(DAYS[2]).parent.parent / "themis_skymap_gill_20130901-+_v02.sav"
    skymap.write_bytes(savwriter.skymap_bytes())
    hidden = stream0 / "skymaps/gill"  # its names can be read, and nothing besides
    hidden.mkdir(parents=True)
    (hidden / "themis_skymap_gill_20130801-+_v02.sav").write_bytes(savwriter.skymap_bytes())
    for path, mode in ((file, 0), (hour, 0), (skymap, 0), (hidden, 0o444), (later.parent, 0o444)):
        path.chmod(mode)
    try:
        out = tmp_path / "out"
        child = run(command(stream0, out, model, tmp_path / "logs"), **unprivileged)
        found = problems_of(out, stream0)
        locked = tmp_path / "locked-out"
        locked.mkdir(mode=0o555)
        refused = run(command(stream0, locked, model, tmp_path / "logs"), **unprivileged)
    finally:
        for path in (file, hour, skymap, hidden, later.parent):
            path.chmod(0o755)
    assert child.returncode == 3, child.stderr
    assert len(table_of(out, (DAYS[0], "gill", "themis19"))) == N_FRAMES - 4
    assert len(table_of(out, (DAYS[2], "gill", "themis19"))) == N_FRAMES
    assert {path: [reason for reason, _ in told] for path, told in found.items()} == {
        file.relative_to(stream0).as_posix(): ["cannot be read (Permission denied)"],
        hour.relative_to(stream0).as_posix(): ["cannot be listed (Permission denied), passed over"],
        later.relative_to(stream0).as_posix(): ["cannot be read (Permission denied)"],
        skymap.relative_to(stream0).as_posix(): [
            f"{skymap.name}: cannot be read (Permission denied); the sky is where the frames show it"
        ],
    }
    assert refused.returncode == 2 and "cannot be written: Permission denied" in refused.stderr


def classify_here(stream0, out, model, tmp_path):
    try:
        return main.run([str(word) for word in command(stream0, out, model, tmp_path / "logs")[3:]])
    finally:
        log.stop()


def test_files_that_change_between_the_listing_and_the_reading(stream0, model, tmp_path, monkeypatch):
    paths = [synthetic.minute_path(stream0, f"2014-03-10T06:{minute:02d}") for minute in range(10)]
    whole, lock, changed = nightreader.read_minute, threading.Lock(), []

    def change_first(minute, *more, **known):
        with lock:
            if minute[0] in paths and not changed:
                changed.append(True)
                change()
        return whole(minute, *more, **known)

    def change():
        paths[2].unlink()
        paths[3].write_bytes(paths[3].read_bytes()[:-200_000])
        grown = synthetic.minute(synthetic.pixels(2), synthetic.frame_times(2, "2014-03-10T06:04:12"))
        paths[4].write_bytes(paths[4].read_bytes() + gzip.compress(grown))
        paths[5].unlink()
        paths[5].mkdir()
        paths[6].write_bytes(b"")

    monkeypatch.setattr(nightreader, "read_minute", change_first)
    out = tmp_path / "out"
    assert classify_here(stream0, out, model, tmp_path) == 3
    found = {
        path.partition("ut06/20140310_")[2][:4]: told
        for path, told in problems_of(out, stream0).items()
        if "/10/" in path
    }
    assert {minute: kept for minute, ((_, kept),) in found.items()} == {
        "0602": 0,
        "0603": 1,
        "0605": 0,
        "0606": 0,
    }
    table = table_of(out, (DAYS[1], "gill", "themis19"))
    assert len(table) == N_FRAMES - 3 * 4 - 3 + 2
    assert table["time"].is_monotonic_increasing and table["time"].is_unique
    assert len(table_of(out, (DAYS[0], "gill", "themis19"))) == N_FRAMES


def test_files_that_grow_shrink_and_vanish_all_the_while(stream0, model, tmp_path):
    """Frames of quiet files are all there; of restless ones there is nothing that was never written."""
    restless = [synthetic.minute_path(stream0, f"2014-03-10T06:{minute:02d}") for minute in range(0, 10, 2)]
    whole = [path.read_bytes() for path in restless]
    over = threading.Event()

    def disturb():
        rng = np.random.default_rng(0)
        while not over.is_set():
            i = int(rng.integers(len(restless)))
            kind = int(rng.integers(4))
            restless[i].unlink(missing_ok=True)
            with open(restless[i], "wb") as file:  # a writer at work: one piece after the other
                for at in range(0, len(whole[i]), 60_000):
                    file.write(whole[i][at : at + 60_000])
                    file.flush()
                    if kind == 1 and at > 200_000:
                        break
            if kind == 2:
                os.truncate(restless[i], int(rng.integers(len(whole[i]))))
            elif kind == 3:
                restless[i].unlink()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        statuses = [classify_here(stream0, tmp_path / f"out{i}", model, tmp_path) for i in range(4)]
    finally:
        over.set()
        thread.join()
    assert set(statuses) <= {0, 3}
    starts = {f"2014-03-10T06:{minute:02d}": minute % 2 for minute in range(10)}
    quiet = np.concatenate(
        [synthetic.frame_times(4, f"{start}:00.05") for start, odd in starts.items() if odd]
    )
    all_times = np.concatenate([synthetic.frame_times(4, f"{start}:00.05") for start in starts])
    for i in range(4):
        table = table_of(tmp_path / f"out{i}", (DAYS[1], "gill", "themis19"))
        times = table["time"].to_numpy().astype("M8[us]")
        assert (np.diff(times) > np.timedelta64(0)).all()
        assert set(quiet) <= set(times) <= set(all_times)
    # When they have come to rest, what was done before is done again from what is there now.
    for path, data in zip(restless, whole, strict=True):
        path.unlink(missing_ok=True)
        path.write_bytes(data)
    assert classify_here(stream0, tmp_path / "out0", model, tmp_path) == 0
    assert len(table_of(tmp_path / "out0", (DAYS[1], "gill", "themis19"))) == N_FRAMES


def test_what_could_not_be_read_for_a_while_is_taken_in_by_the_next_run(stream0, tmp_path, monkeypatch):
    away, whole = "20140310_0603", inflate._read_bytes
    day = datetime.date(2014, 3, 10)

    def features():
        def days(problems):
            return list_tasks(stream0, tmp_path / "f", day, day, None, problems=problems, kind=FeatureTask)

        engine = ThreadEngine(1)
        (night,) = run_batch(
            days, stream0, tmp_path / "f", day, day, None, engine, None, None, keep_features
        ).nights
        return night.status, night.n_frames

    def dayfile():
        (night,) = pack_themis(stream0, tmp_path / "d", day, day, workers=1).nights
        return night.status, night.n_frames

    def disk_away(path):
        if away in str(path):
            raise UnreadableFileError(f"{path}: cannot be read (Input/output error)")
        return whole(path)

    monkeypatch.setattr(inflate, "_read_bytes", disk_away)
    assert (features(), dayfile()) == (("done", N_FRAMES - 4), ("done", N_FRAMES - 4))
    monkeypatch.setattr(inflate, "_read_bytes", whole)
    assert (features(), dayfile()) == (("done", N_FRAMES), ("done", N_FRAMES))
    assert (features(), dayfile()) == (("skipped", N_FRAMES), ("skipped", N_FRAMES))
