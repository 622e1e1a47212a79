"""Patches of pulsating cells in a window of time.

Called by pulsaurora.pulsation.modulation with what _spectra found. Oracle: tests/naive_sky.py::modulation_row.
"""

from libc.math cimport log10
from libc.stdint cimport uint8_t, int32_t
from libc.string cimport memset

cdef extern from "_regions.h" nogil:
    int pulsaurora_region(const float *inside, int n_rows, int n_cols, int start, int32_t *stack, uint8_t *seen,
                          double *elongation)

cdef extern from "_modulation_columns.h" nogil:
    cdef enum:
        N_PATCHES, PATCH_SIZE, PATCH_LARGEST, PATCH_ELONGATION, ISOLATED


def fill_patches(const float[:, ::1] pulsating, int n_rows, int n_cols, int n_mask, int32_t[::1] stack,
                 uint8_t[::1] seen, float[:, ::1] out):
    """Fill the columns of patches in one row for each row of pulsating, which is not zero where a cell pulsates.

    pulsating (n, n_rows * n_cols); n_mask: how many cells are looked at; stack and seen (cells,) are scratch; out is
    (n, N_MODULATION) float32.
    """
    cdef Py_ssize_t f
    if n_rows * n_cols == 0 or n_mask == 0:
        return
    with nogil:
        for f in range(pulsating.shape[0]):
            label_patches(&pulsating[f, 0], n_rows, n_cols, &stack[0], &seen[0], n_mask, &out[f, 0])


cdef void label_patches(const float *inside, int n_rows, int n_cols, int32_t *stack, uint8_t *seen, int n_mask,
                       float *out) noexcept nogil:
    """Count patches of touching cells (four neighbours) of two cells or more, and describe them."""
    cdef int n = n_rows * n_cols, k, size, n_patches = 0, n_inside = 0, n_alone = 0, largest = 0
    cdef double shape, elongation = 0, weight = 0
    memset(seen, 0, n)
    for k in range(n):
        if inside[k] == 0 or seen[k]:
            continue
        size = pulsaurora_region(inside, n_rows, n_cols, k, stack, seen, &shape)
        n_inside += size
        if size < 2:
            n_alone += 1
            continue
        n_patches += 1
        if size > largest:
            largest = size
        elongation += size * shape
        weight += size
    out[N_PATCHES] = log10(1.0 + n_patches)
    out[PATCH_SIZE] = <float>weight / n_patches / n_mask if n_patches else 0
    out[PATCH_LARGEST] = <float>largest / n_mask
    out[PATCH_ELONGATION] = elongation / weight if weight > 0 else 0
    out[ISOLATED] = <float>n_alone / n_inside if n_inside else 0
