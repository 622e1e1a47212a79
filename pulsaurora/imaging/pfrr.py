"""PFRR all-sky images (FITS) -> Frames.

A file holds one exposure through one filter: 14-bit counts in signed 16-bit numbers, so that a value above
16384 or below zero is damage. A failing disk put random values in about one file of ten in 2013; such a frame
is refused, one with a few bad pixels is mended.
"""

import datetime as dt
import os
import re
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np

from pulsaurora.archive.layout import plain_text
from pulsaurora.archive.pfrr_layout import IMAGER, NO_WAVELENGTH, SIDES, imager_through, parse_pfrr_name
from pulsaurora.imaging.contrast import clahe
from pulsaurora.imaging.frames import Frames
from pulsaurora.imaging.inflate import read_inflated
from pulsaurora.imaging.timeorder import order_in_time
from pulsaurora.problems import Problem, UnreadableFileError, UsageError
from pulsaurora.workers import n_cores

SITE = "pkr"
LARGEST_COUNT = 16384
# A sector of a failing disk is 256 pixels, of which three in four show: beyond one sector, a frame is lost.
MOST_DAMAGED = 256
CLIP_LIMIT, TILES = 300.0, (4, 4)

LONGEST_HEADER = 40 * 2880  # ours have two blocks of 2880 bytes; very long ones take minutes to parse
_END = b"END" + 77 * b" "

_DATE = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})", re.ASCII)
_CLOCK = re.compile(r"(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6})\d*)?", re.ASCII)
# The header's clock is believed where it is within this of the name's.
_CLOCK_SLACK = dt.timedelta(days=1)
# astropy warns of much that does not matter here, and silencing that is not safe in threads.
_PARSING = threading.Lock()


def read_pfrr(paths, wavelength=None, workers=None):
    """Read PFRR images of one filter into one stack of frames in time order.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        `.FITS` or `.FIT` files in any order.
    wavelength : str or int, optional
        nm; only frames of this filter are kept. Needed where the files are of several.
    workers : int, optional
        Threads; by default one for each processor this process may use.

    Returns
    -------
    Frames
        Images uint16 of shape (n_frames, 512, 512) or (n_frames, 1024, 1024), in file orientation; `site` is
        `pkr`, `imager` such as `dasc558`. Header keywords are in `metadata`, among them `FILTWAV`. Files that
        cannot be used, or not as they are, are in `problems`.

    Raises
    ------
    UsageError
        If there are no paths, or their filters are several and none was asked for.
    """
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    paths = sorted((os.fsdecode(path) for path in paths), key=os.path.basename)
    if not paths:
        raise UsageError("no files to read: the list of paths is empty")
    with ThreadPoolExecutor(min(workers or n_cores(), len(paths))) as pool:
        parts = list(zip(map(plain_text, paths), pool.map(read_pfrr_file, paths), strict=True))
    found = sorted({part.imager for _, part in parts if len(part)})
    if wavelength is not None:
        wanted = f"{IMAGER}{str(wavelength).strip().lstrip('0')}"
        parts = [pair for pair in parts if not len(pair[1]) or pair[1].imager in (wanted, IMAGER)]
    elif len(found) > 1:
        raise UsageError(f"the files are of several filters ({', '.join(found)}); name one wavelength")
    return _joined(parts)


def read_pfrr_file(path):
    """Read one PFRR image.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Frames
        One frame, or none with the reason in `problems`; see `read_pfrr`. Never raises for what is wrong with
        the file. Safe to call from threads at once.
    """
    name = plain_text(path)
    named = parse_pfrr_name(os.path.basename(os.fsdecode(path)))
    reasons, flags = [], []
    try:
        data, complaint = read_inflated(path)
        header, counts = _read_fits(data, name)
        if complaint:
            reasons.append(complaint)
        counts = _checked(counts, name, reasons, flags)
        time = _time(header, named, name, reasons, flags)
    except UnreadableFileError as error:
        return Frames.empty(
            512, 512, problems=[Problem(name, str(error).removeprefix(f"{name}: "))], site=SITE
        )
    wavelength = _wavelength(header, named)
    latitude, longitude = _degrees(header.get("GLAT"), 90), _degrees(header.get("GLON"), 360)
    return Frames(
        images=counts[np.newaxis],
        times=np.array([time], "datetime64[us]"),
        metadata=[header],
        problems=[Problem(name, "; ".join(reasons), 1)] if reasons else [],
        site=SITE,
        imager=imager_through(wavelength),
        quality=[tuple(flags)],
        latitude=latitude,
        longitude=longitude,
    )


def to_8bit(images, clip_limit=CLIP_LIMIT, tiles=TILES):
    """Equalize the contrast of PFRR frames and scale each by its own maximum.

    Parameters
    ----------
    images : ndarray of uint16, shape (n_frames, rows, columns), counts
    clip_limit, tiles
        As for `clahe`.

    Returns
    -------
    ndarray of uint8, same shape
        As ``cv2.convertScaleAbs(equalized, alpha=255 / equalized.max())`` gives it, to the last bit.
    """
    equalized = clahe(images, clip_limit, tiles, scale=None)
    out = np.empty(equalized.shape, np.uint8)
    for source, target in zip(equalized, out, strict=True):
        largest = int(source.max())
        # OpenCV multiplies in single precision and rounds half to even.
        scaled = np.arange(largest + 1, dtype=np.float32) * np.float32(255 / max(largest, 1))
        np.take(np.rint(scaled).astype(np.uint8), source, out=target)
    return out


def read_calibration(paths, shape=(512, 512)):
    """Read the elevation and azimuth of each pixel.

    Parameters
    ----------
    paths : dict of str to path-like
        `el` and, if there is one, `az`; see `pulsaurora.archive.pfrr_layout.find_calibration`.
    shape : (int, int)
        Rows and columns that they must have.

    Returns
    -------
    dict of str to float32 ndarray, degrees
        `elevation` and, if there is one, `azimuth`; NaN below the horizon, where files hold zero.

    Raises
    ------
    UnreadableFileError
        If a file is none of that shape or its angles cannot be true.
    """
    grids = {}
    for kind, known, limit in (("el", "elevation", 90.0), ("az", "azimuth", 360.0)):
        if kind not in paths:
            continue
        name = plain_text(paths[kind])
        _, values = _read_fits(read_inflated(paths[kind])[0], name)
        if values.shape != shape or values.dtype.kind != "f":
            raise UnreadableFileError(
                f"{name}: holds {values.dtype} of shape {values.shape}, expected {shape}"
            )
        values = values.astype(np.float32)
        seen = values[np.isfinite(values)]
        if not (seen.size and seen.min() >= 0 and seen.max() <= limit):
            raise UnreadableFileError(f"{name}: holds values that are no angles from 0 to {limit:g} degrees")
        grids[known] = values
    below = ~(grids["elevation"] > 0)
    for grid in grids.values():
        grid[below] = np.nan
    return grids


def _read_fits(data, name):
    """Header (dict of str to str) and 2-D array of the first image in a FITS file held in memory."""
    from astropy.io import fits

    if data[:9] != b"SIMPLE  =":
        raise UnreadableFileError(f"{name}: is not a FITS file (begins with {bytes(data[:16])!r})")
    if data.find(_END, 0, LONGEST_HEADER) < 0:
        raise UnreadableFileError(f"{name}: the FITS header has no end in its first {LONGEST_HEADER} bytes")
    try:
        with _PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(BytesIO(data), memmap=False, lazy_load_hdus=True) as file:
                first = file[0]
                shape, header = first.shape, first.header
                _check_claim(first, shape, len(data), name)
                values = first.data
                known = {str(key): str(value).strip() for key, value in header.items() if key}
    except UnreadableFileError:
        raise
    except Exception as error:  # it raises whatever its parsing runs into
        said = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableFileError(f"{name}: the FITS file is broken ({said:.200})") from None
    return known, values.reshape(shape[-2:])


def _check_claim(image, shape, n_bytes, name):
    """Refuse an image before it is read if it is none of ours or the file is too short for it."""
    planes, sides = shape[:-2], shape[-2:]
    if planes not in ((), (1,)) or len(sides) != 2 or sides[0] != sides[1] or sides[0] not in SIDES:
        raise UnreadableFileError(
            f"{name}: holds an image of shape {shape}, expected 512 x 512 or 1024 x 1024 pixels"
        )
    width = abs(int(image.header["BITPIX"])) // 8
    expected = width * sides[0] * sides[1]
    held = n_bytes - image.fileinfo()["datLoc"]
    if held < expected:
        raise UnreadableFileError(f"{name}: holds {max(held, 0)} bytes of pixels, expected {expected}")


def _checked(values, name, reasons, flags):
    """Counts as uint16; damaged pixels mended if they are few."""
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise UnreadableFileError(f"{name}: has pixels that are no numbers")
        values = np.rint(values)
    damaged = (values < 0) | (values > LARGEST_COUNT)
    n_damaged = int(damaged.sum())
    if n_damaged > MOST_DAMAGED:
        raise UnreadableFileError(
            f"{name}: {n_damaged} of {values.size} pixels are damaged (below 0 or above {LARGEST_COUNT}): "
            "refused"
        )
    counts = np.where(damaged, 0, values).astype(np.uint16)
    if n_damaged:
        reasons.append(f"{n_damaged} of {values.size} pixels are damaged, set to the median round them")
        flags.append("pixels_damaged")
        for row, column in np.argwhere(damaged):
            around = slice(max(row - 3, 0), row + 4), slice(max(column - 3, 0), column + 4)
            good = counts[around][~damaged[around]]
            counts[row, column] = np.median(good if good.size else counts[~damaged])
    return counts


def _time(header, named, name, reasons, flags):
    """When exposure began: as the header says, else as the name does."""
    date, clock = _DATE.fullmatch(header.get("OBSDATE", "")), _CLOCK.fullmatch(header.get("OBSSTART", ""))
    told = None
    if date and clock:
        try:
            told = dt.datetime(*map(int, date.groups()), *map(int, clock.groups()[:3]))
            told += dt.timedelta(microseconds=int((clock[4] or "0").ljust(6, "0")))
        except ValueError:
            told = None
    if told is not None and (named is None or abs(told - named.start) < _CLOCK_SLACK):
        return told
    if named is None:
        raise UnreadableFileError(f"{name}: neither its header nor its name tells the time")
    found = "no time" if told is None else f"the time {told}"
    reasons.append(f"header tells {found}, the name's is taken")
    flags.append("time_from_name")
    return named.start


def _wavelength(header, named):
    """Three digits: as the header says, else as the name does, else `000`."""
    told = re.fullmatch(r"0*(\d{3}(?:\.\d+)?)", header.get("FILTWAV", ""), re.ASCII)
    # 557.7 nm are what names call 558.
    wavelength = f"{round(float(told[1])):03d}" if told else NO_WAVELENGTH
    if wavelength != NO_WAVELENGTH:
        return wavelength
    return named.wavelength if named else NO_WAVELENGTH


def _degrees(text, limit):
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if -limit <= value <= limit else None


def _joined(parts):
    """One stack in time order of (name, Frames) pairs; frames of the less usual size are left out."""
    problems = [problem for _, part in parts for problem in part.problems]
    shapes = [part.images.shape[1:] for _, part in parts if len(part)]
    usual = max(sorted(set(shapes)), key=shapes.count) if shapes else (512, 512)
    kept = []
    for name, part in parts:
        if len(part) and part.images.shape[1:] == usual:
            kept.append((name, part))
        elif len(part):
            reason = f"has {part.images.shape[1:]} pixels among frames of {usual}, left out"
            problems.append(Problem(name, reason))
    if not kept:
        return Frames.empty(*usual, problems=problems, site=SITE)
    names, frames = [name for name, _ in kept], Frames.concatenate([part for _, part in kept])
    order, doubled = order_in_time(frames.times, frames.quality, np.arange(len(kept)), names)
    if order is not None:
        frames.images, frames.times = frames.images[order], frames.times[order]
        frames.metadata = [frames.metadata[index] for index in order]
        frames.quality = [frames.quality[index] for index in order]
    frames.problems = problems + doubled
    return frames
