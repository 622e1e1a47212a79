/* The inner loops of _beats.pyx: one pass over the cells inside each, written so that compilers vectorise them. */
#ifndef PULSAURORA_BEATS_H
#define PULSAURORA_BEATS_H

#include <math.h>
#include <stdint.h>

#include "_numeric.h"

/* Brightness relative to each cell's own, less 1, and its common part over all cells: the middle of the interval
 * that five halvings of mean +- one standard deviation, between which a median always lies, leave round the median. */
static PULSAURORA_WIDE float pulsaurora_common_mode(const float *restrict light, const float *restrict mean,
                                    const float *restrict inverse, float *restrict y, int n)
{
    float values[PULSAURORA_MOST_SELECTED], sums[32] = {0}, total = 0.0f, middle, step;
    int padded = (n + 31) & ~31;
    for (int c = 0; c < n; c++) values[c] = y[c] = (light[c] - mean[c]) * inverse[c];
    /* No value is treated singly: zeros change no sum, and what is less than all is above nothing. */
    for (int c = n; c < padded; c++) values[c] = 0.0f;
    for (int c = 0; c < padded; c += 32)
        for (int l = 0; l < 32; l++) sums[l] += values[c + l];
    for (int l = 0; l < 32; l++) total += sums[l];
    middle = total / (float)n;
    step = pulsaurora_weighted_sum(values, values, padded) / (float)n - middle * middle;
    step = step > 0.0f ? sqrtf(step) : 0.0f;
    for (int c = n; c < padded; c++) values[c] = -INFINITY;
    for (int halving = 0; halving < 5; halving++) {
        int32_t lanes[32] = {0}, above = 0;
        for (int c = 0; c < padded; c += 32)
            for (int l = 0; l < 32; l++) lanes[l] += values[c + l] > middle;
        for (int l = 0; l < 32; l++) above += lanes[l];
        step *= 0.5f;
        middle += 2 * above > n ? step : -step;
    }
    return middle;
}

/* Greatest rise and fall of each cell so far, the common part and the cell's own line taken off. */
static PULSAURORA_WIDE void pulsaurora_swing(const float *restrict light, const float *restrict mean, const float *restrict inverse,
                             const float *restrict slope, float tau, float common, float *restrict lowest,
                             float *restrict highest, float *restrict rise, float *restrict fall, int n)
{
    for (int c = 0; c < n; c++) {
        float y = (light[c] - mean[c]) * inverse[c] - common - tau * slope[c];
        float low = lowest[c], high = highest[c], most = rise[c], least = fall[c];
        float up = y - low, down = high - y;
        rise[c] = up > most ? up : most;
        fall[c] = down > least ? down : least;
        lowest[c] = y < low ? y : low;
        highest[c] = y > high ? y : high;
    }
}

/* The smaller of rise and fall, in place of rise, and how many cells exceed two limits and six sigma of noise. */
static PULSAURORA_WIDE void pulsaurora_beats(const float *restrict mean, const float *restrict inverse, const float *restrict fall,
                             float gain, float read_variance, float six_sigma, float weak, float strong,
                             float *restrict rise, int *n_weak, int *n_strong, int n)
{
    int a = 0, b = 0;
    for (int c = 0; c < n; c++) {
        float beat = rise[c] < fall[c] ? rise[c] : fall[c];
        float noise = six_sigma * sqrtf(gain * mean[c] + read_variance) * inverse[c];
        a += (beat > noise) & (beat > weak);
        b += (beat > noise) & (beat > strong);
        rise[c] = beat;
    }
    *n_weak = a;
    *n_strong = b;
}

#endif
