"""`pulsaurora classify`: label every frame of the nights asked for."""

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
    Wavelengths,
    Workers,
    existing_folder,
    parse_dates,
    parse_filters,
    parse_sites,
)
from pulsaurora.problems import UsageError


def command(
    start: Start,
    end: End,
    stream0: Stream0 = Path("data/stream0"),
    out: Out = Path("data/classifications"),
    sites: Sites = None,
    workers: Workers = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="FILE", help="ONNX model; the embedded one when not given."),
    ] = None,
    overwrite: Overwrite = False,
    dayfiles: Annotated[
        Path | None,
        typer.Option(
            "--dayfiles",
            metavar="DIR",
            help="Folder of day files made by `pack themis --raw16`, to work from in place of --stream0.",
        ),
    ] = None,
    pfrr: Annotated[
        Path | None,
        typer.Option(
            "--pfrr",
            metavar="DIR",
            help="Folder of PFRR images, or of day files made of them by `pack pfrr --raw16`, to label in "
            "place of --stream0; see docs/pfrr.md.",
        ),
    ] = None,
    wavelengths: Wavelengths = None,
):
    """Label every frame of every night from START to END.

    Writes OUT/YYYY/MM/DD/YYYYMMDD_SITE_IMAGER_classifications.txt and a Parquet table of the same stem with
    all probabilities and features. Nights already done with the same files, model and version are left as
    they are. What could not be read is listed in OUT/problems.csv.
    """
    first, last = parse_dates(start, end)
    sites = parse_sites(sites)
    if dayfiles is not None and pfrr is not None:
        raise UsageError("--dayfiles and --pfrr are two archives; name one of them")
    if wavelengths is not None and pfrr is None:
        raise UsageError("--wavelengths is for --pfrr")
    if pfrr is not None:
        archive, what = existing_folder(pfrr, "--pfrr"), "the root of a PFRR tree"
    elif dayfiles is not None:
        archive, what = existing_folder(dayfiles, "--dayfiles"), "a folder of day files"
    else:
        archive, what = existing_folder(stream0, "--stream0"), "the root of a stream0 tree"
    filters = parse_filters(wavelengths)
    path = log.start("classify")
    from pulsaurora.archive.problem_table import PROBLEMS_NAME
    from pulsaurora.classification.batch import classify_nights

    with log.progress("classifying", total=(last - first).days + 1) as advance:
        if pfrr is not None:
            from pulsaurora.classification.pfrr import classify_pfrr

            result = classify_pfrr(archive, out, first, last, filters, workers, model, overwrite, advance)
        else:
            result = classify_nights(
                archive, out, first, last, sites, workers, model, overwrite, advance, dayfiles is not None
            )
    if not result.nights and not result.problems:
        raise UsageError(f"no frames of {start} to {end} under {archive}; is it {what}?")
    counts = Counter(night.status for night in result.nights)
    words = {"done": "done", "skipped": "done already", "failed": "failed"}
    said = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    typer.echo(f"nights: {', '.join(said) or 'none'}; results under {out}")
    if result.n_problems:
        typer.echo(f"{result.n_problems} problems, listed in {out / PROBLEMS_NAME}", err=True)
    if path:
        typer.echo(f"log: {path}", err=True)
    if result.n_failed:
        return 1
    return 3 if result.n_problems else 0
