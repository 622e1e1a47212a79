"""THEMIS minute files -> day files."""

import datetime as dt
import hashlib
import json
import logging
from itertools import groupby
from pathlib import Path

from pulsaurora.archive.dayfile import SKYMAP, dayfile_path
from pulsaurora.archive.layout import find_nights, fingerprint
from pulsaurora.imaging.contrast import clahe
from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.imaging.packing import Day, pack_days
from pulsaurora.imaging.packparts import packed
from pulsaurora.imaging.skymap import find_skymap, read_skymap
from pulsaurora.imaging.themis import read_minute
from pulsaurora.problems import Problem, PulsauroraError, UsageError

_log = logging.getLogger(__name__)

CLIP_LIMIT, TILES = 3.0, (8, 8)
SCALE = 255 / 65536  # as in the day files that people have; 65535 elsewhere


def pack_themis(
    stream0,
    out,
    start,
    end,
    sites=None,
    raw16=False,
    workers=None,
    overwrite=False,
    watch=None,
    expected=False,
):
    """Make a day file of every site and date.

    Parameters
    ----------
    stream0, out : path-like
        Root of the archive's files, and folder of the day files.
    start, end : datetime.date
        Both included.
    sites : list of str, optional
        All sites when not given.
    raw16 : bool
        Whether to keep the raw frames as well, as `raw_images`.
    workers, overwrite, watch
        As for `pulsaurora.imaging.packing.pack_days`.
    expected : bool
        Whether a site that has no frames on a date is a problem.

    Returns
    -------
    BatchResult
    """
    if not Path(stream0).is_dir():
        raise UsageError(f"{stream0}: is not a folder, expected the root of a stream0 tree")
    listed = []
    dates = _days(Path(stream0), Path(out), start, end, sites, raw16, expected, listed)
    return pack_days(dates, out, stream0, start, end, sites, workers, overwrite, watch, listed)


def _days(stream0, out, start, end, sites, raw16, expected, listed):
    for number in range((end - start).days + 1):
        date = start + dt.timedelta(days=number)
        nights, problems = find_nights(stream0, date, date, sites)
        listed.extend(problems)
        if expected:
            for site in sorted(set(sites or ()) - {night.site for night in nights}):
                place = stream0 / f"{date:%Y/%m/%d}" / f"{site}_*"
                reason = f"no frames, neither here nor under {site}/{date:%Y-%m-%d}"
                listed.append(Problem(str(place), reason))
        yield [
            _day(list(of_site), stream0, out, raw16)
            for _, of_site in groupby(nights, key=lambda night: night.site)
        ]


def _day(nights, stream0, out, raw16):
    """The day file of one site's nights, one for each imager it had on that date."""
    site, date = nights[0].site, nights[0].date
    skymap, skymap_path, problems = _skymap(nights, stream0)
    inputs = "".join(fingerprint(night, skymap_path) for night in nights)
    imagers = ", ".join(night.imager for night in nights)
    position = site_position(site)
    if position is None and skymap:
        longitude = skymap["site_longitude"]
        position = skymap["site_latitude"], longitude - 360 if longitude > 180 else longitude
    parts = sorted(
        (
            (60 * minute.hour + minute.minute, night.imager, minute.alternatives)
            for night in nights
            for minutes in night.hours.values()
            for minute in minutes
        ),
        key=lambda part: part[:2],
    )
    attributes = {
        "about": f"All-sky images of {site} ({imagers}): row, column, frame; row 0 is the first row of the "
        "archive's files. 8-bit after CLAHE with clip limit 3 on 8 x 8 tiles, scaled by 255/65536.",
        "wavelength": "white",
    }
    if position:
        attributes |= dict(zip(("station_latitude", "station_longitude"), position, strict=True))

    def pack(part, raw16):
        minute, imager, alternatives = part
        frames = read_minute(alternatives, metadata=False)
        return packed(frames, _to_8bit, raw16, name=str(alternatives[0]), minute=minute, imager=imager)

    return Day(
        name=f"{date:%Y-%m-%d}-{site}",
        path=dayfile_path(out, date, site),
        parts=parts,
        pack=pack,
        frames_last=True,
        raw16=raw16,
        inputs=hashlib.sha256(inputs.encode()).hexdigest(),
        settings=json.dumps({"clip_limit": CLIP_LIMIT, "tiles": TILES, "scale": "255/65536"}),
        skymap={name: skymap[name] for name in SKYMAP} if skymap else {},
        image_attributes=attributes,
        problems=problems,
    )


def _to_8bit(images):
    return clahe(images, CLIP_LIMIT, TILES, SCALE)


def _skymap(nights, stream0):
    """The skymap of the night, as a dictionary, and its path; what is wrong with it."""
    folders = (*(folder for night in nights for folder in night.folders), stream0, stream0.parent)
    for folder in folders:
        path = find_skymap(folder, nights[0].site, nights[0].date)
        if path is not None:
            try:
                skymap = read_skymap(path)
            except PulsauroraError as error:
                return None, path, [Problem(str(path), f"{error}; the day file is made without a skymap")]
            names = (*SKYMAP, "site_latitude", "site_longitude")
            return {name: getattr(skymap, name) for name in names}, path, []
    for folder in folders:
        path = find_skymap(folder, nights[0].site, nights[0].date, later=True)
        if path is not None:
            night = f"{nights[0].site}/{nights[0].date}"
            _log.warning("%s: begins after %s; the day file is made without a skymap", path, night)
            break
    return None, None, []
