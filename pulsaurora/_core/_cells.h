/* The inner loops of _cells.pyx, written so that compilers vectorise them. */
#ifndef PULSAURORA_CELLS_H
#define PULSAURORA_CELLS_H

#include <stdint.h>
#include <string.h>

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

/* Column sums and maxima of a row of n blocks to each block's mean without its brightest pixel, and that one less
 * the mean. */
static PULSAURORA_WIDE void pulsaurora_close_up(const uint32_t *restrict sums, const uint16_t *restrict tops, int block,
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

/* Blocks of 4, which THEMIS frames have, in a row: at most this many. */
#define PULSAURORA_MOST_BLOCKS 64

/* Means and peaks of a row of n blocks of 4 x 4 pixels, as above, from its four rows of pixels one after the other.
 * Pixels go in pairs, each a number of 32 bits; which of a pair is first does not matter. With `swap` the bytes of
 * each pixel change places. */
PULSAURORA_INLINE void pulsaurora_blocks_of_4_of(const unsigned char *restrict rows, int swap, float *restrict means,
                                             float *restrict peaks, int n)
{
    int32_t sums[2 * PULSAURORA_MOST_BLOCKS], tops[2 * PULSAURORA_MOST_BLOCKS];
    const float scale = (float)(1.0 / 15);
    for (int c = 0; c < 2 * n; c++) {
        int32_t sum = 0, top = 0;
        for (int r = 0; r < 4; r++) {
            uint32_t pair;
            memcpy(&pair, rows + 8 * n * r + 4 * c, sizeof pair);
            if (swap) pair = (pair & 0x00ff00ffu) << 8 | (pair >> 8 & 0x00ff00ffu);
            int32_t one = (int32_t)(pair & 0xffffu), two = (int32_t)(pair >> 16);
            sum += one + two;
            one = one > two ? one : two;
            top = one > top ? one : top;
        }
        sums[c] = sum;
        tops[c] = top;
    }
    for (int j = 0; j < n; j++) {
        int32_t top = tops[2 * j] > tops[2 * j + 1] ? tops[2 * j] : tops[2 * j + 1];
        float mean = (float)(sums[2 * j] + sums[2 * j + 1] - top) * scale;
        means[j] = mean;
        peaks[j] = (float)top - mean;
    }
}

/* The same of pixels in this machine's order of bytes, and of those in the other order. */
static PULSAURORA_WIDE void pulsaurora_blocks_of_4(const unsigned char *restrict rows, float *restrict means,
                                                   float *restrict peaks, int n)
{
    pulsaurora_blocks_of_4_of(rows, 0, means, peaks, n);
}

static PULSAURORA_WIDE void pulsaurora_swapped_blocks_of_4(const unsigned char *restrict rows, float *restrict means,
                                                           float *restrict peaks, int n)
{
    pulsaurora_blocks_of_4_of(rows, 1, means, peaks, n);
}

#endif
