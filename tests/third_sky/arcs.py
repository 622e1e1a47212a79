"""Curtains: arcs that drift, wave, fold and have rays, and omega bands."""

import numpy as np
from scipy import ndimage

from .emission import ARC_HEIGHTS, Emission, draw_tilt
from .textures import (
    EAST_KM,
    KM_PER_POINT,
    NORTH_KM,
    PERIOD_KM,
    SIDE_TEXTURE,
    WHOLE_TURN,
    belt,
    logistic,
    power_noise,
    slow_noise,
)

_POINTS = np.arange(SIDE_TEXTURE)


class Arc:
    """A texture of one arc: a function of time.

    Parameters
    ----------
    north_km : float
        Where it lies.
    amplitude : float, counts
    poleward_km, equatorward_km : tuple of float
        Ranges of its width to either side.
    wave_km : tuple of float
        Range of how far it waves.
    rays : float
        Strength of its rays, which move along it; 0 for none.
    fold_km, fold_s : float
        How far and how fast it folds.
    """

    def __init__(
        self,
        rng,
        north_km,
        amplitude,
        *,
        poleward_km=(8, 25),
        equatorward_km=(4, 12),
        wave_km=(10, 60),
        rays=0.0,
        fold_km=0.0,
        fold_s=15.0,
    ):
        self.north_km, self.amplitude = north_km, amplitude
        self.poleward_km, self.equatorward_km = rng.uniform(*poleward_km), rng.uniform(*equatorward_km)
        self.k = np.arange(1, 6)
        self.waves_km = rng.uniform(*wave_km) * rng.normal(0, 1, 5) / self.k**1.3
        self.phases = rng.uniform(0, WHOLE_TURN, 5)
        self.rates = rng.normal(0, 0.006, 5) * self.k
        self.drift = rng.uniform(-0.15, 0.15)
        self.rays, self.fold_km = rays, fold_km
        along = power_noise(rng, 1.6, 15, 110)[0:4]
        self.ray_series = along / along.std(1, keepdims=True)
        self.swells = power_noise(rng, 3, 1, 8)[0:2]
        self.ray_speed = rng.uniform(0.3, 2.5) * rng.choice([-1, 1])
        if fold_km:
            self.fold_east = slow_noise(rng, 3, 3, 14, tau_s=fold_s)
            self.fold_north = slow_noise(rng, 3, 3, 14, tau_s=fold_s)
        self.swell_s = rng.uniform(20, 80)

    def _brightness(self, time_s):
        """Along the arc, from west to east."""
        moved = np.interp((_POINTS - 0.05 * time_s) % SIDE_TEXTURE, _POINTS, self.swells[0])
        angle = time_s / self.swell_s
        bright = np.exp(0.35 * (moved * np.cos(angle) + self.swells[1] * np.sin(angle)))
        if self.rays:
            one = (_POINTS - self.ray_speed * time_s / KM_PER_POINT) % SIDE_TEXTURE
            other = (_POINTS + 0.6 * self.ray_speed * time_s / KM_PER_POINT) % SIDE_TEXTURE
            cos, sin = np.cos(time_s / 4), np.sin(time_s / 4)
            rays = cos * np.interp(one, _POINTS, self.ray_series[0], period=SIDE_TEXTURE)
            rays = rays + sin * np.interp(other, _POINTS, self.ray_series[1], period=SIDE_TEXTURE)
            bright = bright * np.exp(self.rays * rays)
        return bright

    def __call__(self, time_s, amplitude=None, north_km=None):
        """Its light; amplitude and place may be given anew at every time."""
        angle = WHOLE_TURN * EAST_KM[0] / PERIOD_KM
        middle = (self.north_km if north_km is None else north_km) + self.drift * time_s
        middle = middle + sum(
            wave * np.cos(k * angle + phase + rate * time_s)
            for wave, k, phase, rate in zip(self.waves_km, self.k, self.phases, self.rates, strict=True)
        )
        bright = self._brightness(time_s)
        if self.fold_km:
            east, north = self.fold_km * self.fold_east(time_s), self.fold_km * self.fold_north(time_s)
            col = (EAST_KM + east) / KM_PER_POINT + SIDE_TEXTURE / 2
            left = np.floor(col).astype(np.int32)
            part = (col - left).astype(np.float32)
            left, right = left % SIDE_TEXTURE, (left + 1) % SIDE_TEXTURE
            middle, bright = middle.astype(np.float32), bright.astype(np.float32)
            off_km = NORTH_KM + north - (middle[left] * (1 - part) + middle[right] * part)
            bright = bright[left] * (1 - part) + bright[right] * part
        else:
            off_km = NORTH_KM - middle[None].astype(np.float32)
            bright = bright[None].astype(np.float32)
        off = off_km / np.where(off_km > 0, np.float32(self.poleward_km), np.float32(self.equatorward_km))
        amplitude = np.float32(self.amplitude if amplitude is None else amplitude)
        return (np.exp(-np.minimum(off * off, 40)) * bright * amplitude).astype(np.float32)


def light_of_arcs(
    camera, rng, n_arcs, amplitude, *, between_km=(-200, 300), heights=ARC_HEIGHTS, tilt=None, **options
):
    """Light of some arcs in a faint belt: a function of time."""
    norths_km = np.sort(rng.uniform(*between_km, n_arcs))
    curtains = [Arc(rng, north, amplitude * rng.lognormal(0, 0.5), **options) for north in norths_km]
    emission = Emission(camera, *heights, tilt=draw_tilt(rng) if tilt is None else tilt)
    faint = belt(rng, norths_km.min() - 120, norths_km.max() + 80, 90)
    faint = faint * np.float32(amplitude * rng.uniform(0.05, 0.2))
    return lambda time_s: emission(faint + sum(arc(time_s) for arc in curtains))


def omega_bands(rng, amplitude):
    """Torches that reach poleward from a diffuse belt and drift east.

    Returns
    -------
    light : function of time
        A texture.
    shape : ndarray
        The same at amplitude 1 without its slow changes.
    speed : float, km/s
    """
    long_km = PERIOD_KM / rng.integers(3, 6)
    speed = rng.uniform(0.3, 1.0)
    north_km = rng.uniform(-60, 60)
    high_km, lean = rng.uniform(60, 160), rng.uniform(-0.6, 0.6)
    warp_east, warp_north = power_noise(rng, 3, 3, 12), power_noise(rng, 3, 3, 12)
    change = slow_noise(rng, 3.2, 2, 25, tau_s=70)
    leaning = EAST_KM + lean * (NORTH_KM - north_km) + 25 * warp_east
    phase = np.mod(leaning / long_km, 1.0)
    tongue = np.exp(-(((phase - 0.5) / rng.uniform(0.1, 0.19)) ** 2))
    tongue = tongue + 0.25 * np.sin(WHOLE_TURN * phase * 2)
    head = np.exp(-(((phase - 0.5) / 0.26) ** 2))  # wider at the top, as a mushroom is
    head = head * np.exp(-(((NORTH_KM - north_km - high_km * 0.75) / (high_km * 0.25)) ** 2))
    head = head * rng.uniform(0, 0.7)
    border_km = north_km + high_km * (tongue - 0.3)
    inside_km = (border_km - (NORTH_KM + 18 * warp_north)).astype(np.float32)
    south = np.exp(-np.clip(inside_km, 0, None) / rng.uniform(120, 260))
    edge = np.exp(-((inside_km - 10) ** 2) / (2 * 12.0**2))
    band = logistic(inside_km / 8) * (0.3 + 0.5 * south) + 0.8 * edge
    shape = np.maximum(band, 0.8 * head).astype(np.float32)
    shape = ndimage.gaussian_filter(shape, 1.2, mode="wrap")

    def light(time_s):
        return shape * amplitude * (1 + 0.22 * change(time_s))

    return light, shape, speed
