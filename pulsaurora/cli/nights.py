"""How commands are told their nights: by workbooks, one by one, or from one date to another."""

import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from pulsaurora.cli.options import parse_dates, parse_sites
from pulsaurora.problems import UsageError

Start = Annotated[str | None, typer.Argument(metavar="START", help="First date, YYYY-MM-DD.")]
End = Annotated[str | None, typer.Argument(metavar="END", help="Last date, YYYY-MM-DD, included.")]
Labels = Annotated[
    list[Path] | None,
    typer.Option(
        "--labels",
        metavar="WORKBOOK",
        help="Every night in this workbook, or in all of a folder; repeatable.",
    ),
]
Nights = Annotated[
    str | None, typer.Option("--nights", metavar="SITE/DATE,...", help="These nights: gill/2020-02-18,...")
]
PfrrNights = Annotated[
    str | None, typer.Option("--nights", metavar="DATE,...", help="These dates: 2015-10-07,...")
]


class Chosen(NamedTuple):
    """The nights that a command line names.

    Attributes
    ----------
    nights : list of (str or None, datetime.date)
        None is every site of that date.
    n_refused : int
        Rows of workbooks that name none; each has been told on standard error.
    expected : bool
        Whether each was named, so that its absence is a failure.
    """

    nights: list
    n_refused: int
    expected: bool

    def spans(self):
        """Return (first date, last date, list of sites or None for all) of what can be done in one go."""
        dates = {}
        for site, date in self.nights:
            dates.setdefault(date, set()).add(site)
        known = [(date, None if None in dates[date] else sorted(dates[date])) for date in sorted(dates)]
        if known and not self.expected:  # a range, with the same sites throughout
            return [(known[0][0], known[-1][0], known[0][1])]
        return [(date, date, sites) for date, sites in known]


def choose_nights(instrument, start, end, labels, nights, sites=None):
    """Return the nights asked for, whichever way.

    Parameters
    ----------
    instrument : str
        `themis` or `pfrr`.
    start, end, nights, sites : str or None
    labels : list of Path or None

    Returns
    -------
    Chosen

    Raises
    ------
    UsageError
        If they are named in no way, in two, or as nights cannot be.
    UnreadableFileError
        If no workbook can be read.
    """
    from pulsaurora.archive.download import nights_of_labels, parse_nights

    ways = [bool(labels), nights is not None, start is not None]
    if sum(ways) != 1 or (start is not None and end is None):
        raise UsageError(
            "name the nights in one way: --labels WORKBOOK, --nights SITE/DATE,..., or START END"
        )
    only = parse_sites(sites)
    if start is not None:
        first, last = parse_dates(start, end)
        dates = [first + datetime.timedelta(days=k) for k in range((last - first).days + 1)]
        return Chosen([(site, date) for date in dates for site in only or [None]], 0, False)
    if nights is not None and instrument == "pfrr":
        # Other programs write them with the site in front.
        nights = ",".join(f"pfrr/{night.strip().removeprefix('pfrr/')}" for night in nights.split(","))
    wanted, problems = nights_of_labels(labels, instrument) if labels else (parse_nights(nights), [])
    if only is not None:
        wanted = [(site, date) for site, date in wanted if site in only]
    if not wanted and not problems:
        lacking = f"no night of {instrument}" if only is None else "none of these sites"
        raise UsageError(f"no night is left: the {'workbooks name' if labels else 'list names'} {lacking}")
    for problem in problems:
        typer.echo(str(problem), err=True)
    return Chosen(wanted, len(problems), True)
