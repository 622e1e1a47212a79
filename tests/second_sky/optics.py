"""A camera nobody owns: lens, horizon, detector, each drawn from a random stream."""

import numpy as np

from .textures import ramp, value_noise, value_noise_1d

SIDE = 256
_EARTH_KM = 6371.0


class Camera:
    """One all-sky camera.

    Row 0 is (about) north and column 0 east, as in the archive's files. Only
    pixels in `seen` (flat indices) look at the sky; `zenith_deg`, `azimuth_deg`
    and the unit vectors `towards` (east, north, up) belong to those.
    """

    def __init__(self, rng):
        self.row0, self.col0 = 127.5 + rng.normal(0, 4.0), 127.5 + rng.normal(0, 4.0)
        self.radius = rng.uniform(111.0, 131.0)  # pixels from the axis to 90 degrees
        self.lens = ("stereographic", "equisolid", "polynomial")[rng.integers(3)]
        self._angles = np.radians(np.linspace(0, 110, 441))
        self._radii = self._curve(rng)
        self.roll = np.radians(rng.normal(0, 18.0))
        self._tilt = _rotation(rng.uniform(0, 2 * np.pi), np.radians(abs(rng.normal(0, 1.2))))
        rows, cols = np.divmod(np.arange(SIDE * SIDE), SIDE)
        towards = self.unproject(rows, cols)
        zenith = np.degrees(np.arccos(np.clip(towards[:, 2], -1, 1)))
        self.seen = np.flatnonzero(zenith < 89.5)
        self.towards = towards[self.seen].astype(np.float32)
        self.zenith_deg = zenith[self.seen].astype(np.float32)
        self.azimuth_deg = np.degrees(np.arctan2(towards[self.seen, 0], towards[self.seen, 1])) % 360.0
        self._draw_glass(rng, np.hypot(rows - self.row0, cols - self.col0))
        self._draw_horizon(rng)
        self._draw_detector(rng)

    def _curve(self, rng):
        """Distance from the axis against angle, 1 at 90 degrees."""
        angle = self._angles
        if self.lens == "stereographic":  # a true one squeezes the zenith more than any such camera does
            mix = rng.uniform(0.3, 0.8)
            radii = mix * np.tan(angle / 2) + (1 - mix) * angle * 2 / np.pi
        elif self.lens == "equisolid":
            radii = np.sin(angle / 2) / np.sin(np.pi / 4)
        else:
            radii = angle + rng.uniform(-0.10, 0.03) * angle**3 + rng.uniform(-0.006, 0.004) * angle**5
        radii = radii / np.interp(np.pi / 2, angle, radii)
        return np.maximum.accumulate(radii + 1e-9 * angle)

    def unproject(self, rows, cols):
        """Unit vectors (n, 3) in which these (fractional) pixels look."""
        down, right = rows - self.row0, cols - self.col0
        angle = np.interp(np.hypot(down, right) / self.radius, self._radii, self._angles)
        bearing = np.arctan2(-right, -down) + self.roll
        along = np.sin(angle)
        return np.stack([along * np.sin(bearing), along * np.cos(bearing), np.cos(angle)], -1) @ self._tilt.T

    def project(self, towards):
        """Row and column at which light from these directions lands."""
        east, north, up = np.moveaxis(np.asarray(towards, float) @ self._tilt, -1, 0)
        radius = self.radius * np.interp(np.arccos(np.clip(up, -1, 1)), self._angles, self._radii)
        bearing = np.arctan2(east, north) - self.roll
        return self.row0 - radius * np.cos(bearing), self.col0 - radius * np.sin(bearing)

    def _draw_glass(self, rng, from_axis):
        """Vignetting, and what the optics show of their own outside the sky."""
        angle = self.zenith_deg / 90.0
        self.vignette = (1 - rng.uniform(0.15, 0.55) * angle ** rng.uniform(1.6, 3.5)).astype(np.float32)
        outside = np.zeros(SIDE * SIDE, np.float32)
        for _ in range(rng.integers(1, 4)):
            # Reflections in the lens mount: thin arcs close to the horizon circle, not quite round it.
            where = self.radius * rng.uniform(1.01, 1.07)
            rows, cols = np.divmod(np.arange(SIDE * SIDE), SIDE)
            off = np.hypot(rows - self.row0 - rng.normal(0, 2), cols - self.col0 - rng.normal(0, 2)) - where
            side = np.cos(np.arctan2(rows - self.row0, cols - self.col0) - rng.uniform(0, 2 * np.pi))
            outside += (
                rng.uniform(0.1, 0.5)
                * np.exp(-((off / rng.uniform(0.6, 1.6)) ** 2) / 2)
                * ramp(side, rng.uniform(-0.8, 0.5), 0.9)
            ).astype(np.float32)
        fall = np.exp(-np.clip(from_axis - self.radius, 0, None) / rng.uniform(1.5, 4))
        outside += (rng.uniform(0.1, 0.4) * fall * (from_axis > self.radius)).astype(np.float32)
        outside[self.seen] *= 0.3
        self.stray = outside + np.float32(rng.uniform(0.01, 0.06))  # times the mean sky

    def _draw_horizon(self, rng):
        """Trees, roofs and a mast: where `open_sky` is 0 nothing shines through."""
        bearing = np.arange(720) / 2.0
        line = (
            rng.uniform(0, 2.5) + rng.uniform(0, 5) * value_noise_1d(rng, 720, int(rng.integers(6, 60))) ** 2
        )
        for _ in range(rng.integers(0, 3)):
            off = np.abs((bearing - rng.uniform(0, 360) + 180) % 360 - 180)
            line = np.where(off < rng.uniform(2, 12), np.maximum(line, rng.uniform(3, 12)), line)
        if rng.random() < 0.3:
            off = np.abs((bearing - rng.uniform(0, 360) + 180) % 360 - 180)
            line = np.where(off < 0.8, rng.uniform(12, 30), line)
        height = np.interp(self.azimuth_deg, bearing, line, period=360)
        self.open_sky = ramp(90 - self.zenith_deg, height - 0.3, height + 0.5).astype(np.float32)
        self.open_sky = 0.04 + 0.96 * self.open_sky

    def _draw_detector(self, rng):
        self.pedestal = rng.uniform(2200, 3500)
        self.gain = rng.lognormal(0, 0.3)  # counts a unit of sky light
        self.shot = 1.68 * rng.lognormal(0, 0.08)  # variance = shot * (count - pedestal) + read
        self.read = 380 * rng.lognormal(0, 0.15)
        columns = rng.normal(0, rng.uniform(0, 4), SIDE).astype(np.float32)
        slope = rng.normal(0, 8) * np.linspace(-1, 1, SIDE, dtype=np.float32)
        self._dark = (slope[:, None] + columns[None, :] + 2 * value_noise(rng, SIDE, 4, 2)).ravel()
        self._response = 1 + rng.uniform(0.002, 0.008) * rng.standard_normal(SIDE * SIDE, dtype=np.float32)
        self._hot = rng.integers(0, SIDE * SIDE, rng.integers(0, 8))
        self._dead = rng.integers(0, SIDE * SIDE, rng.integers(0, 6))
        warm = rng.integers(0, SIDE * SIDE, rng.integers(5, 60))
        np.add.at(self._dark, warm, rng.exponential(600, warm.size).astype(np.float32))

    def expose(self, image, rng):
        """Turn light, flat (65536,) in units of the sky, into a uint16 frame (256, 256)."""
        light = image * self._response
        light *= self.gain
        noise = rng.standard_normal(light.size, dtype=np.float32)
        noise *= np.sqrt(np.maximum(light, 0) * np.float32(self.shot) + np.float32(self.read))
        light += noise
        light += self._dark
        light += np.float32(self.pedestal + rng.normal(0, 2.0))
        light[self._dead] = self.pedestal - 200
        light[self._hot] = 65535
        np.clip(light, 0, 65535, out=light)
        np.rint(light, out=light)
        return light.astype(np.uint16).reshape(SIDE, SIDE)


def _rotation(bearing, angle):
    """Rotation by `angle` about a horizontal axis."""
    x, y = np.cos(bearing), np.sin(bearing)
    cross = np.array([[0, 0, y], [0, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def unit_vector(elevation_deg, azimuth_deg):
    """East, north and up of a direction."""
    up, turn = np.radians(elevation_deg), np.radians(azimuth_deg)
    return np.stack([np.cos(up) * np.sin(turn), np.cos(up) * np.cos(turn), np.sin(up)], -1)


def ground_km(towards, height_km):
    """Where these lines of sight meet a shell `height_km` up: east and north kilometres from overhead."""
    up = np.clip(towards[..., 2], 0.015, 1.0)
    along = np.hypot(towards[..., 0], towards[..., 1])
    slant = np.sqrt((_EARTH_KM * up) ** 2 + height_km**2 + 2 * height_km * _EARTH_KM) - _EARTH_KM * up
    arc = _EARTH_KM * np.arcsin(np.clip(slant * along / (_EARTH_KM + height_km), 0, 1))
    scale = arc / np.maximum(along, 1e-6)
    return towards[..., 0] * scale, towards[..., 1] * scale


def slant_factor(zenith_deg, height_km):
    """How much longer a thin shell is along the line of sight than overhead (van Rhijn)."""
    inner = _EARTH_KM / (_EARTH_KM + height_km) * np.sin(np.radians(zenith_deg))
    return 1 / np.sqrt(1 - inner**2)
