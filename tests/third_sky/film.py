"""Putting the light of a scene together, frame by frame."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .camera import SIDE


@dataclass
class Scenery:
    """What is before the camera, from afar to near.

    Light is flat, in the camera's counts at the zenith; times are seconds from the first frame.

    sky : functions of time, or steady light
    stars, aurora : functions of time
    cloud : time -> (what passes, what the cloud sends down itself)
    dome : (frame, image) -> image; acts on light that reaches the lens
    full : likewise, outside of the lens's circle as well
    sure : whether anyone who watches would give the scene's label, for the clip or for each frame
    """

    sky: tuple | list = ()
    stars: Callable | None = None
    aurora: Callable | None = None
    cloud: Callable | None = None
    dome: Callable | None = None
    full: Callable | None = None
    sure: bool = True


def _light(scenery, camera, time_s):
    """All light from outside the dome at one time."""
    light = np.zeros(camera.n_pixels, np.float32)
    for part in scenery.sky:
        light += part(time_s) if callable(part) else part
    if scenery.aurora is not None:
        light += scenery.aurora(time_s)
    if scenery.stars is not None:
        light += scenery.stars(time_s)
    if scenery.cloud is not None:
        passes, sends = scenery.cloud(time_s)
        light = light * passes + sends
    return light


def film(scenery, camera, times_s, rng):
    """Images of a scene, uint16 (n_frames, 256, 256)."""
    images = np.empty((len(times_s), SIDE, SIDE), np.uint16)
    drift = 0.0
    for i, time_s in enumerate(times_s):
        image = camera.image(_light(scenery, camera, time_s) * camera.falloff * camera.open)
        if scenery.dome is not None:
            image = scenery.dome(i, image)
        image = camera.scatter(image)
        if scenery.full is not None:
            image = scenery.full(i, image)
        drift = 0.9 * drift + rng.normal(0, 0.8)
        images[i] = camera.expose(image, drift, rng)
    return images


def streaks(cols, rows, cols_long, rows_long, bright):
    """An image of light spread along lines, as moving points leave it."""
    n_dots = np.maximum(np.ceil(np.hypot(cols_long, rows_long) / 0.6).astype(int), 1)
    line = np.repeat(np.arange(len(cols)), n_dots)
    part = (np.arange(len(line)) - np.repeat(np.cumsum(n_dots) - n_dots, n_dots) + 0.5) / n_dots[line]
    col, row = cols[line] + part * cols_long[line], rows[line] + part * rows_long[line]
    value = bright[line] / n_dots[line]
    left, top = np.floor(col).astype(int), np.floor(row).astype(int)
    right_part, low_part = col - left, row - top
    image = np.zeros(SIDE * SIDE)
    for right, low, weight in (
        (0, 0, (1 - right_part) * (1 - low_part)),
        (1, 0, right_part * (1 - low_part)),
        (0, 1, (1 - right_part) * low_part),
        (1, 1, right_part * low_part),
    ):
        c, r = left + right, top + low
        seen = (c >= 0) & (c < SIDE) & (r >= 0) & (r < SIDE)
        image += np.bincount((r * SIDE + c)[seen], (value * weight)[seen], SIDE * SIDE)
    return image.reshape(SIDE, SIDE).astype(np.float32)
