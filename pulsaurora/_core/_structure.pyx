"""The structure of the sky in one frame: brightness, texture, elongation, point sources.

Called by pulsaurora.pulsation.reduction with what _cells.fill_cells made. Works on log brightness
above pedestal, so that a camera's gain drops out of everything but the brightness columns.
Fine cells are the blocks of _cells; a coarse cell is 2 x 2 of them.
Oracle: tests/naive_sky.py::structure_row.
"""

from libc.math cimport sqrt, sqrtf, log10
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

cdef extern from "_numeric.h" nogil:
    float pulsaurora_log10f(float x)
    float pulsaurora_select(float *values, int n, int k)

cdef extern from * nogil:
    """
    static void fill_log(const float *restrict level, float pedestal, float offset, float *restrict out, int n)
    {
        for (int c = 0; c < n; c++) {
            float v = level[c] - pedestal;
            v = v > 0.0f ? v : 0.0f;
            out[c] = pulsaurora_log10f(v + offset);
        }
    }
    """
    void fill_log(const float *level, float pedestal, float offset, float *out, int n)

# Columns of the output, in the order of pulsaurora.pulsation.table.STRUCTURE.
cdef enum:
    PEDESTAL, NOISE_RATIO, BRIGHTNESS, P10, P50, P90, SPREAD, SKEW, SATURATED, GRADIENT, GRADIENT_P95
    TEXTURE_0, TEXTURE_1, TEXTURE_2, TEXTURE_3, LOCAL_ELONGATION, GLOBAL_ELONGATION
    POINTS, POINT_STRENGTH, STARS, STAR_COVER, GLARE, GLARE_AREA, HORIZON_RATIO, ASYMMETRY
    N_COLUMNS

N_STRUCTURE = N_COLUMNS



cdef double corner_mean(const float[:, ::1] level, int i0, int j0, int size) noexcept nogil:
    cdef double total = 0
    cdef int i, j
    for i in range(i0, i0 + size):
        for j in range(j0, j0 + size):
            total += level[i, j]
    return total / (size * size)


cdef bint stands_alone(const float[:, ::1] peak, int i, int j) noexcept nogil:
    """Tell whether a block's peak is more than twice the mean peak of the eight blocks round it."""
    cdef double others = -peak[i, j]
    cdef int a, b
    if i < 1 or j < 1 or i > 62 or j > 62:
        return False
    for a in range(i - 1, i + 2):
        for b in range(j - 1, j + 2):
            others += peak[a, b]
    return 4 * peak[i, j] > others


cdef int count_bits(uint64_t bits) noexcept nogil:
    cdef int n = 0
    while bits:
        bits &= bits - 1
        n += 1
    return n


cdef double block_variance(const float *grid, const uint8_t *mask, int size, double *n_blocks) noexcept nogil:
    """Mean unbiased variance of the whole 2 x 2 blocks of a size x size grid."""
    cdef double total = 0, n = 0, a, b, c, d, m
    cdef int i, j, k
    for i in range(0, size, 2):
        for j in range(0, size, 2):
            k = i * size + j
            if mask[k] and mask[k + 1] and mask[k + size] and mask[k + size + 1]:
                a = grid[k]
                b = grid[k + 1]
                c = grid[k + size]
                d = grid[k + size + 1]
                m = (a + b + c + d) / 4
                total += ((a - m) * (a - m) + (b - m) * (b - m) + (c - m) * (c - m) + (d - m) * (d - m)) / 3
                n += 1
    n_blocks[0] = n
    return total / n if n > 0 else 0.0


cdef void halve(const float *grid, const uint8_t *mask, int size, float *out, uint8_t *out_mask) noexcept nogil:
    """Mean of 2 x 2 blocks; a block is inside when all four are."""
    cdef int i, j, k, half = size // 2
    for i in range(half):
        for j in range(half):
            k = 2 * i * size + 2 * j
            out[i * half + j] = 0.25 * (grid[k] + grid[k + 1] + grid[k + size] + grid[k + size + 1])
            out_mask[i * half + j] = mask[k] & mask[k + 1] & mask[k + size] & mask[k + size + 1]


cdef void box_sum(float *grid, float *scratch, int size, int radius) noexcept nogil:
    """Replace each value by the sum over the (2 radius + 1)^2 box round it, cut at the edges."""
    cdef int i, j, k, low, high
    cdef float total
    for i in range(size):
        for j in range(size):
            low = j - radius if j > radius else 0
            high = j + radius if j + radius < size else size - 1
            total = 0
            for k in range(low, high + 1):
                total += grid[i * size + k]
            scratch[i * size + j] = total
    for i in range(size):
        low = i - radius if i > radius else 0
        high = i + radius if i + radius < size else size - 1
        memset(&grid[i * size], 0, size * sizeof(float))
        for k in range(low, high + 1):
            for j in range(size):
                grid[i * size + j] += scratch[k * size + j]


def fill_structure(const float[:, :, ::1] levels, const float[:, :, ::1] peaks,
                   const uint8_t[:, ::1] fine_mask, const float[:, ::1] fine_elevation,
                   float peak_scale, int n_pixels, float gain, float read_variance, float offset,
                   float saturation, float[::1] scratch, uint8_t[::1] mask_scratch,
                   float[:, :, ::1] cells, float[:, ::1] out):
    """Fill coarse cell means (counts) and one row of structure numbers a frame.

    levels and peaks are (n, 64, 64), cells (n, 32, 32), out (n, N_STRUCTURE), all float32; fine_mask
    and fine_elevation (degrees) are (64, 64). peak_scale is the expected peak of n_pixels Gaussian
    pixels of unit variance; gain and read_variance are the photon law; offset (counts) is added
    before the logarithm. scratch holds 4 * 4096 floats, mask_scratch 2 * 4096 bytes.
    """
    cdef:
        Py_ssize_t f, n_frames = levels.shape[0]
        float *fine = &scratch[0]
        float *coarse = &scratch[4096]
        float *work = &scratch[8192]
        float *tensor = &scratch[12288]
        uint8_t *coarse_mask = &mask_scratch[0]
        uint8_t *level_mask = &mask_scratch[4096]
    with nogil:
        for f in range(n_frames):
            one_frame(levels[f], peaks[f], fine_mask, fine_elevation, peak_scale, n_pixels, gain, read_variance,
                      offset, saturation, fine, coarse, work, tensor, coarse_mask, level_mask, cells[f], &out[f, 0])


cdef void one_frame(const float[:, ::1] level, const float[:, ::1] peak,
                    const uint8_t[:, ::1] fine_mask, const float[:, ::1] elevation,
                    float peak_scale, int n_pixels, float gain, float read_variance, float offset,
                    float saturation, float *fine, float *coarse, float *work, float *tensor,
                    uint8_t *coarse_mask, uint8_t *level_mask,
                    float[:, ::1] cells, float *out) noexcept nogil:
    cdef:
        int i, j, k, c, n_stars = 0, n = 0, n_points = 0, n_saturated = 0, n_sampled = 0, n_coarse = 0, n_edge = 0, n_glare = 0
        double pedestal, other, v, sigma, ratio, total = 0, total2 = 0, total3 = 0, noise = 0, strength = 0, x
        double low_total = 0, high_total = 0, n_low = 0, n_high = 0
        double plane_x = 0, plane_y = 0, plane_xx = 0, plane_yy = 0, mean, deviation
        double energy = 0, anisotropy = 0, jxx = 0, jyy = 0, jxy = 0, n_blocks = 0
        float gx, gy, top, half
        uint64_t sectors = 0, starry = 0
        float *gxx = tensor
        float *gyy = tensor + 1024
        float *gxy = tensor + 2048
        float *box = tensor + 3072

    memset(out, 0, N_COLUMNS * sizeof(float))
    # The corners lie outside the optics: the darkest of the four is the pedestal (with what light scatters there).
    pedestal = corner_mean(level, 0, 0, 6)
    for i in range(1, 4):
        other = corner_mean(level, 58 if i & 1 else 0, 58 if i & 2 else 0, 6)
        if other < pedestal:
            pedestal = other
    out[PEDESTAL] = pedestal

    fill_log(&level[0, 0], pedestal, offset, fine, 4096)
    halve(fine, &fine_mask[0, 0], 64, coarse, coarse_mask)
    for i in range(32):
        for j in range(32):
            cells[i, j] = 0.25 * (level[2 * i, 2 * j] + level[2 * i, 2 * j + 1]
                                  + level[2 * i + 1, 2 * j] + level[2 * i + 1, 2 * j + 1])

    # How noisy this camera is against the photon law, from a quarter of the blocks: stars and edges do not move a median.
    for i in range(64):
        for j in range(i & 3, 64, 4):
            if fine_mask[i, j]:
                v = level[i, j] - pedestal
                work[n_sampled] = peak[i, j] / (peak_scale * sqrtf(gain * (v if v > 0 else 0) + read_variance))
                n_sampled += 1
    ratio = pulsaurora_select(work, n_sampled, n_sampled // 2) if n_sampled else 1.0
    ratio = min(max(ratio, 0.3), 3.0)
    out[NOISE_RATIO] = ratio

    for i in range(64):
        for j in range(64):
            if not fine_mask[i, j]:
                continue
            v = level[i, j] - pedestal
            if v < 0:
                v = 0
            x = fine[i * 64 + j]
            n += 1
            total += x
            sigma = ratio * sqrtf(gain * v + read_variance)
            noise += (0.4342944819 * sigma / (v + offset)) ** 2 / (n_pixels - 1)
            if level[i, j] > saturation:
                n_saturated += 1
            elif peak[i, j] > 3 * peak_scale * sigma and peak[i, j] + level[i, j] < 65000:
                if peak[i, j] > 4 * peak_scale * sigma:
                    n_points += 1
                    strength += peak[i, j] / sigma
                if stands_alone(peak, i, j):
                    n_stars += 1
                    starry |= <uint64_t>1 << (i // 8 * 8 + j // 8)
            sectors |= <uint64_t>1 << (i // 8 * 8 + j // 8)
            if elevation[i, j] < 35:
                low_total += x
                n_low += 1
            elif elevation[i, j] > 55:
                high_total += x
                n_high += 1
    if n == 0:
        return
    mean = total / n
    noise /= n
    for k in range(1024):
        if coarse_mask[k]:
            work[n_coarse] = coarse[k]
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
    out[STAR_COVER] = <float>count_bits(starry) / count_bits(sectors)
    out[HORIZON_RATIO] = low_total / n_low - high_total / n_high if n_low > 0 and n_high > 0 else 0
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
    memset(tensor, 0, 3072 * sizeof(float))
    for i in range(1, 31):
        for j in range(1, 31):
            k = i * 32 + j
            if coarse_mask[k] and coarse_mask[k - 1] and coarse_mask[k + 1] and coarse_mask[k - 32] and coarse_mask[k + 32]:
                gx = 0.5 * (coarse[k + 1] - coarse[k - 1])
                gy = 0.5 * (coarse[k + 32] - coarse[k - 32])
                gxx[k] = gx * gx
                gyy[k] = gy * gy
                gxy[k] = gx * gy
                jxx += gxx[k]
                jyy += gyy[k]
                jxy += gxy[k]
                work[n_edge] = sqrtf(gx * gx + gy * gy)
                energy += work[n_edge]
                n_edge += 1
    out[GRADIENT] = energy / n_edge if n_edge else 0
    out[GRADIENT_P95] = pulsaurora_select(work, n_edge, (95 * n_edge) // 100) if n_edge else 0
    out[GLOBAL_ELONGATION] = sqrt((jxx - jyy) ** 2 + 4 * jxy * jxy) / (jxx + jyy + 1e-9)
    box_sum(gxx, box, 32, 2)
    box_sum(gyy, box, 32, 2)
    box_sum(gxy, box, 32, 2)
    energy = 0
    for k in range(1024):
        if coarse_mask[k]:
            energy += gxx[k] + gyy[k]
            anisotropy += sqrtf((gxx[k] - gyy[k]) * (gxx[k] - gyy[k]) + 4 * gxy[k] * gxy[k])
    out[LOCAL_ELONGATION] = anisotropy / (energy + 1e-9)

    # Variance at 1, 2, 4, 8 coarse half-cells; what photon noise adds at the two finest is taken off.
    x = block_variance(fine, &fine_mask[0, 0], 64, &n_blocks) - noise
    out[TEXTURE_0] = log10((x if x > 0 else 0) + 1e-6)
    x = block_variance(coarse, coarse_mask, 32, &n_blocks) - noise / 4
    out[TEXTURE_1] = log10((x if x > 0 else 0) + 1e-6)
    halve(coarse, coarse_mask, 32, work, level_mask)
    out[TEXTURE_2] = log10(block_variance(work, level_mask, 16, &n_blocks) + 1e-6)
    halve(work, level_mask, 16, work + 256, level_mask + 256)
    out[TEXTURE_3] = log10(block_variance(work + 256, level_mask + 256, 8, &n_blocks) + 1e-6)
