"""One all-sky imager: its lens, its horizon and its CCD, drawn anew for each site.

The lens is an equidistant fisheye with a cubic term, as the THEMIS all-sky optics nearly are (Mende et al.
2008, Space Sci. Rev. 141, 357): 256x256 pixels, some 170 degrees across. The noise law was measured on real
frames of one imager: variance = 1.68 (count - pedestal) + 380 counts^2; others are drawn around it.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from pulsaurora._core import _simulated_imager
from pulsaurora.simulation.draws import chance, choose, log_uniform, pooled_normal, smooth_line

SHAPE = (256, 256)
EMISSION_KM = 110.0
_EARTH_KM = 6371.0
_RHO = np.linspace(0, 1.3, 261)
_SLANT_PX = 2.5


@dataclass
class Camera:
    """One imager and what its pixels see; flat arrays hold sky pixels only, shape (n_pixels,).

    Extended light is drawn on the pixels of `sky`: all of them, or with a `grain` of 2 every second of every
    second row, between which it is linear. What is smaller than a pixel or two is drawn on all pixels always.
    """

    centre: tuple
    radius: float
    cubic: float
    rotation: float
    parity: int
    pedestal: float
    noise_slope: float
    read_variance: float
    sensitivity: float
    psf: float
    depth_km: float
    exposure_jitter: float
    row_noise: float
    index: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    elevation: np.ndarray
    azimuth: np.ndarray
    direction: np.ndarray
    east_km: np.ndarray
    north_km: np.ndarray
    footprint_km: np.ndarray
    cloud_east: np.ndarray
    cloud_north: np.ndarray
    cloud_blur: np.ndarray
    path: np.ndarray
    airmass: np.ndarray
    transmission: np.ndarray
    through: np.ndarray
    sample: np.ndarray
    stray: np.ndarray
    response: np.ndarray
    defects: tuple
    warm: np.ndarray
    tile: np.ndarray
    tile_count: np.ndarray
    grain: int = 1
    whole: "Camera | None" = None  # whose pixels these are some of

    @cached_property
    def sky(self):
        """The camera on whose pixels extended light is drawn."""
        if self.grain == 1 or self.whole is not None:
            return self
        grain = self.grain
        kept = np.flatnonzero((self.rows % grain == 0) & (self.cols % grain == 0))
        flat = {
            name: np.ascontiguousarray(getattr(self, name)[..., kept])
            for name in (
                "rows",
                "cols",
                "elevation",
                "azimuth",
                "direction",
                "east_km",
                "north_km",
                "cloud_east",
                "cloud_north",
                "cloud_blur",
                "path",
                "airmass",
                "transmission",
                "through",
                "tile",
            )
        }
        return replace(
            self,
            **flat,
            index=flat["rows"] // grain * (SHAPE[1] // grain) + flat["cols"] // grain,
            footprint_km=self.footprint_km[kept] * np.float32(grain),
            sample=np.flatnonzero(np.isin(kept, self.sample)),
            tile_count=np.maximum(np.bincount(flat["tile"], minlength=256), 1.0),
            whole=self,
        )

    @cached_property
    def _step(self):
        """From one pixel of this camera's grid to the next, in pixels of the image."""
        return 1 if self.whole is None else self.grain

    def project(self, elevation_deg, azimuth_deg):
        """Return the (row, column) where a direction falls, float32; far below the horizon lies outside."""
        zenith = (90 - np.asarray(elevation_deg, float)) / 90
        rho = np.interp(zenith, self._zenith, _RHO)
        angle = self.parity * np.radians(azimuth_deg) + self.rotation
        row = self.centre[0] - self.radius * rho * np.cos(angle)
        col = self.centre[1] + self.radius * rho * np.sin(angle)
        return row.astype(np.float32), col.astype(np.float32)

    def nearest(self, elevation_deg, azimuth_deg):
        """Return which sky pixel looks closest to a direction."""
        row, col = self.project(elevation_deg, azimuth_deg)
        return int(np.argmin((self.rows - row) ** 2 + (self.cols - col) ** 2))

    def elevation_map(self):
        """Return each pixel's elevation as a skymap has it, float32 (256, 256); NaN where no sky is drawn."""
        image = np.full(SHAPE, np.nan, np.float32)
        image.ravel()[self.index] = self.elevation
        return image

    def of_image(self, image):
        """Return what an image, (256, 256), shows at the sky's pixels, shape (n_pixels,)."""
        return image[:: self._step, :: self._step].ravel()[self.index]

    def pixel_at(self, row, col):
        """Return which sky pixel is nearest to each place within an image; -1 where none is there."""
        grid, step = self._numbers, self._step
        return grid[np.rint(row / step).astype(int), np.rint(col / step).astype(int)]

    @cached_property
    def _numbers(self):
        """Which sky pixel stands at each place of the grid and a row and column beyond it; -1 for none."""
        grid = np.full((SHAPE[0] // self._step + 1, SHAPE[1] // self._step + 1), -1, np.int64)
        grid[self.rows // self._step, self.cols // self._step] = np.arange(self.index.size)
        return grid

    def spread(self, light):
        """Return light of the sky's pixels as an image of this camera's grid, float32, dark elsewhere."""
        image = np.zeros((SHAPE[0] // self._step, SHAPE[1] // self._step), np.float32)
        image.ravel()[self.index] = light
        return image

    def mean_of_sky(self, image):
        """Return the mean of an image's sky pixels, those of every second row and column."""
        inside, n = self._second
        return np.float32((image[::2, ::2] * inside).sum() / n)

    @cached_property
    def _second(self):
        inside = self._inside[::2, ::2].copy()
        return inside, inside.sum()

    def blurred(self, light):
        """Return the image of extended light as the lens blurs it, float32 (256, 256)."""
        return _blurred(self.spread(light), self.psf)

    def pictured(self, light):
        """Return the image of extended light as the lens dims and blurs it, counts, float32 (256, 256)."""
        if self.whole is None:
            return self.blurred(light * self.lens)
        image = self._finer(light)
        image *= self._dimmed
        return image

    def _finer(self, light):
        """Return light of this camera's pixels on those of the image, blurred by the lens."""
        grid, image = self.spread(light), np.empty(SHAPE, np.float32)
        # What is linear between pixels a step apart is blurred by this variance already, on the mean.
        left = self.psf**2 - (self._step**2 - 1) / 6
        if left > (0.2 * self._step) ** 2:
            grid = _blurred(grid, np.sqrt(left) / self._step)
        _simulated_imager.fill_between(grid, image)
        return image

    @cached_property
    def _dimmed(self):
        """What of the light about each pixel of the image is counted, over how much of it is the sky's."""
        lens = self.whole.blurred(self.whole.lens)
        return lens / np.maximum(self._finer(1), np.float32(0.25))

    def slanted(self, light):
        """Return the light of a sheet of patches as it is seen aslant, float32 (n_pixels,).

        The emission is some 10 to 20 km deep (standard deviation depth_km); away from the zenith that
        smears a patch along the radius, more so than the lens does. The smear is taken as round.
        """
        kept, smeared = self._slant
        smear = _blurred(self.spread(light), _SLANT_PX / self._step).ravel()[self.index]
        smear *= smeared
        light = kept * light
        light += smear
        return light

    @cached_property
    def sheet(self):
        """How much brighter a sheet of light is seen than at the zenith, float32 (n_pixels,)."""
        return np.minimum(self.path, 5.0) * self.transmission

    @cached_property
    def lens(self):
        """What of the sky's light is counted, float32 (n_pixels,)."""
        return self.through * np.float32(self.sensitivity)

    @cached_property
    def sampled(self):
        """Which pixels of the image are judged, as `index`; and what of their light is counted."""
        return self.index[self.sample], self.lens[self.sample]

    @cached_property
    def _inside(self):
        return self.spread(1)

    @cached_property
    def _slant(self):
        """How much of a pixel's light stays, and what to multiply the smear by: part of it leaves the sky."""
        z = np.radians(90 - self.elevation)
        across = 0.6 * self.depth_km * np.sin(z) * np.cos(z) / EMISSION_KM / (np.pi / 2 / self.radius)
        inside = _blurred(self._inside, _SLANT_PX / self._step).ravel()[self.index]
        share = np.minimum((across / _SLANT_PX) ** 2, 1).astype(np.float32)
        return 1 - share, share / inside

    @cached_property
    def smooth(self):
        """Light that is even, that rises towards the horizon or slopes over the sky, as this camera sees it.

        Orthonormal over the blocks that are judged, float32 (n_blocks, 4).
        """
        s = self.sample
        even, slant = np.ones(s.size), self.path[s] * self.transmission[s]
        functions = np.stack([even, slant, self.direction[0][s], self.direction[1][s]], 1)
        return np.linalg.qr(functions * self.through[s, None])[0].astype(np.float32)

    @cached_property
    def _zenith(self):
        return _zenith_angle(_RHO, self.cubic)

    def expose(self, signal, rng):
        """Return one frame, uint16 (256, 256), of a signal (counts above pedestal, float32, same shape)."""
        counts = np.empty(SHAPE, np.uint16)
        # Two frames of a night share noise, a thousand pixels or more apart, about once in 32; nothing here
        # looks for such a coincidence.
        normal = pooled_normal(rng, SHAPE)
        offsets = (self.row_noise * rng.standard_normal(SHAPE[0])).astype(np.float32)
        factor = np.float32(1 + self.exposure_jitter * rng.standard_normal())
        _simulated_imager.fill_counts(
            counts,
            signal,
            factor,
            self.warm,
            self.response,
            normal,
            offsets,
            self.pedestal,
            self.noise_slope,
            self.read_variance,
        )
        dead, hot, unsteady = self.defects
        counts[dead] = int(self.pedestal)
        counts[hot] = 65535
        if len(unsteady[0]):
            counts[unsteady] = rng.choice(np.array([65535, 63000, 48000, 30000], np.uint16), len(unsteady[0]))
        return counts


def _blurred(image, sigma):
    out = np.empty_like(image)
    _simulated_imager.blur(image, np.empty_like(image), out, sigma)
    return out


@cache
def _grid():
    """Return each pixel's row, column and tile of 16x16, and whether it stands for a block of 4x4."""
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return rows, cols, rows // 16 * 16 + cols // 16, (rows % 4 == 2) & (cols % 4 == 2)


def _zenith_angle(rho, cubic):
    return (rho + cubic * rho**3) / (1 + cubic)


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
    elevation = 90 - np.minimum(_zenith_angle(rho, cubic), 2.0) * 90
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


@cache
def image_plane():
    """Return how far down and to the right of the middle each pixel lies, from -1 to 1: (2, 256, 256)."""
    return (np.mgrid[: SHAPE[0], : SHAPE[1]] - 127.5) / 127.5


def soften(image, sigma):
    """Return an image blurred by `sigma` pixels, at a quarter of the resolution when that is wide."""
    if sigma < 4:
        return gaussian_filter(image, sigma, mode="nearest").astype(np.float32)
    small = image.reshape(64, 4, 64, 4).mean((1, 3))
    for axis in (0, 1):
        small = gaussian_filter1d(small, sigma / 4, axis=axis, mode="nearest")
    big = np.repeat(np.repeat(small, 4, 0), 4, 1)
    return gaussian_filter(big, 2, mode="nearest").astype(np.float32)
