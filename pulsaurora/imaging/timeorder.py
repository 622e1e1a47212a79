"""Frames put in time order, one frame a time: of several files, or held as arrays."""

import numpy as np

from pulsaurora.problems import ContractError, Problem


def order_in_time(times, quality, source, names, own=None):
    """Return the order that puts frames in time, one frame a time, and what was dropped.

    Of frames with one time the least touched is kept, then the one of the earlier file.

    Parameters
    ----------
    times : ndarray of datetime64, shape (n_frames,)
    quality : list of tuple of str
        What touched each frame; the one that stays gets `duplicate_dropped` here.
    source : ndarray of int, shape (n_frames,)
        Number of the file that each frame is of.
    names : list of str
        Of the files.
    own : container of int, optional
        Files whose dropped frames are to be told; all when not given.

    Returns
    -------
    order : ndarray of int or None
        None if the frames are in order already.
    problems : list of Problem
    """
    if times.size < 2 or (times[1:] > times[:-1]).all():
        return None, []
    # Having had a double is no harm to a frame.
    touched = [len(flags) - ("duplicate_dropped" in flags) for flags in quality]
    order = np.lexsort((np.arange(times.size), touched, times))
    again = np.zeros(times.size, bool)
    again[1:] = times[order][1:] == times[order][:-1]
    kept = order[np.flatnonzero(~again)[np.cumsum(~again) - 1]]
    problems = []
    for file in np.unique(source[order[again]]).tolist():
        theirs = again & (source[order] == file)
        for index in kept[theirs].tolist():
            if "duplicate_dropped" not in quality[index]:
                quality[index] = (*quality[index], "duplicate_dropped")
        if own is None or file in own:
            other = names[source[kept[theirs][0]]]
            reason = f"{theirs.sum()} frames have the times of frames in {other}: dropped"
            problems.append(Problem(names[file], reason, int((source == file).sum() - theirs.sum())))
    return order[~again], problems


def as_times(times):
    """Return times of frames, which callers give as they have them, as datetime64[us].

    Raises
    ------
    ContractError
        If they are numbers: whether of seconds or of anything else, numbers do not tell.
    """
    given = np.asarray(times)
    if given.dtype.kind in "biufc" and given.size:
        raise ContractError(
            f"times are numbers ({given.dtype}); expected datetime64, such as "
            '(1e6 * seconds).astype("datetime64[us]") of seconds since 1970'
        )
    return np.asarray(times, "datetime64[us]")


def sort_frames(images, times):
    """Put frames that are held as arrays into time order.

    Parameters
    ----------
    images : array-like of shape (n_frames, rows, columns)
    times : array-like of datetime64, shape (n_frames,)
        UTC, in any order, no two alike.

    Returns
    -------
    images : ndarray
        As given where they are in order already, else a copy.
    times : ndarray of datetime64[us]

    Raises
    ------
    ContractError
        If the shapes do not fit, times are numbers, or a time is missing or given twice.
    """
    images, times = np.asarray(images), as_times(times)
    if images.ndim != 3 or times.shape != images.shape[:1]:
        raise ContractError(
            f"expected images (n_frames, rows, columns) and as many times, got shapes {images.shape} "
            f"and {times.shape}"
        )
    order = np.argsort(times, kind="stable")
    times = times[order]
    if np.isnat(times).any() or (times[1:] == times[:-1]).any():
        raise ContractError("every frame needs a time of its own; some have none or share one")
    if (order != np.arange(len(order))).any():
        images = images[order]
    return images, times
