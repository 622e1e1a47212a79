"""Canvases of patches and how each one's brightness goes in time, before a synthetic imager looks at them.

Called by pulsaurora.simulation with checked, contiguous arrays; every loop runs without the GIL and fills what
the caller allocated. Constants are cast to float since Cython writes 1 as 1.0 next to one, and the sum would
be made in doubles. Oracles: tests/naive.py and numpy.interp in tests/simulation/test_simulate_kernels.py.
"""

from libc.math cimport sqrtf

cdef extern from "_simulation.h" nogil:
    int pulsaurora_floor(float value)
    void pulsaurora_add_scaled(const float *shape, float weight, float *out, int n)


def add_blobs(float[:, ::1] potential, short[:, ::1] ids, const int[:, ::1] centre,
              const float[:, ::1] shape, const float[:, :, ::1] lobes):
    """Raise a periodic landscape to rounded patches where they exceed it, and note whose each cell is.

    Parameters
    ----------
    potential : float32, ids : int16; both (side, side)
        A patch's height is 1 in its middle, 0 on its outline; it owns cells where it stands above -0.3.
    centre : int32 (n, 2)
        Row and column.
    shape : float32 (n, 7)
        How far (cells) below and right of the patch's middle its centre lies, cosine and sine of its angle,
        its length and width (half of each, cells), and its bend (across per along squared).
    lobes : float32 (n, 4, 2)
        Amplitudes of cosine and sine of 3 to 6 times the angle, as shares of the radius.
    """
    cdef Py_ssize_t n
    cdef int side = <int>potential.shape[0], reach, r, c, i, j, m
    cdef float dy, dx, along, across, p, q, square, height, lobe, most, re, im, turned
    with nogil:
        for n in range(centre.shape[0]):
            reach = <int>min(max(shape[n, 4], shape[n, 5]) * <float>1.65 + 2, <float>(side // 2 - 1))
            most = 0
            for m in range(4):
                most += sqrtf(lobes[n, m, 0] * lobes[n, m, 0] + lobes[n, m, 1] * lobes[n, m, 1])
            most = (<float>1 - most) * (<float>1 - most) if most < 1 else 0
            for r in range(-reach, reach + 1):
                i = (centre[n, 0] + r + side) % side
                dy = r + shape[n, 0]
                for c in range(-reach, reach + 1):
                    dx = c + shape[n, 1]
                    along = dx * shape[n, 2] + dy * shape[n, 3]
                    across = dy * shape[n, 2] - dx * shape[n, 3] - shape[n, 6] * along * along
                    p = along / shape[n, 4]
                    q = across / shape[n, 5]
                    square = p * p + q * q
                    j = (centre[n, 1] + c + side) % side
                    if <float>1 - most * square <= potential[i, j]:  # lobes or not
                        continue
                    height = sqrtf(square)
                    if height > <float>1e-6:
                        p /= height
                        q /= height
                    re, im, lobe = p, q, 1
                    for m in range(4):
                        if m == 0:
                            turned = re * p - im * q
                            im = re * q + im * p
                            re = turned
                        turned = re * p - im * q
                        im = re * q + im * p
                        re = turned
                        lobe += re * lobes[n, m, 0] + im * lobes[n, m, 1]
                    height = <float>1 - square * lobe * lobe
                    if height > potential[i, j]:
                        potential[i, j] = height
                        if height > -<float>0.3:
                            ids[i, j] = <short>n


def fill_lines(float[:, ::1] out, const double[:, ::1] knots, const double[:, ::1] levels,
               const double[::1] late, double step):
    """Fill samples of lines from knot to knot: row k at times ``step * column + late[k]``.

    `knots` rise along each row; before the first and after the last a line stays level.
    """
    cdef Py_ssize_t k
    cdef int c, j, n = <int>out.shape[1], last = <int>knots.shape[1] - 1
    cdef double when, start, slope
    with nogil:
        for k in range(out.shape[0]):
            j = -1  # the knot passed last
            start, slope = 0, 0
            for c in range(n):
                when = step * c + late[k]
                if j < last and when >= knots[k, j + 1]:
                    while j < last and when >= knots[k, j + 1]:
                        j += 1
                    start, slope = knots[k, j], 0
                    if j < last:
                        slope = (levels[k, j + 1] - levels[k, j]) / (knots[k, j + 1] - start)
                out[k, c] = <float>(levels[k, max(j, 0)] + slope * (when - start))


def fill_exposed(float[:, ::1] out, const float[:, ::1] series, const float[::1] late, int n_exposed):
    """Fill what an exposure of `n_exposed` samples that begins at each sees, 0 at least.

    Row k of `out` follows row ``k % len(series)`` by ``late[k]`` samples, between which it is linear; beyond
    its ends a series stays level.
    """
    cdef Py_ssize_t k, own
    cdef int c, q, first, begin, end, n = <int>out.shape[1], m = <int>series.shape[1]
    cdef float part, weight
    with nogil:
        for k in range(out.shape[0]):
            own = k % series.shape[0]
            first = pulsaurora_floor(-late[k])
            part = -late[k] - first
            for c in range(n):
                out[k, c] = 0
            # The mean of n_exposed lines between samples is that of n_exposed + 1 samples, ends by their parts.
            for q in range(n_exposed + 1):
                weight = 1 - part if q == 0 else part if q == n_exposed else 1
                weight /= n_exposed
                begin = min(max(-first - q, 0), n)
                end = min(max(m - first - q, begin), n)
                for c in range(begin):
                    out[k, c] += weight * series[own, 0]
                for c in range(end, n):
                    out[k, c] += weight * series[own, m - 1]
                if end > begin:
                    pulsaurora_add_scaled(&series[own, begin + first + q], weight, &out[k, begin], end - begin)
            for c in range(n):
                out[k, c] = out[k, c] if out[k, c] > 0 else 0
