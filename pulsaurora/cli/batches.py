"""What `classify` and `events` share: what is said of a batch over many nights."""

import contextlib
import logging
import re
from collections import Counter

import typer

from pulsaurora.cli import log
from pulsaurora.problems import UsageError

_FILE = {"shown": True}  # to the log file only: the terminal has it already, or has no use for it
_WORDS = {"done": "done", "skipped": "done already", "failed": "failed"}
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def resumable(out):
    """Say how to go on when the block is stopped by Ctrl-C or SIGTERM."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        log.finish_progress()
        said = f"stopped; what is done is under {out}, and the same command goes on from there"
        _log.warning(said, extra=_FILE)
        typer.echo(f"{said} (`pulsaurora status {out}` says how far it is)", err=True)
        raise


def tell_absent(sites, nights):
    """Name the sites asked for that had no night at all; it may be a slip.

    Parameters
    ----------
    sites : iterable of str, or None for all
    nights : list of NightResult
    """
    # Nights are named YYYYMMDD_SITE_IMAGER, day files YYYY-MM-DD-SITE.
    found = {part for night in nights for part in re.split("[_-]", night.name)}
    absent = sorted(set(sites or ()) - found)
    if absent:
        said = f"no frames of {', '.join(absent)} on these dates"
        _log.info("%s", said, extra=_FILE)
        typer.echo(said, err=True)


def tell(result, out, log_path, nothing, seconds, sites, shard):
    """Print what came of a batch; return the exit status.

    Parameters
    ----------
    result : BatchResult
    out : Path
    log_path : Path or None
    nothing : str
        What is wrong when there is neither a night nor a problem.
    seconds : float
        It took.
    sites : list of str or None
        Those asked for; all when None.
    shard : Shard or None
        A part of a batch may well have no night, and none of some sites.
    """
    from pulsaurora.archive.problem_table import PROBLEMS_NAME

    if shard is None and not result.nights and not result.problems:
        raise UsageError(nothing)
    statuses = Counter(night.status for night in result.nights)
    said = ", ".join(f"{statuses[status]} {word}" for status, word in _WORDS.items() if statuses[status])
    said = f"nights: {said or 'none'}"
    done = [night for night in result.nights if night.status == "done"]
    counts = Counter()
    for night in done:
        counts.update(night.n_labels)
    n_frames = sum(night.n_frames for night in done)
    found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    rate = f"{n_frames} frames" + (f" ({found})" if found else "")
    rate += f", {seconds:.1f} s, {n_frames / max(seconds, 1e-9):.0f} frames/s"
    _log.info("%s; %s; %d problems", said, rate if done else "nothing new", result.n_problems, extra=_FILE)
    typer.echo(f"{said}; results under {out}")
    if done:
        typer.echo(rate)
    if shard is None:
        tell_absent(sites, result.nights)
    if result.n_problems:
        typer.echo(f"{result.n_problems} problems, listed in {out / PROBLEMS_NAME}", err=True)
    if log_path:
        typer.echo(f"log: {log_path}", err=True)
    if result.n_failed:
        return 1
    return 3 if result.n_problems else 0


def begin(what, **known):
    """Write to the log file what is about to be done."""
    told = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
    _log.info("%s: %s", what, told, extra=_FILE)
