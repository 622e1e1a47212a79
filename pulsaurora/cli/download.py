"""`pulsaurora download`: fetch THEMIS frames, their skymaps, or PFRR images."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.cli import log
from pulsaurora.cli.nights import End, Labels, Nights, PfrrNights, Start, choose_nights
from pulsaurora.cli.options import Sites
from pulsaurora.problems import UsageError

command = typer.Typer(help="Fetch an archive's files: themis, skymap or pfrr.", no_args_is_help=True)

Base = Annotated[
    str | None, typer.Option("--base", metavar="URL", help="Where the archive's tree begins on a server.")
]
Transport = Annotated[
    str,
    typer.Option(
        "--transport", metavar="NAME", help="rsync, https, http or ftp; auto takes the best there is."
    ),
]
Layout = Annotated[
    str,
    typer.Option(
        "--layout",
        metavar="NAME",
        help="stream0: YYYY/MM/DD/SITE_IMAGER, as the archive; training: SITE/YYYY-MM-DD.",
    ),
]
Connections = Annotated[
    int | None, typer.Option("--connections", min=1, max=64, help="At most so many at once.")
]
Retries = Annotated[
    int,
    typer.Option("--retries", min=0, max=20, help="Further attempts at what fails, after growing pauses."),
]
Pause = Annotated[
    float,
    typer.Option(
        "--pause", min=0.0, max=600.0, help="Seconds before the second attempt; then 3 times as long."
    ),
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", min=1.0, max=3600.0, help="Seconds to wait for a server that says nothing."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only list the files that would come, and their bytes.")
]

_LONGEST_PAUSE_S = 120.0
_MOST_LINES = 40


@command.command("themis")
def themis(
    start: Start = None,
    end: End = None,
    labels: Labels = None,
    nights: Nights = None,
    sites: Sites = None,
    out: Annotated[
        Path, typer.Option("--out", envvar="PULSAURORA_STREAM0", metavar="DIR", help="Folder for the tree.")
    ] = Path("data/stream0"),
    base: Base = None,
    transport: Transport = "auto",
    layout: Layout = "stream0",
    all_products: Annotated[
        bool, typer.Option("--all-products", help="Also files that are no full frames.")
    ] = False,
    connections: Connections = None,
    retries: Retries = 4,
    pause: Pause = 2.0,
    timeout: Timeout = 60.0,
    dry_run: DryRun = False,
):
    """Fetch the minute files of THEMIS nights.

    Name the nights by workbooks (--labels), one by one (--nights), or by START END, with --sites or for all
    sites. What is whole already is left alone and what is half there is resumed, so the same command carries
    on where it stopped.
    """
    from pulsaurora.archive.download import download_themis

    training = _training(layout)
    wanted, n_refused, expected = choose_nights("themis", start, end, labels, nights, sites)
    return _run(
        "themis",
        lambda **how: download_themis(wanted, out, base, transport, training, all_products, expected, **how),
        (connections, retries, pause, timeout, dry_run),
        out,
        n_refused,
    )


@command.command("skymap")
def skymap(
    start: Start = None,
    end: End = None,
    labels: Labels = None,
    nights: Nights = None,
    sites: Sites = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the skymaps.")] = Path(
        "data/skymaps"
    ),
    base: Base = None,
    transport: Transport = "auto",
    layout: Layout = "stream0",
    connections: Connections = None,
    retries: Retries = 4,
    pause: Pause = 2.0,
    timeout: Timeout = 60.0,
    dry_run: DryRun = False,
):
    """Fetch the skymaps of THEMIS nights: for each, the newest that does not begin after it.

    Nights are named as for themis; START END needs --sites. The training layout puts each skymap beside the
    hours of its night, else it goes to OUT/SITE/SITE_YYYYMMDD.
    """
    from pulsaurora.archive.download import download_skymaps

    training = _training(layout)
    wanted, n_refused, _ = choose_nights("themis", start, end, labels, nights, sites)
    if any(site is None for site, _ in wanted):
        raise UsageError("skymaps are kept by site; name the sites with --sites gill,rank")
    return _run(
        "skymap",
        lambda **how: download_skymaps(wanted, out, base, transport, training, **how),
        (connections, retries, pause, timeout, dry_run),
        out,
        n_refused,
    )


@command.command("pfrr")
def pfrr(
    start: Start = None,
    end: End = None,
    labels: Labels = None,
    nights: PfrrNights = None,
    wavelengths: Annotated[
        str, typer.Option("--wavelengths", metavar="428,558,630", help="Only these filters, nm.")
    ] = "428,558,630",
    out: Annotated[
        Path,
        typer.Option("--out", envvar="PULSAURORA_PFRR", metavar="DIR", help="Folder for YYYY-MM-DD-WWW/."),
    ] = Path("data/pfrr"),
    base: Base = None,
    transport: Transport = "auto",
    connections: Connections = None,
    retries: Retries = 4,
    pause: Pause = 2.0,
    timeout: Timeout = 60.0,
    dry_run: DryRun = False,
):
    """Fetch images of the Poker Flat all-sky imager.

    Name the dates by workbooks (--labels), one by one (--nights), or by START END. The server takes no more
    than 25 connections.
    """
    from pulsaurora.archive.download import download_pfrr, parse_wavelengths

    chosen = parse_wavelengths(wavelengths.replace(",", " ").split())
    wanted, n_refused, expected = choose_nights("pfrr", start, end, labels, nights)
    dates = [date for _, date in wanted]
    return _run(
        "pfrr",
        lambda **how: download_pfrr(dates, out, chosen, base, transport, expected, **how),
        (connections, retries, pause, timeout, dry_run),
        out,
        n_refused,
    )


def _training(layout):
    if layout not in ("stream0", "training"):
        raise UsageError(f"{layout!r:.40} is not a layout, expected stream0 or training")
    return layout == "training"


def _run(name, download, how, out, n_refused):
    connections, retries, pause, timeout, dry_run = how
    pauses_s = [min(pause * 3**k, _LONGEST_PAUSE_S) for k in range(retries)]
    settings = {"pauses_s": pauses_s, "timeout_s": timeout, "dry_run": dry_run}
    if connections is not None:
        settings["connections"] = connections
    path = log.start(f"download_{name}")
    try:
        with log.progress(f"fetching {name}", in_bytes=True) as advance:
            result = download(watch=advance, **settings)
    except BaseException as error:
        # Ended from outside or by a full disk: what came until then is whole, and is told.
        if (result := getattr(error, "downloaded", None)) is not None:
            _tell(result, out, dry_run)
        raise
    _tell(result, out, dry_run)
    if path:
        typer.echo(f"log: {path}", err=True)
    return 3 if result.problems or n_refused else 0


def _tell(result, out, dry_run):
    if dry_run:
        for file, n_bytes in result.planned:
            typer.echo(f"{n_bytes:>12} {file.local}")
        total = sum(n_bytes for _, n_bytes in result.planned)
        typer.echo(f"{len(result.planned)} files, {total} bytes would come; {result.n_there} are there")
    elif result.nights:
        width = max(len("night"), *(len(night.name) for night in result.nights))
        typer.echo(f"{'night':{width}} {'came':>6} {'there':>6} {'failed':>6} {'MB came':>9}")
        for night in result.nights:
            typer.echo(
                f"{night.name:{width}} {night.n_came:>6} {night.n_there:>6} {night.n_failed:>6} "
                f"{night.came_bytes / 1e6:>9.1f}"
            )
        rate = result.came_bytes / max(result.took_s, 1e-9) / 1e6
        typer.echo(
            f"{result.n_came} came, {result.n_there} were there, {result.n_failed} failed; "
            f"{result.came_bytes / 1e6:.1f} MB in {result.took_s:.0f} s ({rate:.2f} MB/s), under {out}"
        )
    else:
        typer.echo("nothing of these nights was found")
    for problem in result.problems[:_MOST_LINES]:
        typer.echo(str(problem), err=True)
    if len(result.problems) > _MOST_LINES:
        typer.echo(f"and {len(result.problems) - _MOST_LINES} more, listed in the log", err=True)
