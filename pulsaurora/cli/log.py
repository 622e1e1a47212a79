"""Where a command says what it does: the log file, the terminal, and the progress bar.

The library logs to loggers under `pulsaurora` and knows nothing of this. A command calls `start` once it
knows that it has work to do; then everything goes to a new file under `logs/`, and what matters to standard
error: plain lines, or a progress bar with warnings above it where that is a terminal.
"""

import contextlib
import logging
import os
import sys
import time
from pathlib import Path

WARNINGS_SHOWN = 50  # on the terminal

_LOGGER = logging.getLogger("pulsaurora")
_chosen = {"folder": "logs", "debug": False}
_state = {"progress": None, "handlers": []}


def choose(folder, debug):
    """Remember where the log file goes and whether it tells details."""
    _chosen.update(folder=folder, debug=debug)


def start(command):
    """Open the log of one command; return the file's path, or None if it cannot be written.

    Parameters
    ----------
    command : str
        Name of the command, part of the file's name.
    """
    stop()
    level = logging.DEBUG if _chosen["debug"] else logging.INFO
    _LOGGER.setLevel(level)
    _LOGGER.propagate = False
    console = _Console(logging.WARNING if sys.stderr.isatty() else logging.INFO)
    console.setFormatter(_utc("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    _add(console)

    started = time.strftime("%Y%m%d_%H%M%S", time.gmtime())
    path = Path(_chosen["folder"]) / f"{started}_{command}_{os.getpid()}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        to_file = _File(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        _LOGGER.warning("no log file: %s", error)
        return None
    to_file.setFormatter(_utc("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ"))
    to_file.setLevel(level)
    _add(to_file)
    return path


def stop():
    """Close the log file and take the handlers off."""
    for handler in _state["handlers"]:
        _LOGGER.removeHandler(handler)
        handler.close()
    _state["handlers"] = []


@contextlib.contextmanager
def progress(description, total=None, in_bytes=False):
    """Show how far the work is, on a terminal; elsewhere the log lines do.

    Parameters
    ----------
    description : str
    total : int, optional
    in_bytes : bool
        Whether what is counted are bytes, shown with their rate.

    Yields
    ------
    callable
        `advance(n=1, description=None, total=None)`, safe to call from any thread.
    """
    if not sys.stderr.isatty():
        yield lambda n=1, description=None, total=None: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *((DownloadColumn(), TransferSpeedColumn()) if in_bytes else (TaskProgressColumn(),)),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task(description, total=total)
        _state["progress"] = bar

        (shown,) = bar.tasks

        def advance(n=1, description=None, total=None):
            if total is not None:
                shown.total = total  # by `update`, every new total would make it forget the rate
            changed = {} if description is None else {"description": description}
            bar.update(task, advance=n, **changed)

        try:
            yield advance
        finally:
            _state["progress"] = None


def finish_progress():
    """Stop the progress bar, if one is shown, so that a last line stands by itself."""
    if _state["progress"] is not None:
        _state["progress"].stop()
        _state["progress"] = None


class _Console(logging.Handler):
    """Writes to standard error, above the progress bar while one is shown; not every warning of thousands."""

    def __init__(self, level):
        super().__init__(level)
        self.n_warnings = 0

    def emit(self, record):
        if getattr(record, "shown", False):
            return
        try:
            line = self.format(record)
            if record.levelno == logging.WARNING:
                self.n_warnings += 1
                if self.n_warnings == WARNINGS_SHOWN + 1:
                    line = "more warnings are in the log file only"
                elif self.n_warnings > WARNINGS_SHOWN:
                    return
            if _state["progress"] is not None:
                _state["progress"].console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                print(line, file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)


class _File(logging.FileHandler):
    """The log file; where it cannot be written (disk full), that is said once and the work goes on."""

    def handleError(self, record):  # noqa: N802 - the name is logging's
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif self.level <= logging.CRITICAL:
            self.setLevel(logging.CRITICAL + 1)
            _LOGGER.warning("the log file ends here: %s", error)

    def close(self):
        with contextlib.suppress(OSError):
            super().close()


def _add(handler):
    _LOGGER.addHandler(handler)
    _state["handlers"].append(handler)


def _utc(line, date):
    formatter = logging.Formatter(line, date)
    formatter.converter = time.gmtime
    return formatter
