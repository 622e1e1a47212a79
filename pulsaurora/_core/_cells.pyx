"""Pixels to cells: the mean of each square block of pixels without its brightest, and that brightest.

Called by pulsaurora.pulsation.reduction with checked, C-contiguous uint16 frames. Leaving out the
brightest pixel keeps hot pixels and stars out of the mean. Oracle: tests/naive_sky.py::cell_means.
"""

from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memset

cdef extern from * nogil:
    """
    #include <stdint.h>
    /* One row of pixels added to the running column sums and maxima. */
    static void add_row(const uint16_t *restrict row, uint32_t *restrict sums, uint16_t *restrict tops, int n)
    {
        for (int c = 0; c < n; c++) {
            uint16_t value = row[c];
            sums[c] += value;
            tops[c] = value > tops[c] ? value : tops[c];
        }
    }
    """
    void add_row(const uint16_t *row, uint32_t *sums, uint16_t *tops, int n)


def fill_cells(const uint16_t[:, :, ::1] frames, int block,
               uint32_t[::1] column_sums, uint16_t[::1] column_tops,
               float[:, :, ::1] means, float[:, :, ::1] peaks):
    """Fill, a block of block x block pixels, its mean without the brightest pixel and the brightest less that mean.

    frames is (n, rows, cols) with rows and cols multiples of block; means and peaks are
    (n, rows // block, cols // block); column_sums and column_tops are scratch of length cols.
    """
    cdef:
        Py_ssize_t n = frames.shape[0]
        int n_rows = means.shape[1], n_cols = means.shape[2], width = frames.shape[2]
        Py_ssize_t f
        int i, j, r, c
        uint32_t total
        uint16_t top
        float scale = <float>(1.0 / (block * block - 1))
        float mean
    if n == 0 or n_rows == 0 or n_cols == 0:
        return
    with nogil:
        for f in range(n):
            for i in range(n_rows):
                memset(&column_sums[0], 0, width * sizeof(uint32_t))
                memset(&column_tops[0], 0, width * sizeof(uint16_t))
                for r in range(block):
                    add_row(&frames[f, i * block + r, 0], &column_sums[0], &column_tops[0], width)
                for j in range(n_cols):
                    total = 0
                    top = 0
                    for c in range(j * block, (j + 1) * block):
                        total += column_sums[c]
                        if column_tops[c] > top:
                            top = column_tops[c]
                    mean = <float>(total - top) * scale
                    means[f, i, j] = mean
                    peaks[f, i, j] = <float>top - mean
