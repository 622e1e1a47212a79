"""`pulsaurora events`: find the pulsating patches of the nights asked for."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.cli import log
from pulsaurora.cli.options import (
    End,
    Out,
    Overwrite,
    Sites,
    Start,
    Stream0,
    Workers,
    existing_folder,
    parse_dates,
    parse_sites,
)
from pulsaurora.problems import UsageError


def command(
    start: Start,
    end: End,
    stream0: Stream0 = Path("data/stream0"),
    out: Out = Path("data/events"),
    sites: Sites = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
    dayfiles: Annotated[
        Path | None,
        typer.Option(
            "--dayfiles",
            metavar="DIR",
            help="Folder of day files made by `pack themis --raw16`, to work from in place of --stream0.",
        ),
    ] = None,
):
    """Find the pulsating patches of every night from START to END, and the pulses of each.

    Writes OUT/YYYY/MM/DD/YYYYMMDD_SITE_IMAGER_patches and _pulses, each as CSV and as Parquet: on-times,
    off-times, periods, places and kinds; docs/events.md explains the columns. Nights already done with the
    same files and version are left as they are. What could not be read is listed in OUT/problems.csv.
    """
    first, last = parse_dates(start, end)
    sites = parse_sites(sites)
    if dayfiles is not None:
        archive, what = existing_folder(dayfiles, "--dayfiles"), "a folder of day files"
    else:
        archive, what = existing_folder(stream0, "--stream0"), "the root of a stream0 tree"
    path = log.start("events")
    from pulsaurora.archive.problem_table import PROBLEMS_NAME
    from pulsaurora.classification.event_nights import find_events_of_nights

    with log.progress("finding events", total=(last - first).days + 1) as advance:
        result = find_events_of_nights(
            archive, out, first, last, sites, workers, overwrite, advance, dayfiles is not None
        )
    if not result.nights and not result.problems:
        raise UsageError(f"no frames of {start} to {end} under {archive}; is it {what}?")
    counts = Counter(night.status for night in result.nights)
    words = {"done": "done", "skipped": "done already", "failed": "failed"}
    said = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    found = Counter()
    for night in result.nights:
        found.update(night.n_labels)
    typer.echo(f"nights: {', '.join(said) or 'none'}; results under {out}")
    if counts["done"]:
        typer.echo(f"found {found['patches']} patches with {found['pulses']} pulses")
    if result.n_problems:
        typer.echo(f"{result.n_problems} problems, listed in {out / PROBLEMS_NAME}", err=True)
    if path:
        typer.echo(f"log: {path}", err=True)
    if result.n_failed:
        return 1
    return 3 if result.n_problems else 0
