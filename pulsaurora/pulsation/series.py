"""Cells to de-trended series: what each cell's brightness does beyond its slow course, and its noise.

A cell is a superpixel of 8 x 8 pixels (for frames of 256 x 256) without its brightest pixels, as
`reduce_frames` makes it. Four things are taken off or weighed, in this order: the straight line through the
45 s on either side; what the whole sky does at once (exposures that differ, floodlight, twilight, a cloud
over everything); the photon noise, of which the reduction measures each camera's own multiple; and, by a
mean over neighbours that leaves out the two that stray most, whatever one cell does alone.
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora._core import _pulses
from pulsaurora.pulsation.photons import GAIN, READ_VARIANCE
from pulsaurora.pulsation.reduction import SATURATION

# The mean over 90 s leaves periods of 90, 45 and 30 s as they are, and shorter ones all but so.
TREND_HALF_S = 45.0
FEWEST_FRAMES = 8  # for a line to be told from its pulses
FEWEST_NEIGHBOURS = 4  # a corner of the sky's edge
# Standard deviation of the mean of k Gaussian numbers without the largest and the smallest; k = 0 to 9,
# by 4 million draws. (Of 9, it is 1.03 times that of the plain mean.)
TRIMMED_DEVIATION = np.array([np.nan, np.nan, np.nan, 0.6695, 0.5461, 0.4763, 0.4291, 0.3934, 0.3660, 0.3434])


class CellMap:
    """The cells of a sky that are looked at, numbered row by row, and which of them touch.

    Parameters
    ----------
    grid : SkyGrid

    Attributes
    ----------
    n : int
    inside : ndarray of int, shape (n,)
        Where each cell stands in a row of `Reduced.cells`.
    row, col : ndarray of int, shape (n,)
        Counted in cells from the frame's first row and column.
    neighbours : ndarray of int32, shape (n, 9)
        The cell itself and those that touch it, corners too; -1 where there is none.
    block : int
        Pixels along the side of a cell.
    """

    def __init__(self, grid):
        self.grid, self.block = grid, 2 * grid.block
        self.inside = np.flatnonzero(grid.cell_mask.ravel())
        row, col = np.divmod(self.inside, grid.cell_mask.shape[1])
        self.n = len(self.inside)
        n_rows, n_cols = grid.cell_mask.shape
        number = np.full((n_rows + 2, n_cols + 2), -1, np.int32)
        number[row + 1, col + 1] = np.arange(self.n)
        steps = [(i, j) for i in (1, 0, 2) for j in (1, 0, 2)]
        self.neighbours = np.ascontiguousarray(
            np.stack([number[row + i, col + j] for i, j in steps], axis=1), np.int32
        )
        self.row, self.col = row + grid.rows.start, col + grid.cols.start


@dataclass
class Residuals:
    """Some frames' cells without their slow course; arrays of shape (n_frames, n_cells), float32, counts.

    Attributes
    ----------
    change : ndarray
        Brightness less trend and less what the whole sky does at once; NaN where not known.
    background : ndarray
        The trend above the pedestal.
    sigma : ndarray
        Photon noise of one cell in one frame.
    """

    change: np.ndarray
    background: np.ndarray
    sigma: np.ndarray


def seconds_since(times, origin):
    """Return seconds from `origin` (a date or a time), float64, exact to the microsecond."""
    return (np.asarray(times, "datetime64[us]") - np.datetime64(origin, "us")) / np.timedelta64(1, "s")


def detrend(reduced, cells, times_s, inner):
    """Take each cell's slow course off, and what the whole sky does at once.

    Parameters
    ----------
    reduced : Reduced
        In strictly ascending time order, with the frames within TREND_HALF_S of the inner ones.
    cells : CellMap
    times_s : ndarray of float64, shape (n,), seconds
    inner : slice
        Frames to compute.

    Returns
    -------
    Residuals
    """
    first, last, _ = inner.indices(len(times_s))
    n = cells.n
    # The pedestal and the multiple of the photon noise have slow courses, too: two columns more.
    levels = np.empty((len(times_s), n + 2), np.float32)
    levels[:, :n] = reduced.cells[:, cells.inside]
    levels[:, n:] = reduced.structure[:, :2]
    trends = np.empty((max(last - first, 0), n + 2), np.float32)
    _pulses.fill_trends(
        times_s, levels, first, TREND_HALF_S, FEWEST_FRAMES, np.empty(n + 2), np.empty(n + 2), trends
    )
    background = np.maximum(trends[:, :n] - trends[:, n : n + 1], 1.0)
    change = levels[first:last, :n] - trends[:, :n]
    change[levels[first:last, :n] > SATURATION] = np.nan
    change -= _shared(change / background) * background
    sigma = trends[:, n + 1 :] * np.sqrt((GAIN * background + READ_VARIANCE) / cells.grid.n_pixels)
    return Residuals(change, background, sigma.astype(np.float32))


def _shared(relative):
    """Return the median over cells, shape (n_frames, 1); 0 where nothing is known."""
    known = np.isfinite(relative)
    if known.all():
        return np.median(relative, axis=1, keepdims=True)
    shared = np.zeros((len(relative), 1), np.float32)
    for k in np.flatnonzero(known.any(axis=1)):
        shared[k] = np.median(relative[k][known[k]])
    return shared


def smooth(residuals, cells):
    """Return each cell's change with its neighbours' in units of its noise, float32 (n_frames, n_cells)."""
    out = np.empty_like(residuals.change)
    scales = np.nan_to_num(1.0 / TRIMMED_DEVIATION).astype(np.float32)
    _pulses.fill_smoothed(
        residuals.change / residuals.sigma, cells.neighbours, scales, FEWEST_NEIGHBOURS, out
    )
    return out
