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
    Raw,
    Sites,
    Start,
    Stream0,
    Wavelengths,
    Workers,
    existing_folder,
    parse_dates,
    parse_filters,
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


@command.command("pfrr")
def pfrr(
    start: Start,
    end: End,
    raw: Raw = Path("data/pfrr"),
    out: Out = Path("data/dayfiles"),
    wavelengths: Wavelengths = None,
    raw16: Raw16 = False,
    tiles: Annotated[int, typer.Option("--tiles", help="Tiles each way of the equalization: 4 or 8.")] = 4,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            metavar="DIR",
            help="Folder of the Az and El files of the imager; `cal` in or beside --raw when not given.",
        ),
    ] = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
):
    """Make OUT/all-images-YYYY-MM-DD-WWW.h5 of every date and filter from START to END.

    Images are equalized (CLAHE) and 8-bit, each scaled by its own maximum; any HDF5 reader opens them. Day
    files that were made of the same files are left as they are. What could not be read is listed in
    OUT/problems.csv.
    """
    first, last = parse_dates(start, end)
    existing_folder(raw, "--raw")
    if calibration is not None:
        existing_folder(calibration, "--calibration")
    if tiles not in (4, 8):
        raise UsageError(f"--tiles {tiles}: 4 or 8 each way can be used")
    chosen = parse_filters(wavelengths)
    path = log.start("pack_pfrr")
    from pulsaurora.imaging.pfrrpack import pack_pfrr

    with log.progress("packing", total=(last - first).days + 1) as advance:
        result = pack_pfrr(
            raw, out, first, last, chosen, raw16, (tiles, tiles), calibration, workers, overwrite, advance
        )
    if not result.days and not result.problems:
        raise UsageError(f"no images of {start} to {end} under {raw}; is it the root of a PFRR tree?")
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
