"""How light, and how much it varies, are laid out over the sky in one look: by height, round the sky, near each other.

Called by pulsaurora.pulsation.layout with checked arrays. Photon noise is left in: where it is all there is, it
says so by being alike everywhere. Oracle: tests/naive_sky.py::layout_row.
"""

from libc.math cimport fabsf, log10, sqrt
from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memset

cdef extern from "_numeric.h" nogil:
    float pulsaurora_select(const float *values, int n, int k)
    double pulsaurora_correlation(const float *x, const float *y, int n)
    void pulsaurora_log_light(const float *light, float offset, float *out, int n)

cdef extern from "_relief.h" nogil:
    void pulsaurora_relief(const float *basis, float *values, float *clipped, int n)

cdef extern from "_layout.h" nogil:
    void pulsaurora_add_line(const float *frame, const float *first, float tau, float *sum, float *slope, int n)
    void pulsaurora_add_off_line(const float *frame, const float *first, const float *mean, const float *slope, float tau,
                                 float *squares, int n)
    void pulsaurora_add_square_steps(const float *one, const float *two, float *squares, int n)
    void pulsaurora_roots(float *values, float factor, int n)

cdef enum:
    N_RINGS = 7  # of elevation
    N_ROUNDS = 3  # of distance from the middle of the sky
    N_WAVES = 3  # round it
    N_PARTS = 7  # of a look
    N_ARRAYS = 15
    LEAST_CELLS = 3  # of a ring that says something
    LEAST_STEEP = 5  # cells whose steepness says something

cdef enum:
    N_COLUMNS = 6 + 4 * 6 + 4 * N_RINGS + 3 * N_ROUNDS * N_WAVES + 9 + 2 * 10

N_LAYOUT = N_COLUMNS
cdef double LEAST = 3e-4  # dex, added to what varies before its logarithm is taken
cdef int[6] OF_RELIEF = [5, 10, 25, 75, 90, 95]
cdef int[6] OF_VARIATION = [10, 25, 50, 75, 90, 98]


def scratch_size(int n_inside, int n_cells):
    """Floats that fill_layout needs beside its arguments."""
    return N_ARRAYS * n_inside + n_cells


def fill_layout(const double[::1] minutes, const float[:, ::1] logs, const float[:, ::1] background,
                const float[::1] elevation, const uint8_t[::1] ring, const uint8_t[::1] round_, const uint8_t[::1] low,
                const float[:, ::1] waves, const int32_t[::1] place, const uint8_t[::1] inside, const float[::1] edge,
                int n_cols, float[::1] scratch, float[::1] out):
    """Fill the columns of one look (N_LAYOUT,), in the order of pulsaurora.pulsation.table.LAYOUT.

    minutes (n,) ascending; logs (n, m) dex, of the m cells inside; background (7, m) as in _structure. Of each cell
    inside (m,): elevation in degrees, the number of its ring of elevation and of distance, whether it is low; waves
    (2 N_WAVES, m), the cosine and the sine of 1 to N_WAVES times its direction from the middle; place, where it lies
    in rows of n_cols cells, the last three of each row empty. inside and edge (cells,) as in SkyGrid. scratch
    (scratch_size,).
    """
    cdef:
        Py_ssize_t n = logs.shape[0], f, g
        int m = place.shape[0], n_cells = inside.shape[0], c, length, n_parts, k, q = 0
        float *sum_ = &scratch[0]
        float *relief = sum_ + m
        float *slope = sum_ + 2 * m
        float *varies = sum_ + 3 * m
        float *quick = sum_ + 4 * m
        float *slow = sum_ + 5 * m
        float *log_varies = sum_ + 6 * m
        float *log_quick = sum_ + 7 * m
        float *log_slow = sum_ + 8 * m
        float *light = sum_ + 9 * m
        float *size = sum_ + 10 * m
        float *spare = sum_ + 11 * m
        float *part = sum_ + 12 * m
        float *parts = sum_ + 13 * m
        float *drift = sum_ + 14 * m
        float *field = sum_ + N_ARRAYS * m
        double mean_minute = 0, sum_tt = 0, total
        float middle
    out[:] = 0
    if n == 0 or m == 0:
        return
    with nogil:
        memset(sum_, 0, N_ARRAYS * m * sizeof(float))
        for f in range(n):
            mean_minute += minutes[f]
        mean_minute /= n
        for f in range(n):
            sum_tt += (minutes[f] - mean_minute) * (minutes[f] - mean_minute)
            pulsaurora_add_line(&logs[f, 0], &logs[0, 0], <float>(minutes[f] - mean_minute), sum_, slope, m)
        for c in range(m):
            sum_[c] /= n
            relief[c] = sum_[c] + logs[0, c]
            # Where there are too few frames nothing varies.
            slope[c] = <float>(slope[c] / sum_tt) if n >= LEAST_CELLS and sum_tt > 0 else 0
        if n >= LEAST_CELLS:
            for f in range(n):
                pulsaurora_add_off_line(&logs[f, 0], &logs[0, 0], sum_, slope, <float>(minutes[f] - mean_minute),
                                        varies, m)
            for f in range(1, n):
                pulsaurora_add_square_steps(&logs[f - 1, 0], &logs[f, 0], quick, m)
            length = max(<int>n // N_PARTS, 1)
            n_parts = <int>n // length
            describe_parts(logs, length, n_parts, part, parts, slow, m)
            pulsaurora_roots(varies, <float>(1.0 / n), m)
            pulsaurora_roots(quick, <float>(0.5 / (n - 1)), m)
        for c in range(m):
            light[c] = relief[c]
        middle = pulsaurora_select(light, m, rank(m, 50))
        for c in range(m):
            light[c] -= middle
            # A number near all of them taken off first leaves more digits to the rest.
            relief[c] = light[c]
        pulsaurora_relief(&background[0, 0], relief, spare, m)
        for c in range(m):
            size[c] = fabsf(relief[c])
            drift[c] = fabsf(slope[c])
        pulsaurora_log_light(varies, <float>LEAST, log_varies, m)
        pulsaurora_log_light(quick, <float>LEAST, log_quick, m)
        pulsaurora_log_light(slow, <float>LEAST, log_slow, m)
        pulsaurora_log_light(drift, <float>LEAST, spare, m)

        for k in range(6):
            out[q + k] = pulsaurora_select(relief, m, rank(m, OF_RELIEF[k]))
        q += 6
        q = fill_percentiles(log_varies, m, q, &out[0])
        q = fill_percentiles(log_quick, m, q, &out[0])
        q = fill_percentiles(log_slow, m, q, &out[0])
        q = fill_percentiles(spare, m, q, &out[0])

        q = fill_rings(light, ring, m, spare, q, &out[0])
        q = fill_rings(log_varies, ring, m, spare, q, &out[0])
        q = fill_rings(log_quick, ring, m, spare, q, &out[0])
        q = fill_rings(size, ring, m, spare, q, &out[0])

        q = fill_waves(light, round_, waves, m, q, &out[0])
        q = fill_waves(relief, round_, waves, m, q, &out[0])
        middle = pulsaurora_select(log_varies, m, rank(m, 50))
        for c in range(m):
            spare[c] = log_varies[c] - middle
        q = fill_waves(spare, round_, waves, m, q, &out[0])

        out[q] = <float>pulsaurora_correlation(light, &elevation[0], m)
        out[q + 1] = <float>pulsaurora_correlation(log_varies, &elevation[0], m)
        out[q + 2] = <float>pulsaurora_correlation(size, &elevation[0], m)
        out[q + 3] = <float>pulsaurora_correlation(log_varies, relief, m)
        out[q + 4] = <float>pulsaurora_correlation(log_varies, size, m)
        out[q + 5] = <float>pulsaurora_correlation(log_quick, relief, m)
        out[q + 6] = <float>pulsaurora_correlation(log_quick, log_varies, m)
        out[q + 7] = <float>pulsaurora_correlation(relief, slope, m)
        out[q + 8] = <float>pulsaurora_correlation(log_slow, log_varies, m)
        q += 9

        q = fill_nearness(relief, low, waves, place, inside, edge, n_cols, n_cells, m, field, q, &out[0])
        total = 0
        for c in range(m):
            total += log_varies[c]
        for c in range(m):
            log_varies[c] -= <float>(total / m)
        fill_nearness(log_varies, low, waves, place, inside, edge, n_cols, n_cells, m, field, q, &out[0])


cdef inline int rank(int n, int percent) noexcept nogil:
    """Which of n values in order is a percentile: the nearest."""
    return ((n - 1) * percent + 50) // 100


cdef void describe_parts(const float[:, ::1] logs, int length, int n_parts, float *part, float *total, float *slow,
                         int m) noexcept nogil:
    """Standard deviation of the means of n_parts parts of `length` frames each, of each cell."""
    cdef int p, k, c
    cdef double mean
    # All less the first frame, which leaves more digits to the rest.
    for p in range(n_parts):
        memset(part, 0, m * sizeof(float))
        for k in range(p * length, (p + 1) * length):
            for c in range(m):
                part[c] += logs[k, c] - logs[0, c]
        for c in range(m):
            part[c] /= length
            total[c] += part[c]
            slow[c] += part[c] * part[c]
    for c in range(m):
        mean = total[c] / n_parts
        mean = slow[c] / n_parts - mean * mean
        slow[c] = <float>sqrt(mean) if mean > 0 else 0


cdef int fill_percentiles(const float *values, int m, int q, float *out) noexcept nogil:
    cdef int k
    for k in range(6):
        out[q + k] = pulsaurora_select(values, m, rank(m, OF_VARIATION[k]))
    return q + 6


cdef int fill_rings(const float *values, const uint8_t[::1] ring, int m, float *spare, int q, float *out) noexcept nogil:
    """Medians of rings of elevation; where a ring has too few cells, what lies between those beside it."""
    cdef int k, c, n, before = -1, j
    cdef float up
    for k in range(N_RINGS):
        n = 0
        for c in range(m):
            if ring[c] == k:
                spare[n] = values[c]
                n += 1
        if n < LEAST_CELLS:
            continue
        out[q + k] = pulsaurora_select(spare, n, rank(n, 50))
        for j in range(before + 1, k):
            up = <float>(j - before) / (k - before)
            out[q + j] = out[q + k] if before < 0 else (1 - up) * out[q + before] + up * out[q + k]
        before = k
    if before >= 0:
        for j in range(before + 1, N_RINGS):
            out[q + j] = out[q + before]
    return q + N_RINGS


cdef int fill_waves(const float *values, const uint8_t[::1] round_, const float[:, ::1] waves, int m, int q,
                    float *out) noexcept nogil:
    """How strongly values rise and fall once, twice and three times round the sky, near its middle and farther out."""
    cdef int c, k, w
    cdef int[N_ROUNDS] number
    cdef double[N_ROUNDS * 2 * N_WAVES] sums
    memset(sums, 0, sizeof(sums))
    memset(number, 0, sizeof(number))
    for c in range(m):
        k = round_[c]
        number[k] += 1
        for w in range(2 * N_WAVES):
            sums[k * 2 * N_WAVES + w] += values[c] * waves[w, c]
    for k in range(N_ROUNDS):
        for w in range(N_WAVES):
            if number[k] > 0:
                out[q + k * N_WAVES + w] = <float>(sqrt(
                    sums[k * 2 * N_WAVES + 2 * w] * sums[k * 2 * N_WAVES + 2 * w]
                    + sums[k * 2 * N_WAVES + 2 * w + 1] * sums[k * 2 * N_WAVES + 2 * w + 1]) / number[k])
    return q + N_ROUNDS * N_WAVES


cdef int fill_nearness(const float *values, const uint8_t[::1] low, const float[:, ::1] waves, const int32_t[::1] place,
                       const uint8_t[::1] inside, const float[::1] edge, int n_cols, int n_cells, int m, float *field,
                       int q, float *out) noexcept nogil:
    """How steep values are towards the middle and round it, low in the sky and high; how alike near each other."""
    cdef int c, p, k, lag, other
    cdef int[2] number
    cdef double[4] steep
    cdef double gx, gy, along, across, mean_square = 0, shared, total, least, most, alike
    cdef int n_shared
    cdef int[4] steps
    memset(steep, 0, sizeof(steep))
    memset(number, 0, sizeof(number))
    memset(field, 0, n_cells * sizeof(float))
    for c in range(m):
        field[place[c]] = values[c]
        mean_square += <double>values[c] * values[c]
    mean_square = mean_square / m + 1e-8
    for c in range(m):
        p = place[c]
        if edge[p] != 0:
            gy = 0.5 * (field[p + n_cols] - field[p - n_cols])
            gx = 0.5 * (field[p + 1] - field[p - 1])
            along = gy * waves[0, c] + gx * waves[1, c]
            across = gy * waves[1, c] - gx * waves[0, c]
            k = 0 if low[c] else 1
            number[k] += 1
            steep[2 * k] += along * along
            steep[2 * k + 1] += across * across
    for k in range(4):
        out[q + k] = <float>(0.5 * log10((steep[k] / number[k // 2] if number[k // 2] >= LEAST_STEEP else 0) + 1e-7))
    q += 4
    for lag in range(1, 4):
        steps[0], steps[1], steps[2], steps[3] = lag, lag * n_cols, lag * n_cols + lag, lag * n_cols - lag
        total, least, most = 0, 1e30, -1e30
        for k in range(4):
            shared, n_shared = 0, 0
            for c in range(m):
                other = place[c] + steps[k]
                # The empty columns at the end of each row keep rows apart.
                if other < n_cells and inside[other]:
                    shared += <double>values[c] * field[other]
                    n_shared += 1
            alike = shared / n_shared / mean_square if n_shared > 0 else 0
            total += alike
            least = min(least, alike)
            most = max(most, alike)
        out[q] = <float>(total / 4)
        out[q + 1] = <float>(most - least)
        q += 2
    return q
