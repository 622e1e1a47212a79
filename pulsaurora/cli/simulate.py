"""`pulsaurora simulate`: write simulated nights as stream0 files, with their truth."""

import re
from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.files import refuse_unwritable


def command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the stream0 tree and OUT/truth.")],
    nights: Annotated[
        int, typer.Option("--nights", min=1, help="How many nights, each of another site.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 0,
    minutes: Annotated[
        int | None, typer.Option("--minutes", min=1, help="Minutes a night; dusk to dawn when not given.")
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", help="Four letters; drawn for each night when not given.")
    ] = None,
):
    """Write simulated nights as stream0 files.

    Files go to OUT/YYYY/MM/DD/SITE_IMAGER/utHH/ as the archive keeps them, and what was truly in the sky of
    each frame to OUT/truth/YYYYMMDD_SITE_IMAGER_truth.csv. An hour takes about 170 MB. A night that is there
    is written anew, but not with fewer minutes than it has.
    """
    from pulsaurora.cli import log
    from pulsaurora.cli.options import parse_sites
    from pulsaurora.problems import UsageError
    from pulsaurora.simulation.night import simulate_nights
    from pulsaurora.simulation.stream0 import refuse_other_minutes, write_stream0

    if site is not None:
        site, *others = parse_sites(site)
        if others or not re.fullmatch("[a-z]{4}", site):
            raise UsageError(f"--site {site}: expected one site, four letters")
    refuse_unwritable(out)
    n_files = n_frames = 0
    for name, start, n_minutes, stream in simulate_nights(seed, nights, minutes, site):
        n_night = 0
        with log.progress(f"simulating {name} of {nights}", total=n_minutes) as advance:

            def counted(stream=stream, advance=advance, start=start, n_minutes=n_minutes):
                nonlocal n_night
                for minute in stream:
                    if not n_night:
                        refuse_other_minutes(out, minute.site, minute.imager, start, n_minutes)
                    n_night += len(minute.times)
                    yield minute
                    advance()

            n_files += len(write_stream0(out, counted()))
        n_frames += n_night
        print(f"{name}, {start.astype('datetime64[m]')} UT: {n_minutes} minutes, {n_night} frames")
    print(f"{n_frames} frames in {n_files} files under {out}")
