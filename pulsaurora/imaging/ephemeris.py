"""Where the sun and the moon stand above a site, and where the sites are.

These are known inputs that decide viewing: twilight and moonlight can be computed, not guessed from
pixels. Positions come from ERFA, the routines that also stand under astropy.coordinates; called
directly they cost milliseconds, where astropy's frames cost a second on first use, which a short
command would feel. astropy is the oracle in the tests. Nothing is ever downloaded.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pulsaurora.problems import ContractError

# Both bodies move along smooth paths: on a 10-minute grid the cubic below is within 1e-5 degrees.
_STEP_US = 600_000_000
_STEPS_AN_HOUR = 6
_AU_M = 1.495978707e11
_LIGHT_AU_PER_DAY = 173.14463267
_UNIX_EPOCH_JD = 2440587.5
_FIRST, _LAST = np.datetime64("1950-01-01", "us"), np.datetime64("2100-01-01", "us")

# Geodetic latitude and longitude, degrees north and east: the THEMIS all-sky imagers and Poker Flat.
# Good to about 0.1 degrees, which moves the sun and moon by as much.
_SITES = {
    "atha": (54.71, -113.31),
    "chbg": (49.81, -74.42),
    "ekat": (64.73, -110.67),
    "fsim": (61.76, -121.22),
    "fsmi": (60.03, -111.93),
    "fykn": (66.56, -145.22),
    "gako": (62.41, -145.16),
    "gbay": (53.32, -60.46),
    "gill": (56.38, -94.64),
    "inuv": (68.41, -133.77),
    "kapu": (49.39, -82.32),
    "kian": (66.97, -160.44),
    "kuuj": (58.16, -68.53),
    "mcgr": (62.95, -155.60),
    "nrsq": (61.16, -45.44),
    "pgeo": (53.81, -122.83),
    "pina": (50.16, -96.07),
    "pkr": (65.13, -147.48),
    "rank": (62.82, -92.11),
    "snap": (63.59, -110.87),
    "snkq": (56.54, -79.23),
    "talo": (69.54, -93.56),
    "tpas": (53.99, -100.94),
    "whit": (61.01, -135.22),
    "yknf": (62.52, -114.31),
}


@dataclass(frozen=True, slots=True)
class SunMoon:
    """Sun and moon as seen from one place, one value a time.

    Attributes
    ----------
    sun_elevation_deg, moon_elevation_deg : float64 ndarray of shape (n,), degrees
        Of the centre of the disc above the horizon, without refraction; the moon's is topocentric.
    moon_illumination : float64 ndarray of shape (n,), 0 to 1
        Lit fraction of the moon's disc: 0 new, 1 full.
    """

    sun_elevation_deg: np.ndarray
    moon_elevation_deg: np.ndarray
    moon_illumination: np.ndarray


def site_position(site):
    """Tell where a site is.

    Parameters
    ----------
    site : str
        Its letters in either case, such as ``gill``.

    Returns
    -------
    (latitude, longitude) or None
        Degrees north and east (west negative), geodetic, good to about 0.1 degrees; None for a site
        that is not in the table.
    """
    return _SITES.get(str(site).strip().lower())


def sun_moon(times, latitude, longitude):
    """Compute how high the sun and the moon stand, and how much of the moon is lit.

    Parameters
    ----------
    times : ndarray of shape (n,), datetime64, UTC
        In any order, from 1950 to 2099.
    latitude, longitude : float, degrees
        Geodetic, north and east positive; longitude from -180 to 360.

    Returns
    -------
    SunMoon
        Three float64 arrays of shape (n,), never NaN.

    Raises
    ------
    ContractError
        If times are not datetime64, hold NaT or lie outside 1950 to 2099, or if the position is none.

    References
    ----------
    IAU SOFA / ERFA: ``epv00`` (earth), ``moon98`` (moon; Meeus 1998), ``c2t06a`` (earth rotation,
    with UT1 taken as UTC: at most 0.9 s or 0.004 degrees). Within 0.01 degrees of astropy.
    """
    times = np.asarray(times)
    if times.dtype.kind != "M" or times.ndim != 1:
        raise ContractError(
            f"times: found {times.dtype} of shape {times.shape}, expected datetime64 of shape (n,)"
        )
    latitude, longitude = float(latitude), float(longitude)
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 360):
        raise ContractError(
            f"position: found latitude {latitude}, longitude {longitude}, "
            "expected -90 to 90 degrees north and -180 to 360 degrees east"
        )
    if times.size == 0:
        return SunMoon(np.empty(0), np.empty(0), np.empty(0))
    outside = ~((times >= _FIRST) & (times < _LAST))
    if outside.any():
        raise ContractError(f"times: found {times[outside][0]}, expected UTC from 1950 to 2099")

    microseconds = times.astype("datetime64[us]").astype(np.int64)
    cell, within = np.divmod(microseconds, _STEP_US)
    # Only the hours of grid nodes that are needed: times may be sparse over years.
    hour, step = np.divmod(cell[:, None] + np.arange(-1, 3), _STEPS_AN_HOUR)
    hours, number = np.unique(hour, return_inverse=True)
    index = _STEPS_AN_HOUR * number.reshape(-1, 4) + step
    at_nodes = np.concatenate([_hour_of_nodes(one, latitude, longitude) for one in hours.tolist()], axis=1)
    weights = _cubic_weights(within / _STEP_US)
    sun, moon, lit = ((values[index] * weights).sum(axis=1) for values in at_nodes)
    return SunMoon(
        np.degrees(np.arcsin(np.clip(sun, -1.0, 1.0))),
        np.degrees(np.arcsin(np.clip(moon, -1.0, 1.0))),
        np.clip(lit, 0.0, 1.0),
    )


def _cubic_weights(u):
    """Lagrange weights of the nodes -1, 0, 1, 2 for a point u between 0 and 1; shape (n, 4)."""
    return np.stack(
        [
            -u * (u - 1) * (u - 2) / 6,
            (u + 1) * (u - 1) * (u - 2) / 2,
            -(u + 1) * u * (u - 2) / 2,
            (u + 1) * u * (u - 1) / 6,
        ],
        axis=1,
    )


@lru_cache(maxsize=256)
def _hour_of_nodes(hour, latitude, longitude):
    """Sine of the sun's and of the moon's elevation and the moon's lit fraction, at an hour's nodes, (3, n).

    The hour counts from 1970. A night asks again and again.
    """
    import erfa

    sun, moon, to_earth_fixed, lit = _hour_from_earth(hour)
    lat, lon = np.radians(latitude), np.radians(longitude)
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    here = erfa.gd2gc(erfa.WGS84, lon, lat, 0.0) / _AU_M

    def sine_of_elevation(geocentric):
        seen = np.einsum("nij,nj->ni", to_earth_fixed, geocentric) - here
        return seen @ up / np.linalg.norm(seen, axis=1)

    return np.stack([sine_of_elevation(sun), sine_of_elevation(moon), lit])


@lru_cache(maxsize=64)
def _hour_from_earth(hour):
    """Sun, moon (au from the earth's centre), rotation to the turning earth and lit fraction at the nodes."""
    import erfa

    unix_s = (_STEPS_AN_HOUR * hour + np.arange(_STEPS_AN_HOUR)) * (_STEP_US * 1e-6)
    utc = unix_s / 86400.0
    tt = utc + _tt_minus_utc_s(unix_s, erfa) / 86400.0
    earth, earth_barycentric = erfa.epv00(_UNIX_EPOCH_JD, tt)
    # Light left the sun 8 minutes ago: aberration moves it by 20 arcseconds.
    sun = -earth["p"]
    sun_distance = np.linalg.norm(sun, axis=1, keepdims=True)
    sun = sun + earth_barycentric["v"] * (sun_distance / _LIGHT_AU_PER_DAY)
    moon = erfa.moon98(_UNIX_EPOCH_JD, tt)["p"]

    to_earth_fixed = erfa.c2t06a(_UNIX_EPOCH_JD, tt, _UNIX_EPOCH_JD, utc, 0.0, 0.0)

    # Phase angle at the moon between the sun and the earth; lit fraction (1 + cos) / 2.
    moon_to_sun = sun - moon
    cosine = -(moon_to_sun * moon).sum(axis=1) / (
        np.linalg.norm(moon_to_sun, axis=1) * np.linalg.norm(moon, axis=1)
    )
    return sun, moon, to_earth_fixed, (1.0 + cosine) / 2.0


def _tt_minus_utc_s(unix_s, erfa):
    """Terrestrial time minus UTC, seconds: 32.184 and the leap seconds so far.

    From ERFA's table and not by ``erfa.utctai``, which warns about every date a few years ahead.
    """
    table = erfa.leap_seconds.get()
    months = (table["year"].astype(np.int64) - 1970) * 12 + table["month"] - 1
    since = months.astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
    row = np.clip(np.searchsorted(since, unix_s, side="right") - 1, 0, None)
    return table["tai_utc"][row] + 32.184
