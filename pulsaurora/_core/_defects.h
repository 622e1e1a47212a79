/* The inner loops of _defects.pyx, written so that compilers vectorise them. */
#ifndef PULSAURORA_DEFECTS_H
#define PULSAURORA_DEFECTS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "_numeric.h"

/* n pixels added to sums; with `swap` the bytes of each change places. */
static inline void pulsaurora_add_pixels(const unsigned char *restrict pixels, int swap, uint32_t *restrict sums, int n)
{
    for (int k = 0; k < n; k++) {
        uint16_t value;
        memcpy(&value, pixels + 2 * k, 2);
        if (swap) value = (uint16_t)(value << 8 | value >> 8);
        sums[k] += value;
    }
}

static PULSAURORA_WIDE void pulsaurora_add_native(const unsigned char *restrict pixels, uint32_t *restrict sums, int n)
{
    pulsaurora_add_pixels(pixels, 0, sums, n);
}

static PULSAURORA_WIDE void pulsaurora_add_swapped(const unsigned char *restrict pixels, uint32_t *restrict sums, int n)
{
    pulsaurora_add_pixels(pixels, 1, sums, n);
}

/* Pixels of a row, its two first and last left out, that stand out of those two pixels away: by eight times the noise
 * of a mean of `count` frames and by a twentieth of the light. Returns how many. */
static PULSAURORA_WIDE int pulsaurora_mark_sharp(const uint32_t *restrict sums, int width, float count, float pedestal,
                                                 float gain, float read_variance, uint8_t *restrict marked)
{
    const uint32_t *above = sums - 2 * width, *below = sums + 2 * width;
    float scale = 1.0f / count;
    int n = 0;
    for (int c = 2; c < width - 2; c++) {
        float about = 0.25f * (float)(int32_t)(above[c] + below[c] + sums[c - 2] + sums[c + 2]);
        float excess = ((float)(int32_t)sums[c] - about) * scale;
        float light = about * scale - pedestal;
        light = light > 0.0f ? light : 0.0f;
        /* A mean of four is taken off: a quarter more variance. */
        float variance = 1.25f * (gain * light + read_variance) * scale;
        marked[c] = (uint8_t)((excess > 0.05f * light) & (excess > 0.0f) & (excess * excess > 64.0f * variance));
    }
    for (int c = 2; c < width - 2; c++) n += marked[c];
    return n;
}

#endif
