"""How each cell's brightness varies in a window of time, and how the cells vary together.

Called by pulsaurora.pulsation.reduction with checked arrays. A window holds the frames within half_window_s of
its centre, at their true times. For each cell a straight line is taken off, a Hann taper put on, and
the spectrum read at multiples of 1 / (2 half_window_s). The sums behind it slide: a frame is added
when it enters and taken away when it leaves, and every anchor_s seconds of absolute time they start
afresh, so that rounding cannot grow and a night gives the same bits however it is cut at anchors.
A time gap shows as fewer samples. Oracle: tests/naive_sky.py::modulation_row.
"""

from libc.math cimport sqrt, sqrtf, cos, sin, floor, fabsf, log10, log, exp, M_PI
from libc.stdint cimport uint8_t, int32_t
from libc.string cimport memset, memcpy

cdef extern from "_numeric.h" nogil:
    float pulsaurora_log10f(float x)
    float pulsaurora_select(const float *values, int n, int k)
    float pulsaurora_weighted_sum(const float *values, const float *weight, int n)
    double pulsaurora_correlation(const float *x, const float *y, int n)

cdef extern from "_modulation.h" nogil:
    void pulsaurora_local_flow(const float *one, const float *two, const float *edge, int n_rows, int n_cols,
                               float inverse_dt, float *columns, float *sums)
    void pulsaurora_light(const float *frame, const int32_t *place, float pedestal, float *out, int n)
    void pulsaurora_log_light(const float *light, float offset, float *out, int n)
    void pulsaurora_steepness(const float *field, const float *edge, float *out, int n_rows, int n_cols)
    void pulsaurora_add(const float *values, float *out, int n)
    float pulsaurora_common_mode(const float *light, const float *mean, const float *inverse, float *y, int n)
    void pulsaurora_beats(const float *mean, const float *inverse, const float *fall, float gain, float read_variance,
                          float six_sigma, float weak, float strong, float *rise, int *n_weak, int *n_strong, int n)
    void pulsaurora_swing(const float *light, const float *mean, const float *inverse, const float *slope, float tau,
                          float common, float *lowest, float *highest, float *rise, float *fall, int n)

cdef extern from "_relief.h" nogil:
    void pulsaurora_relief(const float *basis, float *values, float *clipped, int n)

cdef extern from "_regions.h" nogil:
    int pulsaurora_region(const float *inside, int n_rows, int n_cols, int start, int32_t *stack, uint8_t *seen,
                          double *elongation)

cdef extern from "_modulation.h" nogil:
    void pulsaurora_deviation(const float *frame, const float *reference, float sign, float *out, int n)
    void pulsaurora_accumulate(const float *y, float er, float ei, float *re, float *im, int n)
    void pulsaurora_add_scaled(const float *y, float factor, float *out, int n)
    void pulsaurora_fit_line(const float *sum_y, const float *sum_ty, float count, float sum_t,
                             float inverse_determinant, float *a, float *b, int n)
    void pulsaurora_taper(const float *r0, const float *i0, const float *r1, const float *i1, const float *r2,
                          const float *i2, float cp, float sp, const float *a, const float *b, float wr, float wi,
                          float vr, float vi, float *xr, float *xi, float *power, int n)
    void pulsaurora_track_peak(const float *power, float k, float *band, float *peak, float *peak_k, int n)
    void pulsaurora_cross(const float *ur, const float *ui, const float *vr, const float *vi, const float *gu,
                          const float *gv, float *re, float *im, int n)
    void pulsaurora_cross_each(const float *ur, const float *ui, const float *vr, const float *vi, const float *gu,
                               const float *gv, float *re, float *im, int n)
    void pulsaurora_row_sums(const float *rows, int n_rows, int n, double *sums)
    void pulsaurora_moments(const float *frame, const float *reference, const float *a, const float *b, float tau,
                            float first, float *above, float *m2, float *m3, float *m4, float *up,
                            float *crossings, int n)

# Columns of the output, in the order of pulsaurora.pulsation.table.MODULATION.
cdef enum:
    FILLED, LARGEST_GAP
    FRAC_MODULATED, FRAC_PULSATING, FRAC_STRONG
    EXCESS_P50, EXCESS_P90, EXCESS_P98, AMPLITUDE_P50, AMPLITUDE_P90, AMPLITUDE_P98
    BAND_40_120, BAND_20_40, BAND_10_20, BAND_6_10
    FLATNESS, PERIOD, PERIOD_PROMINENCE, PERIOD_SPREAD
    SKEWNESS, KURTOSIS, DUTY_CYCLE, CROSSINGS
    COHERENCE_NEAR, COHERENCE_FAR, COHERENCE_SKY, MOTION, PROPAGATION
    N_PATCHES, PATCH_SIZE, PATCH_LARGEST, PATCH_ELONGATION, ISOLATED, LOW_FRACTION, CONCENTRATION
    TREND, TREND_P90, SLOW_AMPLITUDE_P90, SKY_AMPLITUDE
    FLOW_EXPLAINED, FLOW_SPEED, CHANGE
    FLOW_LOCAL_EXPLAINED, FLOW_LOCAL_SPEED
    BEAT_04, BEAT_16, BEAT_ON_EDGES, BEAT_ON_BRIGHT
    N_COLUMNS

N_MODULATION = N_COLUMNS

cdef enum:
    N_CELL_ARRAYS = 24  # scratch arrays of one float a cell, beside the spectra
    N_BEAT_ARRAYS = 9
    LAG = 2             # frames between which motion is measured: long enough to move, short enough to follow


def scratch_size(int n_cells, int n_frequencies):
    """Floats of scratch that fill_modulation needs."""
    return n_cells * (2 * (n_frequencies + 2) + 2 * (n_frequencies + 1) + max(n_frequencies + 1, N_BEAT_ARRAYS) + N_CELL_ARRAYS)


def flow_size(int n_rows, int n_cols):
    """Numbers a frame that fill_modulation keeps of motion: six sums a region, and the cells they are over."""
    return 6 * flow_regions(n_rows, n_cols) + 1


cdef int flow_regions(int n_rows, int n_cols) noexcept nogil:
    # The last three columns are empty.
    return (n_rows + 4) // 5 * ((n_cols + 1) // 5)


cdef void add_frame(const float *frame, const float *reference, float sign, double tau, const double *phases,
                    int n_sums, float *y, float *re, float *im, float *sum_ty, int n) noexcept nogil:
    """Add one frame to the sums, or with sign -1 take it away."""
    cdef int k
    pulsaurora_deviation(frame, reference, sign, y, n)
    for k in range(n_sums):
        pulsaurora_accumulate(y, <float>phases[2 * k], <float>phases[2 * k + 1], re + k * n, im + k * n, n)
    pulsaurora_add_scaled(y, <float>tau, sum_ty, n)


cdef void fill_phases(double tau, double period, int n_sums, double *phases) noexcept nogil:
    """exp(-2 pi i k tau / period) for k = 0 .. n_sums - 1, by repeated multiplication."""
    cdef double c = cos(2 * M_PI * tau / period), s = -sin(2 * M_PI * tau / period), re = 1, im = 0, t
    cdef int k
    for k in range(n_sums):
        phases[2 * k] = re
        phases[2 * k + 1] = im
        t = re * c - im * s
        im = re * s + im * c
        re = t


cdef bint solve_flow(double xx, double yy, double xy, double xt, double yt, double *u, double *v) noexcept nogil:
    """The motion, in cells a second, that explains most of the change; False where none can be told."""
    cdef double determinant = xx * yy - xy * xy
    if determinant <= 1e-6 * xx * yy + 1e-30:
        return False
    u[0] = (-xt * yy + yt * xy) / determinant
    v[0] = (-yt * xx + xt * xy) / determinant
    return True


cdef void describe_flow(const float *sums, int n_regions, float *out) noexcept nogil:
    """One motion for the whole sky, and one for each region."""
    cdef double[6] sky
    cdef double u, v, explained = 0, speed = 0
    cdef int k, r
    for k in range(6):
        sky[k] = 0
        for r in range(n_regions):
            sky[k] += sums[k * n_regions + r]
    if sums[6 * n_regions] <= 0:
        return
    out[CHANGE] = log10(1e-4 + sqrt(sky[5] / sums[6 * n_regions]))
    if solve_flow(sky[0], sky[1], sky[2], sky[3], sky[4], &u, &v):
        out[FLOW_SPEED] = log10(1e-3 + sqrt(u * u + v * v))
        out[FLOW_EXPLAINED] = -(u * sky[3] + v * sky[4]) / sky[5] if sky[5] > 0 else 0
    if sky[5] <= 0:
        return
    for r in range(n_regions):
        if solve_flow(sums[r], sums[n_regions + r], sums[2 * n_regions + r], sums[3 * n_regions + r],
                      sums[4 * n_regions + r], &u, &v):
            explained -= u * sums[3 * n_regions + r] + v * sums[4 * n_regions + r]
            speed += sqrt(u * u + v * v) * sums[5 * n_regions + r]
    out[FLOW_LOCAL_EXPLAINED] = explained / sky[5]
    out[FLOW_LOCAL_SPEED] = log10(1e-3 + speed / sky[5])


cdef int label_patches(const float *inside, int n_rows, int n_cols, int32_t *stack, uint8_t *seen, int n_mask,
                       float *out) noexcept nogil:
    """Count patches of touching cells (four neighbours) of two cells or more, and describe them."""
    cdef int n = n_rows * n_cols, k, size, n_patches = 0, n_inside = 0, n_alone = 0, largest = 0
    cdef double shape, elongation = 0, weight = 0
    memset(seen, 0, n)
    for k in range(n):
        if inside[k] == 0 or seen[k]:
            continue
        size = pulsaurora_region(inside, n_rows, n_cols, k, stack, seen, &shape)
        n_inside += size
        if size < 2:
            n_alone += 1
            continue
        n_patches += 1
        if size > largest:
            largest = size
        elongation += size * shape
        weight += size
    out[N_PATCHES] = log10(1.0 + n_patches)
    out[PATCH_SIZE] = <float>weight / n_patches / n_mask if n_patches else 0
    out[PATCH_LARGEST] = <float>largest / n_mask
    out[PATCH_ELONGATION] = elongation / weight if weight > 0 else 0
    out[ISOLATED] = <float>n_alone / n_inside if n_inside else 0
    return n_patches


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


def fill_modulation(const double[::1] times_s, const float[:, ::1] cells, const float[:, ::1] structure,
                    const uint8_t[::1] mask, int n_rows, int n_cols,
                    Py_ssize_t first, Py_ssize_t last,
                    double half_window_s, double cadence_s, double anchor_s,
                    const int32_t[::1] band_of, double gain, double read_variance, int n_pixels,
                    double offset, double snr_threshold, double amplitude_threshold,
                    double beat_half_s, const float[:, ::1] background,
                    float[:, ::1] log_cells, float[:, ::1] light, float[:, ::1] steep, float[::1] common,
                    double[:, ::1] phases, float[:, ::1] flow, float[::1] motion, int32_t[::1] place,
                    float[::1] scratch, int32_t[::1] stack, uint8_t[::1] seen, float[:, ::1] out):
    """Fill one row of modulation numbers for each of frames first .. last - 1.

    times_s (n,) ascending seconds; cells (n, n_rows * n_cols) counts, zero outside the mask (mask: 1
    inside, 2 inside and low in the sky, 0 outside, and 0 in at least the last three columns);
    structure (n, >= 2): pedestal and noise ratio first; band_of (n_frequencies + 1,): the band of each multiple of
    the lowest frequency, 0 slow to 3 fast (index 0 unused). beat_half_s is half the time in which beats are
    looked for; background (7, cells inside) as in _structure. log_cells, light and steep (n, cells), common (n,),
    place (cells,), phases
    (n, 2 * (n_frequencies + 2)), flow (n, flow_size), motion (flow_size,), scratch (scratch_size,), stack and
    seen (cells,) are scratch.
    out is (last - first, N_MODULATION) float32.
    """
    cdef:
        Py_ssize_t n = times_s.shape[0], f, low = 0, high = 0, g, new_low, new_high
        int m = n_rows * n_cols, k, c, n_frequencies = band_of.shape[0] - 1, n_sums = n_frequencies + 2
        int n_mask = 0, n_low_mask = 0, n_edge = 0, first_fast = n_frequencies + 1
        int n_regions = flow_regions(n_rows, n_cols)
        float *re = &scratch[0]
        float *im = re + n_sums * m
        float *xr = im + n_sums * m
        float *xi = xr + (n_frequencies + 1) * m
        float *power = xi + (n_frequencies + 1) * m
        float *extra = power + max(n_frequencies + 1, N_BEAT_ARRAYS) * m
        float *edge = extra + 22 * m
        double anchor = -1, tau0 = 0, block, half = half_window_s + 0.5 * cadence_s, dt
        double beat_half = min(beat_half_s, half_window_s) + 0.5 * cadence_s
        Py_ssize_t beat_low, beat_high
    if n == 0 or m == 0 or last <= first:
        return
    with nogil:
        for c in range(m):
            if mask[c]:
                place[n_mask] = c
                n_mask += 1
                if mask[c] == 2:
                    n_low_mask += 1
        for k in range(n_frequencies, 0, -1):
            if band_of[k] > 0:
                first_fast = k
        # Where gradients can be told: cells whose four neighbours are inside too.
        for k in range(m):
            edge[k] = 0
            if n_cols <= k < m - n_cols and 0 < k % n_cols < n_cols - 1:
                if mask[k] and mask[k - 1] and mask[k + 1] and mask[k - n_cols] and mask[k + n_cols]:
                    edge[k] = 1
            n_edge += edge[k] > 0
        for f in range(n):
            pulsaurora_light(&cells[f, 0], &place[0], structure[f, 0], &light[f, 0], n_mask)
            pulsaurora_log_light(&light[f, 0], <float>offset, power, n_mask)
            memset(&log_cells[f, 0], 0, m * sizeof(float))
            for c in range(n_mask):
                log_cells[f, place[c]] = power[c]
            pulsaurora_steepness(&log_cells[f, 0], edge, &steep[f, 0], n_rows, n_cols)
        for f in range(n):
            memset(&flow[f, 0], 0, (6 * n_regions + 1) * sizeof(float))
            if f + LAG < n:
                dt = times_s[f + LAG] - times_s[f]
                if dt > 0 and dt < (LAG + 1.5) * cadence_s:
                    pulsaurora_local_flow(&log_cells[f, 0], &log_cells[f + LAG, 0], edge, n_rows, n_cols,
                                          <float>(1 / dt), power, &flow[f, 0])
                    flow[f, 6 * n_regions] = n_edge

        for f in range(first, last):
            new_low = low
            while times_s[new_low] < times_s[f] - half:
                new_low += 1
            new_high = high
            while new_high < n and times_s[new_high] <= times_s[f] + half:
                new_high += 1
            block = floor(times_s[f] / anchor_s)
            if block != anchor or new_low > high:
                anchor = block
                # Times count from here, so that phases stay small and round alike however long the night.
                tau0 = times_s[f]
                memset(re, 0, 2 * n_sums * m * sizeof(float))
                memset(extra + m, 0, m * sizeof(float))
                memcpy(extra, &cells[f, 0], m * sizeof(float))
                for g in range(new_low, new_high):
                    fill_phases(times_s[g] - tau0, 2 * half_window_s, n_sums, &phases[g, 0])
                    add_frame(&cells[g, 0], extra, 1, times_s[g] - tau0, &phases[g, 0], n_sums, extra + 2 * m,
                              re, im, extra + m, m)
            else:
                for g in range(low, new_low):
                    add_frame(&cells[g, 0], extra, -1, times_s[g] - tau0, &phases[g, 0], n_sums, extra + 2 * m,
                              re, im, extra + m, m)
                for g in range(high, new_high):
                    fill_phases(times_s[g] - tau0, 2 * half_window_s, n_sums, &phases[g, 0])
                    add_frame(&cells[g, 0], extra, 1, times_s[g] - tau0, &phases[g, 0], n_sums, extra + 2 * m,
                              re, im, extra + m, m)
            low = new_low
            high = new_high
            one_window(f, low, high, times_s, cells, structure, &mask[0], n_rows, n_cols, n_mask, n_low_mask,
                       half_window_s, cadence_s, tau0, &band_of[0], n_frequencies, first_fast,
                       gain, read_variance, n_pixels, offset, snr_threshold, amplitude_threshold,
                       phases, flow, motion, re, im, xr, xi, power, extra, &stack[0], &seen[0], &out[f - first, 0])
            beat_low = low
            while times_s[beat_low] < times_s[f] - beat_half:
                beat_low += 1
            beat_high = f + 1
            while beat_high < high and times_s[beat_high] <= times_s[f] + beat_half:
                beat_high += 1
            # The spectra are done with: their room serves.
            describe_beats(f, beat_low, beat_high, times_s, light, steep, structure, background, &place[0], edge,
                           n_mask, m, gain, read_variance, n_pixels, offset, &common[0], power,
                           &out[f - first, 0])


cdef void one_window(Py_ssize_t f, Py_ssize_t low, Py_ssize_t high, const double[::1] times_s,
                     const float[:, ::1] cells, const float[:, ::1] structure, const uint8_t *mask,
                     int n_rows, int n_cols, int n_mask, int n_low_mask,
                     double half_window_s, double cadence_s, double tau0, const int32_t *band_of,
                     int n_frequencies, int first_fast, double gain, double read_variance, int n_pixels,
                     double offset, double snr_threshold, double amplitude_threshold,
                     double[:, ::1] phases, float[:, ::1] flow, float[::1] motion,
                     float *re, float *im, float *xr, float *xi, float *power, float *extra,
                     int32_t *stack, uint8_t *seen, float *out) noexcept nogil:
    cdef:
        int m = n_rows * n_cols, k, c, n_sums = n_frequencies + 2, n_modulated = 0, n_pulsating = 0, n_strong = 0
        int n_low_modulated = 0, n_pairs = 0, n_pairs_far = 0, n_fast = n_frequencies - first_fast + 1, q
        Py_ssize_t g, n = high - low
        float *reference = extra
        float *sum_ty = extra + m
        float *a = extra + 3 * m
        float *b = extra + 4 * m
        float *slow = extra + 5 * m
        float *fast = extra + 6 * m
        float *peak = extra + 7 * m
        float *peak_k = extra + 8 * m
        float *weight = extra + 9 * m
        float *unit = extra + 10 * m
        float *modulated = extra + 11 * m
        float *pulsating = extra + 12 * m
        float *values = extra + 13 * m
        float *others = extra + 14 * m
        float *m2 = extra + 15 * m
        float *m3 = extra + 16 * m
        float *m4 = extra + 17 * m
        float *up = extra + 18 * m
        float *crossings = extra + 19 * m
        float *above = extra + 20 * m
        float *relative = extra + 21 * m
        double tau, sum_t = 0, sum_tt = 0, determinant, pedestal = 0, ratio = 0, gap = 0, w, sum_w = 0, sum_w2 = 0
        double cp, sp, theta, wr, wi, vr, vi, noise, level, excess, amplitude, slow_amplitude, total
        double[3] top3
        double[4] bands
        double[64] spectrum
        double[64] sums_re
        double[64] sums_im
        double flatness, arithmetic, log_k, log_k2, prominence, period, x, mean_level = 0, sky, trend
        int n_regions = flow_regions(n_rows, n_cols)
        double ar, ai, br, bi
        float r3 = 0, i3 = 0, r4 = 0, i4 = 0
        double scale, nominal = 2 * half_window_s / cadence_s

    memset(out, 0, N_COLUMNS * sizeof(float))
    for g in range(low, high):
        tau = times_s[g] - tau0
        sum_t += tau
        sum_tt += tau * tau
        pedestal += structure[g, 0]
        ratio += structure[g, 1]
        theta = M_PI * (times_s[g] - times_s[f]) / half_window_s
        w = 0.5 + 0.5 * cos(theta)
        sum_w += w
        sum_w2 += w * w
        if g > low and times_s[g] - times_s[g - 1] > gap:
            gap = times_s[g] - times_s[g - 1]
    pedestal /= n
    ratio /= n
    # What is missing at either end of the window is a gap too.
    gap = max(gap, max(times_s[low] - (times_s[f] - half_window_s), times_s[f] + half_window_s - times_s[high - 1]))
    out[FILLED] = min(<double>n / (nominal + 1), 1.0)
    out[LARGEST_GAP] = min(gap, half_window_s)
    determinant = n * sum_tt - sum_t * sum_t
    # Five samples are the least from which a line and anything beyond it can be told.
    if n < 5 or determinant <= 0 or n_mask == 0:
        return
    pulsaurora_fit_line(re, sum_ty, <float>n, <float>sum_t, <float>(1 / determinant), a, b, m)

    cp = cos(M_PI * (times_s[f] - tau0) / half_window_s)
    sp = sin(M_PI * (times_s[f] - tau0) / half_window_s)
    memset(slow, 0, 2 * m * sizeof(float))
    memset(peak, 0, 2 * m * sizeof(float))
    for k in range(1, n_frequencies + 1):
        wr = wi = vr = vi = 0
        for g in range(low, high):
            tau = times_s[g] - tau0
            w = 0.5 + 0.5 * cos_of(times_s[g] - times_s[f], half_window_s, &phases[g, 0], cp, sp)
            wr += w * phases[g, 2 * k]
            wi += w * phases[g, 2 * k + 1]
            vr += w * tau * phases[g, 2 * k]
            vi += w * tau * phases[g, 2 * k + 1]
        pulsaurora_taper(re + (k - 1) * m, im + (k - 1) * m, re + k * m, im + k * m, re + (k + 1) * m, im + (k + 1) * m,
                         <float>cp, <float>sp, a, b, <float>wr, <float>wi, <float>vr, <float>vi,
                         xr + k * m, xi + k * m, power + k * m, m)
        if band_of[k] == 0:
            pulsaurora_add_scaled(power + k * m, 1, slow, m)
        else:
            pulsaurora_track_peak(power + k * m, <float>k, fast, peak, peak_k, m)

    # Per cell: power against photon noise, rms relative to brightness, and who counts as modulated.
    scale = 2 / (nominal * sum_w2)
    total = 0
    top3[0] = top3[1] = top3[2] = 0
    q = 0
    trend = 0
    for c in range(m):
        modulated[c] = pulsating[c] = weight[c] = unit[c] = relative[c] = 0
        if not mask[c]:
            continue
        level = reference[c] + a[c] + b[c] * (times_s[f] - tau0) - pedestal
        if level < 0:
            level = 0
        noise = ratio * ratio * (gain * level + read_variance) / n_pixels * sum_w2
        excess = fast[c] / (n_fast * noise)
        amplitude = (fast[c] - n_fast * noise) * scale
        amplitude = sqrt(amplitude) / (level + offset) if amplitude > 0 else 0
        slow_amplitude = (slow[c] - (first_fast - 1) * noise) * scale
        slow_amplitude = sqrt(slow_amplitude) / (level + offset) if slow_amplitude > 0 else 0
        mean_level += level
        trend += b[c]
        values[q] = <float>excess
        others[q] = <float>amplitude
        m2[q] = <float>slow_amplitude
        m3[q] = <float>(fabsf(b[c]) * 60 / (level + offset))
        q += 1
        x = amplitude * amplitude
        total += x
        if x > top3[0]:
            top3[2] = top3[1]
            top3[1] = top3[0]
            top3[0] = x
        elif x > top3[1]:
            top3[2] = top3[1]
            top3[1] = x
        elif x > top3[2]:
            top3[2] = x
        relative[c] = <float>(1 / (level + offset))
        if excess > snr_threshold and amplitude > amplitude_threshold:
            modulated[c] = 1
            n_modulated += 1
            if mask[c] == 2:
                n_low_modulated += 1
            weight[c] = relative[c] * relative[c]
            unit[c] = <float>(1 / sqrt(fast[c]))
            if amplitude > slow_amplitude:
                pulsating[c] = 1
                n_pulsating += 1
                if amplitude > 5 * amplitude_threshold and excess > 2 * snr_threshold:
                    n_strong += 1
    mean_level /= n_mask
    out[FRAC_MODULATED] = <float>n_modulated / n_mask
    out[FRAC_PULSATING] = <float>n_pulsating / n_mask
    out[FRAC_STRONG] = <float>n_strong / n_mask
    out[EXCESS_P50] = log10(0.1 + pulsaurora_select(values, q, q // 2))
    out[EXCESS_P90] = log10(0.1 + pulsaurora_select(values, q, (90 * q) // 100))
    out[EXCESS_P98] = log10(0.1 + pulsaurora_select(values, q, (98 * q) // 100))
    out[AMPLITUDE_P50] = log10(1e-3 + pulsaurora_select(others, q, q // 2))
    out[AMPLITUDE_P90] = log10(1e-3 + pulsaurora_select(others, q, (90 * q) // 100))
    out[AMPLITUDE_P98] = log10(1e-3 + pulsaurora_select(others, q, (98 * q) // 100))
    out[SLOW_AMPLITUDE_P90] = log10(1e-3 + pulsaurora_select(m2, q, (90 * q) // 100))
    out[TREND_P90] = log10(1e-3 + pulsaurora_select(m3, q, (90 * q) // 100))
    out[TREND] = trend / n_mask * 60 / (mean_level + offset)
    out[CONCENTRATION] = (top3[0] + top3[1] + top3[2]) / total if total > 0 else 0
    out[LOW_FRACTION] = <float>n_low_modulated / n_modulated if n_modulated else 0

    # How the sky as a whole goes up and down, relative to its mean brightness.
    sky = 0
    pulsaurora_row_sums(xr + first_fast * m, n_fast, m, sums_re)
    pulsaurora_row_sums(xi + first_fast * m, n_fast, m, sums_im)
    for k in range(n_fast):
        sky += sums_re[k] * sums_re[k] + sums_im[k] * sums_im[k]
    out[SKY_AMPLITUDE] = log10(1e-3 + sqrt(sky * scale) / n_mask / (mean_level + offset))

    memset(&motion[0], 0, (6 * n_regions + 1) * sizeof(float))
    for g in range(low, high):
        if times_s[g] + LAG * cadence_s * 0.99 > times_s[f] + half_window_s:
            break
        pulsaurora_add(&flow[g, 0], &motion[0], 6 * n_regions + 1)
    describe_flow(&motion[0], n_regions, out)

    label_patches(pulsating, n_rows, n_cols, stack, seen, n_mask, out)
    if n_modulated == 0:
        return

    # The spectrum of the modulated cells, relative to their brightness, photon noise taken off.
    memset(bands, 0, 4 * sizeof(double))
    noise = 0
    for c in range(m):
        if modulated[c] != 0:
            level = 1 / relative[c] - offset
            noise += weight[c] * ratio * ratio * (gain * level + read_variance) / n_pixels * sum_w2
    total = 0
    for k in range(1, n_frequencies + 1):
        x = pulsaurora_weighted_sum(power + k * m, weight, m) - noise
        spectrum[k] = x if x > 0 else 0
        bands[band_of[k]] += spectrum[k]
        total += spectrum[k]
    if total > 0:
        out[BAND_40_120] = bands[0] / total
        out[BAND_20_40] = bands[1] / total
        out[BAND_10_20] = bands[2] / total
        out[BAND_6_10] = bands[3] / total
        flatness = 0
        arithmetic = 0
        for k in range(first_fast, n_frequencies + 1):
            flatness += log(spectrum[k] + 1e-3 * total / n_fast)
            arithmetic += spectrum[k] + 1e-3 * total / n_fast
        out[FLATNESS] = exp(flatness / n_fast) / (arithmetic / n_fast)
    log_k = log_k2 = prominence = 0
    for c in range(m):
        if modulated[c] != 0:
            x = log10(2 * half_window_s / peak_k[c])
            log_k += x
            log_k2 += x * x
            prominence += log10(peak[c] * n_fast / fast[c])
    log_k /= n_modulated
    out[PERIOD] = 10 ** log_k
    out[PERIOD_SPREAD] = sqrt(max(log_k2 / n_modulated - log_k * log_k, 0.0))
    out[PERIOD_PROMINENCE] = prominence / n_modulated

    # How cells vary with their neighbours: each cell's spectrum has unit power, so these are correlations.
    for c in range(m):
        if modulated[c] != 0:
            if modulated[c + 1] != 0:
                n_pairs += 1
            if c + n_cols < m and modulated[c + n_cols] != 0:
                n_pairs += 1
            if modulated[c + 3] != 0:
                n_pairs_far += 1
            if c + 3 * n_cols < m and modulated[c + 3 * n_cols] != 0:
                n_pairs_far += 1
    sky = 0
    memset(m2, 0, 4 * m * sizeof(float))
    for k in range(first_fast, n_frequencies + 1):
        pulsaurora_cross_each(xr + k * m, xi + k * m, xr + k * m + 1, xi + k * m + 1, unit, unit + 1, m2, m3, m - 1)
        pulsaurora_cross_each(xr + k * m, xi + k * m, xr + k * m + n_cols, xi + k * m + n_cols, unit, unit + n_cols,
                              m4, up, m - n_cols)
        pulsaurora_cross(xr + k * m, xi + k * m, xr + k * m + 3, xi + k * m + 3, unit, unit + 3, &r3, &i3, m - 3)
        if m > 3 * n_cols:
            pulsaurora_cross(xr + k * m, xi + k * m, xr + k * m + 3 * n_cols, xi + k * m + 3 * n_cols, unit,
                             unit + 3 * n_cols, &r4, &i4, m - 3 * n_cols)
        ar = pulsaurora_weighted_sum(xr + k * m, unit, m)
        ai = pulsaurora_weighted_sum(xi + k * m, unit, m)
        sky += ar * ar + ai * ai
    if n_pairs:
        ar = ai = br = bi = 0
        for c in range(m):
            ar += m2[c] + m4[c]
            ai += fabsf(m3[c]) + fabsf(up[c])
            br += m3[c]
            bi += up[c]
        out[COHERENCE_NEAR] = ar / n_pairs
        out[PROPAGATION] = ai / n_pairs
        out[MOTION] = sqrt(br * br + bi * bi) / n_pairs
    if n_pairs_far:
        out[COHERENCE_FAR] = (r3 + r4) / n_pairs_far
    out[COHERENCE_SKY] = sky / (<double>n_modulated * n_modulated)

    # Shape of the brightenings in time.
    memset(m2, 0, 6 * m * sizeof(float))
    for g in range(low, high):
        pulsaurora_moments(&cells[g, 0], reference, a, b, <float>(times_s[g] - tau0), 0 if g == low else 1,
                           above, m2, m3, m4, up, crossings, m)
    br = bi = ar = ai = 0
    for c in range(m):
        if modulated[c] != 0 and m2[c] > 0:
            x = m2[c] / n
            ar += m3[c] / n / (x * sqrt(x))
            ai += m4[c] / n / (x * x)
            br += up[c] / n
            bi += crossings[c] / (n - 1)
    out[SKEWNESS] = ar / n_modulated
    out[KURTOSIS] = log10(max(ai / n_modulated, 1.0))
    out[DUTY_CYCLE] = br / n_modulated
    out[CROSSINGS] = bi / n_modulated


cdef inline double cos_of(double dt, double half_window_s, const double *phases, double cp, double sp) noexcept nogil:
    """cos(pi dt / half_window_s) from the frame's first phase, which is exp(-i pi tau / half_window_s)."""
    return phases[2] * cp - phases[3] * sp
