/* The inner loops of _flow.pyx: one pass over cells each, written so that compilers vectorise them. */
#ifndef PULSAURORA_FLOW_H
#define PULSAURORA_FLOW_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "_numeric.h"

/* Counts above the pedestal of the cells inside, closed up. */
static PULSAURORA_WIDE void pulsaurora_light(const float *restrict frame, const int32_t *restrict place, float pedestal,
                             float *restrict out, int n)
{
    for (int c = 0; c < n; c++) {
        float v = frame[place[c]] - pedestal;
        out[c] = v > 0.0f ? v : 0.0f;
    }
}

/* Size of the gradient, 0 where edge is. */
static PULSAURORA_WIDE void pulsaurora_steepness(const float *restrict field, const float *restrict edge, float *restrict out,
                                 int n_rows, int n_cols)
{
    memset(out, 0, n_rows * n_cols * sizeof(float));
    for (int c = n_cols; c < (n_rows - 1) * n_cols; c++) {
        float gx = 0.5f * (field[c + 1] - field[c - 1]);
        float gy = 0.5f * (field[c + n_cols] - field[c - n_cols]);
        out[c] = edge[c] * sqrtf(gx * gx + gy * gy);
    }
}

/* Brightness constancy between two frames of log brightness, in regions of 5 x 5 cells (the last ones cut): sums
 * gx gx, gy gy, gx gy, gx gt, gy gt, gt gt of each region, one kind after the other. edge is 1
 * where a cell and its four neighbours are inside and 0 elsewhere; columns holds 6 * n_cols floats. */
static PULSAURORA_WIDE void pulsaurora_local_flow(const float *restrict one, const float *restrict two, const float *restrict edge,
                                  int n_rows, int n_cols, float inverse_dt, float *restrict columns,
                                  float *restrict sums)
{
    /* The last three columns are empty. */
    int n_across = (n_cols + 1) / 5, n_regions = n_across * ((n_rows + 4) / 5);
    for (int i0 = 0; i0 < n_rows; i0 += 5) {
        memset(columns, 0, 6 * n_cols * sizeof(float));
        for (int i = i0 > 1 ? i0 : 1; i < i0 + 5 && i < n_rows - 1; i++) {
            const float *restrict p = one + i * n_cols, *restrict q = two + i * n_cols;
            const float *restrict e = edge + i * n_cols;
            float *restrict xx = columns, *restrict yy = xx + n_cols, *restrict xy = yy + n_cols;
            float *restrict xt = xy + n_cols, *restrict yt = xt + n_cols, *restrict tt = yt + n_cols;
            for (int j = 1; j < n_cols - 1; j++) {
                float gx = 0.25f * e[j] * (p[j + 1] - p[j - 1] + q[j + 1] - q[j - 1]);
                float gy = 0.25f * e[j]
                           * (p[j + n_cols] - p[j - n_cols] + q[j + n_cols] - q[j - n_cols]);
                float gt = e[j] * (q[j] - p[j]) * inverse_dt;
                xx[j] += gx * gx;
                yy[j] += gy * gy;
                xy[j] += gx * gy;
                xt[j] += gx * gt;
                yt[j] += gy * gt;
                tt[j] += gt * gt;
            }
        }
        for (int k = 0; k < 6; k++)
            for (int r = 0; r < n_across; r++) {
                float total = 0.0f;
                for (int j = 5 * r; j < 5 * r + 5 && j < n_cols; j++) total += columns[k * n_cols + j];
                sums[k * n_regions + i0 / 5 * n_across + r] = total;
            }
    }
}

#endif
