"""`pulsaurora classify`: label every frame of the nights asked for."""

import time
from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.shard import parse_shard
from pulsaurora.cli import log
from pulsaurora.cli.batches import begin, resumable, tell
from pulsaurora.cli.options import (
    Dayfiles,
    End,
    Engine,
    Out,
    Overwrite,
    Scheduler,
    Shard,
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
    dayfiles: Dayfiles = None,
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
    shard: Shard = None,
    engine: Engine = "threads",
    scheduler: Scheduler = None,
):
    """Label every frame of every night from START to END.

    Writes OUT/YYYY/MM/DD/YYYYMMDD_SITE_IMAGER_classifications.txt and a Parquet table of the same stem with
    all probabilities and features. Nights already done with the same files, model and version are left as
    they are. What could not be read is listed in OUT/problems.csv, and which nights are done in
    OUT/manifest.csv. Several runs may share OUT, on one machine or on several: none does what another does.
    """
    first, last = parse_dates(start, end)
    sites = parse_sites(sites)
    if dayfiles is not None and pfrr is not None:
        raise UsageError("--dayfiles and --pfrr are two archives; name one of them")
    if wavelengths is not None and pfrr is None:
        raise UsageError("--wavelengths is for --pfrr")
    if sites is not None and pfrr is not None:
        raise UsageError("--sites is not for --pfrr, which is of one site; --wavelengths chooses its filters")
    if pfrr is not None:
        archive, what = existing_folder(pfrr, "--pfrr"), "the root of a PFRR tree"
    elif dayfiles is not None:
        archive, what = existing_folder(dayfiles, "--dayfiles"), "a folder of day files"
    else:
        archive, what = existing_folder(stream0, "--stream0"), "the root of a stream0 tree"
    filters = parse_filters(wavelengths)
    part = parse_shard(shard)
    from pulsaurora.classification.engines import choose_engine

    chosen = choose_engine(engine, scheduler, workers)
    archive, out, model = chosen.seen_from_there(archive, out, model)
    path = log.start("classify")
    from pulsaurora.classification.batch import classify_nights
    from pulsaurora.classification.pfrr import classify_pfrr

    begin(f"classify {start} to {end}", of=archive, to=out, model=model, shard=part, engine=chosen)
    began = time.monotonic()
    with resumable(out), log.progress("classifying", total=(last - first).days + 1) as advance:
        common = {"model": model, "overwrite": overwrite, "watch": advance, "engine": chosen, "shard": part}
        if pfrr is not None:
            result = classify_pfrr(archive, out, first, last, filters, **common)
        else:
            days = dayfiles is not None
            result = classify_nights(archive, out, first, last, sites, dayfiles=days, **common)
    nothing = f"no frames of {start} to {end} under {archive}; is it {what}?"
    return tell(result, out, path, nothing, time.monotonic() - began, sites, part)
