"""What people said of a night, put onto its frames."""

import numpy as np

from pulsaurora.classes import CLASSES

# What a frame is where it has no class of its own.
UNLABELLED, CONTESTED = -1, -2
# Labels may reach this many frames past the last unsaid: listings differ by a minute.
SHORT_BY = 40


def frame_truth(times, rows):
    """Give each frame of a site's UT date the people's label.

    Labels by time go to the frames of those times. Labels by frame number alone go by the order in time,
    counted from zero.

    Parameters
    ----------
    times : ndarray of datetime64[us], shape (n_frames,)
        Ascending.
    rows : DataFrame
        Of that site and date, as `read_labels` returns it; rows without a label count for nothing.

    Returns
    -------
    truth : ndarray of int8, shape (n_frames,)
        Class numbers; UNLABELLED, or CONTESTED where people name two classes for a frame.
    intervals : list of (first, end, label)
        Each labelled interval once: its frames are `first` to `end - 1`; none that lie beyond the frames.
    beyond : int
        How many frames labels by frame number reach past the last.
    """
    n = len(times)
    spans, beyond = {}, 0
    for row in rows[rows["label"].notna()].itertuples(index=False):
        span = _span(times, row)
        if span is None:
            continue
        if not _by_time(row):
            beyond = max(beyond, span[1] - n)
        spans[(*span, CLASSES.index(row.label))] = None
    truth = np.full(n, UNLABELLED, np.int8)
    for first, end, label in spans:
        part = truth[first:end]
        part[:] = np.where((part == UNLABELLED) | (part == label), label, CONTESTED)
    intervals = [(first, min(end, n), label) for first, end, label in sorted(spans) if first < min(end, n)]
    return truth, intervals, beyond


def other_codes(times, rows):
    """Tell which frames people gave a code that stands for no class (np, Sunset, ...).

    Returns
    -------
    ndarray of bool, shape (n_frames,)
    """
    found = np.zeros(len(times), bool)
    for row in rows[rows["label"].isna()].itertuples(index=False):
        span = _span(times, row)
        if span is not None:
            found[slice(*span)] = True
    return found


def choose_apart(times):
    """Choose among series that tell of one night: all, if they follow one another, else the longest.

    Parameters
    ----------
    times : list of array-like of datetime64
        Each ascending and not empty.

    Returns
    -------
    chosen : list of int
        In order of time.
    aside : list of int
    """
    edges = [(np.asarray(each)[0], np.asarray(each)[-1]) for each in times]
    order = sorted(range(len(times)), key=lambda index: edges[index][0])
    if all(edges[a][1] < edges[b][0] for a, b in zip(order, order[1:], strict=False)):
        return order, []
    best = max(order, key=lambda index: len(times[index]))
    return [best], [index for index in order if index != best]


def _by_time(row):
    return row.start_time == row.start_time and row.end_time == row.end_time  # not NaT


def _span(times, row):
    """Return the first frame of a row and the one after its last; None where it names none."""
    if _by_time(row):
        first, last = np.datetime64(row.start_time, "us"), np.datetime64(row.end_time, "us")
        # Times of labels are whole seconds.
        last += np.timedelta64(1, "s")
        return int(np.searchsorted(times, first)), int(np.searchsorted(times, last))
    try:
        return int(row.start_frame), int(row.end_frame) + 1
    except TypeError:  # a night in a list of nights
        return None
