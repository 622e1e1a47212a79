"""`pulsaurora plot`: pictures of a night."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.cli import log
from pulsaurora.cli.options import Stream0, Workers, existing_folder, parse_dates, parse_sites
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
    classifications: Annotated[
        Path,
        typer.Option(
            "--classifications",
            envvar="PULSAURORA_OUT",
            metavar="DIR",
            help="What `classify` wrote; without it the keogram alone.",
        ),
    ] = Path("data/classifications"),
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the picture.")] = Path(
        "reports/figures"
    ),
    workers: Workers = None,
):
    """Draw keogram, classes, pulsating fraction and dominant period of a night.

    Writes OUT/YYYYMMDD_SITE_IMAGER_keogram.png; one for each imager that the site had on that date.
    """
    first, last = parse_dates(date, date)
    existing_folder(stream0, "--stream0")
    log.start("plot_keogram")
    from pulsaurora.archive.layout import find_nights
    from pulsaurora.views.keogram import plot_night

    nights, problems = find_nights(stream0, first, last, parse_sites(site))
    if not nights:
        raise UsageError(f"no frames of {site} on {date} under {stream0}; is it the root of a stream0 tree?")
    with log.progress("reading", total=sum(night.n_minutes for night in nights)) as advance:
        for night in nights:
            path, found = plot_night(night, out, classifications, stream0, workers, advance)
            problems += found
            if path is not None:
                typer.echo(path)
    for problem in problems:
        typer.echo(problem, err=True)
    return 3 if problems else 0
