/* The inner loops of _cells.pyx, written so that compilers vectorise them. */
#ifndef PULSAURORA_CELLS_H
#define PULSAURORA_CELLS_H

#include <stdint.h>

#include "_numeric.h"

/* One row of pixels added to the running column sums and maxima. */
static PULSAURORA_WIDE void pulsaurora_add_row(const uint16_t *restrict row, uint32_t *restrict sums,
                                               uint16_t *restrict tops, int n)
{
    for (int c = 0; c < n; c++) {
        uint16_t value = row[c];
        sums[c] += value;
        tops[c] = value > tops[c] ? value : tops[c];
    }
}

static inline void pulsaurora_close_up_of(const uint32_t *restrict sums, const uint16_t *restrict tops, int block,
                                          float *restrict means, float *restrict peaks, int n)
{
    float scale = (float)(1.0 / (block * block - 1));
    for (int j = 0; j < n; j++) {
        uint32_t total = 0;
        uint16_t top = 0;
        for (int c = j * block; c < (j + 1) * block; c++) {
            total += sums[c];
            top = tops[c] > top ? tops[c] : top;
        }
        /* Even a block of 16 x 16 pixels at the top of their range has a sum that a signed number holds. */
        float mean = (float)(int32_t)(total - top) * scale;
        means[j] = mean;
        peaks[j] = (float)top - mean;
    }
}

/* Column sums and maxima of a row of n blocks to each block's mean without its brightest pixel, and that one less
 * the mean. THEMIS frames have blocks of 4, whose loop is then unrolled. */
static PULSAURORA_WIDE void pulsaurora_close_up(const uint32_t *restrict sums, const uint16_t *restrict tops, int block,
                                                float *restrict means, float *restrict peaks, int n)
{
    if (block == 4) pulsaurora_close_up_of(sums, tops, 4, means, peaks, n);
    else pulsaurora_close_up_of(sums, tops, block, means, peaks, n);
}

#endif
