"""The arguments and options that several commands share, so that they are spelled and described once."""

from pathlib import Path
from typing import Annotated

import typer

from pulsaurora.problems import UsageError

Start = Annotated[str, typer.Argument(metavar="START", help="First date, YYYY-MM-DD.")]
End = Annotated[str, typer.Argument(metavar="END", help="Last date, YYYY-MM-DD, included.")]
Stream0 = Annotated[
    Path,
    typer.Option(
        "--stream0", envvar="PULSAURORA_STREAM0", metavar="DIR", help="Folder of the archive's files."
    ),
]
Dayfiles = Annotated[
    Path | None,
    typer.Option(
        "--dayfiles",
        metavar="DIR",
        help="Folder of day files made by `pack themis --raw16`, to work from in place of --stream0.",
    ),
]
Classifications = Annotated[
    Path | None,
    typer.Option(
        "--classifications",
        envvar="PULSAURORA_OUT",
        metavar="DIR",
        help="What `classify` wrote; data/classifications when not given.",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", envvar="PULSAURORA_OUT", metavar="DIR", help="Folder for what is made.")
]
Sites = Annotated[
    str | None, typer.Option("--sites", metavar="gill,rank", help="Only these sites; all when not given.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Threads; as many as there are cores when not given.")
]
Processes = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; as many as there are cores when not given.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do again what is already done.")]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Only the I-th of N parts of the nights, always the same ones: for N machines that share --out.",
    ),
]
Engine = Annotated[
    str,
    typer.Option("--engine", metavar="threads|dask", help="Here, or on a dask cluster."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="Of the dask cluster; without it, --workers processes of this machine.",
    ),
]
Raw = Annotated[
    Path, typer.Option("--raw", envvar="PULSAURORA_PFRR", metavar="DIR", help="Folder of the PFRR images.")
]
Wavelengths = Annotated[
    str | None,
    typer.Option("--wavelengths", metavar="428,558", help="Only these PFRR filters, nm; all when not given."),
]


def parse_dates(start, end):
    """Return two `datetime.date`, both ends included.

    Raises
    ------
    UsageError
        If either is not YYYY-MM-DD, or the end comes before the start.
    """
    import datetime
    import re

    dates = []
    for text in (start, end):
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                raise ValueError
            dates.append(datetime.date.fromisoformat(text))
        except ValueError:
            raise UsageError(f"{text!r} is not a date; write it as YYYY-MM-DD, e.g. 2014-03-10") from None
    if dates[1] < dates[0]:
        raise UsageError(f"the last date, {end}, is before the first, {start}")
    return tuple(dates)


def parse_sites(text):
    """Return a sorted list of site names from `gill,rank`, or None for all sites."""
    if text is None:
        return None
    sites = sorted({site.strip().lower() for site in text.replace(",", " ").split()})
    if not sites:
        raise UsageError("--sites names no site; write it as --sites gill,rank")
    return sites


def parse_filters(text):
    """Return PFRR filters, three digits each, from `428,558`, or None for all of them."""
    if text is None:
        return None
    from pulsaurora.archive.wanted import parse_wavelengths

    chosen = parse_wavelengths(text.replace(",", " ").split())
    if not chosen:
        raise UsageError("--wavelengths names no filter; write it as --wavelengths 428,558")
    return chosen


# What is read where an option that names an archive is not given.
_VARIABLES = {
    "--stream0": "PULSAURORA_STREAM0",
    "--raw": "PULSAURORA_PFRR",
    "--classifications": "PULSAURORA_OUT",
}


def existing_folder(path, option):
    """Return `path` if it is a folder, else raise a UsageError that names the option."""
    if not Path(path).is_dir():
        ways = " or ".join(filter(None, [option, _VARIABLES.get(option)]))
        raise UsageError(f"{path} is not a folder; name one that exists with {ways}")
    return Path(path)


def labelled_folder(path):
    """Return the folder of --classifications, which must exist if given, or where `classify` writes."""
    return Path("data/classifications") if path is None else existing_folder(path, "--classifications")


def parse_numbers(text, kind, option):
    """Return positive numbers from `0.1,0.5`, or None where none are given.

    Parameters
    ----------
    text : str or None
    kind : type
        `int` or `float`.
    option : str
        Named in the UsageError.
    """
    if text is None:
        return None
    try:
        numbers = [kind(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise UsageError(f"{option} {text!r} lists no positive numbers; write it as {option} 1,2")
    return numbers
