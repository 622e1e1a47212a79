"""Reversals: how often cells turn from brightening to fading and back within two minutes.

Called by pulsaurora.pulsation.modulation with checked arrays. A patch that pulsates turns time and again; an arc
that sweeps by, a cloud or an aircraft turns once or twice. The median of the sky is taken off each frame. Frames of
one slot of time share the numbers of the window about its middle.
Oracle: tests/naive_sky.py::reversal_row.
"""

from libc.math cimport floor, log10, sqrt
from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memcpy, memset

cdef extern from "_numeric.h" nogil:
    void pulsaurora_add(const float *values, float *out, int n)

cdef extern from "_regions.h" nogil:
    int pulsaurora_region(const float *inside, int n_rows, int n_cols, int start, int32_t *stack, uint8_t *seen,
                          double *elongation)

cdef extern from "_reversals.h" nogil:
    void pulsaurora_reversal_limits(const float *light, int n_frames, float offset, float gain, float read_variance,
                                    float six_sigma, float least, float *limit, int n)
    void pulsaurora_turn(const float *level, float sky, const float *limit, float *low, float *high,
                         int32_t *heading, int32_t *turns, int n)

cdef extern from "_modulation_columns.h" nogil:
    cdef enum:
        REVERSING_1, REVERSING_2, REVERSING_4, REVERSING_7, REVERSALS_MEAN, REVERSING_LARGEST, REVERSING_ALONE

N_REVERSAL_ARRAYS = 6  # scratch arrays of one number of 32 bits a cell
cdef double LEAST = 0.017373   # log10(e) x 0.04
cdef double DEX = 0.4342944819


def fill_reversals(const double[::1] times_s, const float[:, ::1] log_light, const float[:, ::1] light,
                   const float[:, ::1] structure, int median_column, const int32_t[::1] place, int n_rows,
                   int n_cols, Py_ssize_t first, Py_ssize_t last, double half_s, double slot_s, double gain,
                   double read_variance, int n_pixels, double offset, float[::1] scratch, int32_t[::1] counts,
                   uint8_t[::1] seen, float[:, ::1] out):
    """Fill the columns of reversals in one row for each of frames first .. last - 1.

    times_s (n,) ascending seconds; log_light (n, n_rows * n_cols) and light (n, >= cells inside) as of
    _flow.fill_light; structure (n, > median_column): noise ratio second, and the sky's median log light in
    median_column; place as of _flow.fill_light. Frames within half_s seconds of the middle of a frame's slot of
    slot_s seconds count. scratch (N_REVERSAL_ARRAYS * n_rows * n_cols,), counts (3 * n_rows * n_cols,) and seen
    (n_rows * n_cols,) are scratch; out is (last - first, N_MODULATION) float32.
    """
    cdef:
        Py_ssize_t f, low = 0, high = 0, n = times_s.shape[0]
        double slot = -1, middle
    if place.shape[0] == 0:
        return
    with nogil:
        for f in range(first, last):
            if f > first and floor(times_s[f] / slot_s) == slot:
                memcpy(&out[f - first, REVERSING_1], &out[f - first - 1, REVERSING_1], 7 * sizeof(float))
                continue
            slot = floor(times_s[f] / slot_s)
            middle = (slot + 0.5) * slot_s
            while low < f and times_s[low] < middle - half_s:
                low += 1
            while high < n and times_s[high] <= middle + half_s:
                high += 1
            describe_reversals(low, high, log_light, light, structure, median_column, &place[0], place.shape[0],
                               n_rows, n_cols, gain, read_variance, n_pixels, offset, &scratch[0], &counts[0],
                               &seen[0], &out[f - first, 0])


cdef void describe_reversals(Py_ssize_t low, Py_ssize_t high, const float[:, ::1] log_light,
                             const float[:, ::1] light, const float[:, ::1] structure, int median_column,
                             const int32_t *place, int n_inside, int n_rows, int n_cols, double gain,
                             double read_variance, int n_pixels, double offset, float *scratch, int32_t *counts,
                             uint8_t *seen, float *out) noexcept nogil:
    cdef:
        Py_ssize_t g
        int n = n_rows * n_cols, c, k, size, largest = 0, alone = 0, n_reversing = 0, total = 0
        int[4] at_least = [0, 0, 0, 0]
        float *mean = scratch
        float *few = scratch + n
        float *limit = scratch + 2 * n
        float *lowest = scratch + 3 * n
        float *highest = scratch + 4 * n
        float *reversing = scratch + 5 * n
        int32_t *heading = counts
        int32_t *turns = counts + n
        int32_t *stack = counts + 2 * n
        double ratio = 0, elongation
    for c in range(REVERSING_1, REVERSING_1 + 7):
        out[c] = 0
    if high - low < 5:
        return
    memset(mean, 0, n * sizeof(float))
    for g in range(low, high):
        pulsaurora_add(&light[g, 0], mean, n_inside)
        ratio += structure[g, 1]
    ratio /= high - low
    pulsaurora_reversal_limits(mean, <int>(high - low), <float>offset, <float>gain, <float>read_variance,
                               <float>(6 * DEX * ratio / sqrt(n_pixels)), <float>LEAST, few, n_inside)
    # Cells outside never turn.
    for c in range(n):
        limit[c] = <float>1e30
        lowest[c] = <float>1e30
        highest[c] = <float>-1e30
        reversing[c] = 0
    for c in range(n_inside):
        limit[place[c]] = few[c]
    memset(counts, 0, 2 * n * sizeof(int32_t))
    memset(seen, 0, n)
    for g in range(low, high):
        pulsaurora_turn(&log_light[g, 0], structure[g, median_column], limit, lowest, highest, heading, turns, n)
    for c in range(n_inside):
        # The first turn is where a cell sets out.
        k = turns[place[c]] - 1
        at_least[0] += k >= 1
        at_least[1] += k >= 2
        at_least[2] += k >= 4
        at_least[3] += k >= 7
        if k >= 2:
            n_reversing += 1
            total += k
            reversing[place[c]] = 1
    for c in range(n):
        if reversing[c] != 0 and not seen[c]:
            size = pulsaurora_region(reversing, n_rows, n_cols, c, stack, seen, &elongation)
            largest = max(largest, size)
            alone += size == 1
    for c in range(4):
        out[REVERSING_1 + c] = log10(<double>at_least[c] / n_inside + 0.003)
    out[REVERSALS_MEAN] = log10(1.0 + <double>total / n_reversing) if n_reversing else 0.0
    out[REVERSING_LARGEST] = log10(<double>largest / n_inside + 0.003)
    out[REVERSING_ALONE] = <double>alone / n_reversing if n_reversing else 0.0
