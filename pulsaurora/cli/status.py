"""`pulsaurora status`: where the batches of an output folder stand."""

import json
from pathlib import Path
from typing import Annotated

import typer

SHOWN = 20  # of nights that failed


def command(
    out: Annotated[
        Path,
        typer.Argument(
            envvar="PULSAURORA_OUT", metavar="OUT", help="Folder that `classify` or `events` writes to."
        ),
    ] = Path("data/classifications"),
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, for programs.")] = False,
):
    """Say where a batch stands: what is done, failed, under way and by whom, and how long it has to go.

    Reads OUT/manifest.csv and what running batches leave in OUT/.batch, on whatever machine they run.
    """
    from pulsaurora.archive.status import read_status

    status = read_status(out)
    typer.echo(json.dumps(status, indent=2) if as_json else "\n".join(_lines(status)))


def _lines(status):
    """What a person reads."""
    words = {"done": "done", "failed": "failed", "under_way": "under way", "to_do": "to do"}
    # Where `classify` and `events` write to one folder, each does a night once.
    several = len(status["kinds"]) > 1
    for kind, told in (status["kinds"] if several else {"": status}).items():
        of_kind = f"{kind}, " if kind else ""
        states = ", ".join(f"{told['nights'][name]} {word}" for name, word in words.items())
        yield f"{of_kind}nights: {states}" + (" (still listing)" if status["listing"] else "")
        counts = ", ".join(f"{count} {name}" for name, count in told["counts"].items() if count)
        yield f"{of_kind}frames: {told['n_frames']}" + (f" ({counts})" if counts else "")
    if status["n_problems"]:
        yield f"problems: {status['n_problems']}, listed in problems.csv"
    for run in status["runs"]:
        yield (
            f"running: {_who(run)}, {run['about']}, for {_span(run['began_s'])}: "
            f"{run['n_done']} nights done, {run['frames_per_s']:.0f} frames/s"
        )
    for claim in status["under_way"]:
        yield f"under way: {claim['night']}, by {_who(claim)}, for {_span(claim['since_s'])}"
    for claim in status["left_behind"]:
        yield f"left behind: {claim['night']}, by {_who(claim)}; the next run does it"
    for failed in status["failed"][:SHOWN]:
        yield f"failed: {failed['night']}: {failed['error']}"
    if len(status["failed"]) > SHOWN:
        yield f"failed: {len(status['failed']) - SHOWN} more, listed in manifest.csv"
    if status["runs"] and status["left_s"]:
        yield f"rate: {status['frames_per_s']:.0f} frames/s; to go: {_span(status['left_s'])}"
    elif not status["runs"] and status["nights"]["to_do"] + status["nights"]["failed"]:
        yield "nothing runs; the same command goes on from here"


def _who(told):
    return f"process {told['pid']} on {told['host']}"


def _span(seconds):
    seconds = max(round(seconds), 0)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
