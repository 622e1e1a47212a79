"""Imagers drawn anew for each site: lens, orientation, horizon, vignetting, stray light, CCD, its defects."""

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

from pulsaurora.simulation.camera import EMISSION_KM, SHAPE, Camera, zenith_angle
from pulsaurora.simulation.draws import chance, choose, log_uniform, pooled_normal, smooth_line

_EARTH_KM = 6371.0


@cache
def _grid():
    """Return each pixel's row, column and tile of 16x16, and whether it stands for a block of 4x4."""
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return rows, cols, rows // 16 * 16 + cols // 16, (rows % 4 == 2) & (cols % 4 == 2)


def draw_camera(rng, centre=None, radius=None, plain=None, lowest_deg=0.3, grain=1):
    """Draw an imager: lens, orientation, horizon, vignetting, stray light, CCD and its defects.

    Parameters
    ----------
    rng : numpy.random.Generator
    centre, radius : optional
        (row, column) of the zenith and pixels from there to the horizon; drawn when not given.
    plain : bool, optional
        An idealized imager: round, flat, bare; one of eight is.
    lowest_deg : float, degrees
        Elevation below which no light of the sky is rendered.
    grain : int, 1 or 2
        Draw extended light on every pixel, or on every second of every second row, in half the time.

    Returns
    -------
    Camera
    """
    plain = chance(rng, 0.12) if plain is None else plain
    # As the real frames at hand: flat to 0.6 of the radius, then steeply down to a bare, lit rim.
    barrel = not plain and chance(rng, 0.35)
    # Three of four are the optics of the THEMIS imagers, a few pixels off centre; the others any fisheye.
    if plain or chance(rng, 0.25):
        drawn = rng.uniform(120, 136, 2), rng.uniform(98 if plain else 108, 128), rng.uniform(-0.1, 0.12)
    else:
        drawn = 127.5 + 3 * rng.standard_normal(2), 124 + 2 * rng.standard_normal(), rng.uniform(0.03, 0.11)
    centre, radius = centre or tuple(float(v) for v in drawn[0]), radius or float(drawn[1])
    cubic = 0.0 if plain else float(drawn[2])
    rotation, parity = rng.uniform(-np.pi, np.pi), int(rng.choice([-1, 1]))
    if chance(rng, 0.5):
        rotation = np.radians(rng.normal(0, 8)) + (np.pi if chance(rng, 0.3) else 0)
    rows, cols, tile, block = _grid()
    up, right = (centre[0] - rows).astype(np.float32), (cols - centre[1]).astype(np.float32)
    rho, angle = np.sqrt(up * up + right * right) / radius, np.arctan2(right, up)
    elevation = 90 - np.minimum(zenith_angle(rho, cubic), 2.0) * 90
    seen = np.flatnonzero(elevation > lowest_deg)
    elevation, tile = elevation.ravel()[seen], tile.ravel()[seen]
    azimuth = np.degrees(parity * (angle.ravel()[seen] - rotation)) % 360
    through = _through(rng, elevation, azimuth, plain, bare=barrel and chance(rng, 0.7))
    inner = rho.ravel()[seen]
    through *= _barrel(rng, inner) if barrel else _vignetting(rng, inner, plain)

    el, az = np.radians(elevation), np.radians(azimuth)
    z = np.pi / 2 - el
    cos_el, sin_el, cos_az, sin_az = np.cos(el), np.sin(el), np.cos(az), np.sin(az)
    ratio = _EARTH_KM / (_EARTH_KM + EMISSION_KM)
    far = _ground_km(z)
    path = 1 / np.sqrt(1 - (ratio * cos_el) ** 2)
    footprint = _EARTH_KM * (1 - ratio * sin_el * path) * (np.pi / 2 / radius)
    flat = np.tan(np.minimum(z, np.radians(88)))
    flat = flat / (1 + 0.03 * flat)
    airmass = 1 / (sin_el + 0.15 * (elevation + 3.885) ** -1.253)
    extinction = log_uniform(rng, 0.12, 0.35)

    def flat32(values):
        return np.ascontiguousarray(values, np.float32)

    odd = chance(rng, 0.15)  # a CCD outside the usual range
    response = np.ones(SHAPE, np.float32)
    if not plain:
        response += np.float32(log_uniform(rng, 4e-4, 5e-3)) * pooled_normal(rng, SHAPE)
        response *= np.float32(1) + np.float32(rng.normal(0, 0.002)) * (cols % 2 * 2 - 1).astype(np.float32)
    return Camera(
        centre=centre,
        radius=radius,
        cubic=cubic,
        rotation=rotation,
        parity=parity,
        pedestal=rng.uniform(1900, 3700) if odd else rng.uniform(2200, 3500),
        noise_slope=1.68 if chance(rng, 0.3) else log_uniform(rng, *((0.7, 3.5) if odd else (1.2, 2.5))),
        read_variance=380.0 if chance(rng, 0.3) else log_uniform(rng, *((50, 1500) if odd else (200, 700))),
        sensitivity=log_uniform(rng, *((0.25, 4.0) if odd else (0.55, 1.75))),
        psf=log_uniform(rng, 0.55, 1.7),
        depth_km=log_uniform(rng, 3, 9),
        exposure_jitter=0.0 if chance(rng, 0.4) else log_uniform(rng, 1e-4, 4e-3),
        row_noise=0.0 if chance(rng, 0.5) else log_uniform(rng, 0.5, 5),
        index=seen.astype(np.int64),
        rows=rows.ravel()[seen],
        cols=cols.ravel()[seen],
        elevation=flat32(elevation),
        azimuth=flat32(azimuth),
        direction=flat32(np.stack([cos_el * sin_az, cos_el * cos_az, sin_el])),
        east_km=flat32(far * sin_az),
        north_km=flat32(far * cos_az),
        footprint_km=flat32(footprint),
        cloud_east=flat32(flat * sin_az),
        cloud_north=flat32(flat * cos_az),
        cloud_blur=flat32(np.clip((flat - 2.2) / 8, 0, 1.5)),
        path=flat32(path),
        airmass=flat32(airmass),
        transmission=flat32(10 ** (-0.4 * extinction * (airmass - 1))),
        through=flat32(through),
        sample=np.flatnonzero(block.ravel()[seen] & (elevation > 15)),
        stray=_stray(rng, rho, angle, plain),
        response=response,
        defects=_defects(rng),
        warm=_warm_pixels(rng),
        tile=tile,
        tile_count=np.maximum(np.bincount(tile, minlength=256), 1.0),
        grain=grain,
    )


def _ground_km(zenith):
    """Return how far over the ground (km) a zenith angle (radians) meets the emission, over a round earth."""
    return _EARTH_KM * (zenith - np.arcsin(_EARTH_KM / (_EARTH_KM + EMISSION_KM) * np.sin(zenith)))


def _vignetting(rng, rho, plain):
    if chance(rng, 0.6 if plain else 0.2):
        return np.ones_like(rho)
    # Fisheyes darken towards the edge by anything from nothing to a half and more; no feature may lean on it.
    rho = np.minimum(rho, 1.2)
    strength, corner, power = rng.uniform(0, 0.6), rng.uniform(0, 0.55), rng.uniform(3, 10)
    shade = strength * rho**2 + corner * rho**power
    if chance(rng, 0.3):
        shade = strength * rho**2 + rng.uniform(0.1, 0.7) / (
            1 + np.exp(-(rho - rng.uniform(0.75, 1.0)) / rng.uniform(0.04, 0.12))
        )
    return np.clip(1 - shade, 0.05, 1)


def _barrel(rng, rho):
    """Return the shade of a lens barrel: real frames fall from 0.96 to 0.36 from 0.6 radii to 1."""
    rho = np.minimum(rho, 1.2)
    edge = 1 + np.exp(-(rho - rng.uniform(0.78, 0.92)) / rng.uniform(0.05, 0.09))
    slope = 0.0 if chance(rng, 0.5) else rng.uniform(0, 0.4)
    return np.clip(1 - rng.uniform(0.5, 0.75) / edge, 0.05, 1) * (1 - slope * rho**2)


def _through(rng, elevation, azimuth, plain, bare=False):
    """Return what the horizon lets through, 0 to 1: trees, hills, buildings, masts; little where bare."""
    if plain:
        return np.ones_like(elevation)
    if bare:
        return _sigmoid((elevation - rng.uniform(0, 2)) / rng.uniform(0.2, 0.8))
    step = np.arange(0, 360, 0.5)
    hills = np.maximum(0, rng.uniform(0, 3) + rng.uniform(0, 2) * smooth_line(rng, 720, 150))
    trees = rng.uniform(0, 3) * np.abs(smooth_line(rng, 720, rng.uniform(4, 15)))
    wooded = smooth_line(rng, 720, 200) > rng.uniform(-1.5, 1.5)
    profile = hills + np.where(wooded, trees + rng.uniform(0, 3), 0)
    for _ in range(rng.integers(0, 4)):
        start, width = rng.uniform(0, 360), log_uniform(rng, 1, 40)
        inside = (step - start) % 360 < width
        profile = np.where(inside, np.maximum(profile, log_uniform(rng, 2, 22)), profile)
    place = azimuth * 2
    low = place.astype(np.int32)
    profile = np.append(profile, profile[:2]).astype(np.float32)
    blocking = profile[low] + (place - low).astype(np.float32) * (profile[low + 1] - profile[low])
    clear = _sigmoid((elevation - blocking) / rng.uniform(0.2, 0.8))
    return clear + (1 - clear) * rng.uniform(0, 0.15)


def _sigmoid(x):
    return 1 / (1 + np.exp(-np.maximum(x, -80)))


def _stray(rng, rho, angle, plain):
    """Return light scattered in the optics, as a share of the sky's mean: past the edge, and rings."""
    if plain and chance(rng, 0.7):
        return np.zeros_like(rho, dtype=np.float32)
    halo = rng.uniform(0.02, 0.2) * np.exp(-np.maximum(rho - 1, 0) / rng.uniform(0.1, 0.5))
    rings = np.zeros_like(rho)
    for _ in range(rng.integers(0, 4)):
        where, width = rng.uniform(0.98, 1.12), rng.uniform(0.004, 0.012)
        middle, span = rng.uniform(-np.pi, np.pi), rng.uniform(0.3, 2.5)
        near = np.abs(rho - where) < 6 * width
        off = np.abs((angle[near] - middle + np.pi) % (2 * np.pi) - np.pi)
        rings[near] += (
            rng.uniform(0.02, 0.4)
            * np.exp(-(((rho[near] - where) / width) ** 2))
            / (1 + np.exp((off - span) / 0.1))
        )
    return (halo + gaussian_filter(rings, 0.5) if rings.any() else halo).astype(np.float32)


def _defects(rng):
    def places(n):
        return tuple(rng.integers(0, SHAPE[0], (2, n)))

    kinds = {"clean": 0.3, "usual": 0.6, "old": 0.1}
    n = {
        "clean": (0, 0, 0),
        "usual": (rng.integers(0, 4), rng.integers(0, 3), rng.integers(0, 2)),
        "old": (rng.integers(2, 20), rng.integers(2, 40), rng.integers(0, 6)),
    }[choose(rng, kinds)]
    return tuple(places(count) for count in n)


def _warm_pixels(rng):
    """Draw what pixels give by themselves, counts, float32 (256, 256).

    Of the real imager at hand some 110 of all pixels give 76 counts and more, 40 of them 500, 5 of them
    20,000.
    """
    warm = np.zeros(SHAPE, np.float32)
    n = int(log_uniform(rng, 2, 400))
    warm[tuple(rng.integers(0, SHAPE[0], (2, n)))] = log_uniform(rng, 30, 30000, n)
    return warm
