/* What stands out of a smooth background over the cells of a sky; _structure and _modulation both use it. */
#ifndef PULSAURORA_RELIEF_H
#define PULSAURORA_RELIEF_H

#include <math.h>

#include "_numeric.h"

#define PULSAURORA_N_BASIS 7

/* Take the smooth part off n values: least squares on the rows of an orthonormal basis (7, n), made robust by two
 * more passes in which what remains counts for at most 1.2 of the first pass's standard deviation. What a pass
 * finds in the remainder is taken off the remainder, which is the same as fitting background and remainder anew. */
static PULSAURORA_WIDE void pulsaurora_relief(const float *restrict basis, float *restrict values, float *restrict clipped, int n)
{
    float limit = 0.0f;
    for (int pass = 0; pass < 3; pass++) {
        const float *seen = values;
        float a[PULSAURORA_N_BASIS];
        if (pass > 0) {
            for (int c = 0; c < n; c++) {
                float v = values[c];
                v = v > limit ? limit : v;
                clipped[c] = v < -limit ? -limit : v;
            }
            seen = clipped;
        }
        for (int k = 0; k < PULSAURORA_N_BASIS; k++) a[k] = pulsaurora_weighted_sum(seen, basis + k * n, n);
        for (int c = 0; c < n; c++)
            values[c] -= a[0] * basis[c] + a[1] * basis[n + c] + a[2] * basis[2 * n + c] + a[3] * basis[3 * n + c]
                         + a[4] * basis[4 * n + c] + a[5] * basis[5 * n + c] + a[6] * basis[6 * n + c];
        if (pass == 0) limit = 1.2f * sqrtf(pulsaurora_weighted_sum(values, values, n) / (float)n);
    }
}

/* Sums of the values' first three powers, and how many are above or below three limits. */
static PULSAURORA_WIDE void pulsaurora_relief_sums(const float *restrict values, float bright, float strong, float dark,
                                   float *restrict powers, float *restrict counts, int n)
{
    float lanes[6][8] = {{0}};
    for (int c = 0; c < n; c += 8) {
        int width = n - c < 8 ? n - c : 8;
        float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        for (int l = 0; l < width; l++) v[l] = values[c + l];
        for (int l = 0; l < 8; l++) {
            lanes[0][l] += v[l];
            lanes[1][l] += v[l] * v[l];
            lanes[2][l] += v[l] * v[l] * v[l];
            lanes[3][l] += v[l] > bright ? 1.0f : 0.0f;
            lanes[4][l] += v[l] > strong ? 1.0f : 0.0f;
            lanes[5][l] += v[l] < dark ? 1.0f : 0.0f;
        }
    }
    for (int k = 0; k < 3; k++) {
        powers[k] = counts[k] = 0.0f;
        for (int l = 0; l < 8; l++) {
            powers[k] += lanes[k][l];
            counts[k] += lanes[3 + k][l];
        }
    }
}

#endif
