"""A patch's own pulses: the mean of its cells in time, and on-times, off-times and periods from it.

Linking tells where a patch is; what is measured is measured on the mean over its cells, whose noise is far
below that of one cell. The cells of an event hold from halfway to the event before it until halfway to the
next one, so a patch may drift.
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora.pulsation.linking import REMEMBERED, outline_of
from pulsaurora.pulsation.pulses import LONGEST_GAP_S, LONGEST_ON_S, REACH_S, measure_pulses

# A pulse of a patch stands out by this much of the patch's own noise, and by this share of its typical
# event: noise on the one side, the last quarter of uneven pulses against what neighbours spill on the other.
LEAST_SIGMA = 5.0
LEAST_SHARE = 0.3


@dataclass(slots=True)
class PatchSeries:
    """The mean brightness of a patch's cells, as long as it is followed.

    Attributes
    ----------
    times_s : ndarray of float64, shape (n,)
    change, background : ndarray of float32, shape (n,), counts
        NaN where not known.
    sigma : float, counts
        Photon noise of the mean in one frame.
    outlines : list of ndarray of int
        Cells, one a linked event.
    """

    times_s: np.ndarray
    change: np.ndarray
    background: np.ndarray
    sigma: float
    outlines: list


def patch_series(track, sky, times_s):
    """Take the mean over a patch's cells.

    Parameters
    ----------
    track : Track
    sky : Stretch
        The whole night.
    times_s : ndarray of float64, shape (n_frames,), seconds

    Returns
    -------
    PatchSeries
    """
    events = track.events
    peaks = np.array([event.peak_s for event in events])
    bounds = np.concatenate([[peaks[0] - REACH_S], (peaks[1:] + peaks[:-1]) / 2, [peaks[-1] + REACH_S]])
    edges = np.searchsorted(times_s, bounds)
    outlines, change, background = [], [], []
    half = REMEMBERED // 2
    for k in range(len(events)):
        near = outline_of(events[max(k - half, 0) : k + half + 1])
        own = cells_of(near) or events[k].cells.tolist()
        outlines.append(np.array(own))
        frames = slice(edges[k], edges[k + 1])
        change.append(sky.change[frames][:, own].mean(axis=1))
        background.append(sky.background[frames][:, own].mean(axis=1))
    n_cells = np.mean([len(own) for own in outlines])
    sigma = float(np.sqrt(np.mean([event.sigma**2 for event in events]) / n_cells))
    return PatchSeries(
        times_s[edges[0] : edges[-1]], np.concatenate(change), np.concatenate(background), sigma, outlines
    )


def cells_of(mask):
    """Return the numbers of the bits that are set, ascending."""
    text = bin(mask)[:1:-1]
    return [k for k, bit in enumerate(text) if bit == "1"]


def patch_pulses(track, series):
    """Measure the pulses of a patch on its mean series.

    Parameters
    ----------
    track : Track
    series : PatchSeries

    Returns
    -------
    ndarray of float64, shape (n_pulses, 8)
        Columns of pulses.PULSE_COLUMNS in counts. Those wider than LONGEST_ON_S are no pulses.
    """
    typical = np.median([np.median(event.weight) for event in track.events])
    least = max(LEAST_SIGMA * series.sigma, LEAST_SHARE * typical)
    found = measure_pulses(series.times_s, series.change[:, None], least)
    return found[found[:, 4] - found[:, 2] <= LONGEST_ON_S]


def times_of(pulses, frame_times_s):
    """Return on-times, off-times and periods of the pulses of one patch, seconds.

    Parameters
    ----------
    pulses : ndarray of shape (n, 8)
        Ascending in time.
    frame_times_s : ndarray of float64
        Times of the frames there are.

    Returns
    -------
    on_s : ndarray of shape (n,)
        NaN for a pulse that is not whole.
    off_s, period_s : ndarray of shape (n,)
        From the end, and from the start, of the pulse before; NaN for the first, where a gap lies between,
        and where a crossing it begins or ends with is not known.
    """
    start, end, whole = pulses[:, 2], pulses[:, 4], pulses[:, 7] > 0
    on = np.where(whole, end - start, np.nan)
    off, period = np.full(len(on), np.nan), np.full(len(on), np.nan)
    if len(on) > 1:
        late = np.flatnonzero(np.diff(frame_times_s) > LONGEST_GAP_S)
        gap_starts = frame_times_s[late]
        n_gaps = np.searchsorted(gap_starts, start[1:]) - np.searchsorted(gap_starts, start[:-1])
        known = whole[1:] & whole[:-1] & (n_gaps == 0)
        off[1:] = np.where(known, np.maximum(start[1:] - end[:-1], 0), np.nan)
        period[1:] = np.where(known, start[1:] - start[:-1], np.nan)
    return on, off, period
