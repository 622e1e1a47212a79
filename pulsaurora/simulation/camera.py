"""One all-sky imager: where its pixels look, and what its lens and its CCD make of the light.

The lens is an equidistant fisheye with a cubic term, as the THEMIS all-sky optics nearly are (Mende et al.
2008, Space Sci. Rev. 141, 357): 256x256 pixels, some 170 degrees across. The noise law was measured on real
frames of one imager: variance = 1.68 (count - pedestal) + 380 counts^2; others are drawn around it.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from pulsaurora._core import _simulated_imager
from pulsaurora.simulation.draws import pooled_normal

SHAPE = (256, 256)
EMISSION_KM = 110.0
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

    def cosine(self, elevation_deg, azimuth_deg):
        """Return the cosine of the angle between where each pixel looks and a direction, float32."""
        el, az = np.radians(elevation_deg), np.radians(azimuth_deg)
        east, north, up = np.cos(el) * np.sin(az), np.cos(el) * np.cos(az), np.sin(el)
        d = self.direction
        # Not as a product of matrices: a BLAS sums in another order with another number of threads.
        return np.clip(d[0] * np.float32(east) + d[1] * np.float32(north) + d[2] * np.float32(up), -1, 1)

    def elevation_map(self):
        """Return each pixel's elevation as a skymap has it, float32 (256, 256); NaN where no sky is drawn."""
        image = np.full(SHAPE, np.nan, np.float32)
        image.ravel()[self.index] = self.elevation
        return image

    def of_image(self, image):
        """Return what an image, (256, 256), shows at the sky's pixels, shape (n_pixels,)."""
        return image[:: self._step, :: self._step].ravel()[self.index]

    def between_tiles(self, tiles):
        """Return what the image's 16 x 16 tiles show at the sky's pixels, linear between their middles.

        Parameters
        ----------
        tiles : ndarray of shape (16, 16)

        Returns
        -------
        ndarray of float32, shape (n_pixels,)
        """
        corners, weights = self._tile_corners
        # No product of matrices here either; see `cosine`.
        return (tiles.ravel().astype(np.float32)[corners] * weights).sum(axis=0)

    @cached_property
    def _tile_corners(self):
        """The four tiles about each sky pixel, int (4, n_pixels), and their weights, float32."""
        row, col = (np.clip((place + 0.5) / 16 - 0.5, 0, 15) for place in (self.rows, self.cols))
        top, left = np.minimum(row.astype(int), 14), np.minimum(col.astype(int), 14)
        down, right = row - top, col - left
        first = 16 * top + left
        corners = np.stack([first, first + 1, first + 16, first + 17])
        weights = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right])
        return corners, weights.astype(np.float32)

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
        inside, n = self._inside_second
        return np.float32((image[::2, ::2] * inside).sum() / n)

    @cached_property
    def _inside_second(self):
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
        return zenith_angle(_RHO, self.cubic)

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


def zenith_angle(rho, cubic):
    """Return the zenith angle, over a right angle, that a lens throws so far from its middle (in radii)."""
    return (rho + cubic * rho**3) / (1 + cubic)


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
