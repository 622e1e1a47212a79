"""Stars seen over a while: points that stand still in their blocks though each frame's noise hides them.

A block's spark is how far its brightest pixel stands above what noise alone would make it. Averaged over two
minutes, in which stars turn by less than a pixel or two, sparks show stars two magnitudes fainter than one
frame does: enough of them to tell where something hides them, and when. Stars last from frame to frame; flakes of
snow, aircraft and particles that hit the CCD are elsewhere in the next. Fine blocks and cells are those of
_structure. Frames of one slot of time share the numbers of the window about its middle.
Oracle: tests/naive_sky.py::star_row.
"""

from libc.math cimport fabsf, floor, log10, sqrt
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t
from libc.string cimport memcpy, memset

cdef extern from "_numeric.h" nogil:
    float pulsaurora_select(const float *values, int n, int k)
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

cdef extern from "_dimming.h" nogil:
    enum:
        PULSAURORA_MOST_STARS, PULSAURORA_SMOOTHED
    ctypedef struct pulsaurora_starlight:
        float *sum
        float *squares
        float *steps
        float *least
        float *xx
        float *xy
        float *yy
        float *running
        float *leaving
    void pulsaurora_star_frame(float *excess, float *light, float ratio, float gain, float read_variance,
                               float offset, int number, pulsaurora_starlight *s, int n)
    int pulsaurora_smooth_rows(float *rows, int n_frames, float *running, float *leaving, int n)
    void pulsaurora_star_moments(const float *excess, const float *light, int n_rows, pulsaurora_starlight *s, int n)
    void pulsaurora_star_ranks(int n_frames, pulsaurora_starlight *s, int n)

# Columns of the output, in the order of pulsaurora.pulsation.table.STARS.
cdef enum:
    FAINT_STARS, FAINT_STAR_COVER, FAINT_IN_BRIGHT, FAINT_IN_DARK, FAINT_ON_RELIEF, FAINT_ON_STRUCTURE
    PASSING_POINTS, LASTING_POINTS
    STAR_VOIDS, STAR_CLUMPING, STAR_VOID_RELIEF
    STEADY_STARS, DIMMING_P50, DIMMING_P85, VANISHING, DIMMING_ON_LIGHT, DIMMING_SLOPE, LIGHT_BY_STARS
    WAVERING_P50, WAVERING_P85
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
cdef enum:
    MOST_FRAMES = 240
# Stars whose light is followed in time have a mean spark of this, and there are as many frames and stars at least.
cdef double FOLLOWED = 16 * 0.8
cdef int LEAST_FRAMES = 15, LEAST_STARS = 3


def scratch_sizes():
    """Floats, and numbers of 32 bits, of scratch that fill_stars needs."""
    return 6 * 1024 + 2 * MOST_FRAMES * PULSAURORA_MOST_STARS, 2 * PULSAURORA_MOST_STARS


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
               double half_s, double slot_s, double next_s, double offset, double gain, double read_variance,
               float[:, ::1] levels, int32_t[:, ::1] points, int16_t[::1] total, float[::1] scratch,
               int32_t[::1] lists, float[:, ::1] out):
    """Fill one row of numbers about stars for each of frames first .. last - 1.

    times_s (n,) ascending seconds; sparks (n, 4096); cells (n, n_cells) counts; structure (n, >= 2): pedestal
    and noise ratio first; fine_mask (64, 64); place and coarse_place (n_inside,): where cells inside lie in a row
    of cells and in the 32 x 32 grid; background (7, n_inside) as in _structure. Frames within half_s seconds of
    the middle of a frame's slot of slot_s seconds count, the first 240 of them; a frame is next to another when
    within next_s. levels (n, n_inside), points (n, 3), total (4096,), scratch and lists (scratch_sizes()) are
    scratch; out is (last - first, N_STARS) float32.
    """
    cdef:
        Py_ssize_t f, g, low = 0, high = 0, new_low, new_high
        int n_inside = place.shape[0], c
        double slot = -1, middle
        float *area = &scratch[0]
        float *grid = &scratch[1024]
        float *row
        pulsaurora_starlight starlight
    if last <= first or n_inside == 0:
        return
    with nogil:
        memset(&total[0], 0, 4096 * sizeof(int16_t))
        memset(grid, 0, 1024 * sizeof(float))
        for c in range(n_inside):
            grid[coarse_place[c]] = 1
        pulsaurora_box(grid, 2, area)
        for f in range(first, last):
            row = &out[f - first, 0]
            if f > first and floor(times_s[f] / slot_s) == slot:
                memcpy(row, &out[f - first - 1, 0], N_COLUMNS * sizeof(float))
                continue
            slot = floor(times_s[f] / slot_s)
            middle = (slot + 0.5) * slot_s
            new_low = low
            while new_low < f and times_s[new_low] < middle - half_s:
                new_low += 1
            new_high = max(high, new_low)
            while (new_high < times_s.shape[0] and times_s[new_high] <= middle + half_s
                   and new_high - new_low < MOST_FRAMES):
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
                    area, grid, row)
            mean_points(points, low, high, row)
            follow_stars(sparks, levels, structure, fine_mask, coarse_place, low, high, offset, gain, read_variance,
                         &total[0], &starlight, &scratch[6 * 1024], &lists[0], row)


cdef void follow_stars(const int8_t[:, ::1] sparks, const float[:, ::1] levels, const float[:, ::1] structure,
                       const uint8_t[:, ::1] fine_mask, const int32_t[::1] coarse_place, Py_ssize_t low,
                       Py_ssize_t high, double offset, double gain, double read_variance, const int16_t *total,
                       pulsaurora_starlight *s, float *series, int32_t *lists, float *out) noexcept nogil:
    """Tell how the stars' light comes and goes in frames low .. high - 1.

    Cloud that passes dims a star for longer than a frame, and brightens or darkens the sky about it; twinkling
    does neither, and aurora brightens the sky alone.
    """
    cdef:
        int n_frames = <int>(high - low), n_rows, n = 0, c, i, j, k, b, vanishing = 0
        int32_t *block = lists
        int32_t *cell = lists + PULSAURORA_MOST_STARS
        float *excess = series
        float *light
        double xx = 0, xy = 0, yy = 0
        Py_ssize_t g
        uint8_t[1024] starry
    for k in range(STEADY_STARS, N_COLUMNS):
        out[k] = 0
    out[LIGHT_BY_STARS] = -4
    pulsaurora_any_above(total, <int16_t>(FOLLOWED * n_frames), starry)
    for c in range(coarse_place.shape[0]):
        k = coarse_place[c]
        if not starry[k]:
            continue
        for b in range(4):
            i = 2 * (k // 32) + b // 2
            j = 2 * (k % 32) + b % 2
            if (n < PULSAURORA_MOST_STARS and total[64 * i + j] > FOLLOWED * n_frames
                    and is_star(total, fine_mask, i, j, n_frames)):
                block[n] = 64 * i + j
                cell[n] = c
                n += 1
    out[STEADY_STARS] = log10(1.0 + n)
    if n < LEAST_STARS or n_frames < LEAST_FRAMES:
        return
    light = series + n_frames * n
    memset(s.sum, 0, n * sizeof(float))
    memset(s.squares, 0, n * sizeof(float))
    memset(s.steps, 0, n * sizeof(float))
    for g in range(low, high):
        k = <int>(g - low)
        for c in range(n):
            excess[k * n + c] = sparks[g, block[c]]
            light[k * n + c] = levels[g, cell[c]]
        pulsaurora_star_frame(excess + k * n, light + k * n, structure[g, 1], <float>gain, <float>read_variance,
                              <float>offset, k, s, n)
    n_rows = pulsaurora_smooth_rows(excess, n_frames, s.running, s.leaving, n)
    pulsaurora_smooth_rows(light, n_frames, s.running, s.leaving, n)
    pulsaurora_star_moments(excess, light, n_rows, s, n)
    pulsaurora_star_ranks(n_frames, s, n)
    for c in range(n):
        vanishing += s.least[c] > <float>0.7
        xx += s.xx[c]
        xy += s.xy[c]
        yy += s.yy[c]
    out[DIMMING_P50] = pulsaurora_select(s.least, n, n // 2)
    out[DIMMING_P85] = pulsaurora_select(s.least, n, 85 * n // 100)
    out[VANISHING] = <float>vanishing / n
    out[DIMMING_ON_LIGHT] = xy / sqrt(xx * yy + 1e-9)
    xy /= xx + 5e-4 * n * n_rows
    out[DIMMING_SLOPE] = min(max(xy, -5.0), 5.0)
    out[LIGHT_BY_STARS] = log10(sqrt(xx / (n * n_rows)) + 1e-4)
    out[WAVERING_P50] = pulsaurora_select(s.steps, n, n // 2)
    out[WAVERING_P85] = pulsaurora_select(s.steps, n, 85 * n // 100)


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
    describe_voids(density, relief, n, mean_density, out)
    memset(grid, 0, 1024 * sizeof(float))
    for c in range(n):
        grid[coarse_place[c]] = relief[c]
    pulsaurora_box(grid, 1, smooth)
    for c in range(n):
        work[c] = smooth[coarse_place[c]] / 9
        relief[c] = fabsf(work[c])
    out[FAINT_ON_RELIEF] = n_stars / (n_stars + FEW) * pulsaurora_correlation(density, work, n)
    out[FAINT_ON_STRUCTURE] = n_stars / (n_stars + FEW) * pulsaurora_correlation(density, relief, n)


cdef void describe_voids(const float *density, const float *relief, int n, double mean, float *out) noexcept nogil:
    """Tell how unevenly stars stand, and whether the sky is brighter where they lack."""
    cdef:
        double median = pulsaurora_select(density, n, n // 2), limit = 0.3 * max(median, 0.02), spread = 0
        double in_voids = 0, elsewhere = 0
        int c, n_void = 0
    for c in range(n):
        spread += (density[c] - mean) ** 2
        if density[c] < limit:
            n_void += 1
            in_voids += relief[c]
        else:
            elsewhere += relief[c]
    out[STAR_VOIDS] = <float>n_void / n
    out[STAR_CLUMPING] = sqrt(spread / n) / (mean + 0.01) * sqrt(min(25 * mean, 4.0))
    out[STAR_VOID_RELIEF] = in_voids / n_void - elsewhere / (n - n_void) if 0 < n_void < n else 0.0
