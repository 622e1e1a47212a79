"""Dated pixel-to-sky tables of the THEMIS imagers, and the mask of pixels worth looking at.

A skymap says where in the sky each pixel of one imager looks, from the date in its name until the
next one. Without a skymap the optics tell elevation well enough for a mask: every THEMIS imager has
the same fisheye lens, and its circle stands within a few pixels of the same place on every chip.
"""

import datetime as dt
import os
import re
import stat
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pulsaurora.imaging._savcheck import MAX_BYTES, check_save_file
from pulsaurora.problems import ContractError, UnreadableFileError

_NAME = re.compile(r"themis_skymap_([a-z]{4})_(\d{8})-(?:\+|%2B|\d{8})_v(\w+)\.sav", re.IGNORECASE)
_SHAPE = (256, 256)
# Horizon circle of the THEMIS optics on a 256x256 image: centre between gako 2011 (128.6, 124.2) and
# gill 2014 (129.3, 131.9), radius from both (124.5 and 125 px).
USUAL_CENTRE, USUAL_RADIUS = (129.0, 128.0), 124.5
# Elevation falls from 90 degrees as _LINEAR * r + (1 - _LINEAR) * r**3 of the radius: least squares
# over the gako 2011 skymap, with 0.85 degrees rms left over.
_LINEAR = 0.943
# readsav keeps what it knows of structures in one place for all threads, and it warns.
_READSAV = threading.Lock()


@dataclass(frozen=True, slots=True)
class Skymap:
    """Where each pixel of one imager looks, in file orientation (row 0 is the file's first row).

    Attributes
    ----------
    path : str
    site : str
        Four lower-case letters.
    imager : str or None
        Such as ``themis20``.
    valid_from : datetime.date or None
        First night it holds for.
    elevation, azimuth : float32 ndarray of shape (256, 256), degrees
        Of the pixel's centre; azimuth from north through east. NaN below the horizon.
    altitudes_km : float64 ndarray of shape (n_alt,)
        Emission heights for which latitude and longitude are told.
    latitude, longitude : float32 ndarray of shape (n_alt, 257, 257), degrees
        Of the pixels' corners, north and east positive, longitude from 0 to 360. NaN where the
        corner does not look at the sky.
    site_latitude, site_longitude : float, degrees
        Longitude from 0 to 360.
    """

    path: str
    site: str
    imager: str | None
    valid_from: dt.date | None
    elevation: np.ndarray
    azimuth: np.ndarray
    altitudes_km: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    site_latitude: float
    site_longitude: float


def read_skymap(path):
    """Read a THEMIS skymap (IDL save file).

    Parameters
    ----------
    path : path-like
        Such as ``themis_skymap_gako_20110305-+_vXX.sav``.

    Returns
    -------
    Skymap
        Native float32 arrays, heights in km whichever of m and km the file uses.

    Raises
    ------
    UnreadableFileError
        If the file cannot be opened, is no skymap, is broken, or claims sizes that cannot be true.
    """
    path = Path(path)
    table = _read_table(path)
    elevation = _grid(path, table, "full_elevation", _SHAPE, -90.0, 90.0)
    azimuth = _grid(path, table, "full_azimuth", _SHAPE, 0.0, 360.0)
    with np.errstate(invalid="ignore"):
        below = ~(elevation >= 0)
    # Files go on to 1 degree below the horizon; here NaN means below it, always.
    elevation[below] = azimuth[below] = np.nan
    if below.all():
        raise UnreadableFileError(f"{path.name}: no pixel of FULL_ELEVATION is above the horizon")

    altitudes_km = np.atleast_1d(_array(path, table, "full_map_altitude")).astype(np.float64)
    if altitudes_km.ndim != 1 or not 1 <= altitudes_km.size <= 100 or not np.isfinite(altitudes_km).all():
        raise UnreadableFileError(
            f"{path.name}: FULL_MAP_ALTITUDE is {_brief(altitudes_km)}, expected a few heights"
        )
    if altitudes_km.max() > 1000:
        altitudes_km = altitudes_km / 1000
    if not (altitudes_km.min() >= 50 and altitudes_km.max() <= 1000):
        raise UnreadableFileError(
            f"{path.name}: FULL_MAP_ALTITUDE is {_brief(altitudes_km)} km, expected emission heights of 50 "
            "to 1000 km"
        )
    corners = (altitudes_km.size, _SHAPE[0] + 1, _SHAPE[1] + 1)
    latitude = _grid(path, table, "full_map_latitude", corners, -90.0, 90.0)
    longitude = _grid(path, table, "full_map_longitude", corners, -360.0, 360.0)

    named = _NAME.fullmatch(path.name)
    site = _text(table, "site_uid").lower() or (named[1].lower() if named else "")
    if not re.fullmatch("[a-z]{4}", site):
        raise UnreadableFileError(f"{path.name}: SITE_UID is {site!r}, expected four letters")
    return Skymap(
        path=str(path),
        site=site,
        imager=_text(table, "imager_uid") or None,
        valid_from=_valid_from(table) or (_date(named[2]) if named else None),
        elevation=elevation,
        azimuth=azimuth,
        altitudes_km=altitudes_km,
        latitude=latitude,
        longitude=_to_360(longitude),
        site_latitude=_number(path, table, "site_map_latitude", -90.0, 90.0),
        site_longitude=_number(path, table, "site_map_longitude", -360.0, 360.0) % 360.0,
    )


def find_skymap(folder, site, date, later=False):
    """Find the skymap that holds for a night: the newest that does not begin after it.

    Parameters
    ----------
    folder : path-like
        A night's folder of the training layout (the file lies beside ``ut*``), a folder of skymaps,
        or a root with skymaps under ``SITE/``, ``SITE/SITE_YYYYMMDD/``, ``SITE/YYYY-MM-DD/`` or the
        same under ``skymaps/``. Trees of images are not searched.
    site : str
    date : datetime.date or str
        The night, as a date or ``YYYY-MM-DD``.
    later : bool
        Whether to find the first that does begin after it instead.

    Returns
    -------
    pathlib.Path or None
        None if there is no skymap for that night.
    """
    folder, site = Path(folder), site.lower()
    date = dt.date.fromisoformat(date) if isinstance(date, str) else date
    if not re.fullmatch("[a-z]{4}", site):
        return None
    best = None
    for place in ("", "skymaps/"):
        for below in ("", f"{site}/", f"{site}_*/", f"{site}/{site}_*/", f"{site}/{date.isoformat()}/"):
            for path in folder.glob(f"{place}{below}*.[sS][aA][vV]"):
                named = _NAME.fullmatch(path.name)
                since = _date(named[2]) if named and named[1].lower() == site else None
                if since is None or (since > date) != later or not os.path.isfile(path):
                    continue  # nor what may not be looked at: `Path.is_file` would raise
                # Of copies that begin on one date: the highest version, then the name with the plain +.
                newness = -since.toordinal() if later else since.toordinal()
                rank = (newness, named[3].lower(), "%2B" not in path.name.upper(), path.as_posix())
                if best is None or rank > best[0]:
                    best = (rank, path)
    return best[1] if best else None


def optics_elevation(shape=_SHAPE, centre=None, radius=None):
    """Estimate each pixel's elevation from the optics alone, for an imager without a skymap.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    centre : (float, float), optional
        Row and column of the zenith; by default that of the THEMIS imagers, scaled to the shape.
    radius : float, optional
        Pixels from the centre to the horizon; by default that of the THEMIS imagers, scaled.

    Returns
    -------
    float32 ndarray of that shape, degrees
        NaN below the horizon. Within 5.5 degrees of the gako 2011 skymap, half of it within 2: its
        imager's centre is 4 px off the usual one. With its own centre, within 2.2.
    """
    rows, columns = shape
    if rows < 1 or columns < 1:
        raise ContractError(f"shape: found {shape}, expected at least one row and one column")
    scale = min(rows, columns) / 256.0
    if centre is None:
        centre = (USUAL_CENTRE[0] * rows / 256.0, USUAL_CENTRE[1] * columns / 256.0)
    radius = USUAL_RADIUS * scale if radius is None else float(radius)
    if not radius > 0:
        raise ContractError(f"radius: found {radius}, expected pixels above zero")
    r = np.hypot(np.arange(rows)[:, None] - centre[0], np.arange(columns)[None, :] - centre[1]) / radius
    elevation = 90.0 * (1.0 - r * (_LINEAR + (1.0 - _LINEAR) * r**2))
    return np.where(r <= 1.0, elevation, np.nan).astype(np.float32)


def elevation_mask(elevation, minimum_deg=15.0):
    """Tell which pixels to look at: those at least so high above the horizon.

    Parameters
    ----------
    elevation : ndarray, degrees
        From a skymap or from `optics_elevation`; NaN counts as below.
    minimum_deg : float, degrees

    Returns
    -------
    bool ndarray of the same shape
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(elevation) >= minimum_deg


def _read_table(path):
    """Read the save file's ``skymap`` structure; return {lower-case tag: value}."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableFileError(f"{path.name}: is no file, expected an IDL save file")
        if found.st_size > MAX_BYTES:
            raise UnreadableFileError(f"{path.name}: {found.st_size} bytes, a skymap has 3.5 million")
        check_save_file(path.read_bytes())
    except OSError as error:
        raise UnreadableFileError(f"{path.name}: cannot be read ({error.strerror or error})") from None
    except UnreadableFileError:
        raise
    except ValueError as error:
        raise UnreadableFileError(f"{path.name}: not a readable IDL save file: {error}") from None
    from scipy.io import readsav

    with _READSAV, warnings.catch_warnings():
        # It warns of every byte array, whose length stands twice, and leaves its file to the
        # garbage collector when it fails.
        warnings.simplefilter("ignore")
        try:
            variables = readsav(path, python_dict=True)
        except Exception as error:  # it raises whatever its parsing runs into
            reason = f"{type(error).__name__}: {error}"
            del error
        else:
            reason = None
    if reason is not None:
        raise UnreadableFileError(f"{path.name}: the IDL save file is broken ({reason})")
    record = variables.get("skymap")
    if not isinstance(record, np.recarray) or record.size != 1 or record.dtype.names is None:
        raise UnreadableFileError(
            f"{path.name}: found the variables {sorted(variables)}, expected a structure named SKYMAP"
        )
    record = record.reshape(-1)[0]
    return {name.lower(): record[name] for name in record.dtype.names}


def _array(path, table, name):
    if name not in table:
        raise UnreadableFileError(f"{path.name}: the skymap has no {name.upper()}")
    value = np.asarray(table[name])
    if value.dtype.kind not in "fiu":
        raise UnreadableFileError(f"{path.name}: {name.upper()} holds {value.dtype}, expected numbers")
    return value


def _grid(path, table, name, shape, low, high):
    """A native float32 copy of one grid, checked for shape and range (NaN is left as it is)."""
    value = _array(path, table, name)
    if value.shape != shape:
        raise UnreadableFileError(f"{path.name}: {name.upper()} has shape {value.shape}, expected {shape}")
    with np.errstate(over="ignore"):
        value = value.astype(np.float32, order="C")
    seen = value[~np.isnan(value)]
    if seen.size and not (seen.min() >= low and seen.max() <= high):
        raise UnreadableFileError(
            f"{path.name}: {name.upper()} runs from {seen.min():g} to {seen.max():g}, "
            f"expected {low:g} to {high:g} degrees"
        )
    return value


def _number(path, table, name, low, high):
    value = _array(path, table, name)
    if value.size != 1 or not low <= float(value.reshape(-1)[0]) <= high:
        raise UnreadableFileError(
            f"{path.name}: {name.upper()} is {_brief(value)}, expected {low:g} to {high:g} degrees"
        )
    return float(value.reshape(-1)[0])


def _brief(value):
    return " ".join(str(value).split())[:100]


def _to_360(longitude):
    with np.errstate(invalid="ignore"):  # of NaN there is a kind that warns
        longitude = np.mod(longitude, np.float32(360))
    # A tiny negative longitude comes out of float32 `mod` as 360 itself.
    longitude[longitude >= 360] = 0
    return longitude


def _text(table, name):
    value = table.get(name)
    return value.decode("ascii", "replace").strip() if isinstance(value, bytes) else ""


def _date(text):
    try:
        return dt.datetime.strptime(text[:8], "%Y%m%d").date()
    except ValueError:
        return None


def _valid_from(table):
    """The date of GENERATION_INFO.VALID_INTERVAL_START (``2011030508``), if it is there."""
    info = table.get("generation_info")
    if not isinstance(info, np.recarray) or info.size != 1:
        return None
    start = {name.lower(): info.reshape(-1)[0][name] for name in info.dtype.names}
    return _date(_text(start, "valid_interval_start"))
