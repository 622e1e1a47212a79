"""Pulses: single brightenings in de-trended series, with their start, peak, end and height.

A pulse is a local maximum that stands out (its prominence) by a threshold; its on-time is the full width at
half of the prominence, between frames on a straight line. Both are as scipy.signal.find_peaks and
peak_widths define them, at the frames' true times and never across a gap.
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora._core import _pulses
from pulsaurora.pulsation.series import TREND_HALF_S, detrend, seconds_since, smooth

# A step above this is a gap: two frames missing in a row. One missing frame is bridged, but a crossing that
# falls there is not known to the frame.
LONGEST_GAP_S = 7.5
LONGEST_STEP_S = 4.5
REACH_S = 39.0
# Seconds on either side of a frame on which its pulses depend.
MARGIN_S = TREND_HALF_S + REACH_S + LONGEST_GAP_S
# In photon noise alone 5.5 sigma comes once in 670 cell-minutes (1,000 minutes of 500 cells), 5.0 once in 120
# and 6.0 once in 4,700: in a sky of 500 cells once in 80 s, where an event needs four at once.
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


@dataclass
class Stretch:
    """Some frames of a night: their series and the pulses whose peaks lie in them.

    Attributes
    ----------
    times : ndarray of datetime64[us], shape (n_frames,)
    change, background : ndarray of float32, shape (n_frames, n_cells), counts
        As in Residuals.
    pulses : dict of ndarray of shape (n_pulses,)
        `cell`, `start_s`, `peak_s`, `end_s` (seconds from the origin), `prominence` (in units of noise, of the
        mean over neighbours), `sigma` (counts, of one cell) and `background` (counts).
    """

    times: np.ndarray
    change: np.ndarray
    background: np.ndarray
    pulses: dict

    @staticmethod
    def concatenate(parts, n_cells):
        """Join parts, the last given last."""
        if not parts:
            none = np.empty((0, n_cells), np.float32)
            whole = Stretch(np.empty(0, "datetime64[us]"), none, none, {})
            whole.pulses = {name: np.empty(0, kind) for name, kind in _PULSE_KINDS.items()}
            return whole
        return Stretch(
            *(np.concatenate([getattr(p, name) for p in parts]) for name in ("times", "change", "background")),
            {name: np.concatenate([part.pulses[name] for part in parts]) for name in _PULSE_KINDS},
        )


_PULSE_KINDS = {
    "cell": np.int32,
    "start_s": float,
    "peak_s": float,
    "end_s": float,
    "prominence": float,
    "sigma": np.float32,
    "background": np.float32,
}


def find_cell_pulses(reduced, cells, origin, inner=None):
    """Find the pulses of every cell whose peaks lie in some frames.

    Thread safe; the GIL is released for nearly all of it. What comes of a frame depends on those within
    `MARGIN_S` of it and on no others, so parts of a night that were worked on apart can be joined.

    Parameters
    ----------
    reduced : Reduced
        In strictly ascending time order, with the frames within MARGIN_S of the inner ones.
    cells : CellMap
    origin : datetime64 or date
        Seconds count from here.
    inner : slice, optional
        Frames to look at; all when not given.

    Returns
    -------
    Stretch
        Of the inner frames.
    """
    first, last, _ = (inner or slice(None)).indices(len(reduced))
    if last <= first:
        return Stretch.concatenate([], cells.n)
    times_s = seconds_since(reduced.times, origin)
    # One frame more on either side tells whether the series goes on there.
    low = max(int(np.searchsorted(times_s, times_s[first] - REACH_S)) - 1, 0)
    high = min(int(np.searchsorted(times_s, times_s[last - 1] + REACH_S, side="right")) + 1, len(times_s))
    residuals = detrend(reduced, cells, times_s, slice(low, high))
    found = measure_pulses(times_s[low:high], smooth(residuals, cells), LEAST_PROMINENCE)
    frame = found[:, 1].astype(np.int64) + low
    mine = (frame >= first) & (frame < last) & (found[:, _END] - found[:, _START] <= LONGEST_ON_S)
    found, frame = found[mine], frame[mine] - low
    cell = found[:, 0].astype(np.int32)
    pulses = dict(zip(("start_s", "peak_s", "end_s", "prominence"), found[:, 2:6].T, strict=True))
    pulses |= {"cell": cell, "sigma": residuals.sigma[frame, cell], "background": residuals.background[frame, cell]}
    own = slice(first - low, last - low)
    return Stretch(
        reduced.times[first:last], residuals.change[own].copy(), residuals.background[own].copy(), pulses
    )
