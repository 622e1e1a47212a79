"""Memory and start-up, each in a process of its own; nothing here stands beside a peer.

    python -m pytest benchmarks/test_footprint.py -o addopts= -s

A night of 15,000 frames (750 minute files) and the longest that a UT date can hold (1,440); one night and ten
in one process; help, and `classify` on one minute file; a package folder that nobody may write to.
"""

import datetime
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from conftest import WORKERS
from nights import DATE, ROOT, repeat
from ratios import require

LONG, LONGEST = 750, 1440  # minutes
N_NIGHTS, SHORT = 10, 60
MEGABYTE = 1e6
# Peak and what is there at the end, in bytes. Not ru_maxrss: that begins with what the parent process held.
CHILD = """
import datetime, json, sys
from pulsaurora.classification.batch import classify_nights
stream0, out, start, end, workers = sys.argv[1:]
start, end = map(datetime.date.fromisoformat, (start, end))
result = classify_nights(stream0, out, start, end, workers=int(workers))
with open("/proc/self/status") as file:
    status = dict(line.split(":", 1) for line in file)
print(json.dumps({
    "peak": 1024 * int(status["VmHWM"].split()[0]), "end": 1024 * int(status["VmRSS"].split()[0]),
    "frames": sum(night.n_frames for night in result.nights), "problems": result.n_problems,
}))
"""


def run(*command, **variables):
    """Run a Python of its own on this checkout; what it printed."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path} | variables
    return subprocess.run(
        [sys.executable, *map(str, command)], check=True, env=environment, capture_output=True, text=True
    ).stdout


def memory(stream0, out, n_nights=1):
    last = DATE + datetime.timedelta(n_nights - 1)
    return json.loads(run("-c", CHILD, stream0, out, DATE, last, WORKERS))


@pytest.fixture
def archive(tmp_path):
    """A folder for gigabytes, gone when the test is over."""
    yield tmp_path / "archive"
    shutil.rmtree(tmp_path / "archive")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
def test_memory_of_a_long_night_and_of_the_longest(alone, minutes, archive, tmp_path):
    peaks = {}
    for n_minutes in (LONG, LONGEST):
        repeat(minutes, archive, n_minutes, fast=True)
        used = memory(archive, tmp_path / f"out{n_minutes}")
        assert used["frames"] == 20 * n_minutes and not used["problems"]
        peaks[n_minutes] = used["peak"] / MEGABYTE
    rows = [
        alone.figure(f"memory, peak: a night of {20 * n:,} frames", peak, "MB", aim=600, least=600)
        for n, peak in peaks.items()
    ]
    alone.note(
        f"memory, peak: {20 * LONGEST:,} frames", f"{20 * LONG:,} frames", peaks[LONGEST], peaks[LONG],
        larger=False, unit="MB",
    )  # fmt: skip
    for row in rows:
        require(row)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
def test_ten_nights_end_where_one_ends(alone, minutes, archive, tmp_path):
    for number in range(N_NIGHTS):
        repeat(minutes, archive, SHORT, DATE + datetime.timedelta(number), fast=True)
    one = memory(archive, tmp_path / "one")
    ten = memory(archive, tmp_path / "ten", N_NIGHTS)
    assert ten["frames"] == N_NIGHTS * one["frames"] and not ten["problems"]
    ends = [used["end"] / MEGABYTE for used in (ten, one)]
    row = alone.note(
        f"memory, at the end: {N_NIGHTS} nights", "one night", *ends, larger=False, unit="MB",
        aim=1.05, least=1.05,
    )  # fmt: skip
    require(row)


def seconds(*command, **variables):
    """The least of five starts; the first compiles and reads the disk."""
    took = []
    for _ in range(6):
        began = time.perf_counter()
        run(*command, **variables)
        took.append(time.perf_counter() - began)
    return min(took[1:])


def test_help_comes_at_once(alone, tmp_path):
    took = seconds("-m", "pulsaurora", "--help", PULSAURORA_LOGS=str(tmp_path))
    require(alone.figure("start-up: pulsaurora --help", took, "s", aim=0.4, least=0.4))


def classify_one_minute(stream0, tmp_path):
    command = ["-m", "pulsaurora", "--logs", tmp_path / "logs", "classify", DATE, DATE]
    return [*command, "--stream0", stream0, "--out", tmp_path / "out", "--overwrite"]


def test_one_minute_file(alone, minutes, tmp_path):
    stream0 = tmp_path / "stream0"
    repeat(minutes, stream0, 1)
    took = seconds(*classify_one_minute(stream0, tmp_path))
    require(alone.figure("start-up: classify, one minute file", took, "s", aim=2.5, least=2.5))


def test_nothing_is_written_beside_the_package(alone, minutes, tmp_path):
    """A copy of the package without its compiled Python, as someone else's install is: read only."""
    package = tmp_path / "installed/pulsaurora"
    shutil.copytree(ROOT / "pulsaurora", package, ignore=shutil.ignore_patterns("__pycache__", "*.c"))
    stream0, home = tmp_path / "stream0", tmp_path / "home"
    home.mkdir()
    repeat(minutes, stream0, 1)
    before = sorted(package.rglob("*"))
    command = classify_one_minute(stream0, tmp_path)
    environment = {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(package.parent)}
    run_there = subprocess.run(
        [sys.executable, *map(str, command)], env=os.environ | environment, cwd=tmp_path, capture_output=True
    )
    assert run_there.returncode == 0, run_there.stderr
    assert sorted(package.rglob("*")) == before
    # astropy makes its folders where it is imported; numbers, models and messages are not to be kept there.
    assert not [path for path in home.rglob("*") if path.is_file()], "a cache was written for the user"
