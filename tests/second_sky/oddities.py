"""Pictures unlike any night sky, to see whether a model says that it does not know.

Each builder returns a callable i -> light, flat (65536,), in the sky's units.
"""

import numpy as np

from .optics import SIDE
from .textures import value_noise

_ROWS, _COLS = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")


def striped_pattern(w):
    """A test pattern of hard stripes that marches across."""
    rng = w.rng
    turn, wide, speed = rng.uniform(0, np.pi), rng.uniform(12, 50), rng.uniform(1, 8)
    across = _ROWS * np.cos(turn) + _COLS * np.sin(turn)
    light = rng.uniform(2000, 12000)
    return lambda i: (light * (((across - speed * i) % wide) < wide / 2)).ravel()


def blinking_checkers(w):
    """Squares that change places every few frames."""
    rng = w.rng
    wide, turn, light = int(rng.integers(10, 40)), int(rng.integers(1, 7)), rng.uniform(2000, 12000)
    squares = (_ROWS // wide + _COLS // wide) % 2
    return lambda i: (light * ((squares + i // turn) % 2)).ravel()


def television_noise(w):
    """Coarse random blocks, new in every frame."""
    rng = w.rng
    wide, light = int(rng.choice([2, 4, 8])), rng.uniform(1500, 8000)

    def show(i):
        return np.kron(rng.random((SIDE // wide, SIDE // wide)), np.ones((wide, wide))).ravel() * light

    return show


def fireworks(w):
    """Bursts of sparks all over the sky, with smoke."""
    rng = w.rng
    bursts = [
        (rng.uniform(-3, w.n), *rng.uniform(60, 196, 2), rng.uniform(15, 60), rng.uniform(0, 6.3, 60))
        for _ in range(w.n)
    ]
    smoke = 300 * (3 + value_noise(rng, SIDE, 5, 4))

    def show(i):
        image = smoke.copy()
        for at, row, col, reach, rays in bursts:
            age = i - at
            if not 0 <= age < 3:
                continue
            for out in np.linspace(0.2, 1, 12):
                size = reach * out * (0.5 + 0.25 * age)
                r = np.clip(row + size * np.sin(rays) + 2 * age**2, 0, SIDE - 1).astype(int)
                c = np.clip(col + size * np.cos(rays), 0, SIDE - 1).astype(int)
                np.maximum.at(image, (r, c), 30000 * np.exp(-age))
            near = np.exp(-((_ROWS - row) ** 2 + (_COLS - col) ** 2) / (2 * 20.0**2))
            image += 6000 * np.exp(-age) * near
        return image.ravel()

    return show


def searchlights(w):
    """Beams from the edge that swing across the whole sky."""
    rng = w.rng
    beams = [
        (
            rng.uniform(0, 6.3),
            rng.uniform(0.05, 0.35) * rng.choice([-1, 1]),
            rng.uniform(0.03, 0.1),
            rng.uniform(0, 6.3),
        )
        for _ in range(rng.integers(2, 5))
    ]

    def show(i):
        image = np.full((SIDE, SIDE), 800.0)
        for foot, rate, wide, phase in beams:
            row, col = 127.5 + 125 * np.sin(foot), 127.5 + 125 * np.cos(foot)
            aim = foot + np.pi + 0.9 * np.sin(rate * i * 3 + phase)
            off = np.angle(np.exp(1j * (np.arctan2(_ROWS - row, _COLS - col) - aim)))
            image += 9000 * np.exp(-((off / wide) ** 2))
        return image.ravel()

    return show


BUILDERS = {
    build.__name__: build
    for build in (striped_pattern, blinking_checkers, television_noise, fireworks, searchlights)
}
