# What _spectra knows of a window of time, and what _coherence makes of it.

from libc.stdint cimport uint8_t, int32_t

cdef enum:
    MOST_SUMS = 64      # frequencies of the longest window, and one on either side


cdef struct Sky:
    # What stays the same from window to window.
    int n_rows, n_cols, m, n_mask, n_frequencies, first_fast, n_pixels
    double half_window_s, cadence_s, gain, read_variance, offset, snr_threshold, amplitude_threshold
    const uint8_t *mask
    const int32_t *band_of
    int32_t *place    # where the cells inside lie
    int32_t *groups   # scratch
    float *re         # sliding sums: rows of one number a cell, from frequency 0 on
    float *im
    float *xr         # tapered spectra
    float *xi
    float *cells      # scratch: N_CELL_ARRAYS rows


cdef struct Window:
    # Sums over the frames of one window.
    Py_ssize_t low, high
    double tau0, tau, sum_t, determinant, pedestal, ratio, sum_w2, scale


cdef void describe_bands(const Sky *sky, const Window *window, const float *modulated, int n_modulated,
                         float *out) noexcept nogil
cdef void describe_coherence(const Sky *sky, const float *unit, const float *modulated, int n_modulated,
                             float *out) noexcept nogil
cdef void describe_shape(const Sky *sky, const Window *window, const double[::1] times_s, const float[:, ::1] cells,
                         const float *modulated, int n_modulated, float *out) noexcept nogil
