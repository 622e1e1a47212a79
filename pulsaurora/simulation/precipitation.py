"""Snow and drizzle that fall before the dome, and drops and grains on it, lit by lamps or the moon."""

import numpy as np

from pulsaurora._core import _simulated_imager
from pulsaurora.simulation.camera import SHAPE, image_plane
from pulsaurora.simulation.draws import Wander, chance, log_uniform

# Flakes at three distances: how wide (px, as a Gaussian), how far drawn out by a second's fall (px), and how
# many are seen at once. At 1 m/s a flake passes 16 pixels from 5 m away, some 80 from 1 m, where the
# imager's focus is not.
_DISTANCES = (
    ((0.5, 1.3), (0.2, 8), (8, 900)),
    ((1.0, 3.0), (1, 30), (4, 250)),
    ((2.5, 11.0), (3, 90), (0.2, 20)),
)


class Flakes:
    """What falls before the dome.

    Parameters
    ----------
    rng : numpy.random.Generator
    few : bool
        A flake now and then, through which the sky is seen as well as without.
    """

    def __init__(self, rng, few=False):
        kinds = rng.permutation(3)[: 1 if few else int(rng.integers(1, 4))]
        self.kinds = []
        for kind in kinds:
            blur, streak, number = (log_uniform(rng, *limits) for limits in _DISTANCES[kind])
            if few:
                number = log_uniform(rng, 0.2, 8)
            # Their light at the middle, over the sky's mean; and how they differ.
            self.kinds.append((blur, streak, number, log_uniform(rng, 0.04, 8), rng.uniform(0.3, 1.2)))
        self.fall, self.turbulence = rng.uniform(0, np.pi), rng.uniform(0.03, 0.6)
        self.gust = Wander(rng, 1, rng.uniform(0, 0.7), 5, 120, 0.05)
        self.lit = lit_from_one_side(rng)
        # Of those too small or too far to be seen singly, over the sky's mean.
        self.haze = 0.0 if few else log_uniform(rng, 0.02, 3)
        self.unsteady = log_uniform(rng, 0.003, 0.5)

    def add(self, view, mean, t, rng, image):
        """Add the flakes of scene time t (s) to an image whose sky's mean light is `mean` (counts)."""
        flakes = np.zeros(SHAPE, np.float32)
        gust = self.gust(t)
        for blur, streak, number, bright, differ in self.kinds:
            n = rng.poisson(number * gust)
            row, col = rng.uniform(0, 256, (2, n))
            angle = self.fall + self.turbulence * rng.standard_normal(n)
            # Points closer than they are wide make a line.
            n_points = int(np.clip(np.ceil(1.5 * streak / blur), 1, 60))
            reach = streak * rng.uniform(0.4, 1.4, n) * np.linspace(-0.5, 0.5, n_points)[:, None]
            light = mean * bright * np.exp(differ * rng.standard_normal(n)) * 2 * np.pi * blur**2
            light *= self.lit[row.astype(int), col.astype(int)] / n_points**0.5
            _simulated_imager.add_points(
                flakes,
                (row + reach * np.sin(angle)).ravel().astype(np.float32),
                (col + reach * np.cos(angle)).ravel().astype(np.float32),
                np.tile(light, n_points).astype(np.float32),
                blur,
            )
        # Haze is of flakes without number: gusts show less in it.
        flakes += np.float32(self.haze * mean * (1 + self.unsteady * (gust - 1))) * self.lit
        image.ravel()[view.index] += flakes.ravel()[view.index] * view.through


class Specks:
    """Drops, grains of snow or dirt on the dome that shine: each stays, or slides, until it is gone.

    Parameters
    ----------
    rng : numpy.random.Generator
    few : bool
        Some of them only, through which the sky is seen as well as without.
    """

    _GROUPS = 4  # of specks of one size each

    def __init__(self, rng, few=False):
        n = int(log_uniform(rng, 2, 14) if few else log_uniform(rng, 12, 250))
        size = log_uniform(rng, 0.8, 3.5)
        self.sizes = np.minimum(size * np.exp(0.5 * rng.standard_normal(self._GROUPS)), 9.0)  # px, Gaussians
        self.group = rng.integers(0, self._GROUPS, n)
        # Their light at the middle, over the sky's mean.
        self.light = log_uniform(rng, 0.1, 5) * np.exp(rng.uniform(0.2, 0.9) * rng.standard_normal(n))
        self.lasts = log_uniform(rng, 20, 5000)
        slides = 0.0 if chance(rng, 0.5) else log_uniform(rng, 0.005, 0.7)  # px/s, some faster than others
        angle = rng.uniform(0, 2 * np.pi) + rng.uniform(0, 0.8) * rng.standard_normal(n)
        self.slide = slides * rng.exponential(1, n) * np.array([np.sin(angle), np.cos(angle)])
        self.place, self.since = rng.uniform(0, 256, (2, n)), np.zeros(n)
        self.until = rng.exponential(self.lasts, n)
        self.lit = lit_from_one_side(rng)

    def add(self, view, mean, t, rng, image):
        """Add the specks of scene time t (s) to an image whose sky's mean light is `mean` (counts)."""
        gone = np.flatnonzero(t > self.until)
        self.place[:, gone], self.since[gone] = rng.uniform(0, 256, (2, gone.size)), t
        self.until[gone] = t + rng.exponential(self.lasts, gone.size)
        row, col = ((self.place + self.slide * (t - self.since)) % 256).astype(np.float32)
        light = mean * self.light * self.lit[row.astype(int) % 256, col.astype(int) % 256]
        specks = np.zeros(SHAPE, np.float32)
        for number, size in enumerate(self.sizes):
            own = self.group == number
            flux = (light[own] * 2 * np.pi * size**2).astype(np.float32)
            _simulated_imager.add_points(specks, row[own], col[own], flux, float(size))
        image.ravel()[view.index] += specks.ravel()[view.index] * view.through


def lit_from_one_side(rng):
    """Draw how light from a lamp beside the imager falls over the image: float32 (256, 256), about 1."""
    lit = np.ones(SHAPE, np.float32)
    if chance(rng, 0.7):
        angle, ratio = rng.uniform(0, 2 * np.pi), log_uniform(rng, 1.2, 12)
        rows, cols = image_plane()
        lit = ratio ** (0.5 * (rows * np.sin(angle) + cols * np.cos(angle)))
    return lit.astype(np.float32)
