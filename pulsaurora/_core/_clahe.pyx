"""Contrast-limited adaptive histogram equalization of 16-bit frames, bit for bit as OpenCV computes it.

Called by pulsaurora.imaging.contrast with checked arrays, and with OpenCV's geometry (padding, tile
size, weights) worked out. There is no missing value. Oracles: tests/naive.py::clahe, and OpenCV.

OpenCV gives each tile a histogram and a table of 65,536 entries. A night-sky frame holds some 6,000
distinct counts, and the pixels that look at one tile's table some 3,600 consecutive ones of these.
So counts become ranks (the place among the frame's distinct counts), and tables only span the ranks
that are looked up; they then stay in the cache. What OpenCV adds to bins in between, the clipped
pixels spread evenly over the 65,536, is added to the next rank: running sums cannot tell.

Tile: the pixels of one histogram. Cell: the pixels blended from the same four tiles' tables; cells
lie between tile centres, so there is one more of them than of tiles each way.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

cdef extern from "_clahe.h" nogil:
    ctypedef struct pulsaurora_cell:
        const uint16_t* table
        ptrdiff_t offset[4]
        float below
        float scale
    void pulsaurora_mark_counts(const uint16_t* frame, ptrdiff_t n, uint8_t* present)
    void pulsaurora_rank_counts(const uint8_t* present, uint16_t* ranks, int* low, int* high)
    void pulsaurora_to_ranks(const uint16_t* frame, ptrdiff_t n, const uint16_t* ranks, uint16_t* out)
    void pulsaurora_rank_range(const uint16_t* at, ptrdiff_t stride, int rows, int columns, int32_t* low,
                               int32_t* high)
    void pulsaurora_count_ranks(const uint16_t* at, ptrdiff_t stride, int rows, int columns, uint16_t* histogram)
    int pulsaurora_clip_bins(uint16_t* histogram, int n, int limit)
    void pulsaurora_sum_bins(uint16_t* histogram, uint16_t* table, int n, int base, float scale)
    void pulsaurora_blend_run(const pulsaurora_cell* cell, const uint16_t* ranks, const float* right, int n,
                              uint16_t* out16, uint8_t* out8)
    long lrintf(float)

cpdef enum:
    # Sizes of the scratch arrays that the caller allocates; 16 entries more than a range are written.
    N_COUNTS = 65536
    SPARE = 16


cdef struct _Scratch:
    uint8_t* present
    uint16_t* ranks
    uint16_t* ranked
    uint16_t* histogram
    int32_t* wide
    uint16_t* table
    ptrdiff_t n_table


def equalize(
    const uint16_t[:, :, ::1] frames,
    const int32_t[::1] source_rows,
    const int32_t[::1] source_columns,
    const int32_t[::1] row_edges,
    const int32_t[::1] column_edges,
    const float[::1] row_weights,
    const float[::1] column_weights,
    int limit,
    float table_scale,
    float scale,
    uint8_t[::1] present,
    uint16_t[::1] ranks,
    uint16_t[::1] ranked,
    uint16_t[::1] histogram,
    int32_t[::1] wide,
    uint16_t[::1] table,
    int32_t[:, :, ::1] cells,
    int64_t[:, ::1] offsets,
    uint16_t[:, :, ::1] out16,
    uint8_t[:, :, ::1] out8,
):
    """Fill out8, or out16 where out8 is None, with the equalized frames.

    source_rows and source_columns say which of the frame's each row and column of the padded frame
    is; their lengths are multiples of the number of tiles. row_edges and column_edges part the frame
    into cells; the weights are those of the lower and the right tile. limit: most pixels a bin keeps,
    0 for no limit. histogram and wide must be zero, and are so again afterwards; wide needs its
    N_COUNTS + SPARE entries only for tiles of more than 65,535 pixels.
    """
    cdef int n_rows = <int>frames.shape[1], n_columns = <int>frames.shape[2]
    cdef int n_down = <int>row_edges.shape[0] - 2, n_across = <int>column_edges.shape[0] - 2
    cdef int tile_rows = <int>source_rows.shape[0] // n_down
    cdef int tile_columns = <int>source_columns.shape[0] // n_across
    cdef ptrdiff_t n_pixels = <ptrdiff_t>n_rows * n_columns
    cdef ptrdiff_t f
    cdef int low, high, i, j, y
    cdef uint8_t* row8
    cdef uint16_t* row16
    cdef pulsaurora_cell cell
    cdef _Scratch s
    s.present, s.ranks, s.ranked = &present[0], &ranks[0], &ranked[0]
    s.histogram, s.wide, s.table, s.n_table = &histogram[0], &wide[0], &table[0], table.shape[0]
    cell.table, cell.scale = s.table, scale
    with nogil:
        for f in range(frames.shape[0]):
            pulsaurora_mark_counts(&frames[f, 0, 0], n_pixels, s.present)
            pulsaurora_rank_counts(s.present, s.ranks, &low, &high)
            pulsaurora_to_ranks(&frames[f, 0, 0], n_pixels, s.ranks, s.ranked)
            for j in range(n_down + 1):
                for i in range(n_across + 1):
                    cells[0, j, i], cells[1, j, i] = N_COUNTS, -1
                    if row_edges[j] < row_edges[j + 1] and column_edges[i] < column_edges[i + 1]:
                        pulsaurora_rank_range(
                            s.ranked + <ptrdiff_t>row_edges[j] * n_columns + column_edges[i],
                            n_columns,
                            row_edges[j + 1] - row_edges[j],
                            column_edges[i + 1] - column_edges[i],
                            &cells[0, j, i],
                            &cells[1, j, i],
                        )
            # Cells of row j lie between the tiles of rows j - 1 and j: two rows of tables are enough.
            for j in range(n_down + 1):
                if j < n_down:
                    _fill_tables(
                        s, j, n_columns, tile_rows, tile_columns, source_rows, source_columns, cells,
                        offsets, limit, table_scale, low, high,
                    )
                for i in range(n_across + 1):
                    if column_edges[i] == column_edges[i + 1]:
                        continue
                    cell.offset[0] = offsets[max(j - 1, 0) & 1, max(i - 1, 0)]
                    cell.offset[1] = offsets[max(j - 1, 0) & 1, min(i, n_across - 1)]
                    cell.offset[2] = offsets[min(j, n_down - 1) & 1, max(i - 1, 0)]
                    cell.offset[3] = offsets[min(j, n_down - 1) & 1, min(i, n_across - 1)]
                    for y in range(row_edges[j], row_edges[j + 1]):
                        cell.below = row_weights[y]
                        row16, row8 = NULL, NULL
                        if out8 is None:
                            row16 = &out16[f, y, column_edges[i]]
                        else:
                            row8 = &out8[f, y, column_edges[i]]
                        pulsaurora_blend_run(
                            &cell,
                            s.ranked + <ptrdiff_t>y * n_columns + column_edges[i],
                            &column_weights[column_edges[i]],
                            column_edges[i + 1] - column_edges[i],
                            row16,
                            row8,
                        )


cdef void _fill_tables(
    _Scratch s,
    int j,
    int n_columns,
    int tile_rows,
    int tile_columns,
    const int32_t[::1] source_rows,
    const int32_t[::1] source_columns,
    int32_t[:, :, ::1] cells,
    int64_t[:, ::1] offsets,
    int limit,
    float scale,
    int low,
    int high,
) noexcept nogil:
    """Fill the tables of one row of tiles, and say at which offset plus rank their entries stand."""
    cdef int n_across = <int>offsets.shape[1]
    cdef int total = tile_rows * tile_columns
    cdef int i, y, x, first, last, kept, base, rank
    cdef ptrdiff_t row, bin, end, step, n_spread, n_everywhere
    cdef bint whole
    # Tables begin past N_COUNTS, so that offsets are never negative.
    cdef ptrdiff_t at = N_COUNTS + (j & 1) * ((s.n_table - N_COUNTS) // 2)
    for i in range(n_across):
        first = min(min(cells[0, j, i], cells[0, j, i + 1]), min(cells[0, j + 1, i], cells[0, j + 1, i + 1]))
        last = max(max(cells[1, j, i], cells[1, j, i + 1]), max(cells[1, j + 1, i], cells[1, j + 1, i + 1]))
        if last < first:
            continue  # a tile all in the padding, which no pixel looks at
        whole = True
        for y in range(j * tile_rows, (j + 1) * tile_rows):
            whole = whole and source_rows[y] == y
        for x in range(i * tile_columns, (i + 1) * tile_columns):
            whole = whole and source_columns[x] == x
        if not whole:
            # Mirrored pixels may come from outside the cells around.
            first, last = 0, s.ranks[high]
        offsets[j & 1, i] = at - first

        if total > 65535:
            for y in range(j * tile_rows, (j + 1) * tile_rows):
                row = <ptrdiff_t>source_rows[y] * n_columns
                for x in range(i * tile_columns, (i + 1) * tile_columns):
                    s.wide[s.ranked[row + source_columns[x]]] += 1
            kept = total
            if limit > 0:
                kept = 0
                for rank in range(first, last + 1):
                    s.wide[rank] = min(s.wide[rank], limit)
                    kept += s.wide[rank]
        else:
            if whole:
                pulsaurora_count_ranks(
                    s.ranked + <ptrdiff_t>j * tile_rows * n_columns + i * tile_columns,
                    n_columns,
                    tile_rows,
                    tile_columns,
                    s.histogram,
                )
            else:
                for y in range(j * tile_rows, (j + 1) * tile_rows):
                    row = <ptrdiff_t>source_rows[y] * n_columns
                    for x in range(i * tile_columns, (i + 1) * tile_columns):
                        s.histogram[s.ranked[row + source_columns[x]]] += 1
            kept = total
            if limit > 0:
                kept = pulsaurora_clip_bins(s.histogram + first, last + 1 - first, min(limit, 65535))

        # OpenCV's redistribution: every bin gets its share, then bins 0, step, 2 step ... one more.
        n_everywhere = (total - kept) // N_COUNTS
        n_spread = (total - kept) - n_everywhere * N_COUNTS
        base = 0
        if n_spread > 0:
            step = max(N_COUNTS // n_spread, 1)
            base = <int>min(n_spread, low // step + 1)
            bin = base * step
            end = min(n_spread * step, <ptrdiff_t>high + 1)
            while bin < end:
                rank = s.ranks[bin]  # of the first count in the frame that is not below this bin
                bin += step
                if rank <= first:
                    base += 1
                elif rank > last:
                    break
                elif total > 65535:
                    s.wide[rank] += 1
                else:
                    s.histogram[rank] += 1

        if total > 65535:
            _sum_wide_bins(s, first, last, base, n_everywhere, low, high, scale, s.table + at - first)
        else:
            pulsaurora_sum_bins(s.histogram + first, s.table + at, last + 1 - first, base, scale)
        at += last + 1 - first + 8


cdef void _sum_wide_bins(
    _Scratch s, int first, int last, int base, ptrdiff_t n_everywhere, int low, int high, float scale,
    uint16_t* table
) noexcept nogil:
    """As pulsaurora_sum_bins, for tiles whose sums need more than 16 bits or whose every bin gets a share."""
    cdef int count, rank
    cdef long value
    cdef int running = base
    for count in range(low, high + 1):
        rank = s.ranks[count]
        if s.present[count] and first <= rank <= last:
            running += s.wide[rank]
            s.wide[rank] = 0
            value = lrintf(<float>(running + <int>(n_everywhere * (count + 1))) * scale)
            table[rank] = <uint16_t>min(value, 65535)
