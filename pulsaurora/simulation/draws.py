"""Random shapes that everything simulated is made of: textures in space, wandering in time."""

import math
from functools import cache

import numpy as np
from scipy import fft


def log_uniform(rng, low, high, size=None):
    """Draw a number, or `size` of them, whose logarithm is uniform between low and high (both positive)."""
    drawn = np.exp(rng.uniform(np.log(low), np.log(high), size))
    return float(drawn) if size is None else drawn


def chance(rng, probability):
    """Draw True with this probability."""
    return bool(rng.random() < probability)


def choose(rng, weights):
    """Draw a key of a dict by its weight."""
    names = list(weights)
    shares = np.array([weights[name] for name in names], float)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def remembered(compute):
    """Return `compute`, a function of an imager, that remembers what it gave for the last one.

    For what stands still in the sky: it is worked out once and not in each frame.
    """
    last = value = None

    def at(view):
        nonlocal last, value
        if view is not last:
            last, value = view, compute(view)
        return value

    return at


def pooled_normal(rng, shape):
    """Draw Gaussian numbers, float32, as a stretch of a pool of four million: a tenth of the time.

    Two draws of many share numbers often, but hardly ever at the same places of both.
    """
    pool, n = _pool(), math.prod(shape)
    first = int(rng.integers(0, pool.size - n))
    return pool[first : first + n].reshape(shape)


@cache
def _pool():
    return np.random.default_rng(0).standard_normal(1 << 22, dtype=np.float32)


def texture(rng, wavelength, size=512, spread=0.6, slope=None, smallest=1.5, stretch=1.0, angle=0.0):
    """Draw a periodic Gaussian random field of zero mean and unit variance.

    Parameters
    ----------
    rng : numpy.random.Generator
    wavelength : float, cells
        Where its spectrum has its weight; with a slope, the longest wavelength.
    size : int
        Side in cells, a power of two.
    spread : float
        Width of the spectrum in octaves (natural log of wavelength), when there is no slope.
    slope : float, optional
        Power-law spectrum, power per mode ~ k**-slope, from `wavelength` down to `smallest` cells.
    stretch, angle : float, radians
        Structure is `stretch` times longer along `angle` (0 is along columns) than across it.

    Returns
    -------
    ndarray of float32, shape (size, size)
    """
    ky = fft.fftfreq(size).astype(np.float32)[:, None]
    kx = fft.rfftfreq(size).astype(np.float32)[None, :]
    along = kx * np.float32(np.cos(angle)) + ky * np.float32(np.sin(angle))
    across = ky * np.float32(np.cos(angle)) - kx * np.float32(np.sin(angle))
    k = np.sqrt((along * np.float32(stretch)) ** 2 + across**2)
    k[0, 0] = 1.0
    logk = np.log(k * np.float32(wavelength))
    if slope is None:
        amplitude = np.exp(-0.5 * (logk / np.float32(spread)) ** 2)
    else:
        amplitude = np.exp(np.float32(-0.5 * slope) * logk - 0.5 * (k * np.float32(smallest)) ** 2)
        amplitude *= 1 / (1 + np.exp(np.float32(-6) * logk))
    amplitude[0, 0] = 0
    field = pooled_normal(rng, (size, size // 2 + 1, 2)).view(np.complex64)[..., 0]
    out = fft.irfft2(field * amplitude, s=(size, size), overwrite_x=True)
    out -= out.mean()
    out /= max(float(out.std()), 1e-12)
    return np.ascontiguousarray(out, dtype=np.float32)


def smooth_line(rng, n, wavelength, spread=0.8):
    """Draw a periodic line of n samples, zero mean and unit variance, weight at `wavelength` samples."""
    k = fft.rfftfreq(n)
    k[0] = 1
    amplitude = np.exp(-0.5 * (np.log(k * wavelength) / spread) ** 2)
    amplitude[0] = 0
    line = fft.irfft((rng.standard_normal(k.size) + 1j * rng.standard_normal(k.size)) * amplitude, n)
    return line / max(line.std(), 1e-12)


class Wander:
    """A number that wanders smoothly about `mean` by about `depth`, within shortest to longest seconds."""

    def __init__(self, rng, mean, depth, shortest=60.0, longest=600.0, lowest=-np.inf):
        self.mean, self.depth, self.lowest = float(mean), float(depth), lowest
        self._rate = 2 * np.pi / log_uniform(rng, shortest, longest, 4)
        self._phase = rng.uniform(0, 2 * np.pi, 4)

    def __call__(self, t):
        if self.depth == 0:
            return self.mean
        return max(
            self.mean + self.depth * 0.7 * float(np.sin(self._rate * t + self._phase).sum()), self.lowest
        )


class Mapping:
    """How a texture lies on the sky: cells per km, orientation, drift. ``at(t)`` is what kernels take."""

    def __init__(self, rng, cells_per_km, size, velocity=(0.0, 0.0), turn=None):
        turn = rng.uniform(0, 2 * np.pi) if turn is None else turn
        c, s = np.cos(turn) * cells_per_km, np.sin(turn) * cells_per_km
        self.matrix = np.array([[s, c], [c, -s]])
        self.size = size
        self.origin = rng.uniform(0, size, 2)
        self.velocity = np.asarray(velocity, float)

    def at(self, t, shift=(0.0, 0.0)):
        """Return float32 (6,), the drift being `velocity` times t plus `shift` (the units of x and y)."""
        place = self.origin - self.matrix @ (self.velocity * t + np.asarray(shift))
        place %= self.size
        m = self.matrix
        return np.array([m[0, 0], m[0, 1], place[0], m[1, 0], m[1, 1], place[1]], np.float32)
