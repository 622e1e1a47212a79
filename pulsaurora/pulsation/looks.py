"""Looks: two minutes of sky at a time, as a person looks at a film before naming what it shows.

A look is described by what its frames look like on the mean and how much that varies among them; by what all
its frames together tell of modulation and stars; and by what its first and its last half tell by themselves,
where they agree and how far they differ: what lasts is alike in both.

A look begins with every minute and each frame is described by that in whose middle minute it lies, so looks
depend on their own frames alone, however a night is cut.
"""

import numpy as np

from pulsaurora.pulsation.layout import layout_row
from pulsaurora.pulsation.modulation import Light
from pulsaurora.pulsation.reduction import CADENCE_S, WINDOW_S, check_window, sun_moon_columns, window_rows
from pulsaurora.pulsation.table import FEATURES, N_HIDDEN

# A frame near a gap is described by the other look that it lies in, where that has more than 4 frames to 3.
_FULLER = 4, 3
# Stars and reversals are told of windows about the middles of slots; so short a one is about its frame.
_SLOT_S = 0.01


def look_features(reduced, inner=None, latitude=None, longitude=None, window_s=WINDOW_S, cadence_s=CADENCE_S):
    """Compute the features of some frames: each frame's are those of its look.

    Parameters
    ----------
    reduced : Reduced
        In strictly ascending time order.
    inner : slice of frames to compute, or None for all
        The frames outside it are used where they share a look: those less than window_s away.
    latitude, longitude : float, degrees north and east, or None
        Position of the site; where unknown the sky is taken as dark (sun and moon at -90).
    window_s : float, seconds
        Length of a look, 30 to 360; one begins in each half of it.
    cadence_s : float, seconds
        Between frames, where none is missing. Periods below twice this are not told apart from longer ones.

    Returns
    -------
    ndarray of shape (n_inner, n_features), float32
        Columns of pulsaurora.pulsation.table.FEATURES. Features that need modulated cells are 0 where
        there are none; those that need time are 0 where a look has fewer than 5 frames.

    Raises
    ------
    ContractError
        If times do not ascend, or window_s or cadence_s is out of range.
    """
    first, last, _ = (inner or slice(None)).indices(len(reduced))
    check_window(reduced.times, window_s, cadence_s)
    if last <= first:
        return np.zeros((0, len(FEATURES)), np.float32)
    bounds, which = np.unique(_look_of(reduced.times, first, last, window_s), axis=0, return_inverse=True)
    low, high = bounds.min(), bounds.max()
    used = reduced[low:high]
    light = Light.of(used)
    looks = [slice(*pair) for pair in (bounds - low).tolist()]
    rows = np.stack([_row(used[look], light[look], window_s, cadence_s) for look in looks])
    middles = [look.start + _middle(used.times[look]) for look in looks]
    rows = np.concatenate([rows, sun_moon_columns(used.times[middles], latitude, longitude)], axis=1)
    return rows[which.ravel()]


def look_row(look, window_s=WINDOW_S, cadence_s=CADENCE_S):
    """Return the features of one look, as if its site's position were not known, float32 (n_features,).

    Parameters
    ----------
    look : Reduced
        One frame or more, no further apart than window_s.
    window_s, cadence_s : float, seconds
        As for `look_features`.
    """
    check_window(look.times, window_s, cadence_s)
    row = _row(look, Light.of(look), window_s, cadence_s)
    return np.concatenate([row, sun_moon_columns(look.times[:1], None, None)[0]])


def _row(look, light, window_s, cadence_s):
    """Return the features of a look but for sun and moon, float32."""
    middle, end = _middle(look.times), len(look) - 1

    def told(part, centre):
        return window_rows(look[part], light[part], centre, centre + 1, window_s, cadence_s, _SLOT_S)[0]

    whole = told(slice(None), middle)
    before, after = told(slice(middle + 1), 0), told(slice(middle, None), end - middle)
    frames = look.structure[:, N_HIDDEN:].astype(np.float64)
    of_frames = [frames.mean(axis=0), frames.std(axis=0)]
    of_time = [whole, (before + after) / 2, np.abs(before - after)]
    return np.concatenate([*of_frames, *of_time, layout_row(look, light)]).astype(np.float32)


def _middle(times):
    """Return which frame is nearest to the middle between the first and the last."""
    return int(np.abs((times - times[0]) * 2 - (times[-1] - times[0])).argmin())


def _look_of(times, first, last, window_s):
    """Return where the look of each frame from `first` to `last` begins and ends among all: int (n, 2)."""
    microseconds = times.astype("datetime64[us]").astype(np.int64)
    step = round(window_s * 5e5)
    mine = microseconds[first:last]
    number = mine // step
    edges = np.stack([number - 1, number, number + 1, number + 2]) * step
    begins, middle, ends, beyond = np.searchsorted(microseconds, edges)
    earlier, later = ends - begins, beyond - middle
    more, less = _FULLER
    nearer_later = mine - number * step >= step / 2
    take_later = np.where(nearer_later, less * earlier <= more * later, less * later > more * earlier)
    return np.stack([np.where(take_later, middle, begins), np.where(take_later, beyond, ends)], axis=1)
