"""How cells vary in a window of time round each frame: spectra, patches, drifts, beats, reversals.

The kernels do one topic each and fill their own columns of one table; what one makes and another needs goes
from hand to hand here.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pulsaurora._core import _beats, _flow, _patches, _reversals, _spectra
from pulsaurora.pulsation.photons import GAIN, OFFSET, READ_VARIANCE
from pulsaurora.pulsation.table import STRUCTURE

# 6 to 40 s power twice photon noise is 3 sigma or more for one cell; 1 per cent is what an eye can follow.
SNR_THRESHOLD = 2.0
AMPLITUDE_THRESHOLD = 0.01
# Sliding sums start afresh at multiples of this; an UT hour holds a whole number of them.
ANCHOR_S = 180.0
# What changes little from frame to frame is worked out once for the frames of each of these, from the window
# about its middle; an UT minute holds a whole number of them.
SLOT_S = 20.0
REVERSAL_S = 120.0  # time in which cells turn from brightening to fading and back
BEAT_S = 60.0  # time in which a cell that beats both rises and falls
SHORTEST_PERIOD_S = 6.0
MEDIAN_COLUMN = [feature.name for feature in STRUCTURE].index("brightness_p50")


@dataclass(slots=True)
class Light:
    """What each frame's cells show, as windows need it.

    Attributes
    ----------
    inside : ndarray of shape (n, n_inside), float32, counts
        The cells inside alone.
    above : ndarray of shape (n, n_cells), float32, counts
        The same above the pedestal, closed up.
    logarithm, steepness : ndarray of shape (n, n_cells), float32, dex and dex a cell
        0 outside.
    """

    inside: np.ndarray
    above: np.ndarray
    logarithm: np.ndarray
    steepness: np.ndarray

    def __getitem__(self, which):
        """Frames by slice without a step."""
        return Light(self.inside[which], self.above[which], self.logarithm[which], self.steepness[which])

    @staticmethod
    def of(reduced):
        """Work it out for each frame of a Reduced."""
        cells, grid = reduced.cells, reduced.grid
        above, logarithm, steepness = (np.empty(cells.shape, np.float32) for _ in range(3))
        n_rows, n_cols = grid.cell_mask.shape
        scratch = np.empty(cells.shape[1], np.float32)
        _flow.fill_light(
            cells, reduced.structure, grid.place, grid.edge, n_rows, n_cols, OFFSET, scratch, above,
            logarithm, steepness,
        )  # fmt: skip
        return Light(cells.take(grid.place, axis=1), above, logarithm, steepness)


def modulation_rows(reduced, light, times_s, first, last, window_s, cadence_s, slot_s=SLOT_S):
    """Numbers of the window round each of frames first .. last - 1.

    Parameters
    ----------
    reduced : Reduced
    light : Light
        Of the same frames.
    times_s : ndarray of float64, shape (n,), seconds
        Its times, ascending, from some midnight.
    first, last : int
    window_s, cadence_s : float, seconds
    slot_s : float, seconds
        For which reversals are told once.

    Returns
    -------
    ndarray of float32, shape (last - first, n_modulation)
        Columns of pulsaurora.pulsation.table.MODULATION.
    """
    half_s = window_s / 2
    # Frames beyond the first and the last window are not looked at.
    reach = half_s + max(cadence_s, slot_s / 2 + 0.5 * cadence_s)
    low, high = np.searchsorted(times_s, (times_s[first] - reach, times_s[last - 1] + reach))
    times_s, first, last = times_s[low:high], first - low, last - low
    structure, grid, light = reduced.structure[low:high], reduced.grid, light[low:high]
    n, n_cells = light.above.shape
    n_rows, n_cols = grid.cell_mask.shape
    out = np.zeros((last - first, _spectra.N_MODULATION), np.float32)

    n_frequencies = int(round(window_s / SHORTEST_PERIOD_S))
    scratch, lists = _spectra.scratch_sizes(len(grid.place), n_cells, n_frequencies)
    usable = np.empty(len(out), np.uint8)
    pulsating = np.empty((len(out), n_cells), np.float32)
    _spectra.fill_spectra(
        times_s, light.inside, structure, grid.place, grid.is_low, n_rows, n_cols,
        first, last, half_s, cadence_s, ANCHOR_S, bands_of(window_s, n_frequencies), GAIN, READ_VARIANCE,
        grid.n_pixels, OFFSET, SNR_THRESHOLD, AMPLITUDE_THRESHOLD, np.empty((n, 2 * (n_frequencies + 2))),
        np.empty(scratch, np.float32), np.empty(lists, np.int32), usable, pulsating, out,
    )  # fmt: skip
    stack, seen = np.empty(n_cells, np.int32), np.empty(n_cells, np.uint8)
    _patches.fill_patches(pulsating, n_rows, n_cols, len(grid.place), stack, seen, out)

    n_arrays = max(_beats.N_BEAT_ARRAYS, _reversals.N_REVERSAL_ARRAYS)
    scratch = np.empty(max(n_arrays * n_cells, 6 * n_cols), np.float32)
    n_flow = _flow.flow_size(n_rows, n_cols)
    _flow.fill_flow(
        times_s, light.logarithm, grid.edge, n_rows, n_cols, first, last, half_s, cadence_s, usable, scratch,
        np.empty((n, n_flow), np.float32), np.empty(n_flow, np.float32), out,
    )  # fmt: skip
    _beats.fill_beats(
        times_s, light.above, light.steepness, structure, grid.background, grid.place, grid.edge, first, last,
        min(BEAT_S / 2, half_s) + 0.5 * cadence_s, GAIN, READ_VARIANCE, grid.n_pixels, OFFSET,
        np.empty(n, np.float32), scratch, out,
    )  # fmt: skip
    _reversals.fill_reversals(
        times_s, light.logarithm, light.above, structure, MEDIAN_COLUMN, grid.place, n_rows, n_cols, first,
        last, min(REVERSAL_S / 2, half_s) + 0.5 * cadence_s, slot_s, GAIN, READ_VARIANCE, grid.n_pixels,
        OFFSET, scratch, np.empty(3 * n_cells, np.int32), seen, out,
    )  # fmt: skip
    return out


@lru_cache(maxsize=16)
def bands_of(window_s, n_frequencies):
    """Band of each multiple of the lowest frequency: 0 above 40 s, then 20 to 40, 10 to 20, 6 to 10 s."""
    period = window_s / np.maximum(np.arange(n_frequencies + 1), 1)
    bands = (3 - np.searchsorted([10.0, 20.0, 40.0], period, side="left")).astype(np.int32)
    bands.flags.writeable = False
    return bands
