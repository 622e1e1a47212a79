"""What is wanted of an archive, found in its listings: frames of a date, skymaps of a site, PFRR images.

Each finder answers `find(session)` with the files and with what was refused or is missing. Whatever a listing
names is used only if it has the form of the archive's own names.
"""

import logging
import re
import threading
from collections import defaultdict
from functools import partial
from pathlib import Path

from pulsaurora.archive.layout import parse_frame_name
from pulsaurora.archive.transfer.names import is_safe, parse_date, shown
from pulsaurora.archive.transfer.remote import NoListingError, NotThereError, RefusedError, RemoteFile
from pulsaurora.archive.transfer.run import Found, Listing
from pulsaurora.problems import UsageError

_log = logging.getLogger(__name__)

WAVELENGTHS = ("428", "558", "630")
_NIGHT = re.compile(r"([a-z0-9]{4})_[a-z0-9]{1,32}", re.ASCII)
_HOUR = re.compile(r"ut(?:[01]\d|2[0-3])", re.ASCII)
_PRODUCT = re.compile(r"(\d{8})_[A-Za-z0-9_]{1,80}\.pgm(?:\.gz|\.bz2)?", re.ASCII)
_SKYMAP_FOLDER = re.compile(r"([a-z]{4})_(\d{8})", re.ASCII)
_SKYMAP = re.compile(
    r"themis_skymap_([a-z]{4})_(\d{8})-(?:\+|%2B|\d{8})_v(\w{1,8})\.sav", re.IGNORECASE | re.ASCII
)
_PFRR = re.compile(r"PKR_DASC_(?:0(\d{3})_)?(\d{8})_\d{6}(?:\.\d{1,6})?\.FITS?", re.IGNORECASE | re.ASCII)
NO_WAVELENGTH = "000"


class Catalogue:
    """Which folders an archive has, asked from the top and remembered.

    A missing folder is known by its parent's listing: its own answer can be a home page.
    """

    def __init__(self):
        self._guard = threading.Lock()
        self._names = {}

    def has(self, session, *steps):
        """Tell whether the listings name a folder; True as well where they cannot tell better than it can."""
        if session.knows_missing:
            return True
        seen = False
        for depth, step in enumerate(steps):
            names = self._list(session, "/".join(steps[:depth]), seen)
            if names is None:
                seen = False
            elif step not in names:
                return False
            else:
                seen = True
        return True

    def _list(self, session, folder, seen):
        with self._guard:
            if folder not in self._names:
                try:
                    entries = session.list(folder)
                except (NotThereError, NoListingError, RefusedError) as error:
                    # Named by its parent, it should be there: tried again. Else the mirror hides its top.
                    if seen:
                        raise
                    _log.debug("%s: not listed (%s)", folder, error)
                    self._names[folder] = None
                else:
                    self._names[folder] = {entry.name for entry in entries if entry.is_folder}
            return self._names[folder]


class FrameFinder:
    """The minute files of one date.

    Parameters
    ----------
    catalogue : Catalogue
    date : datetime.date
    sites : frozenset of str, or None for all
    out : Path
    training : bool
        Lay files out as OUT/SITE/YYYY-MM-DD/utHH instead of OUT/YYYY/MM/DD/SITE_IMAGER/utHH.
    all_products : bool
        Also what is no full frame.
    """

    def __init__(self, catalogue, date, sites, out, training=False, all_products=False):
        self.catalogue, self.date, self.sites = catalogue, date, sites
        self.out, self.training, self.all_products = Path(out), training, all_products
        self.day = f"{date:%Y/%m/%d}"

    def listing(self):
        """The question to begin with."""
        nights = [self._night(site) for site in sorted(self.sites)] if self.sites else [f"{self.date}"]
        return Listing(tuple(nights), self.find)

    def find(self, session):
        """Find the nights of the date."""
        try:
            entries = session.list(self.day) if self.catalogue.has(session, *self.day.split("/")) else []
        except NotThereError:
            entries = []
        refused, listings = [], []
        for entry in entries:
            match = _NIGHT.fullmatch(entry.name)
            if match is None or entry.refused:
                # What holds a site that is wanted was meant to be found.
                if site := self._meant_site(entry.name):
                    refused.append(_refusal(self._night(site), self.day, entry))
            elif entry.is_folder and (self.sites is None or match[1] in self.sites):
                folder = f"{self.day}/{entry.name}"
                find = partial(self._find_hours, folder, match[1])
                listings.append(Listing((self._night(match[1]),), find, folder))
        return Found([], refused, listings)

    def _find_hours(self, folder, site, session):
        if session.lists_trees:
            return self._find_tree(folder, site, session)
        hours = [e.name for e in session.list(folder) if e.is_folder and _HOUR.fullmatch(e.name)]
        places = [f"{folder}/{hour}" for hour in hours]
        return Found(
            listings=[
                Listing((self._night(site),), partial(self._find_frames, place, site), place)
                for place in places
            ]
        )

    def _find_tree(self, folder, site, session):
        by_hour = defaultdict(list)
        for below, entry in session.tree(folder):
            if _HOUR.fullmatch(below):
                by_hour[below].append(entry)
        files, refused = [], []
        for hour in sorted(by_hour):
            found = self._frames(f"{folder}/{hour}", site, by_hour[hour])
            files += found.files
            refused += found.refused
        return Found(files, refused)

    def _find_frames(self, folder, site, session):
        return self._frames(folder, site, session.list(folder))

    def _frames(self, folder, site, entries):
        """What is wanted of the entries of one hour."""
        night = self._night(site)
        *_, imager, hour = folder.split("/")
        place = Path(site, f"{self.date}") if self.training else Path(*self.day.split("/"), imager)
        files, refused = [], []
        for entry in entries:
            wanted = self._is_wanted(entry.name, site)
            if entry.is_folder:
                continue
            if entry.refused or not (wanted or is_safe(entry.name)):
                if wanted or f"_{site}_" in entry.name:
                    refused.append(_refusal(night, folder, entry))
            elif wanted:
                local = self.out / place / hour / entry.name
                files.append(RemoteFile(f"{folder}/{entry.name}", local, night, entry.size, entry.modified))
            else:
                _log.debug("%s/%s: not asked for", folder, entry.name)
        return Found(files, refused)

    def _night(self, site):
        return f"{site}/{self.date}"

    def _meant_site(self, name):
        if self.sites is None:
            match = re.match(r"([a-z0-9]{4})_", name, re.ASCII)
            return match and match[1]
        return next((site for site in sorted(self.sites) if f"{site}_" in name), None)

    def _is_wanted(self, name, site):
        frame = parse_frame_name(name)
        if frame is not None:
            return frame.site == site and frame.start.date() == self.date
        match = _PRODUCT.fullmatch(name) if self.all_products else None
        return match is not None and match[1] == f"{self.date:%Y%m%d}"


class SkymapFinder:
    """The skymaps that hold for some nights of one site.

    Parameters
    ----------
    catalogue : Catalogue
    site : str
    dates : iterable of datetime.date
    out : Path
    training : bool
        Put each beside the hours of its night, OUT/SITE/YYYY-MM-DD/, instead of OUT/SITE/SITE_YYYYMMDD/.
    """

    def __init__(self, catalogue, site, dates, out, training=False):
        self.catalogue, self.site, self.dates = catalogue, site, sorted(set(dates))
        self.out, self.training = Path(out), training

    def listing(self):
        """The question to begin with."""
        return Listing((f"{self.site} skymaps",), self.find)

    def find(self, session):
        refused = []
        folders = self._folders(session, refused)
        listed, files = {}, {}
        for date in self.dates:
            # From the newest that is not after the night down, then from the first after it up.
            order = [f for f in reversed(folders) if f <= date] + [f for f in folders if f > date]
            for since in order:
                if since not in listed:
                    listed[since] = self._skymap(session, since, refused)
                if listed[since] is not None:
                    file = self._file(since, listed[since], date)
                    files[file.local] = file
                    if since > date:
                        _log.warning(
                            "%s/%s: every skymap is later; the first, of %s, is taken", self.site, date, since
                        )
                    break
            else:
                refused.append(
                    (f"{self.site} skymaps", f"{self.site}/{date}", "has no skymap in the archive")
                )
        return Found(list(files.values()), refused)

    def _folders(self, session, refused):
        if not self.catalogue.has(session, self.site):
            return []
        try:
            entries = session.list(self.site)
        except NotThereError:
            return []
        dates = set()
        for entry in entries:
            match = _SKYMAP_FOLDER.fullmatch(entry.name)
            date = _compact_date(match[2]) if match and match[1] == self.site else None
            if entry.refused or (not is_safe(entry.name) and self.site in entry.name):
                if self.site in entry.name:
                    refused.append(_refusal(f"{self.site} skymaps", self.site, entry))
            elif date is not None and entry.is_folder:
                dates.add(date)
        return sorted(dates)

    def _skymap(self, session, since, refused):
        folder = f"{self.site}/{self.site}_{since:%Y%m%d}"
        best = None
        for entry in session.list(folder):
            match = _SKYMAP.fullmatch(entry.name)
            if entry.refused or (not is_safe(entry.name) and "skymap" in entry.name.lower()):
                if "skymap" in entry.name.lower():
                    refused.append(_refusal(f"{self.site} skymaps", folder, entry))
            elif match and not entry.is_folder and match[1].lower() == self.site:
                # Of copies: the highest version, then the name with the plain +.
                rank = (match[2], match[3].lower(), "%2B" not in entry.name.upper(), entry.name)
                if best is None or rank > best[0]:
                    best = (rank, entry)
        return best[1] if best else None

    def _file(self, since, entry, date):
        folder = f"{self.site}_{since:%Y%m%d}"
        local = self.out / self.site / (f"{date}" if self.training else folder) / entry.name
        path = f"{self.site}/{folder}/{entry.name}"
        return RemoteFile(path, local, f"{self.site} skymaps", entry.size, entry.modified)


class PfrrFinder:
    """The PFRR images of one date, laid out flat as OUT/YYYY-MM-DD-WWW/.

    Files of the first years name no wavelength; they are taken whichever is asked for, into
    OUT/YYYY-MM-DD-000/.

    Parameters
    ----------
    catalogue : Catalogue
    date : datetime.date
    wavelengths : iterable of str
        Three digits, nm.
    out : Path
    """

    def __init__(self, catalogue, date, wavelengths, out):
        self.catalogue, self.date = catalogue, date
        self.wavelengths, self.out = frozenset(wavelengths), Path(out)

    def listing(self):
        """The question to begin with."""
        return Listing(
            tuple(f"{self.date}-{wavelength}" for wavelength in sorted(self.wavelengths)), self.find
        )

    def find(self, session):
        steps = (f"{self.date:%Y}", f"{self.date:%Y%m%d}")
        folder = "/".join(steps)
        try:
            entries = session.list(folder) if self.catalogue.has(session, *steps) else []
        except NotThereError:
            entries = []
        files, refused = [], []
        for entry in entries:
            match = _PFRR.fullmatch(entry.name)
            if entry.refused or not is_safe(entry.name):
                if "pkr_dasc" in entry.name.lower():
                    refused.append(_refusal(f"{self.date}", folder, entry))
                continue
            if match is None or entry.is_folder or match[2] != f"{self.date:%Y%m%d}":
                continue
            wavelength = match[1] or NO_WAVELENGTH
            if wavelength == NO_WAVELENGTH or wavelength in self.wavelengths:
                night = f"{self.date}-{wavelength}"
                local = self.out / night / entry.name
                files.append(RemoteFile(f"{folder}/{entry.name}", local, night, entry.size, entry.modified))
        return Found(sorted(files, key=lambda file: file.local), refused)


def parse_wavelengths(values):
    """Return wavelengths as three digits each; UsageError by name for one that the imager has not.

    Parameters
    ----------
    values : iterable of str or int
        Such as 558, `0558` or `557.7`.
    """
    names = {"428": "428", "427.8": "428", "558": "558", "557.7": "558", "630": "630", "630.0": "630"}
    found = []
    for value in values:
        text = str(value).strip().lstrip("0")
        if text not in names:
            raise UsageError(
                f"{shown(value)!r} is not a wavelength of PFRR, expected one of 428, 558 and 630"
            )
        found.append(names[text])
    return tuple(sorted(set(found)))


def _refusal(night, folder, entry):
    reason = entry.refused or "its name is not of the archive's form"
    return night, f"{folder}/{shown(entry.name)}", f"refused: {reason}"


def _compact_date(text):
    try:
        return parse_date(f"{text[:4]}-{text[4:6]}-{text[6:]}")
    except UsageError:
        return None
