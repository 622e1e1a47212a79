"""Spectra of each cell's brightness in a window of time, and which cells vary more than noise lets them.

Called by pulsaurora.pulsation.modulation with checked arrays. A window holds the frames within half_window_s of
its centre, at their true times. For each cell a straight line is taken off, a Hann taper put on, and
the spectrum read at multiples of 1 / (2 half_window_s). The sums behind it slide: a frame is added
when it enters and taken away when it leaves, and every anchor_s seconds of absolute time they start
afresh, so that rounding cannot grow and a night gives the same bits however it is cut at anchors.
A time gap shows as fewer samples; there is no NaN. What needs modulated cells is left to _coherence.
Oracle: tests/naive_sky.py::modulation_row.
"""

from libc.math cimport sqrt, cos, sin, floor, fabsf, log10, M_PI
from libc.stdint cimport uint8_t, int32_t
from libc.string cimport memset, memcpy

from pulsaurora._core._coherence cimport (
    DEVIATIONS, FAST, FREE, LINE, MODULATED, MOST_SUMS, N_CELL_ARRAYS, PEAK, RELATIVE, SLOPE, SLOW, SUM_TY, UNIT, WEIGHT,
    Sky, Window, describe_bands, describe_coherence, describe_shape, lay_out,
)

cdef extern from "_numeric.h" nogil:
    float pulsaurora_select(const float *values, int n, int k)
    void pulsaurora_add_scaled(const float *y, float factor, float *out, int n)

cdef extern from "_spectra.h" nogil:
    void pulsaurora_deviation(const float *frame, const float *reference, float sign, float *out, int n)
    void pulsaurora_accumulate(const float *y, float er, float ei, float *re, float *im, int n)
    void pulsaurora_accumulate_two(const float *y, float er, float ei, const float *z, float fr, float fi, float *re,
                                   float *im, int n)
    void pulsaurora_fit_line(const float *sum_y, const float *sum_ty, float count, float sum_t,
                             float inverse_determinant, float *a, float *b, int n)
    void pulsaurora_weigh_phases(const double *phases, double w, double w_tau, double *sums, double *tau_sums, int n)
    void pulsaurora_taper(const float *r0, const float *i0, const float *r1, const float *i1, const float *r2,
                          const float *i2, float cp, float sp, const float *a, const float *b, const float *weights,
                          float k, float *xr, float *xi, float *band, float *peak, float *peak_k, int n)
    void pulsaurora_row_sums(const float *rows, int n_rows, int n, double *sums)
    void pulsaurora_cell_power(const float *reference, const float *a, const float *b, double tau,
                               const float *fast, const float *slow, int n_fast, int n_slow, double pedestal,
                               double ratio, double gain, double read_variance, int n_pixels, double sum_w2,
                               double scale, double offset, double *levels, double *excess, double *amplitude,
                               double *slow_amplitude, int n)

cdef extern from "_modulation_columns.h" nogil:
    cdef enum:
        FILLED, LARGEST_GAP, FRAC_MODULATED, FRAC_PULSATING, FRAC_STRONG
        EXCESS_P50, EXCESS_P90, EXCESS_P98, AMPLITUDE_P50, AMPLITUDE_P90, AMPLITUDE_P98
        LOW_FRACTION, CONCENTRATION, TREND, TREND_P90, SLOW_AMPLITUDE_P90, SKY_AMPLITUDE
        N_MODULATION_COLUMNS

N_MODULATION = N_MODULATION_COLUMNS

cdef enum:
    N_GRID_ARRAYS = 12  # scratch arrays of one float a cell of the grid, beside the spectra
    N_GROUP_ARRAYS = 4  # lists of groups of eight cells


def scratch_sizes(int n_inside, int n_cells, int n_frequencies):
    """Floats and 32-bit integers of scratch that fill_spectra needs."""
    spectra = 2 * (n_frequencies + 1)
    return (
        n_inside * (2 * (n_frequencies + 2) + spectra + N_CELL_ARRAYS) + n_cells * (spectra + N_GRID_ARRAYS),
        n_inside + N_GROUP_ARRAYS * (n_cells // 8 + 1),
    )


def fill_spectra(const double[::1] times_s, const float[:, ::1] cells, const float[:, ::1] structure,
                 const int32_t[::1] place, const uint8_t[::1] is_low, int n_rows, int n_cols, Py_ssize_t first,
                 Py_ssize_t last,
                 double half_window_s, double cadence_s, double anchor_s, const int32_t[::1] band_of,
                 double gain, double read_variance, int n_pixels, double offset, double snr_threshold,
                 double amplitude_threshold, double[:, ::1] phases, float[::1] scratch, int32_t[::1] lists,
                 uint8_t[::1] usable, float[:, ::1] pulsating, float[:, ::1] out):
    """Fill the columns of spectra in one row for each of frames first .. last - 1.

    times_s (n,) ascending seconds; cells (n, n_inside) counts; place and is_low (n_inside,): where these lie in a
    grid of n_rows * n_cols, whose last three columns hold none, and whether low in the sky; structure (n, >= 2):
    pedestal and noise ratio first; band_of (n_frequencies + 1,): the band of each multiple of the lowest frequency,
    0 slow to 3 fast (index 0 unused). phases (n, 2 * (n_frequencies + 2)), scratch and lists (scratch_sizes) are
    scratch. out is (last - first, N_MODULATION) float32, zeros; usable (last - first,) tells
    where a window has frames enough; pulsating (last - first, n_rows * n_cols) is 1 where a cell pulsates, else 0.
    """
    cdef:
        Py_ssize_t n = times_s.shape[0], f, g, new_low, new_high
        double anchor = -1, block, half = half_window_s + 0.5 * cadence_s
        int k, n_sums = band_of.shape[0] + 1
        Sky sky
        Window window
    if n == 0 or place.shape[0] == 0 or last <= first:
        return
    with nogil:
        sky.m, sky.n_cells, sky.n_cols = place.shape[0], n_rows * n_cols, n_cols
        sky.n_frequencies = sky.first_fast = n_sums - 2
        sky.first_fast += 1
        sky.half_window_s, sky.cadence_s = half_window_s, cadence_s
        sky.gain, sky.read_variance, sky.n_pixels, sky.offset = gain, read_variance, n_pixels, offset
        sky.snr_threshold, sky.amplitude_threshold = snr_threshold, amplitude_threshold
        sky.place, sky.is_low, sky.band_of = &place[0], &is_low[0], &band_of[0]
        sky.members, sky.groups = &lists[0], &lists[0] + sky.m
        sky.re = &scratch[0]
        sky.im = sky.re + n_sums * sky.m
        sky.xr = sky.im + n_sums * sky.m
        sky.xi = sky.xr + (n_sums - 1) * sky.m
        sky.cells = sky.xi + (n_sums - 1) * sky.m
        sky.grid = sky.cells + N_CELL_ARRAYS * sky.m
        memset(sky.grid, 0, (2 * (n_sums - 1) + N_GRID_ARRAYS) * sky.n_cells * sizeof(float))
        for k in range(sky.n_frequencies, 0, -1):
            if band_of[k] > 0:
                sky.first_fast = k
        window.low = window.high = 0
        for f in range(first, last):
            new_low = window.low
            while times_s[new_low] < times_s[f] - half:
                new_low += 1
            new_high = window.high
            while new_high < n and times_s[new_high] <= times_s[f] + half:
                new_high += 1
            block = floor(times_s[f] / anchor_s)
            if block != anchor or new_low > window.high:
                anchor = block
                # Times count from here, so that phases stay small and round alike however long the night.
                window.tau0 = times_s[f]
                memset(sky.re, 0, 2 * n_sums * sky.m * sizeof(float))
                memset(sky.cells + SUM_TY * sky.m, 0, sky.m * sizeof(float))
                memcpy(sky.cells, &cells[f, 0], sky.m * sizeof(float))
                window.low = window.high = new_low
            for g in range(window.high, new_high):
                fill_phases(times_s[g] - window.tau0, 2 * half_window_s, n_sums, &phases[g, 0])
            slide(&sky, &window, new_low, new_high, times_s, cells, phases, n_sums)
            usable[f - first] = one_window(&sky, &window, f, times_s, cells, structure, phases,
                                           &pulsating[f - first, 0], &out[f - first, 0])


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


cdef void slide(const Sky *sky, Window *window, Py_ssize_t low, Py_ssize_t high, const double[::1] times_s,
                const float[:, ::1] cells, const double[:, ::1] phases, int n_sums) noexcept nogil:
    """Take the frames before low away from the sums and add those up to high, two at a time."""
    cdef:
        Py_ssize_t n_gone = low - window.low, n_all = n_gone + high - window.high, i, g
        int m = sky.m, k, waiting = 0
        float *sum_ty = sky.cells + SUM_TY * m
        float *ys = sky.cells + DEVIATIONS * m
        const double *p
        const double *q = NULL
    for i in range(n_all):
        g = window.low + i if i < n_gone else window.high + i - n_gone
        p = &phases[g, 0]
        pulsaurora_deviation(&cells[g, 0], sky.cells, -1 if i < n_gone else 1, ys + waiting * m, m)
        pulsaurora_add_scaled(ys + waiting * m, <float>(times_s[g] - window.tau0), sum_ty, m)
        if waiting:
            for k in range(n_sums):
                pulsaurora_accumulate_two(ys, <float>q[2 * k], <float>q[2 * k + 1], ys + m, <float>p[2 * k],
                                          <float>p[2 * k + 1], sky.re + k * m, sky.im + k * m, m)
            waiting = 0
        else:
            q = p
            waiting = 1
    if waiting:
        for k in range(n_sums):
            pulsaurora_accumulate(ys, <float>q[2 * k], <float>q[2 * k + 1], sky.re + k * m, sky.im + k * m, m)
    window.low, window.high = low, high


cdef bint one_window(const Sky *sky, Window *window, Py_ssize_t f, const double[::1] times_s,
                     const float[:, ::1] cells, const float[:, ::1] structure, const double[:, ::1] phases,
                     float *pulsating, float *out) noexcept nogil:
    """Fill the row of one window; tell whether it has frames enough."""
    cdef int n_modulated
    memset(pulsating, 0, sky.n_cells * sizeof(float))
    if not sum_window(sky, window, f, times_s, structure, out):
        return False
    taper_window(sky, window, f, times_s, phases)
    n_modulated = describe_cells(sky, window, pulsating, out)
    if n_modulated > 0:
        lay_out(sky, n_modulated)
        describe_bands(sky, window, n_modulated, out)
        describe_coherence(sky, n_modulated, out)
        describe_shape(sky, window, times_s, cells, n_modulated, out)
    return True


cdef bint sum_window(const Sky *sky, Window *window, Py_ssize_t f, const double[::1] times_s,
                     const float[:, ::1] structure, float *out) noexcept nogil:
    cdef:
        double tau, w, theta, sum_tt = 0, gap = 0, half = sky.half_window_s, nominal = 2 * half / sky.cadence_s
        Py_ssize_t g, low = window.low, high = window.high, n = high - low
    window.sum_t = window.pedestal = window.ratio = window.sum_w2 = 0
    for g in range(low, high):
        tau = times_s[g] - window.tau0
        window.sum_t += tau
        sum_tt += tau * tau
        window.pedestal += structure[g, 0]
        window.ratio += structure[g, 1]
        theta = M_PI * (times_s[g] - times_s[f]) / half
        w = 0.5 + 0.5 * cos(theta)
        window.sum_w2 += w * w
        if g > low and times_s[g] - times_s[g - 1] > gap:
            gap = times_s[g] - times_s[g - 1]
    window.pedestal /= n
    window.ratio /= n
    # What is missing at either end of the window is a gap too.
    gap = max(gap, max(times_s[low] - (times_s[f] - half), times_s[f] + half - times_s[high - 1]))
    out[FILLED] = min(<double>n / (nominal + 1), 1.0)
    out[LARGEST_GAP] = min(gap, half)
    window.tau = times_s[f] - window.tau0
    window.determinant = n * sum_tt - window.sum_t * window.sum_t
    window.scale = 2 / (nominal * window.sum_w2)
    # Five samples are the least from which a line and anything beyond it can be told.
    return n >= 5 and window.determinant > 0


cdef void taper_window(const Sky *sky, const Window *window, Py_ssize_t f, const double[::1] times_s,
                       const double[:, ::1] phases) noexcept nogil:
    """Fill spectra, and in scratch the line, slow power, fast power, its peak and where that is."""
    cdef:
        int m = sky.m, k, n = 2 * sky.n_frequencies
        float *line = sky.cells + LINE * m
        float *slow = sky.cells + SLOW * m
        float *fast = sky.cells + FAST * m
        float *peak = sky.cells + PEAK * m
        double[2 * MOST_SUMS] sums
        double[2 * MOST_SUMS] tau_sums
        float[4] weights
        double cp = cos(M_PI * window.tau / sky.half_window_s), sp = sin(M_PI * window.tau / sky.half_window_s), w
        Py_ssize_t g
    pulsaurora_fit_line(sky.re, sky.cells + SUM_TY * m, <float>(window.high - window.low), <float>window.sum_t,
                        <float>(1 / window.determinant), line, line + m, m)
    memset(sums, 0, 2 * MOST_SUMS * sizeof(double))
    memset(tau_sums, 0, 2 * MOST_SUMS * sizeof(double))
    for g in range(window.low, window.high):
        # The taper's cosine from the frame's first phase, which is exp(-i pi tau / half_window_s).
        w = 0.5 + 0.5 * (phases[g, 2] * cp - phases[g, 3] * sp)
        pulsaurora_weigh_phases(&phases[g, 2], w, w * (times_s[g] - window.tau0), sums, tau_sums, n)
    memset(slow, 0, 4 * m * sizeof(float))
    for k in range(1, sky.n_frequencies + 1):
        weights[0], weights[1] = <float>sums[2 * k - 2], <float>sums[2 * k - 1]
        weights[2], weights[3] = <float>tau_sums[2 * k - 2], <float>tau_sums[2 * k - 1]
        if k == sky.first_fast:
            memset(peak, 0, 2 * m * sizeof(float))
        pulsaurora_taper(sky.re + (k - 1) * m, sky.im + (k - 1) * m, sky.re + k * m, sky.im + k * m,
                         sky.re + (k + 1) * m, sky.im + (k + 1) * m, <float>cp, <float>sp, line, line + m, weights, k,
                         sky.xr + k * m, sky.xi + k * m, slow if k < sky.first_fast else fast, peak, peak + m, m)


cdef int describe_cells(const Sky *sky, const Window *window, float *pulsating, float *out) noexcept nogil:
    """Power against photon noise, rms relative to brightness, and who counts as modulated: how many do."""
    cdef:
        int m = sky.m, n = sky.m, c, i, start, n_modulated = 0, n_pulsating = 0, n_strong = 0, n_low = 0
        int n_fast = sky.n_frequencies - sky.first_fast + 1
        float *b = sky.cells + SLOPE * m
        float *relative = sky.cells + RELATIVE * m
        float *weight = sky.cells + WEIGHT * m
        float *unit = sky.cells + UNIT * m
        float *modulated = sky.cells + MODULATED * m
        float *fast = sky.cells + FAST * m
        float *excesses = sky.cells + FREE * m
        float *amplitudes = sky.cells + (FREE + 1) * m
        float *slow_amplitudes = sky.cells + (FREE + 2) * m
        float *trends = sky.cells + (FREE + 3) * m
        double total = 0, first = 0, second = 0, third = 0, mean_level = 0, trend = 0, x, level, amplitude
        double[64] levels
        double[64] excess
        double[64] rms
        double[64] slow_rms
        double[MOST_SUMS] sums_re
        double[MOST_SUMS] sums_im
    for c in range(m):
        modulated[c] = weight[c] = unit[c] = relative[c] = 0
    for start in range(0, n, 64):
        pulsaurora_cell_power(sky.cells + start, b - m + start, b + start, window.tau, fast + start,
                              fast - m + start, n_fast, sky.first_fast - 1, window.pedestal, window.ratio, sky.gain,
                              sky.read_variance, sky.n_pixels, window.sum_w2, window.scale, sky.offset, levels, excess,
                              rms, slow_rms, min(n - start, 64))
        for i in range(min(n - start, 64)):
            c = start + i
            level, amplitude = levels[i], rms[i]
            mean_level += level
            trend += b[c]
            excesses[c] = <float>excess[i]
            amplitudes[c] = <float>amplitude
            slow_amplitudes[c] = <float>slow_rms[i]
            trends[c] = <float>(fabsf(b[c]) * 60 / (level + sky.offset))
            x = amplitude * amplitude
            total += x
            if x > first:
                first, second, third = x, first, second
            elif x > second:
                second, third = x, second
            elif x > third:
                third = x
            relative[c] = <float>(1 / (level + sky.offset))
            if excess[i] > sky.snr_threshold and amplitude > sky.amplitude_threshold:
                modulated[c] = 1
                sky.members[n_modulated] = c
                n_modulated += 1
                n_low += sky.is_low[c]
                weight[c] = relative[c] * relative[c]
                unit[c] = <float>(1 / sqrt(fast[c]))
                if amplitude > slow_rms[i]:
                    pulsating[sky.place[c]] = 1
                    n_pulsating += 1
                    n_strong += amplitude > 5 * sky.amplitude_threshold and excess[i] > 2 * sky.snr_threshold
    mean_level /= n
    out[FRAC_MODULATED] = <float>n_modulated / n
    out[FRAC_PULSATING] = <float>n_pulsating / n
    out[FRAC_STRONG] = <float>n_strong / n
    out[EXCESS_P50] = log10(0.1 + pulsaurora_select(excesses, n, n // 2))
    out[EXCESS_P90] = log10(0.1 + pulsaurora_select(excesses, n, (90 * n) // 100))
    out[EXCESS_P98] = log10(0.1 + pulsaurora_select(excesses, n, (98 * n) // 100))
    out[AMPLITUDE_P50] = log10(1e-3 + pulsaurora_select(amplitudes, n, n // 2))
    out[AMPLITUDE_P90] = log10(1e-3 + pulsaurora_select(amplitudes, n, (90 * n) // 100))
    out[AMPLITUDE_P98] = log10(1e-3 + pulsaurora_select(amplitudes, n, (98 * n) // 100))
    out[SLOW_AMPLITUDE_P90] = log10(1e-3 + pulsaurora_select(slow_amplitudes, n, (90 * n) // 100))
    out[TREND_P90] = log10(1e-3 + pulsaurora_select(trends, n, (90 * n) // 100))
    out[TREND] = trend / n * 60 / (mean_level + sky.offset)
    out[CONCENTRATION] = (first + second + third) / total if total > 0 else 0
    out[LOW_FRACTION] = <float>n_low / n_modulated if n_modulated else 0
    # How the sky as a whole goes up and down, relative to its mean brightness.
    x = 0
    pulsaurora_row_sums(sky.xr + sky.first_fast * m, n_fast, m, sums_re)
    pulsaurora_row_sums(sky.xi + sky.first_fast * m, n_fast, m, sums_im)
    for i in range(n_fast):
        x += sums_re[i] * sums_re[i] + sums_im[i] * sums_im[i]
    out[SKY_AMPLITUDE] = log10(1e-3 + sqrt(x * window.scale) / n / (mean_level + sky.offset))
    return n_modulated
