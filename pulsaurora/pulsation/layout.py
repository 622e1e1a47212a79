"""How light, and how much it varies, are laid out over the sky in one look.

What the whole sky shows on the mean does not tell a bank of cloud low in the north from a glow all about, nor
patches that beat overhead from lamps that flash near the horizon. What is told here does not depend on which
way the imager is turned, nor on whether its image is mirrored.
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora._core import _layout

# Limits of the rings of elevation, degrees; the last one is the sky overhead.
RINGS_DEG = (20.0, 26.0, 34.0, 44.0, 56.0, 70.0)
# Of the distance from the middle of the sky to its farthest cell.
ROUNDS = (0.4, 0.72)
LOW_DEG = 35.0


@dataclass
class Places:
    """Where the cells inside lie, one number each: what a SkyGrid's looks are laid out by.

    Attributes
    ----------
    elevation : ndarray of shape (n_inside,), float32, degrees
    ring, round : ndarray of shape (n_inside,), uint8
        Number of its ring of elevation, lowest first, and of distance from the middle, nearest first.
    low : ndarray of shape (n_inside,), uint8
        Whether it lies below LOW_DEG.
    waves : ndarray of shape (6, n_inside), float32
        Cosine and sine of its direction from the middle, of twice and of three times that.
    """

    elevation: np.ndarray
    ring: np.ndarray
    round: np.ndarray
    low: np.ndarray
    waves: np.ndarray

    @staticmethod
    def of(inside, elevation):
        """Place the cells that are inside, a mask (n, n); elevation is in degrees, of the same shape."""
        rows, cols = np.nonzero(inside)
        high = elevation[rows, cols].astype(np.float32)
        y, x = rows - rows.mean(), cols - cols.mean()
        away = np.sqrt(y * y + x * x)
        y, x = y / (away + 1e-6), x / (away + 1e-6)
        # Products alone: a library's cosines do not have the same bits on every machine.
        twice = y * y - x * x, 2 * y * x
        thrice = twice[0] * y - twice[1] * x, twice[0] * x + twice[1] * y
        waves = np.stack([y, x, *twice, *thrice]).astype(np.float32)
        return Places(
            high,
            np.digitize(high, RINGS_DEG).astype(np.uint8),
            np.digitize(away / max(away.max(), 1e-6), ROUNDS).astype(np.uint8),
            (high < LOW_DEG).astype(np.uint8),
            waves,
        )


def layout_row(look, light):
    """Describe how light and its variation are laid out in one look.

    Parameters
    ----------
    look : pulsaurora.pulsation.reduction.Reduced
        One frame or more, in ascending time order.
    light : pulsaurora.pulsation.modulation.Light
        Of the same frames.

    Returns
    -------
    ndarray of shape (n_layout,), float32
        Columns of pulsaurora.pulsation.table.LAYOUT. Of fewer than three frames nothing varies.
    """
    grid, places = look.grid, look.grid.places
    minutes = (look.times - look.times[0]) / np.timedelta64(1, "m")
    n_inside, n_cells = len(grid.place), grid.edge.size
    scratch = np.empty(_layout.scratch_size(n_inside, n_cells), np.float32)
    out = np.empty(_layout.N_LAYOUT, np.float32)
    _layout.fill_layout(
        minutes, np.ascontiguousarray(light.logarithm.take(grid.place, axis=1)), grid.background,
        places.elevation, places.ring, places.round, places.low, places.waves, grid.place,
        grid.cell_mask.ravel(), grid.edge, grid.cell_mask.shape[1], scratch, out,
    )  # fmt: skip
    return out
