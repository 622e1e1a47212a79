"""An all-sky camera of its own in every clip: lens, skyline, lamps, faults of the detector, noise.

Light is held flat, one float32 for each pixel inside the lens's circle (`inside`).
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .textures import WHOLE_TURN, logistic, smoothstep

SIDE = 256
EARTH_KM = 6371.0
SHOT, READ = 1.68, 380.0  # variance of a pixel: SHOT * counts above the pedestal + READ, as on real frames
SATURATED = 65535
_N_BEARINGS = 720


class Camera:
    def __init__(self, rng):
        self.col0, self.row0 = 127.5 + rng.uniform(-4, 4, 2)
        self.radius = rng.uniform(122, 126.5)
        self.turn = np.radians(rng.uniform(-35, 35))
        self.latitude = np.radians(rng.uniform(54, 68))
        rows, cols = np.mgrid[:SIDE, :SIDE].astype(np.float32)
        across, down = cols - self.col0, rows - self.row0
        self.from_centre = np.hypot(across, down)
        self.inside = np.flatnonzero(self.from_centre.ravel() < self.radius + 1)
        self.n_pixels = len(self.inside)
        self.across, self.down = across.ravel()[self.inside], down.ravel()[self.inside]
        self._point(rng)
        self._attenuate(rng)
        self._raise_skyline(rng, np.hypot(self.across, self.down))
        self._make_detector(rng, rows)
        self._add_stray_light(rng, across, down)
        self._light_lamps(rng, rows, cols)

    def _point(self, rng):
        """Where every pixel looks; north is up and east left, but for the turn."""
        out = np.hypot(self.across, self.down)
        self.out = (out / self.radius).astype(np.float32)
        self.bend = rng.uniform(-0.04, 0.06)  # departure from an equidistant lens
        bent = self.out * (1 + self.bend * (1 - self.out**2))
        self.zenith_angle = np.radians(np.minimum(90 * bent, 89.5)).astype(np.float32)
        self.elevation = (np.pi / 2 - self.zenith_angle).astype(np.float32)
        self.elevation_deg = np.degrees(self.elevation)
        self.azimuth = (np.arctan2(-self.across, -self.down) + self.turn).astype(np.float32)
        self.towards = np.stack(
            [
                np.sin(self.zenith_angle) * np.sin(self.azimuth),
                np.sin(self.zenith_angle) * np.cos(self.azimuth),
                np.cos(self.zenith_angle),
            ]
        ).astype(np.float32)

    def _attenuate(self, rng):
        """What lens and air take away towards the horizon."""
        slow, steep = rng.uniform(0.2, 0.36), rng.uniform(0.08, 0.2)
        self.falloff = (1 - slow * self.out**2 - steep * self.out**8).astype(np.float32)
        self.airmass = (1 / (np.sin(self.elevation) + 0.15 * (self.elevation_deg + 3.885) ** -1.253)).astype(
            np.float32
        )
        self.extinction_rate = rng.uniform(0.12, 0.25)
        self.extinction = np.exp(-self.extinction_rate * (self.airmass - 1)).astype(np.float32)

    def _raise_skyline(self, rng, out):
        """Hills, the tops of trees along some of them, and a few roofs."""
        n = _N_BEARINGS
        skyline_deg = np.full(n, rng.uniform(0.3, 2.5))
        skyline_deg += gaussian_filter1d(rng.standard_normal(n), 25, mode="wrap") * rng.uniform(2, 8)
        trees = np.abs(gaussian_filter1d(rng.standard_normal(n), 2, mode="wrap")) * rng.uniform(0, 6)
        wood = smoothstep(gaussian_filter1d(rng.standard_normal(n), 40, mode="wrap") * 8, -0.3, 0.6)
        skyline_deg += trees * wood
        for _ in range(rng.integers(0, 3)):
            first, width = rng.integers(0, n), rng.integers(6, 40)
            roof = np.arange(first, first + width) % n
            skyline_deg[roof] = np.maximum(skyline_deg[roof], rng.uniform(3, 11))
        bearing = (np.degrees(self.azimuth) % 360 * 2).astype(int) % n
        above = (self.elevation_deg - np.maximum(skyline_deg, 0)[bearing]) / 0.35
        self.open = logistic(above).astype(np.float32)
        self.open *= smoothstep(self.radius + 0.8 - out, 0, 1.6)

    def _make_detector(self, rng, rows):
        self.pedestal = rng.uniform(2200, 3500)
        self.gain = (1 + 0.006 * rng.standard_normal((SIDE, SIDE))).astype(np.float32)
        bias = 3 * rng.standard_normal((SIDE, SIDE)) + 4 * np.sin(rows / rng.uniform(30, 90))
        self.bias = bias.astype(np.float32)
        self.hot = [(rng.integers(0, SIDE), rng.integers(0, SIDE)) for _ in range(rng.integers(1, 7))]
        n_warm = rng.integers(20, 160)
        self.warm_at = rng.integers(0, SIDE, n_warm), rng.integers(0, SIDE, n_warm)
        self.warm_counts = rng.lognormal(5.5, 0.9, n_warm).astype(np.float32)

    def _add_stray_light(self, rng, across, down):
        """What the dome's rim and the lens scatter, as parts of the mean light."""
        self.rim = np.zeros((SIDE, SIDE), np.float32)
        if rng.random() < 0.7:
            rim_radius = self.radius + rng.uniform(1, 6)
            out = np.hypot(across - rng.uniform(-4, 4), down - rng.uniform(-4, 4))
            side = np.cos(np.arctan2(down, across) - rng.uniform(0, WHOLE_TURN))
            rim = np.exp(-(((out - rim_radius) / 1.1) ** 2)) * smoothstep(side, 0.5, 0.9)
            self.rim = (rim * rng.uniform(0.1, 0.4)).astype(np.float32)
        beyond = np.maximum(self.from_centre - self.radius, 0)
        self.veil = (0.012 + 0.03 * np.exp(-beyond / 18)).astype(np.float32)

    def _light_lamps(self, rng, rows, cols):
        """Lamps on the horizon."""
        self.lamps = np.zeros((SIDE, SIDE), np.float32)
        for _ in range(rng.integers(0, 7)):
            bearing, out = rng.uniform(0, WHOLE_TURN), self.radius - rng.uniform(0, 4)
            col, row = self.col0 + out * np.cos(bearing), self.row0 + out * np.sin(bearing)
            squared = (cols - col) ** 2 + (rows - row) ** 2
            self.lamps += np.float32(rng.lognormal(7.2, 1)) * np.exp(-squared / 1.2) + np.float32(
                rng.uniform(20, 250)
            ) * np.exp(-np.sqrt(squared) / 6)

    def ground(self, height_km):
        """Where pixels meet a layer: distance over the ground and footprint (km), sine of the slope."""
        flat = EARTH_KM * np.cos(self.elevation) / (EARTH_KM + height_km)
        distance_km = EARTH_KM * (np.arccos(flat) - self.elevation)
        slope = np.sqrt(np.maximum(1 - flat**2, 1e-6))
        footprint_km = 0.0123 * np.hypot(distance_km, height_km) / slope
        return distance_km, footprint_km, slope

    def van_rhijn(self, height_km):
        """How much longer a line of sight through a thin layer is than at the zenith."""
        return (1 / self.ground(height_km)[2]).astype(np.float32)

    def apart_deg(self, elevation, azimuth):
        """Every pixel's angle from a direction."""
        towards = np.array(
            [np.cos(elevation) * np.sin(azimuth), np.cos(elevation) * np.cos(azimuth), np.sin(elevation)],
            np.float32,
        )
        return np.degrees(np.arccos(np.clip(towards @ self.towards, -1, 1))).astype(np.float32)

    def project(self, elevation, azimuth):
        """Column and row of directions, by turning the lens's bend round."""
        bent = (np.pi / 2 - elevation) / (np.pi / 2)
        out = bent
        for _ in range(4):
            out = bent / (1 + self.bend * (1 - out**2))
        bearing = azimuth - self.turn
        return (
            self.col0 - out * self.radius * np.sin(bearing),
            self.row0 - out * self.radius * np.cos(bearing),
        )

    def image(self, light):
        """Flat light as an image, dark outside the lens's circle."""
        image = np.zeros(SIDE * SIDE, np.float32)
        image[self.inside] = light
        return image.reshape(SIDE, SIDE)

    def scatter(self, image):
        """The image with the lens's stray light and the lamps in it."""
        mean = float(image.sum() / self.n_pixels)
        return image + self.veil * min(mean, 3e4) + self.rim * min(mean, 3e4) + self.lamps

    def expose(self, image, drift, rng):
        """Counts of one frame, its pedestal `drift` counts off."""
        signal = image * self.gain
        counts = rng.standard_normal((SIDE, SIDE), dtype=np.float32)
        counts *= np.sqrt(SHOT * np.maximum(signal, 0) + READ)
        counts += signal + self.bias + np.float32(self.pedestal + drift)
        counts[self.warm_at] += self.warm_counts
        for row, col in self.hot:
            counts[row, col] = SATURATED
        return np.clip(np.rint(counts), 0, SATURATED)
