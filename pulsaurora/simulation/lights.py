"""Lights that are not the sky's: lamps on the ground, cars, aircraft, satellites, meteors, laser beams.

Each has ``add(view, t, image, rng)``: it adds its light during the exposure that begins at scene time t (s)
to image, float32 (256, 256), counts above pedestal.
"""

from statistics import NormalDist

import numpy as np

from pulsaurora._core import _simulated_imager
from pulsaurora.simulation.camera import SHAPE
from pulsaurora.simulation.draws import chance, choose, log_uniform, remembered, texture

EXPOSURE_S = 1.0
_MOMENTS = np.linspace(0, EXPOSURE_S, 21)


def _points(view, image, elevation, azimuth, flux, sigma):
    row, col = view.project(np.atleast_1d(elevation), np.atleast_1d(azimuth))
    flux = np.broadcast_to(np.float32(flux), row.shape).astype(np.float32)
    _simulated_imager.add_points(image, row, col, np.ascontiguousarray(flux), float(sigma))


def _glow(view, elevation, azimuth, width, steep=1.5):
    """Return a glow about a direction, `width` degrees wide: 1 in its middle, float32 (n_pixels,).

    The less `steep`, the more of it reaches far.
    """
    apart = np.degrees(np.arccos(view.cosine(elevation, azimuth)))
    return (np.exp(-((apart / width) ** steep)) * view.through).astype(np.float32)


class Flashing:
    """How a lamp goes on and off: in time, as the beam of a beacon comes round, or as chance will have it.

    Parameters
    ----------
    rng : numpy.random.Generator
    shortest, longest : float, seconds
        Between which its period lies; by chance, it goes on and off within some such times.
    most : float, 0 to 1
        The greatest share of the time for which it is on.
    """

    def __init__(self, rng, shortest, longest, most=0.7):
        self.kind = choose(rng, {"regular": 0.65, "turning": 0.12, "irregular": 0.23})
        self.period, self.duty = log_uniform(rng, shortest, longest), rng.uniform(0.1, most)
        self.phase = rng.uniform(0, 60)
        # Three waves of periods without a common measure, whose sum is above this for about `duty`.
        self._rates = 2 * np.pi / (self.period * np.exp(rng.uniform(-0.7, 0.7, 3)))
        self._phases = rng.uniform(0, 2 * np.pi, 3)
        self._limit = np.sqrt(1.5) * NormalDist().inv_cdf(1 - self.duty)

    def share(self, t):
        """Return the share of its light that the exposure from scene time t (s) on gets, 0 to 1."""
        moments = t + _MOMENTS
        if self.kind == "irregular":
            waves = np.sin(np.multiply.outer(moments, self._rates) + self._phases).sum(axis=1)
            return float((waves > self._limit).mean())
        turn = (moments + self.phase) / self.period % 1
        if self.kind == "turning":
            off = np.minimum(turn, 1 - turn) / (0.3 * self.duty)
            return float(np.exp(-(off**2)).mean())
        return float((turn < self.duty).mean())


def _on_the_dome(rng):
    """Draw how unevenly a dome shows light that falls on it from the ground: SHAPE, mean 1; None if evenly.

    Dust, scratches and dried drops shine in it, as they never do in the light of the sky.
    """
    if chance(rng, 0.4):
        return None
    depth, grain = log_uniform(rng, 0.05, 0.9), log_uniform(rng, 3, 30)
    uneven = texture(rng, grain, SHAPE[0], spread=rng.uniform(0.3, 0.9))
    return np.exp(np.float32(depth) * uneven - np.float32(depth**2 / 2))


class GroundLight:
    """A lamp near the horizon: steady, flashing or flickering, with its glow in the air and the optics."""

    def __init__(self, rng, mode=None, flux=None, elevation=None):
        self.mode = mode or choose(rng, {"steady": 0.5, "flashing": 0.3, "flickering": 0.2})
        drawn = rng.uniform(0.5, 10) if chance(rng, 0.85) else rng.uniform(5, 30)
        self.elevation = drawn if elevation is None else elevation
        self.azimuth = rng.uniform(0, 360)
        self.flux = log_uniform(rng, 1e3, 5e5) if flux is None else flux
        self.flashing = Flashing(rng, 0.8, 25, most=0.6) if self.mode == "flashing" else None
        self.halo = 0.0 if chance(rng, 0.5) else log_uniform(rng, 0.002, 0.15)
        self.reach = log_uniform(rng, 4, 10)
        self.whole = 0.0 if chance(rng, 0.7) else log_uniform(rng, 1e-7, 3e-5)
        self.dome = _on_the_dome(rng) if self.whole else None
        # Haze and blown snow about a lamp glow with it.
        self.haze = 0.0 if chance(rng, 0.7) else self.flux * log_uniform(rng, 1e-5, 5e-3)
        self.width, self.steep = log_uniform(rng, 4, 40), rng.uniform(0.8, 2.2)
        self._still = remembered(self._images)

    def _images(self, view):
        """Return the lamp's light, steady, where it falls, and the light of the haze about it (or None)."""
        image = np.zeros(SHAPE, np.float32)
        _points(view, image, self.elevation, self.azimuth, self.flux * 0.8, view.psf * 1.2)
        if self.halo:
            _points(view, image, self.elevation, self.azimuth, self.flux * self.halo, self.reach)
        if self.whole:
            whole = view.spread(np.float32(self.flux * self.whole) * view.through)
            image += whole if self.dome is None else whole * self.dome
        haze = None
        if self.haze:
            haze = view.spread(_glow(view, self.elevation, self.azimuth, self.width, self.steep))
        rows, cols = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
        where = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] if rows.size else np.s_[:0, :0]
        return np.ascontiguousarray(image[where]), where, haze

    def add(self, view, t, image, rng):
        """Add this light; see the module."""
        share = 1.0
        if self.mode == "flashing":
            share = self.flashing.share(t)
        elif self.mode == "flickering":
            share = float(np.exp(0.5 * rng.standard_normal()))
        if share <= 0:
            return
        lamp, where, haze = self._still(view)
        image[where] += lamp if share == 1 else np.float32(share) * lamp
        if haze is not None:
            image += np.float32(min(self.haze * share, 2e4)) * haze


class Headlights:
    """A car that passes: a glow sweeping along the horizon and on the dome, which it sometimes floods."""

    def __init__(self, rng, duration_s):
        self.start, self.lasts = rng.uniform(0, max(duration_s - 20, 1)), log_uniform(rng, 4, 60)
        self.azimuth, self.sweep = rng.uniform(0, 360), rng.uniform(-150, 150)
        self.level, self.width, self.height = (
            log_uniform(rng, 100, 2e4),
            rng.uniform(5, 40),
            rng.uniform(3, 25),
        )
        self.flood = 0.0 if chance(rng, 0.6) else rng.uniform(0.005, 0.2)
        self.dome = _on_the_dome(rng)

    def add(self, view, t, image, rng):
        """Add this light; see the module."""
        part = (t - self.start) / self.lasts
        if not 0 < part < 1:
            return
        off = (view.azimuth - (self.azimuth + self.sweep * part) + 180) % 360 - 180
        glow = np.exp(-((off / self.width) ** 2) - view.elevation / self.height) + self.flood
        if self.dome is not None:
            glow *= self.dome.ravel()[view.index]
        image.ravel()[view.index] += (self.level * np.sin(np.pi * part) ** 2 * glow).astype(np.float32)


class FloodLight:
    """A lamp that lights the whole dome: switched on or off, or beating, every pixel in step."""

    def __init__(self, rng, beats=None):
        self.beats = chance(rng, 0.6) if beats is None else beats
        self.flashing = Flashing(rng, 1.5, 60) if self.beats else Flashing(rng, 60, 600)
        self.level = log_uniform(rng, 10, 3000)
        self.azimuth, self.one_sided = rng.uniform(0, 360), rng.uniform(0, 1)
        self.dome = _on_the_dome(rng)
        self._still = remembered(self._image)

    def _image(self, view):
        toward = np.cos(np.radians(view.azimuth - self.azimuth)) * np.cos(np.radians(view.elevation))
        image = view.spread(self.level * (1 + self.one_sided * toward) * view.through)
        return image if self.dome is None else image * self.dome

    def add(self, view, t, image, rng):
        """Add this light; see the module."""
        share = self.flashing.share(t)
        if share > 0:
            image += np.float32(share) * self._still(view)


class CloudGlow:
    """A light below cloud, seen as a glow on it: a beacon, works, far lightning, the lamps of a town."""

    def __init__(self, rng):
        mode = choose(rng, {"flashing": 0.4, "bursts": 0.35, "switched": 0.25})
        self.elevation, self.azimuth = rng.uniform(5, 85), rng.uniform(0, 360)
        self.width = log_uniform(rng, 4, 40)
        self.level = log_uniform(rng, 20, 5000)
        self.flashing = None
        if mode != "bursts":
            self.flashing = Flashing(rng, 1.5, 40) if mode == "flashing" else Flashing(rng, 40, 400)
        self.rate, self.lasts = 1 / log_uniform(rng, 4, 60), log_uniform(rng, 0.2, 6)
        self.grained = chance(rng, 0.6)
        self._lit_until, self._strength = -1.0, 1.0
        self._still = remembered(
            lambda view: np.float32(self.level) * _glow(view, self.elevation, self.azimuth, self.width)
        )

    def add(self, view, t, image, rng):
        """Add this light; see the module."""
        if self.flashing is None:
            if t > self._lit_until and chance(rng, min(3 * self.rate, 1)):
                self._lit_until = t + rng.exponential(self.lasts)
                self._strength = float(rng.exponential(1))
            share = self._strength if t <= self._lit_until else 0.0
        else:
            share = self.flashing.share(t)
        if share <= 0:
            return
        sky, glow = image.ravel(), np.float32(share) * self._still(view)
        if self.grained:  # it shows the cloud's own light and shade
            lit = sky[view.index]
            even = np.bincount(view.tile, lit, 256) / view.tile_count
            glow = glow * np.clip(lit / np.maximum(even[view.tile], 1.0), 0.2, 3.0).astype(np.float32)
        sky[view.index] += glow


class Crossing:
    """Something that crosses the sky: 'aircraft' (with strobe), 'satellite' or 'meteor'."""

    def __init__(self, rng, kind, duration_s):
        self.kind = kind
        self.lasts = {
            "aircraft": log_uniform(rng, 40, 300),
            "satellite": log_uniform(rng, 150, 500),
            "meteor": rng.uniform(0.2, 0.8),
        }[kind]
        self.start = rng.uniform(-0.5 * self.lasts, max(duration_s - 0.5 * self.lasts, 1))
        if kind == "meteor":
            self.start = rng.uniform(0, duration_s)
        heading, miss = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.6)
        self.direction = np.array([np.cos(heading), np.sin(heading)])
        self.side = miss * np.array([-self.direction[1], self.direction[0]])
        self.reach = 6.0 if kind != "meteor" else rng.uniform(0.2, 0.8)
        self.offset = rng.normal(0, 0.7, 2) if kind == "meteor" else np.zeros(2)
        low, high = {"aircraft": (500, 3e4), "satellite": (50, 2500), "meteor": (800, 5e4)}[kind]
        self.flux = log_uniform(rng, low, high)
        self.strobe = log_uniform(rng, 0.9, 1.6), rng.uniform(0, 2), rng.uniform(0.5, 8)
        self.flare = rng.uniform(0.2, 0.8), log_uniform(rng, 0.02, 0.2), rng.uniform(0, 6) * chance(rng, 0.3)

    def add(self, view, t, image, rng):
        """Add this light; see the module."""
        if t + EXPOSURE_S < self.start or t > self.start + self.lasts:
            return
        when = t + np.linspace(0, EXPOSURE_S, 13)
        part = (when - self.start) / self.lasts
        alive = (part >= 0) & (part <= 1)
        if not alive.any():
            return
        when, part = when[alive], part[alive]
        place = (2 * part - 1)[:, None] * self.reach * self.direction + self.side + self.offset
        far = np.hypot(place[:, 0], place[:, 1])
        elevation = np.degrees(np.arctan2(1.0, far))
        azimuth = np.degrees(np.arctan2(place[:, 0], place[:, 1]))
        light = np.full(when.size, self.flux / 13)
        if self.kind == "aircraft":
            period, phase, power = self.strobe
            light = light * (0.3 + power * (((when + phase) % period) < 0.1))
        elif self.kind == "satellite":
            at, width, power = self.flare
            light = light * (1 + power * np.exp(-(((part - at) / width) ** 2)))
        light = light * np.clip(np.sin(np.radians(elevation)) * 2, 0.05, 1)
        _points(view, image, elevation, azimuth, light, view.psf)


class Beam:
    """A laser or lidar beam: a thin steady line from low in the sky towards the zenith."""

    def __init__(self, rng):
        self.azimuth, self.top = rng.uniform(0, 360), rng.uniform(40, 90)
        self.flux = log_uniform(rng, 20, 600)
        self.lasts, self.gap, self.phase = (
            log_uniform(rng, 30, 600),
            log_uniform(rng, 1, 100),
            rng.uniform(0, 300),
        )

    def add(self, view, t, image, rng):
        """Add this light; see the module."""
        if (t + self.phase) % (self.lasts + self.gap) > self.lasts:
            return
        elevation = np.linspace(8, self.top, 120)
        _points(view, image, elevation, np.full(120, self.azimuth), self.flux, view.psf)


def surroundings(rng):
    """Draw the lights a site always has."""
    return [GroundLight(rng) for _ in range(int(rng.choice([0, 0, 1, 2, 3, 5])))]


def passing(rng, duration_s):
    """Draw what happens to pass during a scene: nothing, most often."""
    out = []
    if chance(rng, 0.10):
        out.append(Crossing(rng, "aircraft", duration_s))
    for _ in range(rng.poisson(0.4 * duration_s / 300)):
        out.append(Crossing(rng, "satellite", duration_s))
    for _ in range(rng.poisson(0.2 * duration_s / 300)):
        out.append(Crossing(rng, "meteor", duration_s))
    if chance(rng, 0.04):
        out.append(Headlights(rng, duration_s))
    if chance(rng, 0.03):
        out.append(GroundLight(rng, "flashing"))
    if chance(rng, 0.02):
        out.append(Beam(rng))
    return out
