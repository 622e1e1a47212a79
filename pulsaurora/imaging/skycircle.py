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
from pulsaurora.imaging.skymap import USUAL_CENTRE, USUAL_RADIUS, optics_elevation
from pulsaurora.problems import ContractError

SIDE = 256
# To which steps centre and radius are rounded, counted from the usual optics, in pixels of 256 x 256: half a
# cell. From one minute to the next they are found alike to a pixel or two, and what is said of a frame is not
# to hang on which other frames were looked at, or which files of its night could be read.
GRAIN = 4
_USUAL = tuple(int(at) for at in (*USUAL_CENTRE, USUAL_RADIUS))  # whole, as all circles are that are tried
_MARGIN = 42  # how far beyond the image the largest circle that is tried reaches, pixels, and a little
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


def sky_elevation(stacks, n_each=60, grain=GRAIN):
    """Estimate each pixel's elevation from frames: the usual law of the optics within the circle found there.

    Parameters
    ----------
    stacks : iterable of ndarray of shape (n, rows, cols), uint16, counts, or of PackedImages
        Frames of one imager, such as a few minutes of a night far apart. One after the other is looked at.
    n_each : int
        How many frames of each are looked at, evenly spaced.
    grain : int
        To which steps, pixels of 256 x 256, centre and radius are rounded.

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
    scale = len(total) / SIDE
    usual, step = scale * np.array(_USUAL), scale * grain
    found = np.array([circle.row, circle.column, circle.radius])
    found = usual + step * np.floor((found - usual) / step + 0.5)
    return optics_elevation(total.shape, found[:2], found[2])


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
    padded = np.pad(_log_light(_resized(mean)), _MARGIN, mode="edge")

    usual_row, usual_column, usual_radius = _USUAL
    rows, columns = _about((usual_row, usual_column), 16, 4)
    radii = np.arange(90, 135, 2)
    score = _worth(_drops(padded, rows, columns, radii, 4, 40), _MOST_FIRST)
    away = np.sqrt((rows - usual_row) ** 2 + (columns - usual_column) ** 2)
    score = score - _AWAY_RADIUS * np.abs(radii - usual_radius) - _AWAY_CENTRE * away[:, None]
    centre, r = np.unravel_index(score.argmax(), score.shape)

    rows, columns = _about((rows[centre], columns[centre]), 4, 1)
    radii = np.arange(radii[r] - 5, radii[r] + 9)
    drops = _drops(padded, rows, columns, radii, 2, 72)
    score = _worth(drops, _MOST)
    centre, r = np.unravel_index(score.argmax(), score.shape)
    if score[centre, r] < _LEAST_MEAN or (drops[centre, r] > _LEAST_DROP).mean() < _LEAST_SHARE:
        return None
    row, column = ((at + 0.5) * scale - 0.5 for at in (int(rows[centre]), int(columns[centre])))
    return SkyCircle(row, column, int(radii[r]) * scale)


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


def _about(centre, off, step):
    """Return the rows and columns of centres to try about one, up to `off` pixels away each way."""
    around = np.arange(-off, off + 1, step)
    return np.repeat(centre[0] + around, around.size), np.tile(centre[1] + around, around.size)


def _drops(padded, rows, columns, radii, gap, n):
    """Return how log brightness drops from `gap` pixels within circles to as many without.

    Of each centre, radius and of n directions: int32 (n_centres, n_radii, n).
    """
    centres = (rows + _MARGIN) * padded.shape[1] + columns + _MARGIN

    def along(radii):
        down, right = np.rint(radii[:, None] * _directions(n)[:, None]).astype(np.int64)
        return padded.ravel()[centres[:, None, None] + down * padded.shape[1] + right]

    return along(radii - gap) - along(radii + gap)


def _worth(drops, most):
    """Return the mean over directions of drops held to a limit."""
    return np.clip(drops, -most, most).sum(axis=2) / drops.shape[2]
