"""The circle of sky in the frames of an imager without a skymap, found from the frames themselves.

A fisheye throws the sky on the chip as a disc; beyond it lies the pedestal and a little stray light. The
usual optics tell where the disc is to some 4 pixels for THEMIS imagers and not at all for others. Cells that
reach past its edge would be taken for steep structure in the sky.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from pulsaurora.imaging.frames import PackedImages
from pulsaurora.imaging.skymap import optics_elevation
from pulsaurora.problems import ContractError

SIDE = 256
USUAL_CENTRE, USUAL_RADIUS = (129, 128), 124
# Centres and radii that are tried, pixels: first in steps, then each about the best of these.
_OFF, _CENTRE_STEP, _RADII, _RADIUS_STEP = 16, 4, (90, 134), 2
_CORNER = 140  # farther than this from the middle no lens throws light of the sky
# Logarithms are counted in this part of one: sums of whole numbers come out alike on every machine.
_UNIT = 256
# An edge is worth no more than this: else one bright lamp, or the moon low down, would draw the circle.
_MOST_FIRST, _MOST = int(0.7 * _UNIT), int(1.5 * _UNIT)
# Aurora or cloud with a round outline can look like the disc. What lies a pixel from where the usual optics
# have it counts for less by so much, in the same unit.
_AWAY_RADIUS, _AWAY_CENTRE = 0.003 * _UNIT, 0.004 * _UNIT
# Found are discs whose edge shows, by a fifth in brightness, in six of ten directions, and by this on the
# mean.
_LEAST_DROP, _LEAST_SHARE, _LEAST_MEAN = int(0.2 * _UNIT), 0.6, 0.3 * _UNIT


@dataclass(frozen=True)
class SkyCircle:
    """Where the sky lies: row and column of the zenith, and pixels from there to the horizon."""

    row: float
    column: float
    radius: float


def sky_elevation(stacks, n_each=60):
    """Estimate each pixel's elevation from frames: the usual law of the optics within the circle found there.

    Parameters
    ----------
    stacks : iterable of ndarray of shape (n, rows, cols), uint16, counts, or of PackedImages
        Frames of one imager, such as a few minutes of a night far apart. One after the other is looked at.
    n_each : int
        How many frames of each are looked at, evenly spaced.

    Returns
    -------
    ndarray of shape (rows, cols), float32, degrees; or None
        NaN below the horizon. None where no circle shows: the imager was covered, or there is no frame.

    Raises
    ------
    ContractError
        If frames are not uint16, not square, or too small.
    """
    total, n = None, 0
    for stack in stacks:
        for frame in _frames(stack, n_each):
            total = frame.astype(np.uint32) if total is None else total + frame
            n += 1
    circle = find_sky_circle(total / np.float64(n)) if n else None
    if circle is None:
        return None
    return optics_elevation(total.shape, (circle.row, circle.column), circle.radius)


def _frames(stack, n):
    """Yield n frames of a stack, or all where there are fewer."""
    if not isinstance(stack, PackedImages) and (stack.ndim != 3 or stack.dtype != np.uint16):
        raise ContractError(
            f"images are {stack.dtype} of shape {stack.shape}; expected uint16 of shape (n, rows, columns)"
        )
    step = max(len(stack) // n, 1)
    if not isinstance(stack, PackedImages):
        yield from stack[::step][:n]
        return
    for start in stack.starts[::step][:n].tolist():
        yield np.frombuffer(stack.data, ">u2", SIDE * SIDE, start).reshape(SIDE, SIDE)


def find_sky_circle(mean):
    """Find the circle across whose edge the light drops most, in most directions.

    A Hough transform (Hough 1962; Duda and Hart 1972) over centres and radii, of the drop of log brightness
    across the edge, each direction held to a limit.

    Parameters
    ----------
    mean : ndarray of shape (rows, cols), counts
        Mean of frames of one imager; square, of 64 pixels a side and more.

    Returns
    -------
    SkyCircle or None
        In pixels of `mean`, its radius a few pixels short where hills hide the horizon. None where no edge
        shows all round.

    Raises
    ------
    ContractError
        If the image is not square, or too small.
    """
    mean = np.asarray(mean, np.float64)
    if mean.ndim != 2 or mean.shape[0] != mean.shape[1] or mean.shape[0] < 64:
        raise ContractError(f"mean: found shape {mean.shape}, expected a square image of 64 pixels or more")
    scale = mean.shape[0] / SIDE
    light = _log_light(_resized(mean))
    margin = _OFF + _CENTRE_STEP + _RADII[1] + 16 - SIDE // 2
    padded = np.pad(light, margin, mode="edge")
    first = _best(
        padded, margin, USUAL_CENTRE, _OFF, _CENTRE_STEP, _RADII, _RADIUS_STEP, 2, _MOST_FIRST, 40, True
    )
    row, column, radius = first[:3]
    row, column, radius, drops = _best(
        padded, margin, (row, column), 4, 1, (radius - 5, radius + 8), 1, 2, _MOST, 72, False
    )
    share = (drops > _LEAST_DROP).mean()
    if share < _LEAST_SHARE or np.clip(drops, -_MOST, _MOST).mean() < _LEAST_MEAN:
        return None
    return SkyCircle((row + 0.5) * scale - 0.5, (column + 0.5) * scale - 0.5, radius * scale)


def _resized(mean):
    """Return the image at 256 x 256: the nearest pixels' mean, or the nearest pixel."""
    rows = mean.shape[0]
    if rows % SIDE == 0:
        step = rows // SIDE
        return mean.reshape(SIDE, step, SIDE, step).mean(axis=(1, 3))
    nearest = np.arange(SIDE) * rows // SIDE
    return mean[np.ix_(nearest, nearest)]


def _log_light(mean):
    """Return log brightness above the corners', in whole units, int32; below their noise it is even."""
    smooth = _middle_of_three(_middle_of_three(mean).T).T  # without stars and warm pixels
    away = np.arange(SIDE) - (SIDE - 1) / 2
    corners = smooth[away[:, None] ** 2 + away**2 > _CORNER**2]
    dark = np.median(corners)
    least = 3 * (1.4826 * np.median(np.abs(corners - dark)) + 1)
    return np.rint(_UNIT * np.log(np.maximum(smooth - dark + least, least))).astype(np.int32)


def _middle_of_three(image):
    """Return the middle of each pixel and those on both sides in its row; at the ends the pixel itself."""
    out = image.copy()
    left, here, right = image[:, :-2], image[:, 1:-1], image[:, 2:]
    low, high = np.minimum(left, here), np.maximum(left, here)
    np.maximum(low, np.minimum(high, right), out=out[:, 1:-1])
    return out


@cache
def _directions(n):
    turns = [2 * math.pi * k / n for k in range(n)]
    return np.array([[math.sin(turn) for turn in turns], [math.cos(turn) for turn in turns]])


def _best(padded, margin, centre, off, step, radii, radius_step, half, most, n, prefer_usual):
    """Return row, column and radius of the circle with the greatest drop, and the drop in each direction.

    The drop is taken from `half` steps of radius within the edge to as many without.
    """
    around = np.arange(-off, off + 1, step)
    rows = np.repeat(centre[0] + around, around.size)
    columns = np.tile(centre[1] + around, around.size)
    steps = np.arange(radii[0] - half * radius_step, radii[1] + half * radius_step + 1, radius_step)
    down, right = np.rint(steps[:, None] * _directions(n)[:, None]).astype(np.int64)
    width = padded.shape[1]
    places = ((rows + margin) * width + columns + margin)[:, None, None] + (down * width + right)
    along = padded.ravel()[places]
    drops = along[:, : -2 * half] - along[:, 2 * half :]
    tried = steps[half:-half]
    score = np.clip(drops, -most, most).sum(axis=2) / n
    if prefer_usual:
        away = np.sqrt((rows - USUAL_CENTRE[0]) ** 2 + (columns - USUAL_CENTRE[1]) ** 2)
        score = score - _AWAY_RADIUS * np.abs(tried - USUAL_RADIUS) - _AWAY_CENTRE * away[:, None]
    k, r = np.unravel_index(score.argmax(), score.shape)
    return int(rows[k]), int(columns[k]), int(tried[r]), drops[k, r]
