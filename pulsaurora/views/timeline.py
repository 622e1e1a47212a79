"""Frames at their true times -> columns of equal width, for pictures that have time along them.

A picture has fewer columns than a night has frames, or more than half an hour has. A column shows the
mean of its frames; one that jitter leaves without any shows the column before; in a gap, nothing.
"""

import numpy as np

_GAP = 1.5  # frames more cadences apart have a gap between them


class Timeline:
    """Columns of equal width over the time of some frames.

    Parameters
    ----------
    times : ndarray of datetime64, shape (n_frames,)
        UTC, ascending, at least one.
    n_most : int
        Most columns.

    Attributes
    ----------
    edges : ndarray of datetime64[us], shape (n_columns + 1,)
    cadence_s : float
        Median time between frames.
    """

    def __init__(self, times, n_most=1600):
        seconds = (times - times[0]) / np.timedelta64(1, "s")
        steps = np.diff(seconds)
        self.cadence_s = float(np.median(steps)) if steps.size else 3.0
        width_s = max(self.cadence_s, (seconds[-1] + self.cadence_s) / n_most)
        n_columns = int(seconds[-1] / width_s) + 1
        self.edges = times[0].astype("datetime64[us]") + np.round(
            np.arange(n_columns + 1) * width_s * 1e6
        ).astype("timedelta64[us]")
        self._column = (seconds / width_s).astype(np.int64)
        # Columns without a frame of their own, between frames that belong together.
        filled = np.zeros(n_columns, bool)
        filled[self._column] = True
        empty = np.flatnonzero(~filled)
        before = np.searchsorted(self._column, empty) - 1
        near = steps[before] < _GAP * self.cadence_s
        self._held, self._shown = empty[near], self._column[before[near]]

    def __len__(self):
        return len(self.edges) - 1

    @property
    def middles(self):
        """Times of the columns' middles, datetime64[us]."""
        return self.edges[:-1] + (self.edges[1:] - self.edges[:-1]) // 2

    def mean(self, values):
        """Mean of the frames in each column.

        Parameters
        ----------
        values : ndarray of shape (..., n_frames)
            NaN is left out.

        Returns
        -------
        ndarray of float32, shape (..., n_columns)
            NaN where there is nothing to show.
        """
        values = np.asarray(values)
        finite = np.isfinite(values)
        first = np.flatnonzero(np.diff(self._column, prepend=-1))
        n = np.add.reduceat(finite, first, axis=-1, dtype=np.int64)
        total = np.add.reduceat(np.where(finite, values, 0), first, axis=-1, dtype=np.float64)
        out = np.full((*values.shape[:-1], len(self)), np.nan, np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[..., self._column[first]] = total / n
        out[..., self._held] = out[..., self._shown]
        return out

    def most_frequent(self, codes, n_codes):
        """Most frequent code of the frames in each column.

        Parameters
        ----------
        codes : ndarray of int, shape (n_frames,)
            0 to n_codes - 1; others are left out.

        Returns
        -------
        ndarray of int8, shape (n_columns,)
            -1 where there is nothing to show; the lower code of two as frequent.
        """
        codes = np.asarray(codes)
        known = (codes >= 0) & (codes < n_codes)
        counts = np.bincount(self._column[known] * n_codes + codes[known], minlength=len(self) * n_codes)
        counts = counts.reshape(len(self), n_codes)
        out = np.where(counts.any(axis=1), counts.argmax(axis=1), -1).astype(np.int8)
        out[self._held] = out[self._shown]
        return out
