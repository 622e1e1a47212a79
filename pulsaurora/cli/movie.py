"""`pulsaurora movie`: a film of a night."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.files import refuse_unwritable
from pulsaurora.cli import log
from pulsaurora.cli.options import Dayfiles, Stream0, Workers, existing_folder, parse_dates, parse_sites
from pulsaurora.problems import UsageError


def command(
    site: Annotated[str, typer.Argument(metavar="SITE", help="Four letters, such as gill.")],
    date: Annotated[str, typer.Argument(metavar="DATE", help="UT date, YYYY-MM-DD.")],
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="TIME|NUMBER", help="UT time HH:MM[:SS], or frame number."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="TIME|NUMBER", help="The same, included.")
    ] = None,
    ribbon: Annotated[
        bool, typer.Option("--ribbon", help="Show the class of each frame, as `classify` wrote it.")
    ] = False,
    counts: Annotated[
        bool, typer.Option("--counts", help="One scale of brightness for the whole film; no equalizing.")
    ] = False,
    stream0: Stream0 = Path("data/stream0"),
    dayfiles: Dayfiles = None,
    classifications: Annotated[
        Path,
        typer.Option("--classifications", envvar="PULSAURORA_OUT", metavar="DIR", help="For --ribbon."),
    ] = Path("data/classifications"),
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the film.")] = Path(
        "reports/figures"
    ),
    workers: Workers = None,
):
    """Make a film of a night: every frame with its time and number, 20 a second, north up.

    Writes OUT/YYYYMMDD_SITE_IMAGER_movie.mp4 (H.264); one for each imager that the site had on that date.
    Frames are numbered from zero along the UT date, as in label workbooks, whatever part is shown: a second
    imager goes on where the first one ended.
    """
    first, last = parse_dates(date, date)
    archive = existing_folder(*((stream0, "--stream0") if dayfiles is None else (dayfiles, "--dayfiles")))
    refuse_unwritable(out)
    log.start("movie")
    if dayfiles is None:
        from pulsaurora.archive.layout import find_nights as find
    else:
        from pulsaurora.archive.daynights import find_dayfile_nights as find
    from pulsaurora.views.movie import FRAMES_A_SECOND, make_movies

    nights, problems = find(archive, first, last, parse_sites(site))
    n_made = 0
    try:
        if not nights:
            what = (
                "the root of a stream0 tree" if dayfiles is None else "a folder of day files with raw frames"
            )
            raise UsageError(f"no frames of {site} on {date} under {archive}; is it {what}?")
        labels = classifications if ribbon else None
        with log.progress("filming", total=2 * sum(night.n_minutes for night in nights)) as advance:
            films = make_movies(nights, out, start, end, labels, counts, workers, advance, problems)
            for path, n_frames in films:
                n_made += 1
                typer.echo(f"{path}: {n_frames} frames, {n_frames / FRAMES_A_SECOND:.1f} s")
    finally:
        for problem in problems:
            typer.echo(problem, err=True)
    if not n_made:
        typer.echo(f"pulsaurora: no frame of {site} on {date} can be read", err=True)
        return 1
    return 3 if problems else 0
