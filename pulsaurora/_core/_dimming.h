/* How stars' light comes and goes beside the light of the sky about them: passes of _stars.pyx over frames, each of
 * them over all stars, so that compilers vectorise them. */
#ifndef PULSAURORA_DIMMING_H
#define PULSAURORA_DIMMING_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "_numeric.h"

#define PULSAURORA_MOST_STARS 1024
#define PULSAURORA_SMOOTHED 9 /* frames whose mean is taken, so that twinkling does not count */

/* What is known of each star; every array holds as many numbers as there are stars. */
typedef struct {
    float before[PULSAURORA_MOST_STARS];   /* its spark in the frame before */
    float sum[PULSAURORA_MOST_STARS];      /* of sparks */
    float squares[PULSAURORA_MOST_STARS];  /* of sparks */
    float steps[PULSAURORA_MOST_STARS];    /* squares of sparks' differences from frame to frame */
    float least[PULSAURORA_MOST_STARS];    /* smoothed excess, counts */
    float most[PULSAURORA_MOST_STARS];
    float mean[PULSAURORA_MOST_STARS];     /* of the smoothed excess */
    float inverse[PULSAURORA_MOST_STARS];  /* of that, at least of one count */
    float sky[PULSAURORA_MOST_STARS];      /* mean of the smoothed log light */
    float xx[PULSAURORA_MOST_STARS], xy[PULSAURORA_MOST_STARS], yy[PULSAURORA_MOST_STARS];
    float first[PULSAURORA_MOST_STARS];    /* log light in the first frame */
    float running[PULSAURORA_MOST_STARS], leaving[PULSAURORA_MOST_STARS];
} pulsaurora_starlight;

/* Excess over the sky (counts) and log light (less that of the first frame) of one frame's stars, from sparks
 * (sixteenths of noise) and light (counts above pedestal) in place of the two. */
static PULSAURORA_WIDE void pulsaurora_star_frame(float *restrict excess, float *restrict light, float ratio,
                                                  float gain, float read_variance, float offset, int number,
                                                  pulsaurora_starlight *restrict s, int n)
{
    for (int k = 0; k < n; k++) {
        float spark = excess[k] * 0.0625f, seen = light[k];
        float noise = ratio * sqrtf(gain * seen + read_variance), share = 0.02f * seen, level;
        float step = number ? spark - s->before[k] : 0.0f;
        noise = noise > share ? noise : share;
        level = pulsaurora_log10f(seen + offset);
        s->first[k] = number ? s->first[k] : level;
        s->before[k] = spark;
        s->sum[k] += spark;
        s->squares[k] += spark * spark;
        s->steps[k] += step * step;
        excess[k] = spark * noise;
        light[k] = level - s->first[k];
    }
}

/* Replace n_frames rows of n numbers by the running means of PULSAURORA_SMOOTHED of them; returns how many. */
static PULSAURORA_WIDE int pulsaurora_smooth_rows(float *rows, int n_frames, float *restrict running,
                                                  float *restrict leaving, int n)
{
    memset(running, 0, (size_t)n * sizeof(float));
    memset(leaving, 0, (size_t)n * sizeof(float));
    for (int g = 0; g < n_frames; g++) {
        const float *restrict coming = rows + (size_t)g * n;
        if (g < PULSAURORA_SMOOTHED - 1) {
            for (int k = 0; k < n; k++) running[k] += coming[k];
        } else {
            float *restrict out = rows + (size_t)(g - PULSAURORA_SMOOTHED + 1) * n;
            for (int k = 0; k < n; k++) {
                float oldest = out[k];
                running[k] += coming[k] - leaving[k];
                leaving[k] = oldest;
                out[k] = running[k] * (1.0f / PULSAURORA_SMOOTHED);
            }
        }
    }
    return n_frames - PULSAURORA_SMOOTHED + 1;
}

/* Extremes and means of smoothed rows, then how excess (as a share of its mean) and log light vary together. */
static PULSAURORA_WIDE void pulsaurora_star_moments(const float *excess, const float *light, int n_rows,
                                                    pulsaurora_starlight *restrict s, int n)
{
    for (int k = 0; k < n; k++) {
        s->least[k] = s->most[k] = excess[k];
        s->mean[k] = s->sky[k] = s->xx[k] = s->xy[k] = s->yy[k] = 0.0f;
    }
    for (int g = 0; g < n_rows; g++) {
        const float *restrict e = excess + (size_t)g * n, *restrict l = light + (size_t)g * n;
        for (int k = 0; k < n; k++) {
            s->least[k] = e[k] < s->least[k] ? e[k] : s->least[k];
            s->most[k] = e[k] > s->most[k] ? e[k] : s->most[k];
            s->mean[k] += e[k];
            s->sky[k] += l[k];
        }
    }
    for (int k = 0; k < n; k++) {
        s->mean[k] /= (float)n_rows;
        s->sky[k] /= (float)n_rows;
        s->inverse[k] = 1.0f / (s->mean[k] > 1.0f ? s->mean[k] : 1.0f);
    }
    for (int g = 0; g < n_rows; g++) {
        const float *restrict e = excess + (size_t)g * n, *restrict l = light + (size_t)g * n;
        for (int k = 0; k < n; k++) {
            float y = (e[k] - s->mean[k]) * s->inverse[k], x = l[k] - s->sky[k];
            s->xx[k] += x * x;
            s->xy[k] += x * y;
            s->yy[k] += y * y;
        }
    }
}

/* In place of `least` by what share of its most each star dims; in place of `steps` the log of how much more its
 * sparks vary than from one frame to the next. */
static PULSAURORA_WIDE void pulsaurora_star_ranks(int n_frames, pulsaurora_starlight *restrict s, int n)
{
    float share = 1.0f / (float)n_frames;
    for (int k = 0; k < n; k++) {
        float least = s->least[k] > 0.0f ? s->least[k] : 0.0f, most = s->most[k] > 1.0f ? s->most[k] : 1.0f;
        float mean = s->sum[k] * share, variance = s->squares[k] * share - mean * mean;
        float noise = 0.5f * s->steps[k] / (float)(n_frames - 1);
        variance = variance > 0.0f ? variance : 0.0f;
        s->least[k] = 1.0f - least / most;
        s->steps[k] = pulsaurora_log10f(variance / (noise + 1e-3f) + 1e-2f);
    }
}

#endif
