"""Aurora that does not pulsate: diffuse light, arcs quiet and disturbed, rays, breakup, torches.

Arcs are curtains a few to tens of kilometres thick along the parallel, seen at several heights along a
field line that leans away from the vertical by some 10 to 15 degrees, so that rays converge on the magnetic
zenith (Stoermer 1955, The Polar Aurora). Folds, breakup and poleward expansion after Akasofu (1964, Planet.
Space Sci. 12, 273); omega bands and torches after Akasofu and Kimball (1964); diffuse aurora with drifting
structure and black aurora after Davis (1978, Space Sci. Rev. 22, 77).
"""

import numpy as np

from pulsaurora._core import _simulated_sky
from pulsaurora.simulation.draws import Mapping, Wander, chance, log_uniform, remembered, smooth_line, texture

N_ALONG = 1024
STEP_KM = 3.0
S_START = -N_ALONG * STEP_KM / 2
_NO_WARP = np.zeros((2, 2), np.float32)


class Diffuse:
    """A band of diffuse aurora, smooth or with structure that drifts; its border may carry torches.

    Parameters
    ----------
    rng : numpy.random.Generator
    level : float, counts at zenith
    structure : float, 0 to 1, optional
        Depth of its structure.
    torches, wide : bool, optional
        Whether torches stand on its border, and whether it fills the sky. What is not given is drawn.
    rim : float
        Brightness of an arc along its poleward border, in units of `level`.
    """

    def __init__(self, rng, level, structure=None, torches=None, wide=None, rim=0.0):
        quick = chance(rng, 0.15)
        # Much of it hardly changes within minutes.
        still = 0.05 if chance(rng, 0.35) else 1.0
        self.level = Wander(rng, level, still * level * rng.uniform(0, 0.2), 40 if quick else 120, 1200, 0)
        self.tilt = rng.normal(0, 0.15)
        wide = chance(rng, 0.4) if wide is None else wide
        self.centre = Wander(rng, rng.normal(-80, 180), still * rng.uniform(0, 25), 300, 1500)
        self.flat = log_uniform(rng, 600, 2000) if wide else log_uniform(rng, 20, 250)
        self.north, self.south = log_uniform(rng, 15, 200), log_uniform(rng, 40, 300)
        black = chance(rng, 0.2)
        self.structure = rng.uniform(0, 0.6) * chance(rng, 0.75) if structure is None else structure
        km = log_uniform(rng, 15, 300)
        cell = float(np.clip(km / 8, 1.5, 8))
        self.finest = 0.3 * km
        along = log_uniform(rng, 1, 4), rng.uniform(0, np.pi)
        if chance(rng, 0.6):
            field = texture(
                rng,
                3 * km / cell,
                256,
                slope=rng.uniform(2.2, 3.8),
                smallest=max(0.3 * km, 6) / cell,
                stretch=along[0],
                angle=along[1],
            )
        else:
            field = texture(rng, km / cell, 256, rng.uniform(0.4, 0.9), stretch=along[0], angle=along[1])
        if black:
            field = -np.clip((field - rng.uniform(0.4, 1.2)) * log_uniform(rng, 0.7, 8), 0, 1)
            self.structure = rng.uniform(0.2, 0.95) if structure is None else structure
        self.texture = np.clip(field, -2.5, 2.5)
        speed = still * log_uniform(rng, 0.02, 0.6) * rng.choice([-1, 1])
        self.mapping = Mapping(rng, 1 / cell, 256, (speed, speed * rng.normal(0, 0.3)))
        self.border = (smooth_line(rng, N_ALONG, log_uniform(rng, 40, 300)) * rng.uniform(0, 30)).astype(
            np.float32
        )
        self.border_speed = 0.0
        torches = chance(rng, 0.08) if torches is None else torches
        if torches:
            period = log_uniform(rng, 150, 800) / STEP_KM
            n_waves = max(round(N_ALONG / period), 1)
            phase = np.arange(N_ALONG) * n_waves / N_ALONG + 0.08 * smooth_line(rng, N_ALONG, 200)
            wave = np.sin(2 * np.pi * phase)
            tongue = np.clip(wave, -0.3, 1) ** 3 if chance(rng, 0.6) else wave
            self.border = (self.border + rng.uniform(50, 250) * tongue).astype(np.float32)
            self.border_speed = log_uniform(rng, 0.2, 2.0)
            self.north = log_uniform(rng, 10, 40)
        self.rim = None
        if rim:
            uneven = 1 + rng.uniform(0, 0.6) * smooth_line(rng, N_ALONG, log_uniform(rng, 60, 300))
            self.rim = np.maximum(rim * uneven, 0)
            self.rim_km = log_uniform(rng, 3, 25)

    def add(self, view, t, out):
        """Add this layer's light (counts) at scene time t (s) to out, float32 (n_pixels,)."""
        border = self.border
        if self.border_speed:
            border = _rolled(border, self.border_speed * t / STEP_KM)
        _simulated_sky.add_band(
            out,
            view.east_km,
            view.north_km,
            view.footprint_km,
            self.texture,
            self.mapping.at(t),
            np.cos(self.tilt),
            np.sin(self.tilt),
            self.centre(t),
            self.flat,
            self.north,
            self.south,
            border,
            S_START,
            1 / STEP_KM,
            self.level(t),
            self.structure,
            self.finest,
        )
        if self.rim is not None:
            self._add_rim(view, t, border, out)

    def _add_rim(self, view, t, border, out):
        """Add the arc along the poleward border, which lies `border` (km) off its straight line."""
        moved = self.border_speed * t / STEP_KM
        _simulated_sky.add_arcs(
            out,
            view.east_km,
            view.north_km,
            np.ones(1, np.float32),
            np.ones(1, np.float32),
            0.0,
            0.0,
            _NO_WARP,
            _NO_WARP,
            self.mapping.at(t),
            0.0,
            np.cos(self.tilt),
            np.sin(self.tilt),
            np.array([self.centre(t) + self.flat], np.float32),
            np.array([1.5 * self.rim_km], np.float32),
            np.array([self.rim_km], np.float32),
            np.ascontiguousarray(border[None], np.float32),
            (self.level(t) * _rolled(self.rim, moved))[None].astype(np.float32),
            S_START,
            1 / STEP_KM,
        )


def _rolled(line, samples):
    """Return a periodic line moved along by a number of samples, whole or not."""
    whole = int(np.floor(samples))
    part = np.float32(samples - whole)
    line = np.roll(line, whole)
    return line + part * (np.roll(line, 1) - line)


class Arcs:
    """One to several arcs side by side: drifting, waving, folding, rayed or fluctuating.

    Parameters
    ----------
    rng : numpy.random.Generator
    level : float, counts at zenith
    activity : float, 0 to 1
        From a quiet arc to a breakup: folds, rays, their speeds and the pace of change grow with it.
    expansion : tuple of (start_s, speed_km_s), optional
        The poleward border moves off at this time and speed, brightening.
    """

    def __init__(self, rng, level, activity=0.0, n_arcs=None, expansion=None, n_heights=None):
        self.activity, self.expansion = activity, expansion
        n = n_arcs or int(rng.integers(1, 3 + round(2 * activity)))
        self.tilt = rng.normal(0, 0.25) if chance(rng, 0.85) else rng.uniform(0, np.pi)
        spacing = log_uniform(rng, 20, 120)
        # Some are seen low in the sky, from beside the oval.
        far = 300 if chance(rng, 0.2) else 120
        self.offset = rng.normal(0, far) + spacing * (np.arange(n) - (n - 1) / 2) * rng.uniform(0.7, 1.3, n)
        width = log_uniform(rng, 3, 25, n)
        self.north = (width * rng.uniform(1, 3, n)).astype(np.float32)
        self.south = width.astype(np.float32)
        drift = (0.0 if chance(rng, 0.3) else log_uniform(rng, 0.02, 0.3)) * (1 + 2 * activity)
        self.drift = drift * rng.choice([-1, 1])
        if chance(rng, 0.06 + 0.15 * activity):  # an arc that sweeps over the sky
            self.drift = rng.choice([-1, 1]) * log_uniform(rng, 0.5, 3)
        self.sway = (0.0, 1.0, 0.0)
        if chance(rng, 0.1 + 0.15 * activity):  # or to and fro
            self.sway = log_uniform(rng, 3, 60), 2 * np.pi / log_uniform(rng, 15, 240), rng.uniform(0, 6)
        self.strength = np.exp(0.4 * rng.standard_normal(n)) * level
        pace = 1 + 8 * activity
        still = 0.1 if activity < 0.15 and chance(rng, 0.35) else 1.0
        self.drift *= still
        self.pulse = [
            Wander(
                rng,
                1,
                still * rng.uniform(0.02, 0.15) + 0.35 * activity * rng.random(),
                120 / pace,
                900 / pace,
                0.05,
            )
            for _ in range(n)
        ]
        bend = 0.0 if chance(rng, 0.2) and activity < 0.3 else rng.uniform(0, 50) + 30 * activity
        self.shape = np.stack([_wavy(rng, bend, activity) for _ in range(n)]).astype(np.float32)
        self.shape_speed = still * rng.normal(0, 0.3 + 3 * activity)
        self.lengthwise = np.stack(
            [np.clip(1 + rng.uniform(0, 0.5) * smooth_line(rng, N_ALONG, 200), 0.02, 3) for _ in range(n)]
        )
        rayed = activity > 0.25 and chance(rng, 0.3 + 0.7 * activity)
        self.rays = np.zeros((n, N_ALONG))
        if rayed:
            fine = log_uniform(rng, 4, 30)
            for k in range(n):
                self.rays[k] = rng.uniform(0.3, 1.2) * smooth_line(rng, N_ALONG, fine, 0.5)
        self.ray_speed = rng.normal(0, 0.5 + 6 * activity)
        top = rng.uniform(1.3, 2.4) if rayed else rng.uniform(1.08, 1.35)
        n_heights = n_heights or (5 if rayed else 2)
        self.stretch = np.linspace(rng.uniform(0.9, 1.0), top, n_heights).astype(np.float32)
        weight = np.exp(-np.linspace(0, rng.uniform(1, 2.5), n_heights))
        self.weight = (weight / weight.sum()).astype(np.float32)
        dip = rng.uniform(0.14, 0.28) * 110
        self.lean = rng.normal(0, 4), dip
        self.warp = Wander(rng, 0, 0)
        self.fields = None
        if activity > 0.15:
            km = log_uniform(rng, 60, 250)
            cell = km / 16
            self.fields = tuple(texture(rng, 16, 128, spread=0.45, stretch=1.6) for _ in range(2))
            # Above a sixth of its wavelength the displacement tears arcs into islands.
            self.warp = Wander(rng, activity * km * rng.uniform(0.04, 0.2), activity * km * 0.06, 40, 300)
            flow = log_uniform(rng, 0.1, 0.5 + 8 * activity)
            self.mapping = Mapping(
                rng, 1 / cell, 128, (flow * rng.choice([-1, 1]), flow * rng.normal(0, 0.3))
            )
        else:
            self.fields = (_NO_WARP,) * 2
            self.mapping = Mapping(rng, 1.0, 2)

    def add(self, view, t, out):
        """Add this layer's light (counts) at scene time t (s) to out, float32 (n_pixels,)."""
        far, rate, phase = self.sway
        offset = self.offset + self.drift * t + far * np.sin(rate * t + phase)
        offset = (offset + 900) % 1800 - 900  # one that leaves the sky comes in on the other side
        gain = self.strength * np.array([pulse(t) for pulse in self.pulse])
        widen = 1.0
        if self.expansion is not None:
            start, speed = self.expansion
            since = t - start
            grown = 1 / (1 + np.exp(-since / 12))
            offset = offset + speed * min(max(since, 0), 150) * np.linspace(0.2, 1, offset.size)
            gain = gain * (0.15 + 0.85 * grown)
            widen = 1 + 1.5 * grown
        light = self.lengthwise * gain[:, None]
        if self.rays.any():
            light = light * np.clip(1 + _rolled2(self.rays, self.ray_speed * t / STEP_KM), 0.05, None)
        shape = _rolled2(self.shape, self.shape_speed * t / STEP_KM)
        _simulated_sky.add_arcs(
            out,
            view.east_km,
            view.north_km,
            self.stretch,
            self.weight,
            *self.lean,
            *self.fields,
            self.mapping.at(t),
            self.warp(t),
            np.cos(self.tilt),
            np.sin(self.tilt),
            offset.astype(np.float32),
            (self.north * widen).astype(np.float32),
            (self.south * widen).astype(np.float32),
            np.ascontiguousarray(shape, np.float32),
            np.ascontiguousarray(light, np.float32),
            S_START,
            1 / STEP_KM,
        )


def _rolled2(lines, samples):
    whole = int(np.floor(samples))
    part = samples - whole
    lines = np.roll(lines, whole, axis=1)
    return lines + part * (np.roll(lines, 1, axis=1) - lines)


def _wavy(rng, bend, activity):
    """Return an arc's displacement along its length: a bow, long waves and short ones."""
    s = (np.arange(N_ALONG) / N_ALONG - 0.5) * 2
    line = bend * smooth_line(rng, N_ALONG, 300) + (0.08 + 0.25 * activity) * bend * smooth_line(
        rng, N_ALONG, 100, 0.5
    )
    if chance(rng, activity):
        line += rng.uniform(0, 6) * smooth_line(rng, N_ALONG, 30, 0.4)
    # curvature of the oval; tapered so that the periodic ends meet
    return line - rng.uniform(-150, 150) * s**2


class Corona:
    """Rays about the magnetic zenith, seen from below, that flare, shoot and go round within seconds.

    They are drawn on a map of direction about it and distance from it, in which all are parallel.
    """

    _SIDE, _CELLS_A_ROOT_DEG = 256, 25.0

    def __init__(self, rng, level):
        rays, spread = log_uniform(rng, 4, 80), rng.uniform(0.4, 1.1)
        along = {"stretch": log_uniform(rng, 4, 24)}
        self.fields = [texture(rng, self._SIDE / rays, self._SIDE, spread, **along) for _ in range(3)]
        self.level = Wander(rng, level, level * rng.uniform(0, 0.4), 5, 120, 0)
        self.exchange_s = log_uniform(rng, 5, 120)
        # Cells a second about the zenith and away from it; each field also goes its own way, so that no ray
        # comes back as it was.
        around, outward = rng.normal(0, log_uniform(rng, 0.2, 6)), rng.normal(0, log_uniform(rng, 0.2, 8))
        self.speeds = np.array([around, outward]) + rng.normal(0, log_uniform(rng, 0.1, 3), (3, 2))
        self.depth = rng.uniform(0.5, 2.0)
        self.reach_deg, self.hole_deg = log_uniform(rng, 15, 90), rng.uniform(0.1, 8)
        off, south = np.radians(rng.uniform(6, 16)), np.pi + rng.normal(0, 0.3)
        self.zenith = np.array([np.sin(off) * np.sin(south), np.sin(off) * np.cos(south), np.cos(off)])
        self._still = remembered(self._place)

    def _place(self, view):
        """Return each pixel's cell of the map, int (n_pixels,), and how bright the corona is there."""
        east = np.cross([0.0, 1.0, 0.0], self.zenith)
        east /= np.linalg.norm(east)
        axes = np.stack([east, np.cross(self.zenith, east), self.zenith])
        # einsum and not a product of matrices: see Camera.cosine.
        x, y, z = np.einsum("ij,jk->ik", axes, view.direction)
        away = np.degrees(np.arccos(np.clip(z, -1, 1)))
        row = (np.arctan2(x, y) * (self._SIDE / (2 * np.pi))).astype(int) % self._SIDE
        column = (self._CELLS_A_ROOT_DEG * np.sqrt(away)).astype(int) % self._SIDE
        bright = np.exp(-((away / self.reach_deg) ** 2)) * (1 - 0.7 * np.exp(-((away / self.hole_deg) ** 2)))
        return row * self._SIDE + column, bright.astype(np.float32)

    def add(self, view, t, out):
        """Add this layer's light (counts) at scene time t (s) to out, float32 (n_pixels,)."""
        cells, bright = self._still(view)
        turns = 2 * np.pi * (t / self.exchange_s + np.arange(3) / 3)
        rays = sum(
            np.float32(share) * np.roll(field, np.rint(speed * t).astype(int), (0, 1)).ravel()[cells]
            for share, field, speed in zip(
                np.sqrt(2 / 3) * np.cos(turns), self.fields, self.speeds, strict=True
            )
        )
        rays = np.exp(np.float32(self.depth) * np.minimum(rays, 3) - np.float32(self.depth**2 / 2))
        out += np.float32(self.level(t)) * bright * rays


class Fluctuating:
    """Another layer whose whole light fluctuates within seconds, as an active arc's does."""

    def __init__(self, rng, layer, depth, shortest=2.0, longest=30.0):
        self.layer, self.wander = layer, Wander(rng, 1.0, depth, shortest, longest, 0.0)

    def add(self, view, t, out):
        """Add this layer's light (counts) at scene time t (s) to out, float32 (n_pixels,)."""
        own = np.zeros_like(out)
        self.layer.add(view, t, own)
        own *= np.float32(0.5 * (self.wander(t) + self.wander(t + 0.6)))
        out += own
