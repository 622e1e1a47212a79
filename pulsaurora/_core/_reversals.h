/* The inner loops of _reversals.pyx: one pass over the cells inside each, written so that compilers vectorise them. */
#ifndef PULSAURORA_REVERSALS_H
#define PULSAURORA_REVERSALS_H

#include <math.h>
#include <stdint.h>

#include "_numeric.h"

/* By how much log light must turn back to count: `least`, and six sigma of a cell's noise, in dex. `light` holds
 * sums over `n_frames`, in counts above pedestal; six_sigma the noise of a pixel's worth of unit variance. */
static PULSAURORA_WIDE void pulsaurora_reversal_limits(const float *restrict light, int n_frames, float offset,
                                                       float gain, float read_variance, float six_sigma, float least,
                                                       float *restrict limit, int n)
{
    for (int c = 0; c < n; c++) {
        float mean = light[c] / (float)n_frames;
        float noise = six_sigma * sqrtf(gain * mean + read_variance) / (mean + offset);
        limit[c] = noise > least ? noise : least;
    }
}

/* Follow each cell through one more frame. Since its last turn its log light has been between `low` and `high`; it
 * turns where it has come further than `limit` from the one of them that it was not heading for. */
static PULSAURORA_WIDE void pulsaurora_turn(const float *restrict level, float sky, const float *restrict limit,
                                            float *restrict low, float *restrict high, int32_t *restrict heading,
                                            int32_t *restrict turns, int n)
{
    for (int c = 0; c < n; c++) {
        float x = level[c] - sky;
        float least = x < low[c] ? x : low[c], most = x > high[c] ? x : high[c];
        int32_t up = (x - least > limit[c]) & (heading[c] <= 0);
        int32_t down = (most - x > limit[c]) & (heading[c] >= 0) & (up ^ 1);
        int32_t turned = up | down;
        turns[c] += turned;
        heading[c] = up ? 1 : down ? -1 : heading[c];
        low[c] = turned ? x : least;
        high[c] = turned ? x : most;
    }
}

#endif
