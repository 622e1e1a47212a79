"""What the modulated cells of a window have in common: bands and periods, coherence, shape of their brightenings.

Called by _spectra, with spectra in hand, for windows in which any cell is modulated; its columns are zero in all
others. Nothing here is NaN. Oracle: tests/naive_sky.py::modulation_row.
"""

from libc.math cimport sqrt, fabsf, log10, log, exp
from libc.stdint cimport int32_t
from libc.string cimport memset

cdef extern from "_numeric.h" nogil:
    float pulsaurora_weighted_sum(const float *values, const float *weight, int n)

cdef extern from "_coherence.h" nogil:
    void pulsaurora_power(const float *xr, const float *xi, float *out, int n)
    int pulsaurora_groups(const float *values, int32_t *groups, int n)
    int pulsaurora_pairs(const float *unit, int step, float *both, int32_t *groups, int n)
    void pulsaurora_cross(const float *ur, const float *ui, int step, const float *both, const int32_t *groups,
                          int n_groups, float *re, float *im, int n)
    void pulsaurora_cross_each(const float *ur, const float *ui, int step, const float *both, const int32_t *groups,
                               int n_groups, float *re, float *im, int n)
    void pulsaurora_moments(const float *frame, const float *reference, const float *a, const float *b, float tau,
                            float first, float *above, float *m2, float *m3, float *m4, float *up,
                            float *crossings, const int32_t *groups, int n_groups, int n)

cdef extern from "_modulation_columns.h" nogil:
    cdef enum:
        BAND_40_120, BAND_20_40, BAND_10_20, BAND_6_10
        FLATNESS, PERIOD, PERIOD_PROMINENCE, PERIOD_SPREAD, SKEWNESS, KURTOSIS, DUTY_CYCLE, CROSSINGS
        COHERENCE_NEAR, COHERENCE_FAR, COHERENCE_SKY, MOTION, PROPAGATION


cdef void lay_out(const Sky *sky, int n_modulated) noexcept nogil:
    """Put the modulated cells' spectra, units, weights and marks where they lie in the grid.

    What other cells' spectra were in windows before may stay there: their units and weights are zero.
    """
    cdef:
        int m = sky.m, n = sky.n_cells, c, i, k, n_rows = sky.n_frequencies + 1
        float *rows = sky.grid + 2 * n_rows * n
    memset(rows, 0, 3 * n * sizeof(float))
    for i in range(n_modulated):
        c = sky.members[i]
        rows[sky.place[c]] = sky.cells[WEIGHT * m + c]
        rows[n + sky.place[c]] = sky.cells[UNIT * m + c]
        rows[2 * n + sky.place[c]] = 1
    for k in range(1, n_rows):
        for i in range(n_modulated):
            c = sky.members[i]
            sky.grid[k * n + sky.place[c]] = sky.xr[k * m + c]
            sky.grid[(n_rows + k) * n + sky.place[c]] = sky.xi[k * m + c]


cdef void describe_bands(const Sky *sky, const Window *window, int n_modulated, float *out) noexcept nogil:
    """The spectrum of the modulated cells, relative to their brightness, photon noise taken off; their periods."""
    cdef:
        int m = sky.m, n = sky.n_cells, c, i, k, n_fast = sky.n_frequencies - sky.first_fast + 1
        const float *xr = sky.grid
        const float *xi = xr + (sky.n_frequencies + 1) * n
        const float *weights = xi + (sky.n_frequencies + 1) * n
        float *power = <float *> weights + 3 * n
        const float *relative = sky.cells + RELATIVE * m
        const float *weight = sky.cells + WEIGHT * m
        const float *fast = sky.cells + FAST * m
        const float *peak = sky.cells + PEAK * m
        const float *peak_k = sky.cells + PEAK_K * m
        double level, noise = 0, total = 0, x, flatness = 0, arithmetic = 0, log_k = 0, log_k2 = 0, prominence = 0
        double[4] bands
        double[MOST_SUMS] spectrum
    memset(bands, 0, 4 * sizeof(double))
    for i in range(n_modulated):
        c = sky.members[i]
        level = 1 / relative[c] - sky.offset
        noise += (weight[c] * window.ratio * window.ratio * (sky.gain * level + sky.read_variance) / sky.n_pixels
                  * window.sum_w2)
    for k in range(1, sky.n_frequencies + 1):
        pulsaurora_power(xr + k * n, xi + k * n, power, n)
        x = pulsaurora_weighted_sum(power, weights, n) - noise
        spectrum[k] = x if x > 0 else 0
        bands[sky.band_of[k]] += spectrum[k]
        total += spectrum[k]
    if total > 0:
        out[BAND_40_120] = bands[0] / total
        out[BAND_20_40] = bands[1] / total
        out[BAND_10_20] = bands[2] / total
        out[BAND_6_10] = bands[3] / total
        for k in range(sky.first_fast, sky.n_frequencies + 1):
            flatness += log(spectrum[k] + 1e-3 * total / n_fast)
            arithmetic += spectrum[k] + 1e-3 * total / n_fast
        out[FLATNESS] = exp(flatness / n_fast) / (arithmetic / n_fast)
    for i in range(n_modulated):
        c = sky.members[i]
        x = log10(2 * sky.half_window_s / peak_k[c])
        log_k += x
        log_k2 += x * x
        prominence += log10(peak[c] * n_fast / fast[c])
    log_k /= n_modulated
    out[PERIOD] = 10 ** log_k
    out[PERIOD_SPREAD] = sqrt(max(log_k2 / n_modulated - log_k * log_k, 0.0))
    out[PERIOD_PROMINENCE] = prominence / n_modulated


cdef void describe_coherence(const Sky *sky, int n_modulated, float *out) noexcept nogil:
    """How cells vary with their neighbours: each cell's spectrum has unit power, so these are correlations."""
    cdef:
        int m = sky.n_cells, n_cols = sky.n_cols, c, k, side, n_pairs = 0, n_far = 0
        int[4] steps
        int[4] n_groups
        const float *unit = sky.grid + (2 * (sky.n_frequencies + 1) + 1) * m
        const float *modulated = unit + m
        float *sums = <float *> unit + 3 * m  # of neighbours in the row: re, im; in the column: re, im
        float *both = sums + 4 * m            # four rows
        int32_t *groups
        const float *xr
        const float *xi
        float[4] far
        double ar = 0, ai = 0, br = 0, bi = 0, whole = 0
    steps[0], steps[1], steps[2], steps[3] = 1, n_cols, 3, 3 * n_cols
    for side in range(4):
        n_groups[side] = 0
        if steps[side] < m:
            groups = sky.groups + side * (m // 8 + 1)
            n_groups[side] = pulsaurora_pairs(unit, steps[side], both + side * m, groups, m - steps[side])
    for c in range(m):
        if modulated[c] != 0:
            n_pairs += modulated[c + 1] != 0
            n_pairs += c + n_cols < m and modulated[c + n_cols] != 0
            n_far += modulated[c + 3] != 0
            n_far += c + 3 * n_cols < m and modulated[c + 3 * n_cols] != 0
    memset(sums, 0, 4 * m * sizeof(float))
    memset(far, 0, 4 * sizeof(float))
    for k in range(sky.first_fast, sky.n_frequencies + 1):
        xr = sky.grid + k * m
        xi = xr + (sky.n_frequencies + 1) * m
        for side in range(4):
            if steps[side] >= m:
                continue
            groups = sky.groups + side * (m // 8 + 1)
            if side < 2:
                pulsaurora_cross_each(xr, xi, steps[side], both + side * m, groups, n_groups[side], sums + 2 * side * m,
                                      sums + (2 * side + 1) * m, m - steps[side])
            else:
                pulsaurora_cross(xr, xi, steps[side], both + side * m, groups, n_groups[side], far + 2 * side - 4,
                                 far + 2 * side - 3, m - steps[side])
        ar = pulsaurora_weighted_sum(xr, unit, m)
        ai = pulsaurora_weighted_sum(xi, unit, m)
        whole += ar * ar + ai * ai
    if n_pairs:
        ar = ai = br = bi = 0
        for c in range(m):
            ar += sums[c] + sums[2 * m + c]
            ai += fabsf(sums[m + c]) + fabsf(sums[3 * m + c])
            br += sums[m + c]
            bi += sums[3 * m + c]
        out[COHERENCE_NEAR] = ar / n_pairs
        out[PROPAGATION] = ai / n_pairs
        out[MOTION] = sqrt(br * br + bi * bi) / n_pairs
    if n_far:
        out[COHERENCE_FAR] = (far[0] + far[2]) / n_far
    out[COHERENCE_SKY] = whole / (<double>n_modulated * n_modulated)


cdef void describe_shape(const Sky *sky, const Window *window, const double[::1] times_s, const float[:, ::1] cells,
                         int n_modulated, float *out) noexcept nogil:
    """Shape of the modulated cells' brightenings in time."""
    cdef:
        int m = sky.m, c, i, n_groups
        float *sums = sky.cells + FREE * m   # second to fourth powers, times above, crossings, the last sign
        Py_ssize_t g, n = window.high - window.low
        double x, skewness = 0, kurtosis = 0, up = 0, crossings = 0
    n_groups = pulsaurora_groups(sky.cells + MODULATED * m, sky.groups, m)
    memset(sums, 0, 6 * m * sizeof(float))
    for g in range(window.low, window.high):
        pulsaurora_moments(&cells[g, 0], sky.cells, sky.cells + LINE * m, sky.cells + SLOPE * m,
                           <float>(times_s[g] - window.tau0), 0 if g == window.low else 1, sums + 5 * m, sums, sums + m,
                           sums + 2 * m, sums + 3 * m, sums + 4 * m, sky.groups, n_groups, m)
    for i in range(n_modulated):
        c = sky.members[i]
        if sums[c] > 0:
            x = sums[c] / n
            skewness += sums[m + c] / n / (x * sqrt(x))
            kurtosis += sums[2 * m + c] / n / (x * x)
            up += sums[3 * m + c] / n
            crossings += sums[4 * m + c] / (n - 1)
    out[SKEWNESS] = skewness / n_modulated
    out[KURTOSIS] = log10(max(kurtosis / n_modulated, 1.0))
    out[DUTY_CYCLE] = up / n_modulated
    out[CROSSINGS] = crossings / n_modulated
