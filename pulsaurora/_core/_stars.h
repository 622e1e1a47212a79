/* The inner loops of _stars.pyx over 64 x 64 blocks and 32 x 32 cells, written so that compilers vectorise them. */
#ifndef PULSAURORA_STARS_H
#define PULSAURORA_STARS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "_numeric.h"

/* How far each block's peak stands above that of noise, in sixteenths of the noise. */
static PULSAURORA_WIDE void pulsaurora_sparks(const float *restrict level, const float *restrict peak, float pedestal, float ratio,
                              float peak_scale, float gain, float read_variance, int8_t *restrict out)
{
    for (int k = 0; k < 4096; k++) {
        float light = level[k] - pedestal;
        light = light > 0.0f ? light : 0.0f;
        float noise = ratio * sqrtf(gain * light + read_variance);
        float excess = peak[k] - peak_scale * noise;
        float scale = 0.02f * light;
        scale = noise > scale ? noise : scale;
        scale = scale > 1e-3f ? scale : 1e-3f;
        float spark = 16.0f * excess / scale;
        spark = spark > 100.0f ? 100.0f : spark;
        spark = spark < -100.0f ? -100.0f : spark;
        spark = level[k] + peak[k] >= 65000.0f ? 0.0f : spark;
        out[k] = (int8_t)(spark + (spark >= 0.0f ? 0.5f : -0.5f));
    }
}

static PULSAURORA_WIDE void pulsaurora_add_sparks(const int8_t *restrict sparks, int sign, int16_t *restrict total)
{
    if (sign > 0)
        for (int k = 0; k < 4096; k++) total[k] = (int16_t)(total[k] + sparks[k]);
    else
        for (int k = 0; k < 4096; k++) total[k] = (int16_t)(total[k] - sparks[k]);
}

/* Blocks inside the mask with a point in this frame: those with none in the frames before and after, and those with
 * one in both. */
static PULSAURORA_WIDE void pulsaurora_points(const int8_t *restrict before, const int8_t *restrict now,
                                              const int8_t *restrict after, const uint8_t *restrict mask, int8_t point,
                                              int8_t none, int8_t some, int32_t *restrict n_passing,
                                              int32_t *restrict n_lasting)
{
    int32_t passing = 0, lasting = 0;
    for (int i = 0; i < 64; i++) {
        /* A row's counts are of 8 bits, as are what is counted. */
        uint8_t passes[64], lasts[64];
        for (int j = 0; j < 64; j++) {
            int k = 64 * i + j;
            uint8_t here = (uint8_t)((now[k] >= point) & (mask[k] != 0));
            passes[j] = here & (uint8_t)((before[k] < none) & (after[k] < none));
            lasts[j] = here & (uint8_t)((before[k] >= some) & (after[k] >= some));
        }
        for (int j = 0; j < 64; j++) {
            passing += passes[j];
            lasting += lasts[j];
        }
    }
    *n_passing = passing;
    *n_lasting = lasting;
}

/* Whether any of each cell's four blocks has a sum above a limit; cells lie in 32 rows of 32. */
static PULSAURORA_WIDE void pulsaurora_any_above(const int16_t *restrict total, int16_t limit, uint8_t *restrict out)
{
    for (int i = 0; i < 32; i++) {
        const int16_t *restrict upper = total + 128 * i, *restrict lower = upper + 64;
        int16_t tops[64];
        for (int j = 0; j < 64; j++) tops[j] = upper[j] > lower[j] ? upper[j] : lower[j];
        for (int j = 0; j < 32; j++) out[32 * i + j] = (tops[2 * j] > limit) | (tops[2 * j + 1] > limit);
    }
}

/* Counts above the pedestal of the cells inside, closed up. */
static PULSAURORA_WIDE void pulsaurora_levels(const float *restrict cells, const int32_t *restrict place,
                                              float pedestal, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) {
        float light = cells[place[c]] - pedestal;
        out[c] = light > 0.0f ? light : 0.0f;
    }
}

static PULSAURORA_WIDE void pulsaurora_add_levels(const float *restrict levels, float *restrict total, int n)
{
    for (int c = 0; c < n; c++) total[c] += levels[c];
}

static PULSAURORA_WIDE void pulsaurora_mean_log(const float *restrict total, float count, float offset, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] = pulsaurora_log10f(total[c] / count + offset);
}

#endif
