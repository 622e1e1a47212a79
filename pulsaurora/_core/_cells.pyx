"""Pixels to cells: the mean of each square block of pixels without its brightest, and that brightest.

Called by pulsaurora.pulsation.reduction with checked, C-contiguous uint16 frames. Leaving out the
brightest pixel keeps hot pixels and stars out of the mean. Oracle: tests/naive_sky.py::cell_means.
"""

from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memset

cdef extern from "_cells.h" nogil:
    void pulsaurora_add_row(const uint16_t *row, uint32_t *sums, uint16_t *tops, int n)
    int PULSAURORA_MOST_BLOCKS
    void pulsaurora_blocks_of_4(const unsigned char *rows, float *means, float *peaks, int n)
    void pulsaurora_swapped_blocks_of_4(const unsigned char *rows, float *means, float *peaks, int n)
    void pulsaurora_close_up(const uint32_t *sums, const uint16_t *tops, int block, float *means, float *peaks, int n)


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
        int i, r
    if n == 0 or n_rows == 0 or n_cols == 0:
        return
    with nogil:
        for f in range(n):
            for i in range(n_rows):
                if block == 4 and n_cols <= PULSAURORA_MOST_BLOCKS:
                    pulsaurora_blocks_of_4(<const unsigned char *> &frames[f, 4 * i, 0], &means[f, i, 0],
                                           &peaks[f, i, 0], n_cols)
                    continue
                memset(&column_sums[0], 0, width * sizeof(uint32_t))
                memset(&column_tops[0], 0, width * sizeof(uint16_t))
                for r in range(block):
                    pulsaurora_add_row(&frames[f, i * block + r, 0], &column_sums[0], &column_tops[0], width)
                pulsaurora_close_up(&column_sums[0], &column_tops[0], block, &means[f, i, 0], &peaks[f, i, 0], n_cols)


cdef int check_starts(const unsigned char[::1] buffer, const long long[:] starts, Py_ssize_t frame_bytes) except -1:
    """Refuse frames that do not lie in the buffer."""
    cdef Py_ssize_t f
    for f in range(starts.shape[0]):
        if starts[f] < 0 or starts[f] > buffer.shape[0] - frame_bytes:
            raise ValueError(f"frame {f} starts at byte {starts[f]} of {buffer.shape[0]}")
    return 0


def fill_packed_cells(const unsigned char[::1] buffer, const long long[:] starts, bint swap, float[:, :, ::1] means,
                      float[:, :, ::1] peaks):
    """Fill the same from frames as a file holds them: 256 x 256 pixels of 16 bits from each of starts on.

    swap tells that the bytes of a pixel are in the other order than this machine's. means and peaks are
    (n, 64, 64), for blocks of 4 x 4. No pixel is written anywhere: they are read once,
    while the file is still in cache, which takes a fifth of the time of bringing them into order first.
    """
    cdef:
        Py_ssize_t n = starts.shape[0], f
        int i
    if means.shape[0] != n or means.shape[1] != 64 or means.shape[2] != 64:
        raise ValueError(f"means are {means.shape[0]} x {means.shape[1]} x {means.shape[2]}, expected {n} x 64 x 64")
    if peaks.shape[0] != n or peaks.shape[1] != 64 or peaks.shape[2] != 64:
        raise ValueError(f"peaks are {peaks.shape[0]} x {peaks.shape[1]} x {peaks.shape[2]}, expected {n} x 64 x 64")
    check_starts(buffer, starts, 131072)
    with nogil:
        for f in range(n):
            for i in range(64):
                if swap:
                    pulsaurora_swapped_blocks_of_4(&buffer[starts[f] + 2048 * i], &means[f, i, 0], &peaks[f, i, 0], 64)
                else:
                    pulsaurora_blocks_of_4(&buffer[starts[f] + 2048 * i], &means[f, i, 0], &peaks[f, i, 0], 64)
