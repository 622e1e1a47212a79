"""Arcs, curtains and diffuse aurora.

An arc is a curve through moving control points; its light falls off as a
Gaussian of the distance to the curve, and rays lean away from the magnetic
zenith. Drawn at half the camera's resolution and spread to the whole.
"""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from .optics import SIDE, ground_km, slant_factor
from .textures import look_up, ramp, value_noise, value_noise_1d

_HALF = SIDE // 2


def _spread():
    """Matrix (256, 128): linear interpolation from half to full resolution."""
    at = (np.arange(SIDE) - 0.5) / 2
    low = np.clip(np.floor(at).astype(int), 0, _HALF - 2)
    part = np.clip(at - low, 0, 1)
    matrix = np.zeros((SIDE, _HALF), np.float32)
    matrix[np.arange(SIDE), low] = 1 - part
    matrix[np.arange(SIDE), low + 1] = part
    return matrix


class Arc:
    """One arc: `curve(t)` gives its points over the ground (km), `glow(t)` brightness along it."""

    def __init__(
        self,
        rng,
        y_km,
        *,
        width_km,
        light,
        drift_kms,
        folds_km,
        fold_speed_kms,
        ray_depth,
        sway_km=0.0,
        sway_s=60.0,
        tilt=None,
        curl=0.8,
    ):
        self.along = np.arange(-1000.0, 1000.0, 4.0)
        knots = np.linspace(-1000, 1000, int(rng.integers(6, 11)))
        bend = rng.normal(0, 15, knots.size)
        swing = rng.normal(0, 0.06, knots.size)  # km/s: the control points wander on their own
        self.line, self.swing = CubicSpline(knots, bend)(self.along), CubicSpline(knots, swing)(self.along)
        tilt = rng.normal(0, 0.15) if tilt is None else tilt
        self.line = self.line + y_km + tilt * self.along
        self.drift, self.sway_km, self.sway_s = drift_kms, sway_km, sway_s
        count = 3 if folds_km > 0 else 0
        self.folds = [
            (
                folds_km * rng.uniform(0.4, 1.0) / (k + 1),
                2 * np.pi / rng.uniform(60, 320) * (k + 1) ** 0.7,
                fold_speed_kms * rng.uniform(0.6, 1.4),
                rng.uniform(0, 6.3),
                curl * rng.uniform(0.5, 1.2),
            )
            for k in range(count)
        ]
        self.width, self.light, self.ray_depth = width_km, light, ray_depth
        self.lumps, self.rays = value_noise_1d(rng, 2048, 12, 4), value_noise_1d(rng, 8192, 500, 3)
        self.lump_speed, self.ray_speed = (
            rng.normal(0, 0.6 * abs(fold_speed_kms)),
            rng.normal(0, abs(fold_speed_kms) + 0.2),
        )
        self.lump_depth = rng.uniform(0.2, 0.7)
        self.phase = rng.uniform(0, 6.3)
        self.flare_s = rng.uniform(100, 400)

    def curve(self, t):
        x = self.along.copy()
        y = self.line + self.drift * t + self.swing * t
        y += self.sway_km * np.sin(2 * np.pi * t / self.sway_s + self.phase)
        for size, wave, speed, phase, curl in self.folds:
            turn = wave * (self.along - speed * t) + phase
            grow = 0.75 + 0.25 * np.sin(0.02 * t + phase)
            y += size * grow * np.sin(turn)
            x += curl * size * grow * np.cos(turn)
        return np.stack([x, y], -1)

    def glow(self, t):
        """Core brightness, and how bright the rays above it are, along the curve."""
        size = self.lumps.size
        lumps = np.interp(
            (self.along - self.lump_speed * t) / 4 % size, np.arange(size), self.lumps, period=size
        )
        size = self.rays.size
        rays = np.interp(
            (self.along - self.ray_speed * t) * 1.2 % size, np.arange(size), self.rays, period=size
        )
        level = self.light * (1 - self.lump_depth + self.lump_depth * 1.5 * lumps)
        level = level * (1 + 0.12 * np.sin(2 * np.pi * t / self.flare_s + self.phase))
        rays = np.clip(2.2 * rays - 0.6, 0, 1.4)
        return level * (1 - self.ray_depth * (0.6 - 0.6 * rays)), level * self.ray_depth * rays


class Arcs:
    """Light of several arcs: `arcs(i)` is flat over the camera's pixels."""

    def __init__(self, world, arcs, turn_deg=None):
        self.arcs, self.times_s, self.exposure_s = arcs, world.times_s, world.exposure_s
        camera = world.camera
        rows, cols = np.meshgrid(np.arange(_HALF) * 2 + 0.5, np.arange(_HALF) * 2 + 0.5, indexing="ij")
        towards = camera.unproject(rows.ravel(), cols.ravel())
        self.pixels = np.flatnonzero(towards[:, 2] > 0.05)
        towards = towards[self.pixels]
        height = world.rng.uniform(100, 125)
        x, y = ground_km(towards, height)
        turn = np.radians(world.rng.normal(0, 18) if turn_deg is None else turn_deg)
        self.points = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], -1)
        # The magnetic zenith lies some ten degrees equatorward of overhead.
        self.foot = np.array([0.0, -height * np.tan(np.radians(world.rng.uniform(5, 14)))])
        self.slant = np.minimum(slant_factor(np.degrees(np.arccos(towards[:, 2])), height), 3.0) ** 0.7
        self.spread, self.seen = _spread(), camera.seen
        self.ray_km = world.rng.uniform(15, 60)

    def __call__(self, i):
        time = self.times_s[i] + 0.5 * self.exposure_s
        curves = np.concatenate([arc.curve(time) for arc in self.arcs])
        glows = [arc.glow(time) for arc in self.arcs]
        core, rays = (np.concatenate([g[k] for g in glows]) for k in (0, 1))
        widths = np.concatenate([np.full(arc.along.size, arc.width) for arc in self.arcs])
        reach = 3.2 * widths.max() + (2.5 * self.ray_km if rays.any() else 0)
        distance, nearest = cKDTree(curves, balanced_tree=False, compact_nodes=False).query(
            self.points, distance_upper_bound=reach
        )
        hit = np.flatnonzero(np.isfinite(distance))
        distance, nearest = distance[hit], nearest[hit]
        light = core[nearest] * np.exp(-0.5 * (distance / widths[nearest]) ** 2)
        if rays.any():
            base = curves[nearest]
            outward = np.einsum("ij,ij->i", self.points[hit] - base, base - self.foot)
            outward /= np.hypot(*(base - self.foot).T) * np.maximum(distance, 1.0)
            tall = rays[nearest] * np.exp(-distance / self.ray_km) * ramp(outward, -0.2, 0.6)
            light = np.maximum(light, tall)
        field = np.zeros(_HALF * _HALF, np.float32)
        field[self.pixels[hit]] = light * self.slant[hit]
        field = gaussian_filter(field.reshape(_HALF, _HALF), 0.6)
        return (self.spread @ field @ self.spread.T).ravel()[self.seen]


class Diffuse:
    """A belt of soft light with faint structure, steady or slowly waxing and waning."""

    def __init__(
        self,
        world,
        light,
        *,
        y_km=None,
        half_width_km=None,
        change=0.0,
        change_s=300.0,
        rough=0.15,
        holes=0.0,
        edge_km=(20, 80),
    ):
        rng = world.rng
        height = rng.uniform(105, 125)
        x, y = ground_km(world.towards, height)
        turn = np.radians(rng.normal(0, 15))
        x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
        y_km = rng.uniform(-120, 120) if y_km is None else y_km
        half = rng.uniform(60, 180) if half_width_km is None else half_width_km
        edges = rng.uniform(*edge_km, 2)
        self.belt = ramp(y, y_km - half - edges[0], y_km - half + edges[0])
        self.belt *= 1 - ramp(y, y_km + half - edges[1], y_km + half + edges[1])
        self.belt *= light * np.minimum(slant_factor(world.zenith_deg, height), 3.0)
        self.belt = self.belt.astype(np.float32)
        self.texture = np.clip(1 + rough * value_noise(rng, 256, 5, 3), 0.2, None)
        if holes:
            self.texture *= 1 - holes * ramp(value_noise(rng, 256, 24, 2), 0.7, 2.0)
        self.rows, self.cols = (y / 6.0).astype(np.float32), (x / 6.0).astype(np.float32)
        self.drift = rng.normal(0, 0.2) / 6.0
        self.change, self.change_s, self.phase = change, change_s, rng.uniform(0, 6.3)
        self.times_s = world.times_s

    def __call__(self, i):
        t = self.times_s[i]
        level = 1 + self.change * np.sin(2 * np.pi * t / self.change_s + self.phase)
        return self.belt * look_up(self.texture, self.rows, self.cols - self.drift * t) * np.float32(level)
