# What _spectra knows of a window of time, and what _coherence makes of it.

from libc.stdint cimport uint8_t, int32_t

cdef enum:
    MOST_SUMS = 64    # frequencies of the longest window, and one on either side

# Rows of Sky.cells, from the sliding sums to what is asked of each cell.
cdef enum:
    REFERENCE, SUM_TY
    DEVIATIONS        # of two frames
    LINE = 4
    SLOPE, RELATIVE, WEIGHT, UNIT, MODULATED, SLOW, FAST, PEAK, PEAK_K
    FREE              # six rows for whatever is at hand
    N_CELL_ARRAYS = 20


cdef struct Sky:
    # What stays the same from window to window.
    int m, n_cells, n_cols, n_frequencies, first_fast, n_pixels  # m: cells inside; n_cells: of the grid
    double half_window_s, cadence_s, gain, read_variance, offset, snr_threshold, amplitude_threshold
    const int32_t *band_of
    const int32_t *place  # where the cells inside lie in the grid
    const uint8_t *is_low
    int32_t *members  # which cells are modulated
    int32_t *groups   # scratch
    float *re         # sliding sums: rows of one number a cell, from frequency 0 on
    float *im
    float *xr         # tapered spectra
    float *xi
    float *cells      # scratch: rows of one number a cell inside
    float *grid       # spectra of modulated cells and scratch: rows of one number a cell of the grid


cdef struct Window:
    # Sums over the frames of one window.
    Py_ssize_t low, high
    double tau0, tau, sum_t, determinant, pedestal, ratio, sum_w2, scale


cdef void lay_out(const Sky *sky, int n_modulated) noexcept nogil
cdef void describe_bands(const Sky *sky, const Window *window, int n_modulated, float *out) noexcept nogil
cdef void describe_coherence(const Sky *sky, int n_modulated, float *out) noexcept nogil
cdef void describe_shape(const Sky *sky, const Window *window, const double[::1] times_s, const float[:, ::1] cells,
                         int n_modulated, float *out) noexcept nogil
