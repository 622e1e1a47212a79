"""How the sky moves in a window of time: drifts that explain how brightness changes from frame to frame.

Called by pulsaurora.pulsation.modulation with checked arrays. Motion is measured on log brightness, between frames LAG
apart, over the whole sky and in regions of 5 x 5 cells. Frames further apart than usual say nothing.
Oracle: tests/naive_sky.py::modulation_row.
"""

from libc.math cimport sqrt, log10
from libc.stdint cimport uint8_t, int32_t
from libc.string cimport memset

cdef extern from "_numeric.h" nogil:
    void pulsaurora_log_light(const float *light, float offset, float *out, int n)
    void pulsaurora_add(const float *values, float *out, int n)

cdef extern from "_flow.h" nogil:
    void pulsaurora_light(const float *frame, const int32_t *place, float pedestal, float *out, int n)
    void pulsaurora_steepness(const float *field, const float *edge, float *out, int n_rows, int n_cols)
    void pulsaurora_local_flow(const float *one, const float *two, const float *edge, int n_rows, int n_cols,
                               float inverse_dt, float *columns, float *sums)

cdef extern from "_modulation_columns.h" nogil:
    cdef enum:
        FLOW_EXPLAINED, FLOW_SPEED, CHANGE, FLOW_LOCAL_EXPLAINED, FLOW_LOCAL_SPEED

cdef enum:
    LAG = 2  # frames between which motion is measured: long enough to move, short enough to follow


def flow_size(int n_rows, int n_cols):
    """Numbers a frame that fill_flow keeps of motion: six sums a region, and the cells they are over."""
    return 6 * flow_regions(n_rows, n_cols) + 1


cdef int flow_regions(int n_rows, int n_cols) noexcept nogil:
    # The last three columns are empty.
    return (n_rows + 4) // 5 * ((n_cols + 1) // 5)


def fill_light(const float[:, ::1] cells, const float[:, ::1] structure, const int32_t[::1] place,
               const float[::1] edge, int n_rows, int n_cols, double offset, float[::1] scratch,
               float[:, ::1] light, float[:, ::1] log_cells, float[:, ::1] steep):
    """Fill counts above the pedestal, their logarithm, and how steep that is, for each frame.

    cells (n, n_rows * n_cols) counts; structure (n, >= 1): pedestal first; place: where the cells inside lie; edge
    (cells,): 1 where a cell and its four neighbours are inside, else 0; scratch (cells,). light (n, >= cells inside)
    is closed up; log_cells and steep are (n, cells), 0 outside.
    """
    cdef:
        Py_ssize_t f
        int c, m = n_rows * n_cols, n_mask = place.shape[0]
    if n_mask == 0:
        return
    with nogil:
        for f in range(cells.shape[0]):
            pulsaurora_light(&cells[f, 0], &place[0], structure[f, 0], &light[f, 0], n_mask)
            pulsaurora_log_light(&light[f, 0], <float>offset, &scratch[0], n_mask)
            memset(&log_cells[f, 0], 0, m * sizeof(float))
            for c in range(n_mask):
                log_cells[f, place[c]] = scratch[c]
            pulsaurora_steepness(&log_cells[f, 0], &edge[0], &steep[f, 0], n_rows, n_cols)


def fill_flow(const double[::1] times_s, const float[:, ::1] log_cells, const float[::1] edge, int n_rows, int n_cols,
              Py_ssize_t first, Py_ssize_t last, double half_window_s, double cadence_s, const uint8_t[::1] usable,
              float[::1] scratch, float[:, ::1] flow, float[::1] motion, float[:, ::1] out):
    """Fill the columns of motion in one row for each of frames first .. last - 1 whose window is usable.

    times_s (n,) ascending seconds; log_cells and edge as of fill_light; usable (last - first,); scratch
    (6 * n_cols,), flow (n, flow_size) and motion (flow_size,) are scratch; out is (last - first, N_MODULATION).
    """
    cdef:
        Py_ssize_t n = times_s.shape[0], f, g, low = 0, high = 0
        int n_regions = flow_regions(n_rows, n_cols), k, n_edge = 0
        double half = half_window_s + 0.5 * cadence_s, dt
    with nogil:
        for k in range(n_rows * n_cols):
            n_edge += edge[k] > 0
        for f in range(n):
            memset(&flow[f, 0], 0, (6 * n_regions + 1) * sizeof(float))
            if f + LAG < n:
                dt = times_s[f + LAG] - times_s[f]
                if dt > 0 and dt < (LAG + 1.5) * cadence_s:
                    pulsaurora_local_flow(&log_cells[f, 0], &log_cells[f + LAG, 0], &edge[0], n_rows, n_cols,
                                          <float>(1 / dt), &scratch[0], &flow[f, 0])
                    flow[f, 6 * n_regions] = n_edge
        for f in range(first, last):
            while times_s[low] < times_s[f] - half:
                low += 1
            while high < n and times_s[high] <= times_s[f] + half:
                high += 1
            if not usable[f - first]:
                continue
            memset(&motion[0], 0, (6 * n_regions + 1) * sizeof(float))
            for g in range(low, high):
                if times_s[g] + LAG * cadence_s * 0.99 > times_s[f] + half_window_s:
                    break
                pulsaurora_add(&flow[g, 0], &motion[0], 6 * n_regions + 1)
            describe_flow(&motion[0], n_regions, &out[f - first, 0])


cdef bint solve_flow(double xx, double yy, double xy, double xt, double yt, double *u, double *v) noexcept nogil:
    """The motion, in cells a second, that explains most of the change; False where none can be told."""
    cdef double determinant = xx * yy - xy * xy
    if determinant <= 1e-6 * xx * yy + 1e-30:
        return False
    u[0] = (-xt * yy + yt * xy) / determinant
    v[0] = (-yt * xx + xt * xy) / determinant
    return True


cdef void describe_flow(const float *sums, int n_regions, float *out) noexcept nogil:
    """One motion for the whole sky, and one for each region."""
    cdef double[6] sky
    cdef double u, v, explained = 0, speed = 0
    cdef int k, r
    for k in range(6):
        sky[k] = 0
        for r in range(n_regions):
            sky[k] += sums[k * n_regions + r]
    if sums[6 * n_regions] <= 0:
        return
    out[CHANGE] = log10(1e-4 + sqrt(sky[5] / sums[6 * n_regions]))
    if solve_flow(sky[0], sky[1], sky[2], sky[3], sky[4], &u, &v):
        out[FLOW_SPEED] = log10(1e-3 + sqrt(u * u + v * v))
        out[FLOW_EXPLAINED] = -(u * sky[3] + v * sky[4]) / sky[5] if sky[5] > 0 else 0
    if sky[5] <= 0:
        return
    for r in range(n_regions):
        if solve_flow(sums[r], sums[n_regions + r], sums[2 * n_regions + r], sums[3 * n_regions + r],
                      sums[4 * n_regions + r], &u, &v):
            explained -= u * sums[3 * n_regions + r] + v * sums[4 * n_regions + r]
            speed += sqrt(u * u + v * v) * sums[5 * n_regions + r]
    out[FLOW_LOCAL_EXPLAINED] = explained / sky[5]
    out[FLOW_LOCAL_SPEED] = log10(1e-3 + speed / sky[5])
