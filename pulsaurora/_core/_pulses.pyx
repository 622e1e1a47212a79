"""Brightness in time: what is left above a local trend, its mean over neighbours, and the pulses in it.

Called by pulsaurora.pulsation.series and pulsaurora.pulsation.pulses with checked, C-contiguous arrays.
Times are seconds, strictly ascending. NaN is a value that is not known; a pulse never reaches across one,
nor across a gap in time. Every number depends only on frames within a fixed time of its own, summed in the
order of time, so a night gives the same bits however it is cut. Oracles: tests/naive_pulses.py, and
scipy.signal.find_peaks and peak_widths.
"""

from libc.math cimport NAN, isnan
from libc.stdint cimport int32_t

# Columns of what fill_pulses fills.
cdef enum:
    SERIES, PEAK, START_S, PEAK_S, END_S, PROMINENCE, HEIGHT, IS_WHOLE
    N_PULSE_COLUMNS_

N_PULSE_COLUMNS = N_PULSE_COLUMNS_


def fill_trends(const double[::1] times_s, const float[:, ::1] levels, int first, double half_window_s,
                int fewest, double[::1] sums, double[::1] slopes, float[:, ::1] trends):
    """Fill, for the frames from `first` on, each column's straight line through the frames round it.

    levels is (n, n_columns); trends is (n_inner, n_columns) and holds the line's value at the frame's own
    time, NaN where fewer than `fewest` frames lie within half_window_s; sums and slopes are scratch of
    length n_columns.
    """
    cdef:
        Py_ssize_t n = levels.shape[0], n_columns = levels.shape[1], n_inner = trends.shape[0]
        Py_ssize_t f, k, c, low = 0, high = 0
        double now, mean_t, t, spread
    with nogil:
        for f in range(first, first + n_inner):
            now = times_s[f]
            while times_s[low] < now - half_window_s:
                low += 1
            while high < n and times_s[high] <= now + half_window_s:
                high += 1
            if high - low < fewest or fewest < 2:
                for c in range(n_columns):
                    trends[f - first, c] = <float>NAN
                continue
            mean_t = 0
            for k in range(low, high):
                mean_t += times_s[k] - now
            mean_t /= high - low
            spread = 0
            for c in range(n_columns):
                sums[c] = slopes[c] = 0
            for k in range(low, high):
                t = times_s[k] - now - mean_t
                spread += t * t
                for c in range(n_columns):
                    sums[c] += levels[k, c]
                    slopes[c] += t * levels[k, c]
            for c in range(n_columns):
                trends[f - first, c] = <float>(sums[c] / (high - low) - slopes[c] / spread * mean_t)


def fill_smoothed(const float[:, ::1] values, const int32_t[:, ::1] neighbours, const float[::1] scales,
                  int fewest, float[:, ::1] out):
    """Fill each cell's mean over itself and its neighbours without the largest and the smallest of them.

    One cell that goes its own way (a twinkling star, a lamp) leaves nothing in its neighbours. values is
    (n_frames, n_cells); neighbours is (n_cells, 9), -1 where there is none; scales[k] multiplies the mean
    of k values before the two are left out; NaN where fewer than `fewest` (at least 3) are known.
    """
    cdef:
        Py_ssize_t n = values.shape[0], n_cells = values.shape[1], f, c
        int k, count, other
        float v, total, low, high
    with nogil:
        for f in range(n):
            for c in range(n_cells):
                count = 0
                total = 0
                low = high = <float>NAN
                for k in range(9):
                    other = neighbours[c, k]
                    if other < 0:
                        continue
                    v = values[f, other]
                    if isnan(v):
                        continue
                    if count == 0:
                        low = high = v
                    elif v < low:
                        low = v
                    elif v > high:
                        high = v
                    total += v
                    count += 1
                if count < fewest or count < 3 or isnan(values[f, c]):
                    out[f, c] = <float>NAN
                else:
                    out[f, c] = (total - low - high) / (count - 2) * scales[count]


def fill_pulses(const double[::1] times_s, const float[:, ::1] series, double longest_gap_s,
                double longest_step_s, double reach_s, double least_prominence, double[:, ::1] out):
    """Fill one row a pulse and return how many there are; out must hold n_series * (n_frames // 2) rows.

    A pulse is a local maximum (the middle of a flat top) whose prominence is at least least_prominence.
    Prominence is the height over the higher of the two lowest values on either side, looked for up to a
    value above the peak, reach_s, a NaN or a gap above longest_gap_s. What is told of a pulse is measured
    from the valleys to the pulses next to it, so that no pulse lies within another: its height over the
    higher valley, which is at least least_prominence too, and where the series crosses half of that height,
    between frames on a straight line. A pulse is not whole where a crossing falls into a step above
    longest_step_s, or where the value that sets its height is the first or last before a gap: what came
    before is not known. Columns are the enum above, by series and time.
    """
    cdef:
        Py_ssize_t n = series.shape[0], n_series = series.shape[1]
        Py_ssize_t s, i, ahead, peak, low, high, left, right, k, begin, rows = 0
        double top, level, prominence, base, t0, t1
        bint whole
    with nogil:
        for s in range(n_series):
            begin = rows
            i = 1
            while i < n - 1:
                top = series[i, s]
                if not (series[i - 1, s] < top) or times_s[i] - times_s[i - 1] > longest_gap_s:
                    i += 1
                    continue
                ahead = i + 1
                while (ahead < n - 1 and series[ahead, s] == top
                       and times_s[ahead] - times_s[ahead - 1] <= longest_gap_s):
                    ahead += 1
                if not (series[ahead, s] < top) or times_s[ahead] - times_s[ahead - 1] > longest_gap_s:
                    i = ahead
                    continue
                peak = (i + ahead - 1) // 2
                i = ahead
                left = lowest(times_s, series, s, peak, -1, 0, longest_gap_s, reach_s)
                right = lowest(times_s, series, s, peak, 1, n - 1, longest_gap_s, reach_s)
                if top - max(series[left, s], series[right, s]) >= least_prominence:
                    out[rows, PEAK] = peak
                    rows += 1
            for k in range(begin, rows):
                peak = <Py_ssize_t>out[k, PEAK]
                low = <Py_ssize_t>out[k - 1, PEAK] if k > begin else 0
                high = <Py_ssize_t>out[k + 1, PEAK] if k + 1 < rows else n - 1
                left = lowest(times_s, series, s, peak, -1, low, longest_gap_s, reach_s)
                right = lowest(times_s, series, s, peak, 1, high, longest_gap_s, reach_s)
                top = series[peak, s]
                base = max(series[left, s], series[right, s])
                prominence = top - base
                # Is the value that sets the height the last one known on its side?
                whole = True
                if series[left, s] == base and is_end(times_s, series, s, left, -1, longest_gap_s):
                    whole = False
                if series[right, s] == base and is_end(times_s, series, s, right, 1, longest_gap_s):
                    whole = False
                level = top - 0.5 * prominence
                low = peak
                while low > left and series[low, s] > level:
                    low -= 1
                t0 = times_s[low]
                if series[low, s] < level:
                    t0 += (level - series[low, s]) / (series[low + 1, s] - series[low, s]) * (
                        times_s[low + 1] - times_s[low])
                high = peak
                while high < right and series[high, s] > level:
                    high += 1
                t1 = times_s[high]
                if series[high, s] < level:
                    t1 -= (level - series[high, s]) / (series[high - 1, s] - series[high, s]) * (
                        times_s[high] - times_s[high - 1])
                if times_s[low + 1] - times_s[low] > longest_step_s:
                    whole = False
                if times_s[high] - times_s[high - 1] > longest_step_s:
                    whole = False
                out[k, SERIES] = s
                out[k, START_S] = t0
                out[k, PEAK_S] = times_s[peak]
                out[k, END_S] = t1
                out[k, PROMINENCE] = prominence
                out[k, HEIGHT] = top
                out[k, IS_WHOLE] = whole
    return rows


cdef Py_ssize_t lowest(const double[::1] times_s, const float[:, ::1] series, Py_ssize_t s, Py_ssize_t peak,
                       int step, Py_ssize_t bound, double longest_gap_s, double reach_s) noexcept nogil:
    """Where the series is lowest on one side of a peak (the nearest of equals), up to a higher value or `bound`."""
    cdef Py_ssize_t k = peak, at = peak
    cdef float top = series[peak, s]
    # A NaN is not <= top, so it ends the search as a higher value does.
    while (k != bound and series[k + step, s] <= top and (times_s[k + step] - times_s[k]) * step <= longest_gap_s
           and (times_s[k + step] - times_s[peak]) * step <= reach_s):
        k += step
        if series[k, s] < series[at, s]:
            at = k
    return at


cdef bint is_end(const double[::1] times_s, const float[:, ::1] series, Py_ssize_t s, Py_ssize_t at, int step,
                 double longest_gap_s) noexcept nogil:
    """Tell whether nothing is known of a series beyond a frame: its end, a NaN or a gap in time."""
    cdef Py_ssize_t beyond = at + step
    if beyond < 0 or beyond >= series.shape[0] or isnan(series[beyond, s]):
        return True
    return (times_s[beyond] - times_s[at]) * step > longest_gap_s


def fill_groups(const int32_t[::1] cells, const double[::1] starts_s, const double[::1] ends_s,
                const double[::1] heights, const int32_t[::1] offsets, const int32_t[:, ::1] neighbours,
                double least_overlap, int32_t[::1] groups, double[::1] highest):
    """Fill the group of each pulse, and the height of the highest one it is linked to (its own if none).

    Pulses of neighbouring cells that shine together are linked, and all that are linked, however far, are
    in one group. Pulses are ordered by cell and then by start; those of cell c are offsets[c] to
    offsets[c + 1] and do not overlap. Two shine together where the time they share is at least
    least_overlap of the time from the first's start to the last's end. A group's number is that of its
    first pulse.
    """
    cdef:
        Py_ssize_t n = cells.shape[0], i, j
        int k, other
        int32_t a, b
        double shared, either
    with nogil:
        for i in range(n):
            groups[i] = i
            highest[i] = heights[i]
        for i in range(n):
            for k in range(9):
                other = neighbours[cells[i], k]
                if other <= cells[i]:
                    continue
                j = first_ending_after(ends_s, starts_s[i], offsets[other], offsets[other + 1])
                while j < offsets[other + 1] and starts_s[j] < ends_s[i]:
                    shared = (min(ends_s[i], ends_s[j]) - max(starts_s[i], starts_s[j]))
                    either = (max(ends_s[i], ends_s[j]) - min(starts_s[i], starts_s[j]))
                    if shared > 0 and shared >= least_overlap * either:
                        highest[i] = max(highest[i], heights[j])
                        highest[j] = max(highest[j], heights[i])
                        a, b = root(groups, i), root(groups, j)
                        if a < b:
                            groups[b] = a
                        elif b < a:
                            groups[a] = b
                    j += 1
        for i in range(n):
            groups[i] = root(groups, i)


cdef int32_t root(int32_t[::1] groups, int32_t i) noexcept nogil:
    while groups[i] != i:
        groups[i] = groups[groups[i]]
        i = groups[i]
    return i


cdef Py_ssize_t first_ending_after(const double[::1] ends_s, double t, Py_ssize_t low, Py_ssize_t high) noexcept nogil:
    """First of the pulses of one cell, which follow one another, that ends after t."""
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) // 2
        if ends_s[middle] > t:
            high = middle
        else:
            low = middle + 1
    return low
