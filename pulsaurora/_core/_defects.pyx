"""Warm pixels: which pixels of the CCD are bright by themselves, and blocks made without them.

Called by pulsaurora.pulsation.reduction with the frames of one minute. The lens spreads a star's light over the
pixels beside it, and a warm pixel has none of that; under a dark overcast a CCD's warm pixels would else pass for
the stars of a clear sky. Oracle: tests/naive_sky.py::warm_pixels and cell_means.
"""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memchr, memcpy, memset

from pulsaurora._core._cells cimport check_starts

cdef extern from "_defects.h" nogil:
    void pulsaurora_add_native(const unsigned char *pixels, uint32_t *sums, int n)
    void pulsaurora_add_swapped(const unsigned char *pixels, uint32_t *sums, int n)
    int pulsaurora_mark_sharp(const uint32_t *sums, int width, float count, float pedestal, float gain,
                              float read_variance, uint8_t *marked)

# What the four pixels beside a warm one have at most, together, of its excess: of the sharpest stars (0.4 pixels
# wide, in the middle of theirs) they have half, of usual ones more than all.
cdef float BESIDE = 0.35


def find_warm_pixels(const unsigned char[::1] pixels, const long long[:] starts, bint swap, Py_ssize_t every,
                     float gain, float read_variance, uint32_t[::1] sums, uint8_t[::1] marked,
                     uint8_t[:, ::1] warm, int32_t[::1] places):
    """Find the warm pixels of frames of one minute; return how many, 0 where there are more than `places` holds.

    Frames of 16-bit pixels, the size of warm, begin at the bytes `starts` of `pixels`, their bytes in the other order
    than this machine's where `swap`; every `every`-th is looked at. gain and read_variance are the photon law;
    sums (rows * cols,) and marked (cols,) are scratch. warm (rows, cols), zeros when given, becomes 1 at each;
    places gets its number in the frame. With none it is left as it is.
    """
    cdef:
        int rows = warm.shape[0], width = warm.shape[1], r, c, n = 0, most = places.shape[0], k, count = 0
        Py_ssize_t f = 0
        float pedestal, excess, about, beside
        const uint32_t *row
        const uint8_t *found
    check_starts(pixels, starts, 2 * <Py_ssize_t>rows * width)
    if starts.shape[0] == 0 or rows < 5 or width < 5:
        return 0
    with nogil:
        memset(&sums[0], 0, rows * width * sizeof(uint32_t))
        # Of 2**31 / 4 / 65535 frames at most, sums of four stay within a signed number.
        while f < starts.shape[0] and f < 8000:
            if swap:
                pulsaurora_add_swapped(&pixels[starts[f]], &sums[0], rows * width)
            else:
                pulsaurora_add_native(&pixels[starts[f]], &sums[0], rows * width)
            count += 1
            f += every
        pedestal = darkest_corner(&sums[0], rows, width) / count
        for r in range(2, rows - 2):
            row = &sums[r * width]
            if pulsaurora_mark_sharp(row, width, count, pedestal, gain, read_variance, &marked[0]) == 0:
                continue
            c = 1
            while True:
                # Few are marked: byte after byte takes five times as long.
                found = <const uint8_t *>memchr(&marked[c + 1], 1, width - 3 - c)
                if found == NULL:
                    break
                c = <int>(found - &marked[0])
                about = <float>0.25 * <float>(<int32_t>(row[c - 2] + row[c + 2] + row[c - 2 * width] + row[c + 2 * width]))
                excess = <float>(<int32_t>row[c]) - about
                beside = <float>(<int32_t>(row[c - 1] + row[c + 1] + row[c - width] + row[c + width])) - 4 * about
                if beside < BESIDE * excess:
                    if n < most:
                        places[n] = r * width + c
                    n += 1
        if n > most:
            n = 0
        for k in range(n):
            warm[places[k] // width, places[k] % width] = 1
    return n


cdef float darkest_corner(const uint32_t *sums, int rows, int width) noexcept nogil:
    """Mean of the darkest of the four corners, a tenth of a side wide, times the frames added up."""
    cdef int side = max(rows // 10, 1), corner, r, c, r0, c0
    cdef double total, least = 1e300
    for corner in range(4):
        r0 = rows - side if corner & 1 else 0
        c0 = width - side if corner & 2 else 0
        total = 0
        for r in range(r0, r0 + side):
            for c in range(c0, c0 + side):
                total += sums[r * width + c]
        least = min(least, total)
    return <float>(least / (side * side))


def mend_blocks(const unsigned char[::1] pixels, const long long[:] starts, bint swap, int block,
                const uint8_t[:, ::1] warm, const int32_t[::1] places, int n_places, float[:, :, ::1] means,
                float[:, :, ::1] peaks):
    """Fill again, as _cells.fill_cells does, the blocks that hold warm pixels, without those.

    Frames as above. A block with less than two other pixels is left as it is.
    """
    cdef:
        int width = warm.shape[1], p, i, j, r, c, n
        uint32_t total
        uint16_t top, value
        const unsigned char *at
        Py_ssize_t f
        float mean
    check_starts(pixels, starts, 2 * warm.shape[0] * width)
    with nogil:
        for f in range(starts.shape[0]):
            for p in range(n_places):
                i = places[p] // width // block
                j = places[p] % width // block
                total = 0
                top = 0
                n = 0
                for r in range(i * block, (i + 1) * block):
                    for c in range(j * block, (j + 1) * block):
                        if not warm[r, c]:
                            at = &pixels[starts[f] + 2 * (r * width + c)]
                            memcpy(&value, at, 2)
                            if swap:
                                value = <uint16_t>(value << 8 | value >> 8)
                            total += value
                            top = max(top, value)
                            n += 1
                if n < 2:
                    continue
                mean = <float>(<int32_t>(total - top)) / <float>(n - 1)
                means[f, i, j] = mean
                peaks[f, i, j] = <float>top - mean
