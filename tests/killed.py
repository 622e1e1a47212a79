"""Batches that are killed and started again: a small archive, runs of the command, what they leave."""

import datetime
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import synthetic

ROOT = Path(__file__).resolve().parents[1]
START, END = datetime.date(2014, 3, 1), datetime.date(2014, 3, 4)
LONGEST_S = 180  # only what hangs reaches it

_started = []


def make_archive(root, sites=("gill", "rank"), n_minutes=5):
    """Two nights on each of four dates, of five minutes of 20 frames, one of which is cut in each."""
    images = synthetic.pixels(20)
    for day in range((END - START).days + 1):
        for site in sites:
            for minute in range(n_minutes):
                start = f"{START + datetime.timedelta(day)}T06:{minute:02d}"
                path = synthetic.minute_path(root, start, site, suffix=".pgm")
                shifted = np.roll(images, 7 * day + minute, axis=1)
                times = synthetic.frame_times(20, f"{start}:00.05")
                synthetic.write_minute(path, shifted, times, site=site)
            path.write_bytes(path.read_bytes()[:-1000])
    return root


def start_batch(out, *arguments, command="classify", cwd=None, **known):
    """Start the command over the whole archive as a program of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    program = [sys.executable, "-m", "pulsaurora", *command.split()]
    process = subprocess.Popen(
        [*program, str(START), str(END), "--out", str(out), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd or Path(out).parent,
        env=environment | known,
    )
    _started.append(process)
    return process


def end_all():
    """Kill whatever batches still run, where a test failed."""
    for process in _started:
        if process.poll() is None:
            process.kill()
            process.communicate()
    _started.clear()


def finish(process):
    """Wait for a program; return its exit status, and what it said on both streams."""
    with process:
        out, error = process.communicate(timeout=LONGEST_S)
    return process.returncode, out, error


def tree(out):
    """All that lies in a folder: dict of path to bytes, without the line that tells when a file was made."""
    found = {}
    for path in sorted(Path(out).rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if content.startswith(b"# File created on "):
                content = content.split(b"\n", 1)[1]
            found[path.relative_to(out).as_posix()] = content
        elif not any(path.iterdir()):
            found[path.relative_to(out).as_posix()] = None
    return found


def wait_until(true, process=None, every_s=0.002):
    """Wait until something holds, while a program runs, and return it; fail if the program ends first."""
    until = time.monotonic() + LONGEST_S
    while not (found := true()):
        if process is not None and process.poll() is not None:
            raise AssertionError(f"ended early: {process.communicate()}")
        if time.monotonic() > until:
            raise AssertionError("did not come true")
        time.sleep(every_s)
    return found


def kill_again_and_again(out, n_kills, rng, command, expected, at_once=1):
    """Start a batch, kill it at a random moment, start it again; whenever it ends, look at what it left.

    A batch that ended is begun anew with an empty folder. The last one is not killed.

    Parameters
    ----------
    out : path-like
        Must not be there.
    n_kills : int
        How many times a batch is killed at its work.
    rng : numpy.random.Generator
    command : list of str
        Arguments of `start_batch` after `out`; the first names the command.
    expected : dict
        What an undisturbed batch leaves, as `tree` tells it.
    at_once : int
        Programs that work on the folder together; one of them is killed, and the others are in the end.

    Returns
    -------
    n_ended : int
        How many batches came to their end and left what was expected.
    seconds : list of float
        From the beginning of the work to each kill.
    """
    name, *arguments = command
    seconds, n_ended, longest_s = [], 0, 1.0
    while True:
        wanted = len(seconds) < n_kills
        batches = [start_batch(out, *arguments, command=name) for _ in range(at_once)]
        wait_until(lambda: (Path(out) / ".batch").is_dir() or batches[0].poll() is not None)  # noqa: B023
        if wanted:
            began = time.monotonic()
            moment = began + rng.uniform(0, longest_s)
            wait_until(lambda: time.monotonic() > moment or batches[0].poll() is not None)  # noqa: B023
            met = time.monotonic() - began
            batches[0].send_signal(signal.SIGKILL)
        ends = [finish(batch) for batch in batches]
        if ends[0][0] == -signal.SIGKILL:
            seconds.append(met)
        statuses = {status for status, _, _ in ends if status != -signal.SIGKILL}
        if statuses - {3}:  # in every night a file is cut: done, with problems
            raise AssertionError(f"ended with {statuses}: {ends}")
        if statuses and len(ends) > 1 and wanted:
            # One may have been killed after the others had ended: its claims are the next run's to remove.
            ends = [finish(start_batch(out, *arguments, command=name))]
        if statuses:
            found = tree(out)
            if found != expected:
                differing = sorted(name for name, _ in found.items() ^ expected.items())
                raise AssertionError(f"after {len(seconds)} kills other files than undisturbed: {differing}")
            n_ended += 1
            if not wanted:
                return n_ended, seconds
            shutil.rmtree(out)
