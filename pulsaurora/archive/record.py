"""The record that a running batch keeps in its output folder: the manifest, and how far it is.

What a run says of itself, for `pulsaurora status`, is a small file under `OUT/.batch/runs` that is written
anew every few seconds and is gone when the run has ended. It is of no use to anything else.
"""

import contextlib
import json
import logging
import threading
import time
from dataclasses import asdict
from pathlib import Path

from pulsaurora.archive.claims import FOLDER, Holder
from pulsaurora.archive.files import whole_file
from pulsaurora.archive.manifest import FAILED, TO_DO, Row, relative, update_manifest

WRITE_S = 5.0
# What a run says of itself.
_NUMBERS = ("began", "beat", "took_s", "n_done", "n_failed", "n_skipped", "n_frames", "listed", "pid")
_WORDS = ("host", "about")

_log = logging.getLogger(__name__)


class Record:
    """Of one run, kept by a thread of its own.

    Parameters
    ----------
    out : path-like
    about : str
        What the run does, in a few words.
    within : tuple
        First and last date, sites and shard, as `Row.is_within` takes them.
    """

    def __init__(self, out, about, within):
        self.out, self._within = Path(out), within
        self._holder = Holder.new()
        self.path = self.out / FOLDER / "runs" / f"{self._holder.id}.json"
        self._told = {"about": about, "began": time.time(), "n_done": 0, "n_failed": 0, "n_skipped": 0}
        self._told |= {"n_frames": 0, "listed": False}
        self._began = time.monotonic()
        self._rows, self._to_do, self._seen, self._kinds = {}, {}, set(), set()
        self._replaced = set()
        self._changing = threading.Lock()
        self._stop, self._news = threading.Event(), threading.Event()
        self._threads = []

    @contextlib.contextmanager
    def kept(self, list_days):
        """Keep the record while the block runs.

        Parameters
        ----------
        list_days : callable
            Takes a list for problems and yields lists of tasks, as `list_tasks` does. It is gone through by
            a thread of the record's own, ahead of the work, so that the manifest soon has all that is to do;
            of each task a name is kept.
        """
        self._threads = [
            threading.Thread(target=target, args=arguments, name="record", daemon=True)
            for target, arguments in ((self._list, (list_days,)), (self._write_often, ()))
        ]
        for thread in self._threads:
            thread.start()
        ended = False
        try:
            yield
            self._threads[0].join()  # of a run that did little
            ended = True
        finally:
            self._stop.set()
            self._news.set()
            for thread in self._threads:
                thread.join()
            self._write(ended)
            self._end()

    def add(self, result):
        """Take in the result of a night."""
        row = Row.of(result, self.out)
        with self._changing:
            self._rows[row.file] = row
            self._see(row)
            name = {"done": "n_done", "failed": "n_failed"}.get(result.status, "n_skipped")
            self._told[name] += 1
            self._told["n_frames"] += result.n_frames if result.status == "done" else 0

    def became_others(self, path):
        """Take in that a task has ended and that what it was to make has other names."""
        with self._changing:
            self._replaced.add(relative(path, self.out))

    def _see(self, row):
        self._seen.add(row.file)
        self._kinds.add(row.kind)

    def _list(self, list_days):
        try:
            for tasks in list_days([]):
                rows = [Row(relative(task.path, self.out), task.name, TO_DO) for task in tasks]
                with self._changing:
                    for row in rows:
                        self._to_do[row.file] = row
                        self._see(row)
                if self._stop.is_set():
                    return
        except Exception:
            # The work lists the same and tells what is wrong; here only the outlook is lost.
            _log.debug("listing ahead failed", exc_info=True)
            return
        with self._changing:
            self._told["listed"] = True
        self._news.set()

    def _write_often(self):
        while True:
            began = time.monotonic()
            self._write()
            # The more programs and nights, the longer it takes; a twentieth of the time may go into it.
            self._news.wait(max(WRITE_S, 20 * (time.monotonic() - began)))
            self._news.clear()
            if self._stop.is_set():
                return

    def _write(self, ended=False):
        """Write both files; at the end, rows of nights that are no longer in the archive go."""
        with self._changing:
            rows, to_do = list(self._rows.values()), list(self._to_do.values())
            self._rows, self._to_do = {}, {}
            took = time.monotonic() - self._began  # not by a clock that may be set
            told = json.dumps({**asdict(self._holder), **self._told, "beat": time.time(), "took_s": took})
            ended = ended and self._told["listed"]
        try:
            update_manifest(self.out, rows, to_do, self._is_gone if ended else None)
            with whole_file(self.path) as passing:
                passing.write_text(told, encoding="utf-8")
        except OSError as error:
            # The nights matter more; they fail by themselves if nothing can be written.
            _log.debug("the manifest could not be written: %s", error)
            with self._changing:
                self._rows = {row.file: row for row in rows} | self._rows
                self._to_do = {row.file: row for row in to_do} | self._to_do

    def _end(self):
        """Remove the run's file, what runs that were killed left beside it, and the folder if it is empty."""
        self.path.unlink(missing_ok=True)
        folder = self.path.parent
        if not any(run["alive"] for run in read_runs(self.out)):
            for left in folder.glob("*"):
                left.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()

    def _is_gone(self, row):
        if row.state not in (TO_DO, FAILED) or row.kind not in self._kinds:
            return False
        if row.file in self._seen and row.file not in self._replaced:
            return False
        return row.is_within(*self._within)


def read_runs(out):
    """Read what the runs in an output folder say of themselves.

    Returns
    -------
    list of dict
        `host`, `pid`, `about`, `began` and `beat` (seconds since 1970), `took_s` between these, `n_done`,
        `n_failed`, `n_skipped`, `n_frames`, `listed` (whether all that it has to do is in the manifest), and
        `alive`. What is no such file, or another version's, is left out.
    """
    runs = []
    for path in sorted((Path(out) / FOLDER / "runs").glob("[!.]*.json")):
        holder = Holder.read(path)
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            numbers = [told[name] for name in _NUMBERS]
            told["alive"] = holder is not None and holder.is_alive(path)
            if all(isinstance(number, (int, float)) for number in numbers) and {*_WORDS} <= {*told}:
                runs.append(told)
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return runs
