"""Pulses: single brightenings in de-trended series, with their start, peak, end and height.

A pulse is a local maximum that stands out (its prominence) by a threshold; its on-time is the full width at
half of its height above the higher of the valleys to the pulses next to it, between frames on a straight
line. Prominence and width are as scipy.signal.find_peaks and peak_widths define them, but at the frames' true
times, never across a gap, and so that a pulse on top of a slow swell is not as wide as the swell.
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora._core import _pulses
from pulsaurora.pulsation.series import TREND_HALF_S, detrend, seconds_since, smooth

# A step above this is a gap: two frames missing in a row. One missing frame is bridged, but a crossing that
# falls there is not known to the frame.
LONGEST_GAP_S = 7.5
LONGEST_STEP_S = 4.5
REACH_S = 30.0
# Seconds on either side of a frame on which its pulses depend.
MARGIN_S = TREND_HALF_S + 2 * REACH_S + LONGEST_GAP_S
# In photon noise alone 5.5 sigma comes once in 950 cell-minutes (1,000 minutes of 502 cells), 5.0 once in 170
# and 6.0 once in 7,200: in a whole sky twice in four minutes, where an event needs four cells at once.
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
        Columns PULSE_COLUMNS, by series and then by time; pulses of a series do not overlap.
        `is_whole` is 0 where start or end is not known, because a gap or an end of the series
        cuts the pulse: such a pulse has no on-time.
    """
    series = np.ascontiguousarray(series, np.float32)
    out = np.empty((series.shape[1] * (len(series) // 2) + 1, _pulses.N_PULSE_COLUMNS))
    n = _pulses.fill_pulses(
        np.ascontiguousarray(times_s, np.float64), series, LONGEST_GAP_S, LONGEST_STEP_S, REACH_S,
        least_prominence, out,
    )  # fmt: skip
    return out[:n]


@dataclass
class Stretch:
    """Some frames of a night: their series and the pulses whose peaks lie in them.

    Attributes
    ----------
    times : ndarray of datetime64[us], shape (n_frames,)
    change, background : ndarray of float32, shape (n_frames, n_cells), counts
        As in Residuals.
    pulses : dict of ndarray of shape (n_pulses,)
        `cell`, `start_s`, `peak_s`, `end_s` (seconds from the origin), `prominence` (in units of noise, of
        the mean over neighbours), `sigma` (counts, of one cell), `background` and `own` (counts: what the
        cell alone rises by at the peak).
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
            *(
                np.concatenate([getattr(p, name) for p in parts])
                for name in ("times", "change", "background")
            ),
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
    "own": np.float32,
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
    # Its neighbours' own reach decides whether they are pulses; a frame more tells if the series goes on.
    low = max(int(np.searchsorted(times_s, times_s[first] - 2 * REACH_S)) - 1, 0)
    high = min(int(np.searchsorted(times_s, times_s[last - 1] + 2 * REACH_S, side="right")) + 1, len(times_s))
    residuals = detrend(reduced, cells, times_s, slice(low, high))
    found = measure_pulses(times_s[low:high], smooth(residuals, cells), LEAST_PROMINENCE)
    frame = found[:, 1].astype(np.int64) + low
    mine = (frame >= first) & (frame < last) & (found[:, _END] - found[:, _START] <= LONGEST_ON_S)
    found, frame = found[mine], frame[mine] - low
    cell = found[:, 0].astype(np.int32)
    pulses = dict(zip(("start_s", "peak_s", "end_s", "prominence"), found[:, 2:6].T, strict=True))
    at = frame, cell
    pulses |= {"cell": cell, "sigma": residuals.sigma[at]}
    # Of the cell alone: its peak over the frames just before the start and just after the end.
    near = times_s[low:high]
    before = np.searchsorted(near, pulses["start_s"], side="right") - 1
    after = np.minimum(np.searchsorted(near, pulses["end_s"]), len(near) - 1)
    dark = (residuals.change[before, cell] + residuals.change[after, cell]) / 2
    pulses |= {"background": residuals.background[at], "own": residuals.change[at] - dark}
    own = slice(first - low, last - low)
    return Stretch(
        reduced.times[first:last], residuals.change[own].copy(), residuals.background[own].copy(), pulses
    )
