"""Pulses: single brightenings in de-trended series, with their start, peak, end and height.

A pulse is a local maximum that stands out (its prominence) by a threshold; its on-time is the full width at
half of the prominence, between frames on a straight line. Both are as scipy.signal.find_peaks and
peak_widths define them, at the frames' true times and never across a gap.
"""

import numpy as np

from pulsaurora._core import _pulses
from pulsaurora.pulsation.series import TREND_HALF_S, detrend, smooth

# A step above this is a gap: two frames missing in a row. One missing frame is bridged, but a crossing that
# falls there is not known to the frame.
LONGEST_GAP_S = 7.5
LONGEST_STEP_S = 4.5
REACH_S = 39.0
# In noise alone (2 million cell-minutes of it, see recovery.py) 5.5 sigma comes once in some 2,000 cell-minutes.
LEAST_PROMINENCE = 5.5
LONGEST_ON_S = 30.0

PULSE_COLUMNS = ("series", "peak", "start_s", "peak_s", "end_s", "prominence", "height", "is_whole")
_START, _END, _PROMINENCE = (PULSE_COLUMNS.index(name) for name in ("start_s", "end_s", "prominence"))


def measure_pulses(times_s, series, least_prominence):
    """Measure the pulses of some series.

    Parameters
    ----------
    times_s : ndarray of float64, shape (n_frames,), seconds
        Strictly ascending.
    series : ndarray of float32, shape (n_frames, n_series)
        NaN marks what is not known.
    least_prominence : float
        In the units of the series.

    Returns
    -------
    ndarray of float64, shape (n_pulses, 8)
        Columns PULSE_COLUMNS, by series and then by time. Where a small pulse rides on a larger one of the
        same series, the more prominent is kept. `is_whole` is 0 where start or end is not known, because a
        gap or an end of the series cuts the pulse: such a pulse has no on-time.
    """
    series = np.ascontiguousarray(series, np.float32)
    out = np.empty((series.shape[1] * (len(series) // 2) + 1, _pulses.N_PULSE_COLUMNS))
    n = _pulses.fill_pulses(
        np.ascontiguousarray(times_s, np.float64), series, LONGEST_GAP_S, LONGEST_STEP_S, REACH_S,
        least_prominence, out,
    )  # fmt: skip
    return out[:n]


def without_riders(pulses, series):
    """Return which pulses stay when of two that overlap in one series the more prominent is kept.

    Parameters
    ----------
    pulses : ndarray of shape (n, 8)
        By series and then by start.
    series : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int
    """
    kept = np.arange(len(pulses))
    while True:
        start, end, prominence = (pulses[kept, k] for k in (_START, _END, _PROMINENCE))
        overlaps = (series[kept[1:]] == series[kept[:-1]]) & (start[1:] < end[:-1])
        if not overlaps.any():
            return kept
        # Of a run of overlapping pulses, whichever is less prominent than a neighbour it overlaps goes; of
        # equals the later one does, so at least one goes each time.
        later_goes = overlaps & (prominence[1:] <= prominence[:-1])
        goes = np.zeros(len(kept), bool)
        goes[1:] |= later_goes
        goes[:-1] |= overlaps & ~later_goes
        kept = kept[~goes]


def cell_pulses(reduced, cells, times_s, inner, out):
    """Find the pulses of every cell whose peaks lie in some frames; fill in those frames' series.

    Thread safe; the GIL is released for nearly all of it.

    Parameters
    ----------
    reduced : Reduced
        In strictly ascending time order, with the frames within `margin_s` of the inner ones.
    cells : CellMap
    times_s : ndarray of float64, shape (n,), seconds
    inner : slice
    out : ndarray of float32, shape (n_inner, n_cells), counts
        Filled with `Residuals.change` of the inner frames.

    Returns
    -------
    dict of ndarray
        `cell`, `frame` (counted from the first inner one), `start_s`, `peak_s`, `end_s`, `prominence`
        (sigma, of the mean over neighbours), `sigma` (counts, of one cell) and `background` (counts).
    """
    first, last, _ = inner.indices(len(times_s))
    low = int(np.searchsorted(times_s, times_s[first] - REACH_S)) if last > first else first
    high = int(np.searchsorted(times_s, times_s[last - 1] + REACH_S, side="right")) if last > first else last
    # One frame more on either side tells whether the series goes on there.
    low, high = max(low - 1, 0), min(high + 1, len(times_s))
    residuals = detrend(reduced, cells, times_s, slice(low, high))
    out[:] = residuals.change[first - low : last - low]
    found = measure_pulses(times_s[low:high], smooth(residuals, cells), LEAST_PROMINENCE)
    frame = found[:, 1].astype(np.int64) + low
    mine = (frame >= first) & (frame < last) & (found[:, _END] - found[:, _START] <= LONGEST_ON_S)
    found, frame = found[mine], frame[mine]
    cell = found[:, 0].astype(np.int32)
    return {
        "cell": cell,
        "frame": frame - first,
        "start_s": found[:, 2],
        "peak_s": found[:, 3],
        "end_s": found[:, 4],
        "prominence": found[:, _PROMINENCE],
        "sigma": residuals.sigma[frame - low, cell],
        "background": residuals.background[frame - low, cell],
    }


def margin_s():
    """Seconds on either side of a frame on which its pulses depend."""
    return TREND_HALF_S + REACH_S + 2 * LONGEST_GAP_S
