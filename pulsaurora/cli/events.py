"""`pulsaurora events`: find the pulsating patches of the nights asked for."""

import time
from pathlib import Path

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
    Workers,
    existing_folder,
    parse_dates,
    parse_sites,
)


def command(
    start: Start,
    end: End,
    stream0: Stream0 = Path("data/stream0"),
    out: Out = Path("data/events"),
    sites: Sites = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
    dayfiles: Dayfiles = None,
    shard: Shard = None,
    engine: Engine = "threads",
    scheduler: Scheduler = None,
):
    """Find the pulsating patches of every night from START to END, and the pulses of each.

    Writes OUT/YYYY/MM/DD/YYYYMMDD_SITE_IMAGER_patches and _pulses, each as CSV and as Parquet: on-times,
    off-times, periods, places and kinds; docs/events.md explains the columns. Nights already done with the
    same files and version are left as they are. What could not be read is listed in OUT/problems.csv, and
    which nights are done in OUT/manifest.csv. Several runs may share OUT: none does what another does.
    """
    first, last = parse_dates(start, end)
    sites = parse_sites(sites)
    if dayfiles is not None:
        archive, what = existing_folder(dayfiles, "--dayfiles"), "a folder of day files"
    else:
        archive, what = existing_folder(stream0, "--stream0"), "the root of a stream0 tree"
    part = parse_shard(shard)
    from pulsaurora.classification.engines import choose_engine

    chosen = choose_engine(engine, scheduler, workers)
    archive, out = chosen.seen_from_there(archive, out)
    path = log.start("events")
    from pulsaurora.classification.event_nights import find_events_of_nights

    begin(f"events {start} to {end}", of=archive, to=out, shard=part, engine=chosen)
    began = time.monotonic()
    with resumable(out), log.progress("finding events", total=(last - first).days + 1) as advance:
        result = find_events_of_nights(
            archive, out, first, last, sites, overwrite=overwrite, watch=advance, engine=chosen, shard=part,
            dayfiles=dayfiles is not None,
        )  # fmt: skip
    nothing = f"no frames of {start} to {end} under {archive}; is it {what}?"
    return tell(result, out, path, nothing, time.monotonic() - began, sites, part)
