"""`pulsaurora pack`: all images of a site and date in one HDF5 file."""

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

command = typer.Typer(help="Put the images of each site and date into one HDF5 file, a day file.")

Raw16 = Annotated[
    bool, typer.Option("--raw16", help="Keep the raw 16-bit frames as well; `classify` then needs no others.")
]


@command.callback()
def _group():
    """Put the images of each site and date into one HDF5 file, a day file."""


@command.command("themis")
def themis(
    start: Start,
    end: End,
    stream0: Stream0 = Path("data/stream0"),
    out: Out = Path("data/dayfiles"),
    sites: Sites = None,
    raw16: Raw16 = False,
    workers: Workers = None,
    overwrite: Overwrite = False,
):
    """Make OUT/all-images-YYYY-MM-DD-SITE.h5 of every site and date from START to END.

    Images are equalized (CLAHE) and 8-bit; any HDF5 reader opens them. Day files that were made of the same
    files are left as they are. What could not be read is listed in OUT/problems.csv.
    """
    first, last = parse_dates(start, end)
    sites = parse_sites(sites)
    existing_folder(stream0, "--stream0")
    path = log.start("pack_themis")
    from pulsaurora.imaging.themispack import pack_themis

    with log.progress("packing", total=(last - first).days + 1) as advance:
        result = pack_themis(stream0, out, first, last, sites, raw16, workers, overwrite, advance)
    if not result.days and not result.problems:
        raise UsageError(f"no frames of {start} to {end} under {stream0}; is it the root of a stream0 tree?")
    return _tell(result, out, path)


def _tell(result, out, log_path):
    """Print what came of a batch; return the exit status."""
    from pulsaurora.archive.problem_table import PROBLEMS_NAME

    counts = Counter(day.status for day in result.days)
    words = {"done": "made", "skipped": "skipped", "empty": "without frames", "failed": "failed"}
    said = [f"{counts[status]} day files {word}" for status, word in words.items() if counts[status]]
    typer.echo(f"{', '.join(said) or 'no day files'} under {out}")
    if result.n_problems:
        typer.echo(f"{result.n_problems} problems, listed in {out / PROBLEMS_NAME}", err=True)
    if log_path:
        typer.echo(f"log: {log_path}", err=True)
    if result.n_failed:
        return 1
    return 3 if result.n_problems else 0
