"""`pulsaurora report`: one page that tells what a night holds."""

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


def command(
    site: Annotated[str, typer.Argument(metavar="SITE", help="Four letters, such as gill.")],
    date: Annotated[str, typer.Argument(metavar="DATE", help="UT date, YYYY-MM-DD.")],
    stream0: Stream0 = Path("data/stream0"),
    dayfiles: Dayfiles = None,
    classifications: Classifications = None,
    events: Annotated[
        Path | None,
        typer.Option(
            "--events",
            metavar="DIR",
            help="What `events` wrote; when not given, the classifications' own folder, `events` beside it, "
            "or data/events.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the page.")] = Path("reports"),
    workers: Workers = None,
):
    """Write one page that tells whether a night is worth your time.

    Writes OUT/YYYYMMDD_SITE_IMAGER_report.html: keogram with classes, pulsating intervals, periods and
    on-times, quality, sun and moon, problems, the model and versions; one page for each imager that the site
    had on that date. The page holds its pictures itself and loads nothing. Frames may be missing; it says so.
    """
    first, last = parse_dates(date, date)
    sites = parse_sites(site)
    if len(sites) != 1:
        raise UsageError(f"{site!r} names {len(sites)} sites; name one, such as gill")
    (site,) = sites
    if dayfiles is not None:
        existing_folder(dayfiles, "--dayfiles")
    classifications = labelled_folder(classifications)
    if events is not None:
        existing_folder(events, "--events")
    refuse_unwritable(out)
    log.start("report")
    from pulsaurora.views.report import find_night_files, write_report

    nights, problems = _find(stream0, dayfiles, first, last, site)
    listed = find_night_files(site, first, nights, classifications)
    if not listed:
        for problem in problems:
            typer.echo(problem, err=True)
        where = dayfiles if dayfiles is not None else stream0
        raise UsageError(
            f"nothing of {site} on {date}: no frames under {where}, no labels under {classifications}"
        )
    beside = [classifications, classifications.absolute().parent / "events", Path("data/events")]
    roots = [events] if events is not None else beside
    imagers = [files.imager for files in listed]
    with log.progress("reading", total=sum(night.n_minutes for night in nights)) as advance:
        for files in listed:
            others = [imager for imager in imagers if imager != files.imager]
            path, found = write_report(files, out, stream0, roots, others, workers, advance)
            problems += found
            typer.echo(path)
    for problem in problems:
        typer.echo(problem, err=True)
    # What was put in order is no loss.
    return 3 if any("put in order" not in problem.reason for problem in problems) else 0


def _find(stream0, dayfiles, first, last, site):
    """List the nights whose frames there are; none if there is no such folder, for labels are enough."""
    if dayfiles is not None:
        from pulsaurora.archive.daynights import find_dayfile_nights

        return find_dayfile_nights(dayfiles, first, last, [site])
    # Poker Flat, pkr, has no minute files; where its images are labelled, the labels are enough.
    if not stream0.is_dir() or len(site) != 4:
        return [], []
    from pulsaurora.archive.layout import find_nights

    return find_nights(stream0, first, last, [site])
