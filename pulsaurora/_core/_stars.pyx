"""Stars seen over a while: points that stand still in their blocks though each frame's noise hides them.

A block's spark is how far its brightest pixel stands above what noise alone would make it. Averaged over two
minutes, in which stars turn by less than a pixel or two, sparks show stars two magnitudes fainter than one
frame does: enough of them to tell where something hides them. Stars last from frame to frame; flakes of snow,
aircraft and particles that hit the CCD are elsewhere in the next. Fine blocks and cells are those of _structure.
Oracle: tests/naive_sky.py::star_row.
"""

from libc.math cimport fabsf, log10
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t
from libc.string cimport memset

cdef extern from "_numeric.h" nogil:
    double pulsaurora_correlation(const float *x, const float *y, int n)

cdef extern from "_relief.h" nogil:
    void pulsaurora_relief(const float *basis, float *values, float *clipped, int n)

cdef extern from "_box.h" nogil:
    void pulsaurora_box(const float *grid, int reach, float *out)

cdef extern from "_stars.h" nogil:
    void pulsaurora_sparks(const float *level, const float *peak, float pedestal, float ratio, float peak_scale,
                           float gain, float read_variance, int8_t *out)
    void pulsaurora_add_sparks(const int8_t *sparks, int sign, int16_t *total)
    void pulsaurora_points(const int8_t *before, const int8_t *now, const int8_t *after, const uint8_t *mask,
                           int8_t point, int8_t none, int8_t some, int32_t *n_passing, int32_t *n_lasting)
    void pulsaurora_any_above(const int16_t *total, int16_t limit, uint8_t *out)
    void pulsaurora_levels(const float *cells, const int32_t *place, float pedestal, float *out, int n)
    void pulsaurora_add_levels(const float *levels, float *total, int n)
    void pulsaurora_mean_log(const float *total, float count, float offset, float *out, int n)

# Columns of the output, in the order of pulsaurora.pulsation.table.STARS.
cdef enum:
    FAINT_STARS, FAINT_STAR_COVER, FAINT_IN_BRIGHT, FAINT_IN_DARK, FAINT_ON_RELIEF, FAINT_ON_STRUCTURE
    PASSING_POINTS, LASTING_POINTS
    N_COLUMNS

N_STARS = N_COLUMNS

# In units of a sixteenth of the noise: what a star's mean spark is at least, and what it has over twice its
# neighbours' mean.
cdef double LEAST = 16 * 0.6
cdef double ALONE = 16 * 0.35
# A spark that is a point, one that is none, and what a point is at least in the frames beside if it lasts.
cdef int8_t POINT = 16 * 5
cdef int8_t NONE = 16 * 2
cdef int8_t SOME = 40
# With fewer stars, where they stand says little: the correlations are taken for less.
cdef double FEW = 10
# The sums of sparks are of 16 bits.
cdef int MOST_FRAMES = 240


def fill_sparks(const float[:, :, ::1] levels, const float[:, :, ::1] peaks, const float[:, ::1] structure,
                float peak_scale, float gain, float read_variance, int8_t[:, ::1] out):
    """Fill each block's spark, in sixteenths of the noise, held within +-100.

    levels and peaks (n, 64, 64) as _cells.fill_cells makes them; structure (n, >= 2): pedestal and noise
    ratio first; out (n, 4096). Noise is at least 2 % of the light, as pixels differ in response by nearly so
    much. A peak at the top of the 16-bit range is a hot pixel: its spark is 0.
    """
    cdef Py_ssize_t f
    with nogil:
        for f in range(levels.shape[0]):
            pulsaurora_sparks(&levels[f, 0, 0], &peaks[f, 0, 0], structure[f, 0], structure[f, 1], peak_scale, gain,
                              read_variance, &out[f, 0])


def fill_stars(const double[::1] times_s, const int8_t[:, ::1] sparks, const float[:, ::1] cells,
               const float[:, ::1] structure, const uint8_t[:, ::1] fine_mask, const int32_t[::1] place,
               const int32_t[::1] coarse_place, const float[:, ::1] background, Py_ssize_t first, Py_ssize_t last,
               double half_s, double next_s, double offset, float[:, ::1] levels, int32_t[:, ::1] points,
               int16_t[::1] total, float[::1] scratch, float[:, ::1] out):
    """Fill one row of numbers about stars for each of frames first .. last - 1.

    times_s (n,) ascending seconds; sparks (n, 4096); cells (n, n_cells) counts; structure (n, >= 1): pedestal
    first; fine_mask (64, 64); place and coarse_place (n_inside,): where cells inside lie in a row of cells and
    in the 32 x 32 grid; background (7, n_inside) as in _structure. Frames within half_s seconds count, 240 at
    most; a frame is next to another when within next_s. levels (n, n_inside), points (n, 3), total (4096,) and
    scratch (6 * 1024,) are scratch; out is (last - first, N_STARS)
    float32.
    """
    cdef:
        Py_ssize_t f, g, low = 0, high = 0, new_low, new_high
        int n_inside = place.shape[0], c
        float *area = &scratch[0]
        float *grid = &scratch[1024]
    if last <= first or n_inside == 0:
        return
    with nogil:
        memset(&total[0], 0, 4096 * sizeof(int16_t))
        memset(grid, 0, 1024 * sizeof(float))
        for c in range(n_inside):
            grid[coarse_place[c]] = 1
        pulsaurora_box(grid, 2, area)
        for f in range(first, last):
            new_low = low
            while times_s[new_low] < times_s[f] - half_s or f - new_low > MOST_FRAMES // 2 - 1:
                new_low += 1
            new_high = max(high, new_low)
            while (new_high < times_s.shape[0] and times_s[new_high] <= times_s[f] + half_s
                   and new_high - f < MOST_FRAMES // 2):
                new_high += 1
            for g in range(low, min(new_low, high)):
                pulsaurora_add_sparks(&sparks[g, 0], -1, &total[0])
            for g in range(max(high, new_low), new_high):
                pulsaurora_add_sparks(&sparks[g, 0], 1, &total[0])
                # Each row of numbers adds up a window of these anew, so that its bits do not depend on others.
                pulsaurora_levels(&cells[g, 0], &place[0], structure[g, 0], &levels[g, 0], n_inside)
                count_points(g, times_s, sparks, fine_mask, next_s, &points[g, 0])
            low = new_low
            high = new_high
            one_row(levels, fine_mask, coarse_place, background, low, high, offset, &total[0],
                    area, grid, &out[f - first, 0])
            mean_points(points, low, high, &out[f - first, 0])


cdef void count_points(Py_ssize_t g, const double[::1] times_s, const int8_t[:, ::1] sparks,
                       const uint8_t[:, ::1] fine_mask, double next_s, int32_t *points) noexcept nogil:
    """Count a frame's passing and lasting points; the third number tells whether a frame beside it is there."""
    cdef Py_ssize_t before = g, after = g
    points[0] = points[1] = points[2] = 0
    if g > 0 and times_s[g] - times_s[g - 1] <= next_s:
        before = g - 1
    if g + 1 < times_s.shape[0] and times_s[g + 1] - times_s[g] <= next_s:
        after = g + 1
    if before == g and after == g:
        return
    points[2] = 1
    pulsaurora_points(&sparks[after if before == g else before, 0], &sparks[g, 0],
                      &sparks[before if after == g else after, 0], &fine_mask[0, 0], POINT, NONE, SOME,
                      &points[0], &points[1])


cdef void mean_points(const int32_t[:, ::1] points, Py_ssize_t low, Py_ssize_t high, float *out) noexcept nogil:
    cdef int32_t n_passing = 0, n_lasting = 0, n = 0
    cdef Py_ssize_t g
    for g in range(low, high):
        n_passing += points[g, 0]
        n_lasting += points[g, 1]
        n += points[g, 2]
    out[PASSING_POINTS] = log10(1.0 + <double>n_passing / max(n, 1))
    out[LASTING_POINTS] = log10(1.0 + <double>n_lasting / max(n, 1))


cdef bint is_star(const int16_t *total, const uint8_t[:, ::1] fine_mask, int i, int j, double n) noexcept nogil:
    """Tell whether a block inside the mask holds a point that stands out of its neighbours as out of noise."""
    cdef int mine = total[64 * i + j], others = -mine, n_others = -1, a, b
    if mine <= LEAST * n:
        return False
    for a in range(max(i - 1, 0), min(i + 2, 64)):
        for b in range(max(j - 1, 0), min(j + 2, 64)):
            others += total[64 * a + b] if fine_mask[a, b] else 0
            n_others += fine_mask[a, b]
    return mine > 2.0 * others / max(n_others, 1) + ALONE * n


cdef void one_row(const float[:, ::1] levels, const uint8_t[:, ::1] fine_mask,
                  const int32_t[::1] coarse_place, const float[:, ::1] background, Py_ssize_t low, Py_ssize_t high, double offset, const int16_t *total, const float *area,
                  float *grid, float *out) noexcept nogil:
    cdef:
        int n = coarse_place.shape[0], c, i, j, k, n_bright = 0, n_dark = 0, n_covered = 0
        double n_stars = 0, bright_stars = 0, dark_stars = 0, mean_density = 0
        Py_ssize_t g
        float *density = grid + 1024
        float *relief = grid + 2048
        float *work = grid + 3072
        float *smooth = grid + 4096
        float first
        uint8_t[1024] starry
    memset(grid, 0, 1024 * sizeof(float))
    # Few cells hold a block bright enough to be looked at singly.
    pulsaurora_any_above(total, <int16_t>(LEAST * (high - low)), starry)
    for c in range(n):
        k = coarse_place[c]
        if not starry[k]:
            continue
        i = 2 * (k // 32)
        j = 2 * (k % 32)
        grid[k] = (is_star(total, fine_mask, i, j, high - low) + is_star(total, fine_mask, i, j + 1, high - low)
                   + is_star(total, fine_mask, i + 1, j, high - low)
                   + is_star(total, fine_mask, i + 1, j + 1, high - low))
        n_stars += grid[k]
    memset(work, 0, n * sizeof(float))
    for g in range(low, high):
        pulsaurora_add_levels(&levels[g, 0], work, n)
    pulsaurora_mean_log(work, high - low, <float>offset, relief, n)
    # A number near all of them taken off first leaves more digits to the rest.
    first = relief[0]
    for c in range(n):
        relief[c] -= first
    pulsaurora_relief(&background[0, 0], relief, work, n)
    for c in range(n):
        if relief[c] > <float>0.04:
            n_bright += 1
            bright_stars += grid[coarse_place[c]]
        elif relief[c] < <float>-0.04:
            n_dark += 1
            dark_stars += grid[coarse_place[c]]
    out[FAINT_STARS] = log10(1.0 + n_stars)
    out[FAINT_IN_BRIGHT] = log10((bright_stars + 2.0) / (n_stars * n_bright / n + 2.0))
    out[FAINT_IN_DARK] = log10((dark_stars + 2.0) / (n_stars * n_dark / n + 2.0))
    # How densely stars stand about each cell, beside how bright it is about there.
    pulsaurora_box(grid, 2, smooth)
    for c in range(n):
        k = coarse_place[c]
        density[c] = smooth[k] / max(area[k], <float>2.5)
        mean_density += density[c]
    mean_density /= n
    for c in range(n):
        n_covered += density[c] > 0.25 * max(mean_density, 0.02)
    out[FAINT_STAR_COVER] = <float>n_covered / n
    memset(grid, 0, 1024 * sizeof(float))
    for c in range(n):
        grid[coarse_place[c]] = relief[c]
    pulsaurora_box(grid, 1, smooth)
    for c in range(n):
        work[c] = smooth[coarse_place[c]] / 9
        relief[c] = fabsf(work[c])
    out[FAINT_ON_RELIEF] = n_stars / (n_stars + FEW) * pulsaurora_correlation(density, work, n)
    out[FAINT_ON_STRUCTURE] = n_stars / (n_stars + FEW) * pulsaurora_correlation(density, relief, n)
