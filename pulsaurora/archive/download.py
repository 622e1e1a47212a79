"""Fetching the archive's files: THEMIS frames, their skymaps, PFRR images.

What all have in common is in `pulsaurora.archive.transfer`: a file bears its name only when it is whole,
what is whole is not fetched again, and what is half there is resumed.
"""

import contextlib
import csv
import logging
from collections import defaultdict
from pathlib import Path

from pulsaurora.archive.files import whole_file
from pulsaurora.archive.transfer.names import parse_base, parse_date, parse_site, shown
from pulsaurora.archive.transfer.remote import NotThereError, TransferError
from pulsaurora.archive.transfer.run import PAUSES_S, run
from pulsaurora.archive.transfer.tally import NightCount
from pulsaurora.archive.wanted import (
    NO_WAVELENGTH,
    WAVELENGTHS,
    Catalogue,
    FrameFinder,
    PfrrFinder,
    SkymapFinder,
    parse_wavelengths,
)
from pulsaurora.problems import Problem, UsageError

_log = logging.getLogger(__name__)

TRANSPORTS = ("auto", "rsync", "https", "http", "ftp")
MAX_PFRR_CONNECTIONS = 25  # the server fails at 50
CONNECTIONS = {"themis": 6, "skymap": 4, "pfrr": 12, "rsync": 3}  # a daemon counts them, and one is fast
PROBLEMS_NAME = "download_problems.csv"
# Of its own, since skymaps can go into the tree of frames.
SKYMAP_PROBLEMS_NAME = "skymap_problems.csv"

_CALGARY = "data.phys.ucalgary.ca/"
_THEMIS = "sort_by_project/THEMIS/asi/"
_ALASKA = "optics.gi.alaska.edu/"
# Where each archive's tree stands, by transport; the first is what `auto` takes (rsync if it is installed).
BASES = {
    "themis": {
        "rsync": f"rsync://{_CALGARY}data/{_THEMIS}stream0/",
        "https": f"https://{_CALGARY}{_THEMIS}stream0/",
        "http": f"http://{_CALGARY}{_THEMIS}stream0/",
    },
    "skymap": {
        "rsync": f"rsync://{_CALGARY}data/{_THEMIS}skymaps/",
        "https": f"https://{_CALGARY}{_THEMIS}skymaps/",
        "http": f"http://{_CALGARY}{_THEMIS}skymaps/",
    },
    "pfrr": {
        "ftp": f"ftp://{_ALASKA}PKR/DASC/RAW/",
        "http": f"http://{_ALASKA}amisr_archive/PKR/DASC/RAW/",
        "https": f"https://{_ALASKA}amisr_archive/PKR/DASC/RAW/",
    },
}


def download_themis(
    nights, out, base=None, transport="auto", training=False, all_products=False, expected=True, **how
):
    """Fetch the minute files of THEMIS nights.

    Parameters
    ----------
    nights : iterable of (str or None, datetime.date or str)
        Site and UT date; None is every site of that date.
    out : path-like
        Root of the tree: OUT/YYYY/MM/DD/SITE_IMAGER/utHH/.
    base : str, optional
        Address of the archive's stream0 folder; the University of Calgary's by default.
    transport : str
        `auto` (what the address says; without one, rsync where it is installed, else https), `rsync`,
        `https`, `http` or `ftp`.
    training : bool
        Lay out as OUT/SITE/YYYY-MM-DD/utHH/ instead.
    all_products : bool
        Also files that are no full frames.
    expected : bool
        Whether a night that the archive does not have is a failure.
    **how
        `connections`, `pauses_s`, `timeout_s`, `dry_run` and `watch`; see `run` of
        `pulsaurora.archive.transfer.run`.

    Returns
    -------
    Downloaded
        What came, what was there, what failed.

    Raises
    ------
    UsageError
        If a site, a date, the address or the transport is none; before anything is asked of the server.
    """
    by_date = defaultdict(set)
    for site, date in nights:
        by_date[parse_date(date)].add(None if site is None else parse_site(site))
    catalogue = Catalogue()
    listings, names = [], []
    for date in sorted(by_date):
        sites = None if None in by_date[date] else frozenset(by_date[date])
        listings.append(FrameFinder(catalogue, date, sites, out, training, all_products).listing())
        names += [(f"{site}/{date}",) for site in sorted(sites or ())]
    return _download("themis", listings, out, base, transport, names, expected, **how)


def download_skymaps(nights, out, base=None, transport="auto", training=False, **how):
    """Fetch, for each night, the newest skymap that does not begin after it.

    Where all begin later the first is taken, with a warning. Files go to OUT/SITE/SITE_YYYYMMDD/, or with
    `training` beside the hours of the night, OUT/SITE/YYYY-MM-DD/. Otherwise as `download_themis`.
    """
    by_site = defaultdict(set)
    for site, date in nights:
        by_site[parse_site(site)].add(parse_date(date))
    catalogue = Catalogue()
    listings = [
        SkymapFinder(catalogue, site, dates, out, training).listing()
        for site, dates in sorted(by_site.items())
    ]
    return _download("skymap", listings, out, base, transport, **how)


def download_pfrr(dates, out, wavelengths=WAVELENGTHS, base=None, transport="auto", expected=True, **how):
    """Fetch PFRR images.

    Parameters
    ----------
    dates : iterable of datetime.date or str
    out : path-like
        Files go to OUT/YYYY-MM-DD-WWW/.
    wavelengths : iterable of str or int
        428, 558, 630 nm.
    base, transport, expected, **how
        As for `download_themis`; `auto` is ftp, and at most 25 connections are allowed.

    Returns
    -------
    Downloaded
    """
    wavelengths = parse_wavelengths(wavelengths)
    if not 1 <= how.get("connections", 1) <= MAX_PFRR_CONNECTIONS:
        raise UsageError(f"the PFRR archive takes 1 to {MAX_PFRR_CONNECTIONS} connections")
    dates = sorted({parse_date(date) for date in dates})
    catalogue = Catalogue()
    listings = [PfrrFinder(catalogue, date, wavelengths, out).listing() for date in dates]
    # Where images name no wavelength they stand for all.
    names = [(f"{date}-{w}", f"{date}-{NO_WAVELENGTH}") for date in dates for w in wavelengths]
    return _download("pfrr", listings, out, base, transport, names, expected, **how)


def choose_base(archive, base=None, transport="auto"):
    """Return the Base to fetch from, by the address, the transport, or what this machine has.

    Raises
    ------
    UsageError
        If the address is none, or does not go with the transport.
    """
    if transport not in TRANSPORTS:
        raise UsageError(f"{shown(transport)!r} is not a transport, expected one of {', '.join(TRANSPORTS)}")
    known = BASES[archive]
    if base is not None:
        parsed = parse_base(base)
        if transport not in ("auto", parsed.scheme):
            raise UsageError(
                f"--transport {transport} does not go with an address that begins {parsed.scheme}://"
            )
        return parsed
    if transport == "auto":
        transport = next(iter(known))
        if transport == "rsync":
            from pulsaurora.archive.transfer.rsync import find_rsync

            transport = "rsync" if find_rsync() else "https"
    if transport not in known:
        raise UsageError(f"the archive is not known over {transport}; give its address with --base")
    return parse_base(known[transport])


def session_opener(base, timeout_s=60.0):
    """Return a callable that opens a Session for the base, one a thread."""
    if base.scheme == "rsync":
        from pulsaurora.archive.transfer.rsync import RsyncSession, find_rsync

        program = find_rsync()
        if program is None:
            raise UsageError("there is no rsync (version 3 or later) on this machine; use --transport https")
        return lambda: RsyncSession(base, timeout_s, program)
    if base.scheme == "ftp":
        from pulsaurora.archive.transfer.ftp import FtpSession

        return lambda: FtpSession(base, timeout_s)
    from pulsaurora.archive.transfer.http import HttpSession

    return lambda: HttpSession(base, timeout_s)


def _download(
    archive,
    listings,
    out,
    base,
    transport,
    names=(),
    expected=False,
    connections=None,
    pauses_s=PAUSES_S,
    timeout_s=60.0,
    dry_run=False,
    watch=None,
):
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, expected the folder that the files go to")
    base = choose_base(archive, base, transport)
    if connections is None:
        connections = CONNECTIONS["rsync" if base.scheme == "rsync" else archive]
    opener = session_opener(base, timeout_s)
    result = run(opener, listings, connections, pauses_s, dry_run, watch)
    if listings and not result.nights:
        _check_base(opener, base)
    _note_missing(result, names, expected)
    if not dry_run:
        name = SKYMAP_PROBLEMS_NAME if archive == "skymap" else PROBLEMS_NAME
        _write_problems(out / name, result.problems)
    return result


def _check_base(opener, base):
    """Tell an archive that has none of the nights from an address that is wrong."""
    session = opener()
    try:
        session.list("")
    except NotThereError:
        raise UsageError(f"{base.url()}: there is nothing at this address; see --base") from None
    except TransferError as error:
        _log.debug("%s: %s", base.url(), error)
    finally:
        session.close()


def _note_missing(result, names, expected):
    """Count nights of which nothing was found, under any of their names, as failed if they were expected."""
    found = {night.name for night in result.nights}
    for name in names:
        if not found.isdisjoint(name):
            continue
        if expected:
            result.nights.append(NightCount(name[0], n_failed=1))
            result.problems.append(Problem(name[0], "is not in the archive"))
        else:
            _log.info("%s: is not in the archive", name[0])
    result.nights.sort(key=lambda night: night.name)
    result.problems.sort(key=lambda problem: problem.path)


def _write_problems(path, problems):
    """Write the table of what failed in this run; none if nothing did."""
    if not problems:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
        return
    with whole_file(path) as passing, open(passing, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "reason"))
        writer.writerows((problem.path, problem.reason) for problem in problems)


def parse_nights(text):
    """Read `gill/2020-02-18,rank/2020-02-19` into a list of (site, date).

    Raises
    ------
    UsageError
        Naming what is not of this form.
    """
    nights = []
    for item in filter(None, (item.strip() for item in text.split(","))):
        site, slash, date = item.partition("/")
        if not slash:
            raise UsageError(
                f"{shown(item)!r} is not a night; write it as SITE/DATE, such as gill/2020-02-18"
            )
        nights.append((parse_site(site), parse_date(date)))
    if not nights:
        raise UsageError("no night is named; write them as gill/2020-02-18,rank/2020-02-18")
    return nights


def check_nights(pairs, source):
    """Sort what a workbook names into nights that can be asked for and Problems that name the rest.

    Parameters
    ----------
    pairs : iterable of (site, date)
    source : str
        Where they come from.

    Returns
    -------
    nights : list of (str, datetime.date)
    problems : list of Problem
    """
    nights, problems = {}, {}
    for site, date in pairs:
        try:
            nights[parse_site(site), parse_date(date)] = None
        except UsageError as error:
            problems[str(error)] = Problem(str(source), f"refused: {error}")
    return sorted(nights), list(problems.values())


def nights_of_labels(paths, instrument):
    """Return the nights that workbooks name.

    Parameters
    ----------
    paths : path-like, or an iterable of them
        Workbooks, or folders whose workbooks are all read.
    instrument : str
        `themis` or `pfrr`.

    Returns
    -------
    nights : list of (str, datetime.date)
    problems : list of Problem
        Rows and workbooks that could not be read; what they name is not asked for.

    Raises
    ------
    UnreadableFileError
        If no workbook can be read.
    """
    from pulsaurora.archive.labels import read_workbooks

    table, problems, _ = read_workbooks(paths, instrument)
    pairs = list(zip(table["site"], table["date"].dt.date, strict=True))
    nights, refused = check_nights(pairs, "the workbooks")
    return nights, problems + refused
