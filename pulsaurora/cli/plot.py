"""`pulsaurora plot`: pictures of a night."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.archive.files import refuse_unwritable
from pulsaurora.cli import log
from pulsaurora.cli.options import (
    Classifications,
    Dayfiles,
    Stream0,
    Workers,
    existing_folder,
    labelled_folder,
    parse_dates,
    parse_sites,
)
from pulsaurora.problems import UsageError

command = typer.Typer(help="Draw a night.")


@command.callback()
def _group():
    """Draw a night."""


@command.command("keogram")
def keogram(
    site: Annotated[str, typer.Argument(metavar="SITE", help="Four letters, such as gill.")],
    date: Annotated[str, typer.Argument(metavar="DATE", help="UT date, YYYY-MM-DD.")],
    stream0: Stream0 = Path("data/stream0"),
    dayfiles: Dayfiles = None,
    classifications: Classifications = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the picture.")] = Path(
        "reports/figures"
    ),
    workers: Workers = None,
):
    """Draw keogram, classes, pulsating fraction and dominant period of a night.

    Writes OUT/YYYYMMDD_SITE_IMAGER_keogram.png; one for each imager that the site had on that date. Of a
    night without labels it draws the keogram alone.
    """
    first, last = parse_dates(date, date)
    archive = existing_folder(*((stream0, "--stream0") if dayfiles is None else (dayfiles, "--dayfiles")))
    classifications = labelled_folder(classifications)
    refuse_unwritable(out)
    log.start("plot_keogram")
    if dayfiles is None:
        from pulsaurora.archive.layout import find_nights as find
    else:
        from pulsaurora.archive.daynights import find_dayfile_nights as find
    from pulsaurora.views.keogram import plot_night

    nights, problems = find(archive, first, last, parse_sites(site))
    if not nights:
        for problem in problems:
            typer.echo(problem, err=True)
        what = "the root of a stream0 tree" if dayfiles is None else "a folder of day files with raw frames"
        raise UsageError(f"no frames of {site} on {date} under {archive}; is it {what}?")
    with log.progress("reading", total=sum(night.n_minutes for night in nights)) as advance:
        for night in nights:
            path, found = plot_night(night, out, classifications, stream0, workers, advance)
            problems += found
            if path is not None:
                typer.echo(path)
    for problem in problems:
        typer.echo(problem, err=True)
    return 3 if problems else 0


@command.command("events")
def events(
    site: Annotated[str, typer.Argument(metavar="SITE", help="Four letters, such as gill.")],
    date: Annotated[str, typer.Argument(metavar="DATE", help="UT date, YYYY-MM-DD.")],
    found: Annotated[
        Path,
        typer.Option("--events", envvar="PULSAURORA_OUT", metavar="DIR", help="What `events` wrote."),
    ] = Path("data/events"),
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the pictures.")] = Path(
        "reports/figures"
    ),
):
    """Draw where the pulsating patches of a night were, and when they shone.

    Writes OUT/YYYYMMDD_SITE_IMAGER_map.png and _raster.png from the tables that `events` made; one of each
    for each imager that the site had on that date.
    """
    first, _ = parse_dates(date, date)
    existing_folder(found, "--events")
    (site,) = parse_sites(site)
    refuse_unwritable(out)
    log.start("plot_events")
    from pulsaurora.archive.eventtables import events_path
    from pulsaurora.problems import PulsauroraError
    from pulsaurora.views.events import plot_events

    pattern = events_path(found, site, "*", first)
    tables = sorted(pattern.parent.glob(pattern.name))
    if not tables:
        raise UsageError(f"no events of {site} on {date} under {found}; run `pulsaurora events` first")
    n_refused = 0
    for table in tables:
        try:
            drawn = plot_events(table, out)
        except PulsauroraError as error:
            typer.echo(str(error), err=True)
            n_refused += 1
            continue
        for path in drawn:
            typer.echo(path)
        if not drawn:
            typer.echo(f"{table.name}: no pulsating patch was found that night, so there is none to draw")
    return 3 if n_refused else 0
