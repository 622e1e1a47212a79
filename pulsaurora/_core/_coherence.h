/* The inner loops of _coherence.pyx, written so that compilers vectorise them. Cells that are not modulated add zeros;
 * groups of eight that are all so are passed over. */
#ifndef PULSAURORA_COHERENCE_H
#define PULSAURORA_COHERENCE_H

#include <stdint.h>

#include "_numeric.h"

/* Power of one frequency at n cells. */
static PULSAURORA_WIDE void pulsaurora_power(const float *restrict xr, const float *restrict xi, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] = xr[c] * xr[c] + xi[c] * xi[c];
}

/* Groups of eight cells, by their first, in which any is not zero; the last n % 8 cells are in none. */
static PULSAURORA_WIDE int pulsaurora_groups(const float *restrict values, int32_t *restrict groups, int n)
{
    int n_groups = 0;
    for (int c = 0; c + 8 <= n; c += 8) {
        int any = 0;
        for (int l = 0; l < 8; l++) any |= values[c + l] != 0.0f;
        groups[n_groups] = c;
        n_groups += any;
    }
    return n_groups;
}

/* What scales a cell times what scales the one `step` further on, of n pairs; and their groups, as above. */
static PULSAURORA_WIDE int pulsaurora_pairs(const float *restrict unit, int step, float *restrict both,
                                            int32_t *restrict groups, int n)
{
    for (int c = 0; c < n; c++) both[c] = unit[c] * unit[c + step];
    return pulsaurora_groups(both, groups, n);
}

/* Re and Im of the sum over n pairs of cells of u conj(v), v being `step` further on, scaled by `both`. Where that is
 * zero in a whole group nothing would change. */
static PULSAURORA_WIDE void pulsaurora_cross(const float *restrict ur, const float *restrict ui, int step,
                                             const float *restrict both, const int32_t *restrict groups, int n_groups,
                                             float *re, float *im, int n)
{
    const float *restrict vr = ur + step, *restrict vi = ui + step;
    float a[8] = {0, 0, 0, 0, 0, 0, 0, 0}, b[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    float ra = 0, rb = 0;
    for (int g = 0; g < n_groups; g++) {
        int c = groups[g];
        for (int l = 0; l < 8; l++) {
            a[l] += both[c + l] * (ur[c + l] * vr[c + l] + ui[c + l] * vi[c + l]);
            b[l] += both[c + l] * (ui[c + l] * vr[c + l] - ur[c + l] * vi[c + l]);
        }
    }
    for (int c = n & ~7; c < n; c++) {
        ra += both[c] * (ur[c] * vr[c] + ui[c] * vi[c]);
        rb += both[c] * (ui[c] * vr[c] - ur[c] * vi[c]);
    }
    for (int l = 0; l < 8; l++) {
        ra += a[l];
        rb += b[l];
    }
    *re += ra;
    *im += rb;
}

/* The same added up cell by cell. */
static PULSAURORA_WIDE void pulsaurora_cross_each(const float *restrict ur, const float *restrict ui, int step,
                                                  const float *restrict both, const int32_t *restrict groups,
                                                  int n_groups, float *restrict re, float *restrict im, int n)
{
    const float *restrict vr = ur + step, *restrict vi = ui + step;
    for (int g = 0; g <= n_groups; g++) {
        int c = g < n_groups ? groups[g] : n & ~7, end = g < n_groups ? c + 8 : n;
        for (; c < end; c++) {
            re[c] += both[c] * (ur[c] * vr[c] + ui[c] * vi[c]);
            im[c] += both[c] * (ui[c] * vr[c] - ur[c] * vi[c]);
        }
    }
}

PULSAURORA_INLINE void pulsaurora_moments_of(const float *restrict frame, const float *restrict reference,
                                             const float *restrict a, const float *restrict b, float tau, float first,
                                             float *restrict above, float *restrict m2, float *restrict m3,
                                             float *restrict m4, float *restrict up, float *restrict crossings, int n)
{
    for (int c = 0; c < n; c++) {
        float d = frame[c] - reference[c] - a[c] - b[c] * tau;
        float d2 = d * d;
        float sign = d > 0.0f ? 1.0f : 0.0f;
        m2[c] += d2;
        m3[c] += d2 * d;
        m4[c] += d2 * d2;
        up[c] += sign;
        crossings[c] += first * (sign != above[c] ? 1.0f : 0.0f);
        above[c] = sign;
    }
}

/* Moments of one frame's deviation from the line, added up cell by cell in the groups given and the last n % 8 cells;
 * above holds the last sign. */
static PULSAURORA_WIDE void pulsaurora_moments(const float *restrict frame, const float *restrict reference,
                               const float *restrict a, const float *restrict b, float tau, float first,
                               float *restrict above, float *restrict m2, float *restrict m3, float *restrict m4,
                               float *restrict up, float *restrict crossings, const int32_t *restrict groups,
                               int n_groups, int n)
{
    int rest = n & ~7;
    for (int g = 0; g < n_groups; g++) {
        int c = groups[g];
        pulsaurora_moments_of(frame + c, reference + c, a + c, b + c, tau, first, above + c, m2 + c, m3 + c, m4 + c,
                              up + c, crossings + c, 8);
    }
    pulsaurora_moments_of(frame + rest, reference + rest, a + rest, b + rest, tau, first, above + rest, m2 + rest,
                          m3 + rest, m4 + rest, up + rest, crossings + rest, n - rest);
}

#endif
