"""Points of light in the sky and lamps on the ground."""

import numpy as np

from . import almanac
from .optics import SIDE, unit_vector
from .textures import value_noise_1d


class Stars:
    """Stars down to magnitude 5.5, ten times as many for every two magnitudes, turning with the sky."""

    def __init__(self, world, brightest, count=None, twinkle=0.12, milky_way=0.0):
        rng = self.rng = world.rng
        count = count or int(rng.integers(1500, 3500))
        magnitude = 5.5 + 2.0 * np.log10(rng.random(count))  # N(<m) goes as 10^(m / 2)
        self.flux = brightest * 10 ** (-0.4 * np.maximum(magnitude, -1.0))
        x, y, z = rng.normal(size=(3, count))
        if milky_way:
            self.plane = unit_vector(rng.uniform(10, 80), rng.uniform(0, 360))
            lean = rng.random(count) < 0.5
            x, y, z = (
                np.stack([x, y, z])
                - np.where(lean, 0.75 * (self.plane @ np.stack([x, y, z])), 0) * (self.plane[:, None])
            )
        size = np.sqrt(x**2 + y**2 + z**2)
        self.ra, self.dec = np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z / size))
        self.world, self.twinkle = world, twinkle
        self.blur = rng.uniform(0.45, 0.8)

    def __call__(self, i):
        world = self.world
        up, turn = almanac.horizontal(self.ra, self.dec, world.times[i], world.latitude, world.longitude)
        shown = up > 1.5
        up, turn, flux = up[shown], turn[shown], self.flux[shown]
        row, col = world.camera.project(unit_vector(up, turn))
        air = 1 / np.maximum(np.sin(np.radians(up)), 0.06)
        depth = np.minimum(self.twinkle * air**0.9, 1.2)
        flux = flux * np.exp(-0.25 * air) * np.exp(depth * self.rng.standard_normal(flux.size) - depth**2 / 2)
        return row, col, flux, self.blur


def stamp(image, row, col, flux, blur):
    """Add points of light with a Gaussian image, in place; `image` is (256, 256)."""
    reach = max(int(np.ceil(3 * blur)), 2)
    row0, col0 = np.rint(row).astype(int), np.rint(col).astype(int)
    good = (row0 >= reach) & (row0 < SIDE - reach) & (col0 >= reach) & (col0 < SIDE - reach)
    row, col, row0, col0, flux = (a[good] for a in (row, col, row0, col0, np.broadcast_to(flux, row.shape)))
    if not row.size:
        return
    steps = np.arange(-reach, reach + 1)
    down = np.exp(-0.5 * ((row0[:, None] + steps - row[:, None]) / blur) ** 2)
    right = np.exp(-0.5 * ((col0[:, None] + steps - col[:, None]) / blur) ** 2)
    spots = (flux / (2 * np.pi * blur**2))[:, None, None] * down[:, :, None] * right[:, None, :]
    where = (row0[:, None, None] + steps[:, None]) * SIDE + (col0[:, None, None] + steps)
    image += (
        np.bincount(where.ravel(), spots.ravel(), minlength=SIDE * SIDE)
        .reshape(SIDE, SIDE)
        .astype(np.float32)
    )


class Flyer:
    """An aircraft (steady lights and strobes) or a satellite, on a straight path over the ground."""

    def __init__(self, world, *, height_km, speed_kms, steady, strobe, crossing_s, aside_km):
        rng = self.rng = world.rng
        self.world = world
        heading = rng.uniform(0, 2 * np.pi)
        self.ahead = np.array([np.sin(heading), np.cos(heading)])
        self.aside = np.array([self.ahead[1], -self.ahead[0]]) * rng.normal(0, aside_km)
        self.height, self.speed, self.crossing_s = height_km, speed_kms, crossing_s
        self.steady, self.strobe = steady, strobe
        self.beat_s, self.offset_s = rng.uniform(0.9, 1.5), rng.uniform(0, 1)
        self.flare_s, self.flare_at = rng.uniform(4, 15), crossing_s + rng.normal(0, 20)

    def __call__(self, i):
        world = self.world
        start = world.times_s[i]
        moments = start + np.linspace(0, world.exposure_s, 12)
        flash = np.arange(
            np.ceil((start - self.offset_s) / self.beat_s),
            (start + world.exposure_s - self.offset_s) / self.beat_s,
        )
        when = np.concatenate([moments, flash * self.beat_s + self.offset_s])
        place = (when[:, None] - self.crossing_s) * self.speed * self.ahead + self.aside
        towards = np.column_stack([place, np.full(len(place), self.height)])
        distance = np.linalg.norm(towards, axis=1)
        towards /= distance[:, None]
        flux = np.concatenate([np.full(12, self.steady / 12), np.full(flash.size, self.strobe)])
        if not self.strobe:  # a satellite may flare as it tumbles
            flux = flux * (1 + 6 * np.exp(-(((when - self.flare_at) / self.flare_s) ** 2)))
        flux = flux * (self.height / distance) ** 2 * (towards[:, 2] > 0.05)
        row, col = world.camera.project(towards)
        return row, col, flux, 0.7


class Meteor:
    """A streak in one frame, now and then."""

    def __init__(self, world, chance, light):
        self.world, self.chance, self.light = world, chance, light

    def __call__(self, i):
        rng, count = self.world.rng, 40
        if rng.random() > self.chance:
            return np.zeros(0), np.zeros(0), np.zeros(0), 0.6
        up, turn = rng.uniform(20, 80), rng.uniform(0, 360)
        part = np.linspace(0, 1, count)
        towards = unit_vector(up + part * rng.normal(0, 12), turn + part * rng.normal(0, 12))
        row, col = self.world.camera.project(towards)
        return row, col, self.light * rng.pareto(2.0) * np.sin(np.pi * part) / count * 6, 0.6


# How a lamp's light changes: each returns the mean over an exposure beginning at each of `times_s`.


def _mean(level, times_s, exposure_s, samples=20):
    part = (np.arange(samples) + 0.5) / samples * exposure_s
    return level(times_s[:, None] + part).mean(1)


def beacon(rng, times_s, exposure_s):
    """A lamp that is on for part of each turn of one to nine seconds."""
    period, duty, at = rng.uniform(1.0, 9.0), rng.uniform(0.08, 0.5), rng.uniform(0, 9)
    return _mean(lambda t: ((t + at) % period < duty * period).astype(float), times_s, exposure_s)


def rotating(rng, times_s, exposure_s):
    """An airfield's turning beam seen from aside: smooth swells, four to twenty seconds apart."""
    period, at, sharp = rng.uniform(4, 20), rng.uniform(0, 20), rng.uniform(1, 12)
    return _mean(lambda t: (0.5 + 0.5 * np.cos(2 * np.pi * (t + at) / period)) ** sharp, times_s, exposure_s)


def switched(rng, times_s, exposure_s):
    """Somebody working with a lamp: on and off for five to sixty seconds."""
    edges = np.cumsum(rng.uniform(5, 60, int(times_s[-1] / 15) + 20)) - 60
    return _mean(lambda t: (np.searchsorted(edges, t) % 2).astype(float), times_s, exposure_s)


def flickering(rng, times_s, exposure_s):
    """A fire or a failing tube."""
    noise = value_noise_1d(rng, 4096, 900, 4)
    return _mean(lambda t: np.interp(t * 3 % 4096, np.arange(4096), noise) ** 2, times_s, exposure_s)


class Lamp:
    """A lamp near the horizon with its glare; `lamp(i)` is light over the pixels.

    `wide_deg` is the glare's reach; a `sweep` (degrees of azimuth a second) moves it, as a car's lamps.
    """

    def __init__(self, world, level, light, *, wide_deg, elevation_deg=None, azimuth_deg=None, sweep=0.0):
        rng = world.rng
        self.world, self.level, self.light, self.wide_deg, self.sweep = world, level, light, wide_deg, sweep
        self.elevation = rng.uniform(1, 7) if elevation_deg is None else elevation_deg
        self.azimuth = rng.uniform(0, 360) if azimuth_deg is None else azimuth_deg
        self.bounce = rng.uniform(0.0, 0.012)  # of the glare, reflected from the dome's far side
        self.still = None if sweep else self._glare(self.azimuth)

    def _glare(self, azimuth):
        towards = self.world.towards
        toward = unit_vector(self.elevation, azimuth).astype(np.float32)
        apart = np.degrees(np.arccos(np.clip(towards @ toward, -1, 1)))
        glare = np.exp(-((apart / 1.2) ** 2)) * 3 + np.exp(-apart / self.wide_deg)
        mirrored = np.degrees(
            np.arccos(np.clip(towards @ (toward * np.array([-1, -1, 1], np.float32)), -1, 1))
        )
        return (glare + self.bounce * 10 * np.exp(-(((mirrored - 3) / 4) ** 2))).astype(np.float32)

    def __call__(self, i):
        glare = self.still
        if glare is None:
            glare = self._glare(self.azimuth + self.sweep * self.world.times_s[i])
        return np.float32(self.light * self.level[i]) * glare
