"""The structure of the sky in one frame: brightness, texture, elongation, point sources.

Called by pulsaurora.pulsation.reduction with what _cells.fill_cells made. Works on log brightness
above pedestal, so that a camera's gain drops out of everything but the brightness columns.
Fine cells are the blocks of _cells; a coarse cell is 2 x 2 of them.
Oracle: tests/naive_sky.py::structure_row.
"""

from libc.math cimport sqrt, sqrtf, log10
from libc.stdint cimport uint8_t, int32_t, uint64_t
from libc.string cimport memchr, memcpy, memset

cdef extern from "_numeric.h" nogil:
    float pulsaurora_select(const float *values, int n, int k)
    float pulsaurora_weighted_sum(const float *values, const float *weight, int n)

cdef extern from "_structure.h" nogil:
    void pulsaurora_noise_ratios(const float *level, const float *peak, const int32_t *place, double pedestal,
                                 float peak_scale, float gain, float read_variance, float *out, int n)
    void pulsaurora_block_noise(const float *level, const float *peak, const int32_t *place, double pedestal,
                                double ratio, float peak_scale, int n_pixels, float gain, float read_variance,
                                float offset, float saturation, double *noise, uint8_t *unusual, int n)
    void pulsaurora_halve(const float *grid, int size, float *out)
    void pulsaurora_variances(const float *grid, int size, double *out)
    void pulsaurora_middles(const float *grid, float *out)
    void pulsaurora_fill_log(const float *level, float pedestal, float offset, float *out, int n)
    void pulsaurora_gradient(const float *field, const float *edge, float *gxx, float *gyy, float *gxy)
    void pulsaurora_anisotropy(const float *gxx, const float *gyy, const float *gxy, const float *inside,
                               float *trace, float *difference)

cdef extern from "_box.h" nogil:
    void pulsaurora_box(const float *grid, int reach, float *out)

cdef extern from "_relief.h" nogil:
    void pulsaurora_relief(const float *basis, float *values, float *clipped, int n)
    void pulsaurora_relief_sums(const float *values, float bright, float strong, float dark, float *powers,
                                float *counts, int n)

cdef extern from "_regions.h" nogil:
    int pulsaurora_region(const float *inside, int n_rows, int n_cols, int start, int32_t *stack, uint8_t *seen,
                          double *elongation)

# Columns of the output, in the order of pulsaurora.pulsation.table.STRUCTURE.
cdef enum:
    PEDESTAL, NOISE_RATIO, BRIGHTNESS, P10, P50, P90, SPREAD, SKEW, SATURATED, GRADIENT, GRADIENT_P95
    TEXTURE_0, TEXTURE_1, TEXTURE_2, TEXTURE_3, LOCAL_ELONGATION, GLOBAL_ELONGATION
    POINTS, POINT_STRENGTH, STARS, STAR_COVER, GLARE, GLARE_AREA, HORIZON_RATIO, ASYMMETRY
    RELIEF, RELIEF_SKEW, RELIEF_P98, RELIEF_P2, RELIEF_BRIGHT, RELIEF_STRONG, RELIEF_DARK
    RELIEF_GLOBAL_ELONGATION, RELIEF_LOCAL_ELONGATION, RELIEF_REGIONS, RELIEF_LARGEST, RELIEF_LARGEST_ELONGATION
    STARS_IN_BRIGHT, STARS_IN_DARK
    N_COLUMNS

N_STRUCTURE = N_COLUMNS


def scratch_sizes():
    """Floats, bytes and 32-bit integers of scratch that fill_structure needs."""
    return 4096 + 4 * 1024 + 4096 + 3 * 1024 + 2 * 1024 + 2 * 4096, 6 * 1024 + 2 * 4096, 1024 + 4096 + 1024


cdef double corner_mean(const float[:, ::1] level, int i0, int j0, int size) noexcept nogil:
    cdef double total = 0
    cdef int i, j
    for i in range(i0, i0 + size):
        for j in range(j0, j0 + size):
            total += level[i, j]
    return total / (size * size)


cdef bint stands_alone(const float[:, ::1] level, const float[:, ::1] peak, int i, int j) noexcept nogil:
    """Tell whether a block's peak is that of a star, and not of an edge that runs through it.

    A star's peak is more than twice the mean peak of the eight blocks round it, and those are about as bright
    as each other: what splits them into bright and dark by 0.7 of the peak is the edge of a patch or cloud.
    """
    cdef double others = -peak[i, j]
    cdef float darkest, brightest
    cdef int a, b
    if i < 1 or j < 1 or i > 62 or j > 62:
        return False
    darkest = brightest = level[i - 1, j - 1]
    for a in range(i - 1, i + 2):
        for b in range(j - 1, j + 2):
            others += peak[a, b]
            if a != i or b != j:
                darkest = min(darkest, level[a, b])
                brightest = max(brightest, level[a, b])
    return 4 * peak[i, j] > others and brightest - darkest < 0.7 * peak[i, j]


cdef int count_bits(uint64_t bits) noexcept nogil:
    cdef int n = 0
    while bits:
        bits &= bits - 1
        n += 1
    return n


cdef double block_variance(const float *grid, const uint8_t *mask, int size) noexcept nogil:
    """Mean unbiased variance of the whole 2 x 2 blocks of a size x size grid; mask is that of blocks."""
    cdef double[1024] variances
    cdef double total = 0
    cdef int k, n = 0, n_all = size * size // 4
    pulsaurora_variances(grid, size, variances)
    for k in range(n_all):
        total += variances[k] if mask[k] else 0.0
        n += mask[k]
    return total / n if n > 0 else 0.0


cdef void halve_mask(const uint8_t *mask, int size, uint8_t *out) noexcept nogil:
    """A 2 x 2 block is inside when all four are."""
    cdef int i, j, k, half = size // 2
    for i in range(half):
        for j in range(half):
            k = 2 * i * size + 2 * j
            out[i * half + j] = mask[k] & mask[k + 1] & mask[k + size] & mask[k + size + 1]


cdef float local_elongation(float *gxx, float *gyy, float *gxy, const float *inside) noexcept nogil:
    """Anisotropy of the structure tensor in 5 x 5 cells; the products of the gradient become their sums."""
    cdef float trace, difference
    pulsaurora_box(gxx, 2, gxx)
    pulsaurora_box(gyy, 2, gyy)
    pulsaurora_box(gxy, 2, gxy)
    pulsaurora_anisotropy(gxx, gyy, gxy, inside, &trace, &difference)
    return difference / (trace + 1e-9)


cdef float sky_elongation(const float *gxx, const float *gyy, const float *gxy, const float *inside) noexcept nogil:
    """Anisotropy of the structure tensor over the whole sky."""
    cdef double jxx = pulsaurora_weighted_sum(gxx, inside, 1024), jyy = pulsaurora_weighted_sum(gyy, inside, 1024)
    cdef double jxy = pulsaurora_weighted_sum(gxy, inside, 1024)
    return sqrt((jxx - jyy) ** 2 + 4 * jxy * jxy) / (jxx + jyy + 1e-9)


def fill_structure(const float[:, :, ::1] levels, const float[:, :, ::1] peaks,
                   const uint8_t[:, ::1] fine_mask, const float[:, ::1] fine_elevation,
                   float peak_scale, int n_pixels, float gain, float read_variance, float offset,
                   float saturation, const float[:, ::1] basis, float[::1] scratch, uint8_t[::1] mask_scratch,
                   int32_t[::1] stack, float[:, :, ::1] cells, float[:, ::1] out):
    """Fill coarse cells (counts) and one row of structure numbers a frame.

    levels and peaks are (n, 64, 64), cells (n, 32, 32), out (n, N_STRUCTURE), all float32; fine_mask
    and fine_elevation (degrees) are (64, 64). peak_scale is the expected peak of n_pixels Gaussian
    pixels of unit variance; gain and read_variance are the photon law; offset (counts) is added
    before the logarithm. basis (7, coarse cells inside) holds the orthonormal functions of position that
    make the smooth background. A cell is the mean of the middle two of its four blocks: a star that twinkles in
    one of them is not light of the sky that comes and goes. scratch, mask_scratch and stack hold scratch_sizes().
    """
    cdef:
        Py_ssize_t f, n_frames = levels.shape[0]
        int i, j, k
        float *inside = &scratch[15360]
        float *edge = &scratch[16384]
        uint8_t *masks = &mask_scratch[0]
        Blocks blocks
    with nogil:
        # Masks of 32, 16, 8 and 4 cells a side, one after the other.
        halve_mask(&fine_mask[0, 0], 64, masks)
        halve_mask(masks, 32, masks + 1024)
        halve_mask(masks + 1024, 16, masks + 1280)
        halve_mask(masks + 1280, 8, masks + 1344)
        for k in range(1024):
            i = k // 32
            j = k % 32
            inside[k] = masks[k]
            edge[k] = 0
            if 0 < i < 31 and 0 < j < 31:
                if masks[k] and masks[k - 1] and masks[k + 1] and masks[k - 32] and masks[k + 32]:
                    edge[k] = 1
        blocks.place = &stack[1024]
        blocks.sampled = &stack[1024 + 4096]
        blocks.noise = <double *> &scratch[17408]
        blocks.height = masks + 6 * 1024
        blocks.unusual = masks + 6 * 1024 + 4096
        list_blocks(&blocks, fine_mask, fine_elevation)
        for f in range(n_frames):
            one_frame(levels[f], peaks[f], &blocks, peak_scale, n_pixels, gain, read_variance,
                      offset, saturation, basis, &scratch[0], masks, &stack[0], cells[f], &out[f, 0])


cdef struct Blocks:
    # The fine blocks inside the mask, row after row.
    int n, n_sampled, n_sectors, n_low, n_high
    int32_t *place    # where each lies among the 4096
    int32_t *sampled  # the same of every fourth column, shifted from row to row
    double *noise     # scratch of one number a block
    uint8_t *height   # 1 below 35 degrees, 2 above 55
    uint8_t *unusual  # scratch


cdef void list_blocks(Blocks *blocks, const uint8_t[:, ::1] mask, const float[:, ::1] elevation) noexcept nogil:
    cdef uint64_t sectors = 0
    cdef int i, j, n = 0
    blocks.n_sampled = blocks.n_low = blocks.n_high = 0
    for i in range(64):
        for j in range(64):
            if not mask[i, j]:
                continue
            blocks.place[n] = 64 * i + j
            blocks.height[n] = 0
            if elevation[i, j] < 35:
                blocks.height[n] = 1
                blocks.n_low += 1
            elif elevation[i, j] > 55:
                blocks.height[n] = 2
                blocks.n_high += 1
            n += 1
            sectors |= <uint64_t>1 << (i // 8 * 8 + j // 8)
            if j % 4 == i % 4:
                blocks.sampled[blocks.n_sampled] = 64 * i + j
                blocks.n_sampled += 1
    blocks.n = n
    blocks.n_sectors = count_bits(sectors)


cdef void one_frame(const float[:, ::1] level, const float[:, ::1] peak, const Blocks *blocks, float peak_scale,
                    int n_pixels, float gain, float read_variance, float offset, float saturation,
                    const float[:, ::1] basis, float *scratch, uint8_t *masks, int32_t *stack, float[:, ::1] cells, float *out) noexcept nogil:
    cdef:
        int i, j, k, c, n = blocks.n, n_stars = 0, n_points = 0, n_saturated = 0, n_coarse = 0, n_edge = 0, n_glare = 0
        double pedestal, other, v, sigma, ratio, total = 0, total2 = 0, total3 = 0, noise = 0, strength = 0, x
        double low_total = 0, high_total = 0
        double plane_x = 0, plane_y = 0, plane_xx = 0, plane_yy = 0, mean, deviation
        double energy = 0
        float top, half
        uint64_t starry = 0
        float *fine = scratch
        float *coarse = scratch + 4096
        float *relief = scratch + 5120
        float *clipped = scratch + 6144
        float *field = scratch + 7168
        float *work = scratch + 8192
        float *gxx = scratch + 12288
        float *gyy = scratch + 13312
        float *gxy = scratch + 14336
        const float *inside = scratch + 15360
        const float *edge = scratch + 16384
        const uint8_t *coarse_mask = masks
        const uint8_t *found
        uint8_t *seen = masks + 2048
        uint8_t *stars = masks + 3072

    memset(out, 0, N_COLUMNS * sizeof(float))
    # The corners lie outside the optics: the darkest of the four is the pedestal (with what light scatters there).
    pedestal = corner_mean(level, 0, 0, 6)
    for i in range(1, 4):
        other = corner_mean(level, 58 if i & 1 else 0, 58 if i & 2 else 0, 6)
        if other < pedestal:
            pedestal = other
    out[PEDESTAL] = pedestal

    pulsaurora_fill_log(&level[0, 0], pedestal, offset, fine, 4096)
    pulsaurora_halve(fine, 64, coarse)
    memset(stars, 0, 1024)
    pulsaurora_middles(&level[0, 0], &cells[0, 0])

    # How noisy this camera is against the photon law, from a quarter of the blocks: stars and edges do not move a median.
    pulsaurora_noise_ratios(&level[0, 0], &peak[0, 0], blocks.sampled, pedestal, peak_scale, gain, read_variance, work,
                            blocks.n_sampled)
    ratio = pulsaurora_select(work, blocks.n_sampled, blocks.n_sampled // 2) if blocks.n_sampled else 1.0
    ratio = min(max(ratio, 0.3), 3.0)
    out[NOISE_RATIO] = ratio

    pulsaurora_block_noise(&level[0, 0], &peak[0, 0], blocks.place, pedestal, ratio, peak_scale, n_pixels, gain,
                           read_variance, offset, saturation, blocks.noise, blocks.unusual, n)
    for c in range(n):
        x = fine[blocks.place[c]]
        total += x
        noise += blocks.noise[c]
        low_total += x if blocks.height[c] == 1 else 0.0
        high_total += x if blocks.height[c] == 2 else 0.0
    c = -1
    while True:
        found = <const uint8_t *>memchr(&blocks.unusual[c + 1], 1, n - c - 1)
        if found == NULL:
            break
        c = <int>(found - blocks.unusual)
        i = blocks.place[c] // 64
        j = blocks.place[c] % 64
        v = max(level[i, j] - pedestal, 0.0)
        sigma = ratio * sqrtf(gain * v + read_variance)
        if level[i, j] > saturation:
            n_saturated += 1
        elif peak[i, j] + level[i, j] < 65000:
            if peak[i, j] > 4 * peak_scale * sigma:
                n_points += 1
                strength += peak[i, j] / sigma
            if stands_alone(level, peak, i, j):
                n_stars += 1
                stars[i // 2 * 32 + j // 2] += 1
                starry |= <uint64_t>1 << (i // 8 * 8 + j // 8)
    if n == 0:
        return
    mean = total / n
    noise /= n
    for k in range(1024):
        if coarse_mask[k]:
            work[n_coarse] = coarse[k]
            relief[n_coarse] = coarse[k] - <float>mean
            n_coarse += 1
            deviation = coarse[k] - mean
            total2 += deviation * deviation
            total3 += deviation * deviation * deviation
            i = k // 32
            j = k % 32
            plane_x += (j - 15.5) * deviation
            plane_y += (i - 15.5) * deviation
            plane_xx += (j - 15.5) ** 2
            plane_yy += (i - 15.5) ** 2
    out[BRIGHTNESS] = mean
    out[SATURATED] = <float>n_saturated / n
    out[POINTS] = log10(1.0 + n_points)
    out[POINT_STRENGTH] = log10(1.0 + strength / n_points) if n_points else 0
    out[STARS] = log10(1.0 + n_stars)
    out[STAR_COVER] = <float>count_bits(starry) / blocks.n_sectors
    out[HORIZON_RATIO] = (low_total / blocks.n_low - high_total / blocks.n_high
                          if blocks.n_low > 0 and blocks.n_high > 0 else 0)
    if n_coarse == 0:
        return
    total2 /= n_coarse
    total3 /= n_coarse
    out[SPREAD] = sqrt(total2)
    out[SKEW] = total3 / (total2 * sqrt(total2) + 1e-9)
    out[ASYMMETRY] = 25.0 * sqrt((plane_x / (plane_xx + 1e-9)) ** 2 + (plane_y / (plane_yy + 1e-9)) ** 2)
    out[P10] = pulsaurora_select(work, n_coarse, n_coarse // 10)
    out[P50] = pulsaurora_select(work, n_coarse, n_coarse // 2)
    out[P90] = pulsaurora_select(work, n_coarse, (9 * n_coarse) // 10)
    top = pulsaurora_select(work, n_coarse, n_coarse - 1)
    out[GLARE] = top - out[P50]
    half = top - 0.30103
    for k in range(n_coarse):
        if work[k] > half:
            n_glare += 1
    out[GLARE_AREA] = <float>n_glare / n_coarse

    # Gradient and structure tensor over cells whose four neighbours are inside too.
    pulsaurora_gradient(coarse, edge, gxx, gyy, gxy)
    for k in range(32, 992):
        if edge[k] != 0:
            work[n_edge] = sqrtf(gxx[k] + gyy[k])
            energy += work[n_edge]
            n_edge += 1
    out[GRADIENT] = energy / n_edge if n_edge else 0
    out[GRADIENT_P95] = pulsaurora_select(work, n_edge, (95 * n_edge) // 100) if n_edge else 0
    out[GLOBAL_ELONGATION] = sky_elongation(gxx, gyy, gxy, inside)
    out[LOCAL_ELONGATION] = local_elongation(gxx, gyy, gxy, inside)

    # Variance at 1, 2, 4, 8 coarse half-cells; what photon noise adds at the two finest is taken off.
    x = block_variance(fine, coarse_mask, 64) - noise
    out[TEXTURE_0] = log10((x if x > 0 else 0) + 1e-6)
    x = block_variance(coarse, masks + 1024, 32) - noise / 4
    out[TEXTURE_1] = log10((x if x > 0 else 0) + 1e-6)
    pulsaurora_halve(coarse, 32, work)
    out[TEXTURE_2] = log10(block_variance(work, masks + 1280, 16) + 1e-6)
    pulsaurora_halve(work, 16, work + 256)
    out[TEXTURE_3] = log10(block_variance(work + 256, masks + 1344, 8) + 1e-6)

    pulsaurora_relief(&basis[0, 0], relief, clipped, n_coarse)
    fill_relief(relief, coarse_mask, inside, edge, stars, n_coarse, field, work, gxx, gyy, gxy, stack, seen, out)


cdef void fill_relief(const float *relief, const uint8_t *mask, const float *inside, const float *edge,
                      const uint8_t *stars, int n, float *field, float *work, float *gxx, float *gyy, float *gxy,
                      int32_t *stack, uint8_t *seen, float *out) noexcept nogil:
    """Fill the columns of what stands out of the background, from its value in each of the n cells inside."""
    cdef:
        int k, c = 0, size, n_regions = 0, largest = 0, n_bright = 0, n_dark = 0
        int n_stars = 0, bright_stars = 0, dark_stars = 0
        float[3] powers
        float[3] counts
        double mean, deviation, elongation
    pulsaurora_relief_sums(relief, 0.05, 0.15, -0.05, powers, counts, n)
    mean = powers[0] / n
    deviation = sqrt(max(powers[1] / n - mean * mean, 0.0))
    out[RELIEF] = log10(deviation + 1e-4)
    out[RELIEF_SKEW] = powers[2] / n / (deviation * deviation * deviation + 1e-9)
    out[RELIEF_BRIGHT] = counts[0] / n
    out[RELIEF_STRONG] = counts[1] / n
    out[RELIEF_DARK] = counts[2] / n
    memcpy(work, relief, n * sizeof(float))
    out[RELIEF_P2] = pulsaurora_select(work, n, (2 * n) // 100)
    out[RELIEF_P98] = pulsaurora_select(work, n, (98 * n) // 100)
    for k in range(1024):
        field[k] = work[k] = 0
        seen[k] = 0
        if mask[k]:
            field[k] = relief[c]
            work[k] = relief[c] > <float>0.05
            n_stars += stars[k]
            # Cloud hides stars, aurora does not.
            if relief[c] > <float>0.04:
                n_bright += 1
                bright_stars += stars[k]
            elif relief[c] < <float>-0.04:
                n_dark += 1
                dark_stars += stars[k]
            c += 1
    out[STARS_IN_BRIGHT] = log10((bright_stars + 2.0) / (<double>n_stars * n_bright / n + 2.0))
    out[STARS_IN_DARK] = log10((dark_stars + 2.0) / (<double>n_stars * n_dark / n + 2.0))
    for k in range(1024):
        if work[k] != 0 and not seen[k]:
            size = pulsaurora_region(work, 32, 32, k, stack, seen, &elongation)
            if size > 1:
                n_regions += 1
                if size > largest:
                    largest = size
                    out[RELIEF_LARGEST_ELONGATION] = elongation
    out[RELIEF_REGIONS] = log10(1.0 + n_regions)
    out[RELIEF_LARGEST] = <float>largest / n
    pulsaurora_gradient(field, edge, gxx, gyy, gxy)
    out[RELIEF_GLOBAL_ELONGATION] = sky_elongation(gxx, gyy, gxy, inside)
    out[RELIEF_LOCAL_ELONGATION] = local_elongation(gxx, gyy, gxy, inside)
