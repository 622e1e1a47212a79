"""PFRR images -> day files, one a date and filter."""

import datetime as dt
import json
from pathlib import Path

from pulsaurora.archive.dayfile import dayfile_path
from pulsaurora.archive.layout import fingerprint_files
from pulsaurora.archive.pfrr_layout import (
    IMAGER,
    NO_WAVELENGTH,
    find_calibration,
    find_pfrr_nights,
    parse_pfrr_name,
)
from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.imaging.packing import Day, pack_days
from pulsaurora.imaging.packparts import packed
from pulsaurora.imaging.pfrr import CLIP_LIMIT, SITE, TILES, read_calibration, read_pfrr_file, to_8bit
from pulsaurora.problems import Problem, UnreadableFileError


def pack_pfrr(
    raw,
    out,
    start,
    end,
    wavelengths=None,
    raw16=False,
    tiles=TILES,
    calibration=None,
    workers=None,
    overwrite=False,
    watch=None,
    expected=False,
):
    """Make a day file of every date and filter.

    Parameters
    ----------
    raw, out : path-like
        Root of the images, and folder of the day files.
    start, end : datetime.date
        Both included.
    wavelengths : iterable of str, optional
        Three digits each; all when not given.
    raw16 : bool
        Whether to keep the raw frames as well, as `raw_images`.
    tiles : (int, int)
        Of the equalization: (4, 4), or (8, 8) for finer structure.
    calibration : path-like, optional
        Folder of the elevation and azimuth of each pixel; beside the images when not given.
    workers, overwrite, watch
        As for `pulsaurora.imaging.packing.pack_days`.
    expected : bool
        Whether a date without an image is a problem.

    Returns
    -------
    BatchResult
    """
    listed = []
    folders = calibration_folders(raw, calibration)

    def dates():
        for number in range((end - start).days + 1):
            date = start + dt.timedelta(days=number)
            nights, problems = find_pfrr_nights(raw, date, date, wavelengths)
            listed.extend(problems)
            if expected and not nights:
                place = Path(raw) / f"{date:%Y-%m-%d}-*"
                listed.append(Problem(str(place), f"no images, neither here nor under {date:%Y/%Y%m%d}"))
            yield [_day(night, Path(out), folders, raw16, tuple(tiles)) for night in nights]

    return pack_days(dates(), out, raw, start, end, None, workers, overwrite, watch, listed)


def calibration_folders(raw, calibration=None):
    """Return where the elevation and azimuth of each pixel may lie."""
    raw = Path(raw)
    return [Path(calibration)] if calibration else [raw, raw / "cal", raw.parent / "cal"]


def night_calibration(folders, date, shape=(512, 512)):
    """Return elevation and azimuth that hold for a date, their paths, and what is wrong with them.

    Returns
    -------
    grids : dict of str to ndarray
        See `read_calibration`; empty if there are none.
    paths : list of Path
    problems : list of Problem
    """
    paths = find_calibration(folders, date)
    if not paths:
        return {}, [], []
    used = [paths[kind] for kind in sorted(paths)]
    try:
        return read_calibration(paths, shape), used, []
    except UnreadableFileError as error:
        return {}, used, [Problem(str(paths["el"]), f"{error}; done without elevations")]


def _day(night, out, folders, raw16, tiles):
    skymap, calibration, problems = night_calibration(folders, night.date)
    position = site_position(SITE)
    is_known = night.wavelength != NO_WAVELENGTH
    through = f"the {night.wavelength} nm filter" if is_known else "an unknown filter"
    attributes = {
        "about": f"All-sky images of Poker Flat (PFRR) through {through}: frame, row, column; row 0 is the "
        f"first row of the FITS files. 8-bit after CLAHE with clip limit 300 on {tiles[0]} x {tiles[1]} "
        "tiles, each scaled by 255 / its own maximum.",
        "wavelength": night.wavelength if is_known else "unknown",
        "station_latitude": position[0],
        "station_longitude": position[1],
    }

    def pack(path, raw16):
        frames = read_pfrr_file(path)
        start = parse_pfrr_name(path.name).start
        return packed(
            frames,
            lambda images: to_8bit(images, CLIP_LIMIT, tiles),
            raw16,
            name=str(path),
            minute=60 * start.hour + start.minute,
            imager=frames.imager or IMAGER,
        )

    return Day(
        name=night.name,
        path=dayfile_path(out, night.date, night.wavelength),
        parts=night.files,
        pack=pack,
        frames_last=False,
        raw16=raw16,
        inputs=fingerprint_files([*night.files, *calibration]),
        settings=json.dumps({"clip_limit": CLIP_LIMIT, "tiles": tiles, "scale": "255/maximum"}),
        skymap=skymap,
        image_attributes=attributes,
        problems=problems,
    )
