"""`pulsaurora pack`: all images of a site and date in one HDF5 file."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.cli import log
from pulsaurora.cli.batches import tell_absent
from pulsaurora.cli.nights import End, Labels, Nights, PfrrNights, Start, choose_nights
from pulsaurora.cli.options import (
    Out,
    Overwrite,
    Raw,
    Sites,
    Stream0,
    Wavelengths,
    Workers,
    existing_folder,
    parse_filters,
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
    start: Start = None,
    end: End = None,
    labels: Labels = None,
    nights: Nights = None,
    stream0: Stream0 = Path("data/stream0"),
    out: Out = Path("data/dayfiles"),
    sites: Sites = None,
    raw16: Raw16 = False,
    workers: Workers = None,
    overwrite: Overwrite = False,
):
    """Make OUT/all-images-YYYY-MM-DD-SITE.h5 of every site and date asked for.

    Name the nights by START END, with --sites or for all sites, by workbooks (--labels), or one by one
    (--nights). Images are equalized (CLAHE) and 8-bit; any HDF5 reader opens them. Day files that were made
    of the same files are left as they are. What could not be read is listed in OUT/problems.csv.
    """
    chosen = choose_nights("themis", start, end, labels, nights, sites)
    existing_folder(stream0, "--stream0")
    path = log.start("pack_themis")
    from pulsaurora.imaging.themispack import pack_themis

    def pack(first, last, sites, advance):
        return pack_themis(
            stream0, out, first, last, sites, raw16, workers, overwrite, advance, chosen.expected
        )

    wanted = f"frames of {start} to {end} under {stream0}; is it the root of a stream0 tree?"
    return _run(pack, chosen, out, path, wanted)


@command.command("pfrr")
def pfrr(
    start: Start = None,
    end: End = None,
    labels: Labels = None,
    nights: PfrrNights = None,
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
    """Make OUT/all-images-YYYY-MM-DD-WWW.h5 of every date and filter asked for.

    Name the dates by START END, by workbooks (--labels), or one by one (--nights). Images are equalized
    (CLAHE) and 8-bit, each scaled by its own maximum; any HDF5 reader opens them. Day files that were made of
    the same files are left as they are. What could not be read is listed in OUT/problems.csv.
    """
    chosen = choose_nights("pfrr", start, end, labels, nights)
    existing_folder(raw, "--raw")
    if calibration is not None:
        existing_folder(calibration, "--calibration")
    if tiles not in (4, 8):
        raise UsageError(f"--tiles {tiles}: 4 or 8 each way can be used")
    filters = parse_filters(wavelengths)
    path = log.start("pack_pfrr")
    from pulsaurora.imaging.pfrrpack import pack_pfrr

    def pack(first, last, _, advance):
        return pack_pfrr(
            raw, out, first, last, filters, raw16, (tiles, tiles), calibration, workers, overwrite, advance,
            chosen.expected,
        )  # fmt: skip

    wanted = f"images of {start} to {end} under {raw}; is it the root of a PFRR tree?"
    return _run(pack, chosen, out, path, wanted)


def _run(pack, chosen, out, log_path, wanted):
    """Pack the nights chosen, one span after the other; return the exit status."""
    days, problems = [], []
    spans = chosen.spans()
    with log.progress("packing", total=sum((last - first).days + 1 for first, last, _ in spans)) as advance:
        for first, last, sites in spans:
            result = pack(first, last, sites, advance)
            days += result.days
            problems += result.problems
    if not days and not problems and not chosen.n_refused:
        raise UsageError(f"no {wanted}")  # of a range: nights named one by one are told as problems
    if not chosen.expected:  # else each absent night is a problem
        tell_absent({site for site, _ in chosen.nights if site}, days)
    return _tell(days, problems, chosen.n_refused, out, log_path)


def _tell(days, problems, n_refused, out, log_path):
    """Print what came of it; return the exit status."""
    from pulsaurora.archive.problem_table import PROBLEMS_NAME

    counts = Counter(day.status for day in days)
    words = {"done": "made", "skipped": "skipped", "empty": "without frames", "failed": "failed"}
    said = [f"{counts[status]} day files {word}" for status, word in words.items() if counts[status]]
    typer.echo(f"{', '.join(said) or 'no day files'} under {out}")
    n_problems = len(problems) + sum(len(day.problems) for day in days)
    if n_problems:
        typer.echo(f"{n_problems} problems, listed in {out / PROBLEMS_NAME}", err=True)
    if log_path:
        typer.echo(f"log: {log_path}", err=True)
    if counts["failed"]:
        return 1
    return 3 if n_problems or n_refused else 0
