/* The inner loops of _layout.pyx: one pass over the cells inside each, written so that compilers vectorise them. */
#ifndef PULSAURORA_LAYOUT_H
#define PULSAURORA_LAYOUT_H

#include "_numeric.h"

/* Log light less that of the first frame, added up: by itself, and times the time tau. */
static PULSAURORA_WIDE void pulsaurora_add_line(const float *restrict frame, const float *restrict first, float tau,
                                                float *restrict sum, float *restrict slope, int n)
{
    for (int c = 0; c < n; c++) {
        float v = frame[c] - first[c];
        sum[c] += v;
        slope[c] += tau * v;
    }
}

/* Squares of what a frame's log light differs by from each cell's own line, added up. */
static PULSAURORA_WIDE void pulsaurora_add_off_line(const float *restrict frame, const float *restrict first,
                                                    const float *restrict mean, const float *restrict slope, float tau,
                                                    float *restrict squares, int n)
{
    for (int c = 0; c < n; c++) {
        float v = frame[c] - first[c] - mean[c] - tau * slope[c];
        squares[c] += v * v;
    }
}

/* Squares of differences between two columns, added up. */
static PULSAURORA_WIDE void pulsaurora_add_square_steps(const float *restrict one, const float *restrict two,
                                                        float *restrict squares, int n)
{
    for (int c = 0; c < n; c++) {
        float v = two[c] - one[c];
        squares[c] += v * v;
    }
}

/* Roots of values times a factor, none below nothing. */
static PULSAURORA_WIDE void pulsaurora_roots(float *restrict values, float factor, int n)
{
    for (int c = 0; c < n; c++) {
        float v = values[c] * factor;
        values[c] = sqrtf(v > 0.0f ? v : 0.0f);
    }
}

#endif
