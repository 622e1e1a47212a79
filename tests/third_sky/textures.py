"""Periodic random textures on a plane, and looking them up where a camera's pixels fall.

A texture of footprints is SIDE_TEXTURE x SIDE_TEXTURE points KM_PER_POINT apart, row 0
in the south, and repeats at its edges. Its middle lies under the camera.
"""

from functools import lru_cache

import numpy as np
from scipy import fft

SIDE_TEXTURE = 512
KM_PER_POINT = 2.5
PERIOD_KM = SIDE_TEXTURE * KM_PER_POINT
_POINTS = np.arange(SIDE_TEXTURE, dtype=np.float32)
EAST_KM = ((_POINTS - SIDE_TEXTURE / 2) * KM_PER_POINT)[None, :].astype(np.float32)
NORTH_KM = ((_POINTS - SIDE_TEXTURE / 2) * KM_PER_POINT)[:, None].astype(np.float32)
EVERYWHERE = np.ones((SIDE_TEXTURE, SIDE_TEXTURE), np.float32)
WHOLE_TURN = 2 * np.pi


def smoothstep(x, low, high):
    """0 below `low`, 1 above `high`, a cubic between."""
    part = np.clip((x - low) / (high - low), 0, 1)
    return (part * part * (3 - 2 * part)).astype(np.float32)


def logistic(x):
    """1 / (1 + e^-x), without overflow."""
    return 1 / (1 + np.exp(np.clip(-x, -30, 30)))


@lru_cache(maxsize=8)  # slow noise asks for the same again and again
def _power_law(slope, low, high, stretch, turn, side):
    """Amplitudes of noise at the wavenumbers of a real Fourier transform."""
    down = fft.fftfreq(side, 1 / side)[:, None]
    along = fft.rfftfreq(side, 1 / side)[None, :]
    cos, sin = np.cos(turn), np.sin(turn)
    k = np.hypot((cos * along + sin * down) * stretch, (-sin * along + cos * down) / stretch) + 1e-6
    return k ** (-slope / 2) * np.exp(-((low * 0.7 / k) ** 4)) * np.exp(-((k / high) ** 2))


def power_noise(rng, slope=3.0, low=2, high=80, stretch=1.0, turn=0.0, side=SIDE_TEXTURE):
    """Periodic noise of a power law between two wavenumbers (periods a side); mean 0, variance 1."""
    amplitude = _power_law(slope, low, high, stretch, turn, side)
    spectrum = rng.standard_normal(amplitude.shape) + 1j * rng.standard_normal(amplitude.shape)
    spectrum *= amplitude
    noise = fft.irfft2(spectrum.astype(np.complex64), s=(side, side)).astype(np.float32)
    noise -= noise.mean()
    return noise / noise.std()


def slow_noise(rng, slope=3.5, low=1, high=10, tau_s=60.0, lasts_s=200, **options):
    """Noise that becomes another within `tau_s`, of the same variance all the time: a function of time."""
    keys = [power_noise(rng, slope, low, high, **options) for _ in range(int(lasts_s / tau_s) + 3)]

    def at(time_s):
        k, part = int(time_s // tau_s), (time_s % tau_s) / tau_s
        angle = part * np.pi / 2
        return keys[k] * np.cos(angle) + keys[k + 1] * np.sin(angle)

    return at


def level_above_which(noise, share):
    """The level that `share` of a texture exceeds, from every fourth point."""
    return float(np.quantile(noise[::4, ::4], 1 - share))


def belt(rng, south_km, north_km, soft_km=60, wave_km=50):
    """1 between two latitudes with wavy edges, 0 elsewhere."""
    wave = power_noise(rng, 3.5, 1, 8)
    from_south = 1 + np.exp(np.clip(-(NORTH_KM + wave_km * wave - south_km) / soft_km * 3, -40, 40))
    from_north = 1 + np.exp(np.clip((NORTH_KM + wave_km * wave - north_km) / soft_km * 3, -40, 40))
    return (1 / from_south / from_north).astype(np.float32)


def region(rng, share=0.6):
    """1 in an irregular part of the sky near the middle of the view, 0 elsewhere."""
    noise = power_noise(rng, 3.5, 1, 6)
    away = np.hypot(EAST_KM - rng.uniform(-120, 120), NORTH_KM + rng.uniform(-100, 150)) / 260
    noise = noise * 0.6 - away
    level = np.quantile(noise[156:356, 156:356], 1 - share)
    return smoothstep(noise, level - 0.35, level + 0.35)


def look_up(texture, col, row):
    """Bilinear values of a periodic texture (side a power of two) at points."""
    side = texture.shape[0]
    left = np.floor(col).astype(np.int32)
    top = np.floor(row).astype(np.int32)
    part_right, part_down = col - left, row - top
    left &= side - 1
    top &= side - 1
    right, bottom = (left + 1) & (side - 1), (top + 1) & (side - 1)
    flat = texture.ravel()
    top *= side
    bottom *= side
    upper, upper_right = flat[top + left], flat[top + right]
    lower, lower_right = flat[bottom + left], flat[bottom + right]
    upper = upper + part_right * (upper_right - upper)
    lower = lower + part_right * (lower_right - lower)
    return upper + part_down * (lower - upper)


class Sampler:
    """Looks up textures at fixed points, in a coarser copy where one pixel covers more of them.

    Parameters
    ----------
    east_km, north_km : ndarray of shape (n_pixels,)
        Where the pixels look.
    km : float
        Distance of the texture's points.
    footprint_km : ndarray of shape (n_pixels,)
        What a pixel covers.
    least_level : float
        0 allows the texture itself, 1 only its copy of a quarter of the points a side.
    """

    def __init__(self, east_km, north_km, km, footprint_km, least_level=0.0):
        level = np.clip(np.log(np.maximum(footprint_km / km, 1e-6)) / np.log(4), least_level, 2)
        self.km, self.n_pixels, self.parts = km, len(east_km), []
        col, row = east_km / km + SIDE_TEXTURE / 2, north_km / km + SIDE_TEXTURE / 2
        for k, step in enumerate((1, 4, 16)):
            weight = 1 - np.abs(level - k)
            which = np.flatnonzero(weight > 0)
            if len(which):
                middle = (step - 1) / 2
                cols = ((col[which] - middle) / step).astype(np.float32)
                rows = ((row[which] - middle) / step).astype(np.float32)
                self.parts.append((k, step, which, weight[which].astype(np.float32), cols, rows))

    @staticmethod
    def pyramid(texture):
        """The texture and its means over 4 x 4 and 16 x 16 points."""
        side = texture.shape[0]
        copies = [texture]
        for _ in (1, 2):
            side //= 4
            copies.append(copies[-1].reshape(side, 4, side, 4).mean((1, 3)))
        return copies

    def __call__(self, texture, east_km=0.0, north_km=0.0):
        """Values of a texture (or its pyramid) that has moved so far."""
        copies = texture if isinstance(texture, list) else self.pyramid(texture)
        values = np.zeros(self.n_pixels, np.float32)
        for k, step, which, weight, cols, rows in self.parts:
            moved_cols = cols - np.float32(east_km / self.km / step)
            moved_rows = rows - np.float32(north_km / self.km / step)
            values[which] += weight * look_up(copies[k], moved_cols, moved_rows)
        return values
