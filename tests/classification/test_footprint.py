"""What a night leaves in memory and on the disk; benchmarks/test_footprint.py measures it."""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import synthetic
import tinymodel

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import datetime, json, sys
from pulsaurora.classification.batch import classify_nights
date = datetime.date(2014, 3, 10)
result = classify_nights(sys.argv[1], sys.argv[2], date, date, workers=2, model=sys.argv[3])
# Not ru_maxrss: that begins with what the parent process held.
with open("/proc/self/status") as file:
    status = dict(line.split(":", 1) for line in file)
print(json.dumps([int(status["VmHWM"].split()[0]), sum(night.n_frames for night in result.nights)]))
"""


def write_night(root, n_minutes):
    images = synthetic.pixels(20)
    plain = synthetic.minute(images, synthetic.frame_times(20, "2014-03-10T06:00:00.05"))
    for minute in range(n_minutes):
        hour, minute = 6 + minute // 60, minute % 60
        path = synthetic.minute_path(root, f"2014-03-10T{hour:02d}:{minute:02d}", suffix=".pgm")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(plain.replace(b"2014-03-10 06:00:", b"2014-03-10 %02d:%02d:" % (hour, minute)))


@pytest.fixture
def classify(tmp_path):
    """Classify in a process of its own, at home in an empty folder: peak memory (KiB) and frames."""
    home = tmp_path / "home"
    home.mkdir()
    model = tinymodel.save(tinymodel.features_proto(), tmp_path / "tiny.onnx")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])

    def call(root):
        command = [sys.executable, "-c", CHILD, str(root), str(root / "out"), str(model)]
        environment = os.environ | {"PYTHONPATH": path, "HOME": str(home)}
        environment.pop("ORT_DISABLE_TELEMETRY", None)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    yield call
    assert not [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
def test_a_night_three_times_as_long_takes_no_more_memory_and_nothing_is_left_at_home(tmp_path, classify):
    peaks = {}
    for n_minutes in (20, 60):
        root = tmp_path / str(n_minutes)
        write_night(root, n_minutes)
        peaks[n_minutes], n_frames = classify(root)
        assert n_frames == 20 * n_minutes
    assert peaks[60] < 1.15 * peaks[20]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
def test_what_was_freed_is_given_back():
    """Blocks too small to be mapped alone, freed under one that is kept: glibc holds on to all of them."""
    code = """
import ctypes, sys
from pulsaurora.workers import give_back_memory
libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_trim"):
    sys.exit(77)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
blocks = []
for _ in range(1000):
    blocks.append(libc.malloc(60_000))
    ctypes.memset(blocks[-1], 1, 60_000)
for block in blocks[:-1]:
    libc.free(block)
held = resident()
give_back_memory()
sys.exit(held - resident() < 40e6)
"""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, timeout=60)
    if done.returncode == 77:
        pytest.skip("this C library keeps nothing that can be given back")
    assert done.returncode == 0


def test_a_batch_gives_back_memory_when_it_has_ended(tmp_path, monkeypatch):
    from pulsaurora.classification import batch

    given = []
    monkeypatch.setattr(batch, "give_back_memory", lambda: given.append(True))
    write_night(tmp_path, 1)
    date = datetime.date(2014, 3, 10)
    model = tinymodel.save(tinymodel.features_proto(), tmp_path / "tiny.onnx")
    assert batch.classify_nights(tmp_path, tmp_path / "out", date, date, model=model).nights
    assert given == [True]


def test_minutes_read_into_the_same_memory_are_as_those_read_apart(tmp_path):
    from pulsaurora.archive.layout import find_nights
    from pulsaurora.imaging.nightreader import open_minutes

    for minute in (0, 1):
        start = f"2014-03-10T06:{minute:02d}"
        times = synthetic.frame_times(20 + 5 * minute, f"{start}:00.05", 2)
        images = synthetic.pixels(len(times), seed=minute)
        synthetic.write_minute(synthetic.minute_path(tmp_path, start), images, times)
    ((night,), _) = find_nights(tmp_path, "2014-03-10", "2014-03-10")
    minutes = night.hours[6]
    with open_minutes(night) as read, open_minutes(night, reuse=True) as read_again:
        apart = [read(minute).images for minute in minutes]
        one = read_again(minutes[0]).images
        assert np.array_equal(one, apart[0])
        more = read_again(minutes[1]).images  # 25 frames: more than there is room for
        assert np.array_equal(more, apart[1]) and np.array_equal(one, apart[0])
        assert np.shares_memory(read_again(minutes[0]).images, one)
