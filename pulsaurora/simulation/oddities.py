"""Pictures unlike any sky, which teach a model to be unsure where it has seen nothing alike.

Showing what does not belong, with no class as its answer, is outlier exposure (Hendrycks, Mazeika and
Dietterich 2019, International Conference on Learning Representations). None of these is a sky: light that
boils over the whole picture, rings that travel, shards and discs, a sky cut into pieces, noise.
"""

import numpy as np
from scipy.ndimage import zoom
from scipy.spatial import cKDTree

from pulsaurora.simulation.camera import SHAPE
from pulsaurora.simulation.draws import chance, log_uniform, texture

_ROWS, _COLS = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)


def odd_images(rng, images):
    """Return pictures unlike any sky, as many as there are in `images`.

    Parameters
    ----------
    rng : numpy.random.Generator
    images : ndarray of uint16, shape (n, 256, 256)
        Of a simulated sky, which some kinds cut up.

    Returns
    -------
    ndarray of uint16, shape (n, 256, 256)
    """
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    return kind(rng, images)


def _exposed(rng, light):
    """Turn light (counts above pedestal, one picture at a time) into noisy frames."""
    pedestal, slope = rng.uniform(2200, 3500), log_uniform(rng, 1.2, 2.5)
    frames = []
    for picture in light:
        noise = rng.standard_normal(SHAPE, dtype=np.float32) * np.sqrt(slope * picture + 380)
        frames.append(np.clip(picture + noise + pedestal, 0, 65535).astype(np.uint16))
    return np.stack(frames)


def _boiling(rng, images):
    """Random light that boils at its own pace, to the corners of the picture."""
    fields = [texture(rng, log_uniform(rng, 8, 200), 256, slope=rng.uniform(1, 3.5)) for _ in range(4)]
    rates = rng.uniform(0.02, 1.5, 4) * rng.choice([-1, 1], 4)
    phases, depth, level = rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.2, 1.2), log_uniform(rng, 300, 15000)

    def light(k):
        total = sum(f * np.float32(np.cos(r * k + p)) for f, r, p in zip(fields, rates, phases, strict=True))
        return level * np.exp(depth * total)

    return _exposed(rng, (light(k) for k in range(len(images))))


def _rings(rng, images):
    """Rings that run out from a point, or spirals that turn about it."""
    row, col = rng.uniform(30, 226, 2)
    radius, angle = np.hypot(_ROWS - row, _COLS - col), np.arctan2(_ROWS - row, _COLS - col)
    wave, arms = 2 * np.pi / log_uniform(rng, 8, 80), int(rng.integers(0, 6))
    rate, power, level = rng.uniform(-1.2, 1.2), rng.uniform(0.5, 6), log_uniform(rng, 500, 15000)
    return _exposed(
        rng,
        (
            level * (0.5 + 0.5 * np.sin(wave * radius + arms * angle - rate * k)) ** power
            for k in range(len(images))
        ),
    )


def _shards(rng, images):
    """Straight-edged shards, each of a brightness that is drawn again every few frames."""
    n, lasts = int(rng.integers(5, 120)), int(rng.integers(1, 9))
    owner = cKDTree(rng.uniform(0, 256, (n, 2))).query(np.stack([_ROWS.ravel(), _COLS.ravel()], 1))[1]
    owner, level, spread = owner.reshape(SHAPE), log_uniform(rng, 500, 10000), rng.uniform(0.2, 1.5)
    some = rng.uniform(0.1, 1)

    def light():
        values = level * np.exp(spread * rng.standard_normal(n))
        for k in range(len(images)):
            if k % lasts == 0:
                again = rng.random(n) < some
                values = np.where(again, level * np.exp(spread * rng.standard_normal(n)), values)
            yield values[owner].astype(np.float32)

    return _exposed(rng, light())


def _discs(rng, images):
    """Discs that wander over an even ground, bright or dark."""
    n = int(rng.integers(1, 25))
    place, speed = rng.uniform(0, 256, (n, 2)), rng.normal(0, log_uniform(rng, 0.5, 15), (n, 2))
    size, level = log_uniform(rng, 4, 50, n), log_uniform(rng, 500, 8000)
    height = level * rng.uniform(-0.8, 4, n)

    def light(k):
        picture = np.full(SHAPE, level, np.float32)
        for (row, col), radius, extra in zip((place + speed * k) % 256, size, height, strict=True):
            picture[(_ROWS - row) ** 2 + (_COLS - col) ** 2 < radius**2] += np.float32(extra)
        return np.maximum(picture, 0)

    return _exposed(rng, (light(k) for k in range(len(images))))


def _in_pieces(rng, images):
    """A sky whose squares have changed places, once and for all or in every frame."""
    side = int(rng.choice([16, 32, 64]))
    n = 256 // side
    anew = chance(rng, 0.3)
    order = rng.permutation(n * n)
    out = []
    for image in images:
        if anew:
            order = rng.permutation(n * n)
        pieces = image.reshape(n, side, n, side).swapaxes(1, 2).reshape(n * n, side, side)[order]
        out.append(pieces.reshape(n, n, side, side).swapaxes(1, 2).reshape(SHAPE))
    return np.stack(out)


def _noise(rng, images):
    """Noise of a grain from one pixel to a hundred, another in each frame."""
    n = int(256 / log_uniform(rng, 1, 100))
    level, spread = log_uniform(rng, 300, 10000), rng.uniform(0.1, 1.2)
    return _exposed(
        rng,
        (
            level
            * np.exp(
                spread * zoom(rng.standard_normal((n, n)), 256 / n, order=1, mode="nearest", grid_mode=True)[
                    :256, :256
                ]
            ).astype(np.float32)
            for _ in range(len(images))
        ),
    )


_KINDS = (_boiling, _rings, _shards, _discs, _in_pieces, _noise)
