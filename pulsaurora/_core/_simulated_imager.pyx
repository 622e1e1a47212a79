"""What a synthetic imager makes of the light of the sky: points, blur, light between pixels, counts.

Called by pulsaurora.simulation with checked, contiguous float32 images; every loop runs without the GIL and
adds to, or fills, what the caller allocated. Oracles: tests/naive.py::blurred, scipy, and the law of noise.
"""

from libc.math cimport expf

cdef extern from "_simulation.h" nogil:
    int pulsaurora_floor(float value)
    void pulsaurora_add_scaled(const float *shape, float weight, float *out, int n)
    void pulsaurora_add_scaled_fours(const float *shape, float weight, float *out, int fours)

cdef extern from * nogil:
    """
    #include <math.h>
    /* out[c] += weight * (left[c] + right[c]), which vectorises. */
    static void add_pair(const float *left, const float *right, float weight, float *restrict out, int n)
    {
        for (int c = 0; c < n; c++)
            out[c] += weight * (left[c] + right[c]);
    }
    /* One row of counts; without a branch, which vectorises. */
    static void count_row(const float *signal, float factor, const float *warm, const float *response,
                          const float *normal, float offset, float noise_slope, float read_variance,
                          unsigned short *restrict counts, int n)
    {
        for (int c = 0; c < n; c++) {
            float light = (signal[c] * factor + warm[c]) * response[c];
            light = light < 0 ? 0 : light;
            float value = offset + light + sqrtf(noise_slope * light + read_variance) * normal[c];
            value = value < 0 ? 0 : value;
            value = value > 65535 ? 65535 : value;
            counts[c] = (unsigned short)(int)(value + 0.5f);
        }
    }
    """
    void add_pair(const float *left, const float *right, float weight, float *out, int n)
    void count_row(const float *signal, float factor, const float *warm, const float *response,
                   const float *normal, float offset, float noise_slope, float read_variance,
                   unsigned short *counts, int n)


cdef inline void _fill_gaussian(float *weights, const float *centred, int reach, float off,
                                float scale) noexcept nogil:
    """exp(-scale (k - off)^2) for k from -reach on, from those about 0: exp(2 scale off k) is a power."""
    cdef int k
    cdef float step = expf(2 * scale * off), right = expf(-scale * off * off), left = right
    cdef float back = 1 / step
    weights[reach] = right
    for k in range(1, reach + 1):
        right *= step
        left *= back
        weights[reach + k] = right * centred[k]
        weights[reach - k] = left * centred[k]


def add_points(float[:, ::1] image, const float[::1] row, const float[::1] col, const float[::1] flux,
               float sigma):
    """Add point sources as Gaussians of width `sigma` (pixels); `flux` is each one's whole light (counts)."""
    cdef Py_ssize_t p, n = row.shape[0]
    cdef int k, r, r0, c0, reach = min(<int>(3 * sigma + 1.5), 31), first, end
    cdef int n_rows = <int>image.shape[0], n_cols = <int>image.shape[1]
    cdef float scale = 1 / (2 * sigma * sigma), norm = 0.15915494 / (sigma * sigma)
    cdef int fours = (2 * reach + 4) // 4
    cdef float centred[32]
    cdef float across[64]
    cdef float down[64]
    for k in range(64):
        across[k] = 0
    for k in range(reach + 1):
        centred[k] = expf(-scale * k * k)
    with nogil:
        for p in range(n):
            if not flux[p] > 0:
                continue
            r0 = pulsaurora_floor(row[p] + <float>0.5)
            c0 = pulsaurora_floor(col[p] + <float>0.5)
            if r0 < -reach or c0 < -reach or r0 >= n_rows + reach or c0 >= n_cols + reach:
                continue
            _fill_gaussian(across, centred, reach, col[p] - c0, scale)
            _fill_gaussian(down, centred, reach, row[p] - r0, scale)
            first, end = max(c0 - reach, 0), min(c0 + reach + 1, n_cols)
            if end <= first:
                continue
            # Away from the border whole fours are added: beyond its reach `across` is 0.
            if first == c0 - reach and first + 4 * fours <= n_cols:
                for r in range(max(r0 - reach, 0), min(r0 + reach + 1, n_rows)):
                    pulsaurora_add_scaled_fours(across, flux[p] * norm * down[r - r0 + reach],
                                                &image[r, first], fours)
                continue
            for r in range(max(r0 - reach, 0), min(r0 + reach + 1, n_rows)):
                pulsaurora_add_scaled(&across[first - c0 + reach], flux[p] * norm * down[r - r0 + reach],
                           &image[r, first], end - first)


def blur(const float[:, ::1] image, float[:, ::1] scratch, float[:, ::1] out, float sigma):
    """Fill `out` with the image blurred by a Gaussian of `sigma` pixels (0.2 to 5), cut at 3 sigma.

    `scratch` and `out` have the image's shape; beyond its border the image is dark.
    """
    cdef int r, c, k, n_rows = <int>image.shape[0], n_cols = <int>image.shape[1]
    cdef int reach = min(max(<int>(3 * sigma + 0.5), 1), 15)
    cdef float weights[16]
    cdef float total = 1
    weights[0] = 1
    for k in range(1, reach + 1):
        weights[k] = expf(-k * k / (2 * sigma * sigma))
        total += 2 * weights[k]
    with nogil:
        for k in range(reach + 1):
            weights[k] /= total
        for r in range(n_rows):
            for c in range(n_cols):
                scratch[r, c] = weights[0] * image[r, c]
            for k in range(1, reach + 1):
                if k < n_cols - k:
                    add_pair(&image[r, 0], &image[r, 2 * k], weights[k], &scratch[r, k], n_cols - 2 * k)
                for c in range(min(k, n_cols)):
                    if c + k < n_cols:
                        scratch[r, c] += weights[k] * image[r, c + k]
                        scratch[r, n_cols - 1 - c] += weights[k] * image[r, n_cols - 1 - c - k]
        for r in range(n_rows):
            for c in range(n_cols):
                out[r, c] = weights[0] * scratch[r, c]
            for k in range(1, reach + 1):
                if r >= k and r + k < n_rows:
                    add_pair(&scratch[r - k, 0], &scratch[r + k, 0], weights[k], &out[r, 0], n_cols)
                elif r >= k:
                    for c in range(n_cols):
                        out[r, c] += weights[k] * scratch[r - k, c]
                elif r + k < n_rows:
                    for c in range(n_cols):
                        out[r, c] += weights[k] * scratch[r + k, c]


def fill_between(const float[:, ::1] grid, float[:, ::1] out):
    """Fill an image of twice as many rows and columns: the grid's own values at even ones, linear between.

    Beyond the grid's last row and column it is dark.
    """
    cdef int r, c, n_rows = <int>grid.shape[0], n_cols = <int>grid.shape[1]
    with nogil:
        for r in range(n_rows):
            for c in range(n_cols - 1):
                out[2 * r, 2 * c] = grid[r, c]
                out[2 * r, 2 * c + 1] = <float>0.5 * (grid[r, c] + grid[r, c + 1])
            out[2 * r, 2 * n_cols - 2] = grid[r, n_cols - 1]
            out[2 * r, 2 * n_cols - 1] = <float>0.5 * grid[r, n_cols - 1]
        for r in range(n_rows - 1):
            for c in range(2 * n_cols):
                out[2 * r + 1, c] = <float>0.5 * (out[2 * r, c] + out[2 * r + 2, c])
        for c in range(2 * n_cols):
            out[2 * n_rows - 1, c] = <float>0.5 * out[2 * n_rows - 2, c]


def fill_counts(unsigned short[:, ::1] counts, const float[:, ::1] signal, float factor,
                const float[:, ::1] warm, const float[:, ::1] response,
                const float[:, ::1] normal, const float[::1] row_offset,
                float pedestal, float noise_slope, float read_variance):
    """Fill counts from ``factor * signal + warm``, counts above pedestal: response, noise of the measured law,
    rounding, saturation.
    """
    cdef int r, n = <int>counts.shape[1]
    with nogil:
        for r in range(<int>counts.shape[0]):
            count_row(&signal[r, 0], factor, &warm[r, 0], &response[r, 0], &normal[r, 0],
                      pedestal + row_offset[r], noise_slope, read_variance, &counts[r, 0], n)
