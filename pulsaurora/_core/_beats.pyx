"""Beats: how far cells both rise and fall within a minute, and where in the sky they do.

Called by pulsaurora.pulsation.modulation with checked arrays. Brightness is relative to each cell's mean over that
time; the sky's common part and the cell's own straight line are taken off. A time gap shows as fewer samples.
Oracle: tests/naive_sky.py::modulation_row.
"""

from libc.math cimport sqrt
from libc.stdint cimport int32_t
from libc.string cimport memset

cdef extern from "_numeric.h" nogil:
    double pulsaurora_correlation(const float *x, const float *y, int n)
    void pulsaurora_add(const float *values, float *out, int n)
    void pulsaurora_add_scaled(const float *y, float factor, float *out, int n)
    void pulsaurora_log_light(const float *light, float offset, float *out, int n)

cdef extern from "_relief.h" nogil:
    void pulsaurora_relief(const float *basis, float *values, float *clipped, int n)

cdef extern from "_beats.h" nogil:
    float pulsaurora_common_mode(const float *light, const float *mean, const float *inverse, float *y, int n)
    void pulsaurora_beats(const float *mean, const float *inverse, const float *fall, float gain, float read_variance,
                          float six_sigma, float weak, float strong, float *rise, int *n_weak, int *n_strong, int n)
    void pulsaurora_swing(const float *light, const float *mean, const float *inverse, const float *slope, float tau,
                          float common, float *lowest, float *highest, float *rise, float *fall, int n)

cdef extern from "_modulation_columns.h" nogil:
    cdef enum:
        BEAT_04, BEAT_16, BEAT_ON_EDGES, BEAT_ON_BRIGHT

N_BEAT_ARRAYS = 9  # scratch arrays of one float a cell


def fill_beats(const double[::1] times_s, const float[:, ::1] light, const float[:, ::1] steep,
               const float[:, ::1] structure, const float[:, ::1] background, const int32_t[::1] place,
               const float[::1] edge, Py_ssize_t first, Py_ssize_t last, double half_s, double gain,
               double read_variance, int n_pixels, double offset, float[::1] common, float[::1] scratch,
               float[:, ::1] out):
    """Fill the columns of beats in one row for each of frames first .. last - 1, from frames within half_s seconds.

    times_s (n,) ascending seconds; light, steep, place and edge as of _flow.fill_light; structure (n, >= 2): pedestal
    and noise ratio first; background (7, cells inside) as in _structure. common (n,) and scratch (N_BEAT_ARRAYS *
    cells,) are scratch; out is (last - first, N_MODULATION) float32.
    """
    cdef:
        Py_ssize_t n = times_s.shape[0], f, low = 0, high = 0
        int n_mask = place.shape[0], m = edge.shape[0]
    if n_mask == 0:
        return
    with nogil:
        for f in range(first, last):
            while times_s[low] < times_s[f] - half_s:
                low += 1
            while high < n and times_s[high] <= times_s[f] + half_s:
                high += 1
            describe_beats(f, low, high, times_s, light, steep, structure, background, &place[0], &edge[0],
                           n_mask, m, gain, read_variance, n_pixels, offset, &common[0], &scratch[0],
                           &out[f - first, 0])


cdef void describe_beats(Py_ssize_t f, Py_ssize_t low, Py_ssize_t high, const double[::1] times_s,
                         const float[:, ::1] light, const float[:, ::1] steep, const float[:, ::1] structure,
                         const float[:, ::1] background, const int32_t *place,
                         const float *edge, int n_mask, int m, double gain, double read_variance, int n_pixels,
                         double offset, float *common, float *extra, float *out) noexcept nogil:
    """How far each cell both rises and falls in frames low .. high - 1, and where in the sky it does."""
    cdef:
        Py_ssize_t g
        int n = high - low, c, q = 0, n_weak = 0, n_strong = 0
        float *mean = extra
        float *inverse = extra + m
        float *slope = extra + 2 * m
        float *lowest = extra + 3 * m
        float *highest = extra + 4 * m
        float *rise = extra + 5 * m
        float *fall = extra + 6 * m
        float *y = extra + 7 * m
        float *steepness = extra + 8 * m
        float common_log
        double tau, sum_t = 0, sum_tt = 0, ratio = 0, common_slope = 0
    if n < 5 or n_mask == 0:
        return
    memset(mean, 0, m * sizeof(float))
    memset(slope, 0, m * sizeof(float))
    memset(steepness, 0, m * sizeof(float))
    for g in range(low, high):
        tau = times_s[g] - times_s[f]
        sum_t += tau
        sum_tt += tau * tau
        ratio += structure[g, 1]
        pulsaurora_add(&light[g, 0], mean, n_mask)
        pulsaurora_add(&steep[g, 0], steepness, m)
    sum_t /= n
    sum_tt -= n * sum_t * sum_t
    ratio /= n
    if sum_tt <= 0:
        return
    for c in range(n_mask):
        mean[c] = mean[c] / n
        inverse[c] = <float>(1 / (mean[c] + offset))
    for g in range(low, high):
        common[g - low] = pulsaurora_common_mode(&light[g, 0], mean, inverse, y, n_mask)
        tau = times_s[g] - times_s[f] - sum_t
        pulsaurora_add_scaled(y, <float>(tau / sum_tt), slope, n_mask)
        common_slope += tau / sum_tt * common[g - low]
    for c in range(n_mask):
        slope[c] -= <float>common_slope
    memset(rise, 0, 2 * m * sizeof(float))
    for c in range(n_mask):
        lowest[c] = 1e30
        highest[c] = -1e30
    for g in range(low, high):
        pulsaurora_swing(&light[g, 0], mean, inverse, slope, <float>(times_s[g] - times_s[f] - sum_t), common[g - low],
                         lowest, highest, rise, fall, n_mask)
    pulsaurora_beats(mean, inverse, fall, <float>gain, <float>read_variance, <float>(6 * ratio / sqrt(n_pixels)),
                     <float>0.04, <float>0.16, rise, &n_weak, &n_strong, n_mask)
    out[BEAT_04] = <float>n_weak / n_mask
    out[BEAT_16] = <float>n_strong / n_mask
    pulsaurora_log_light(rise, <float>1e-3, fall, n_mask)
    for c in range(n_mask):
        if edge[place[c]] != 0:
            y[q] = steepness[place[c]] / n
            highest[q] = fall[c]
            q += 1
    pulsaurora_log_light(y, <float>1e-3, lowest, q)
    out[BEAT_ON_EDGES] = pulsaurora_correlation(highest, lowest, q)
    pulsaurora_log_light(mean, <float>offset, y, n_mask)
    # A number near all of them taken off first leaves more digits to the rest.
    common_log = y[0]
    for c in range(n_mask):
        y[c] -= common_log
    pulsaurora_relief(&background[0, 0], y, rise, n_mask)
    out[BEAT_ON_BRIGHT] = pulsaurora_correlation(fall, y, n_mask)
