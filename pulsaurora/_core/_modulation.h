/* The inner loops of _modulation.pyx: one pass over cells each, written so that compilers vectorise them.
 * All arrays have n floats; cells outside the mask hold zeros. */
#ifndef PULSAURORA_MODULATION_H
#define PULSAURORA_MODULATION_H

/* Add (sign = +1) or take away (sign = -1) one frame's deviation from the reference level. */
static void pulsaurora_deviation(const float *restrict frame, const float *restrict reference, float sign,
                                 float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] = sign * (frame[c] - reference[c]);
}

static void pulsaurora_accumulate(const float *restrict y, float er, float ei, float *restrict re,
                                  float *restrict im, int n)
{
    for (int c = 0; c < n; c++) {
        re[c] += y[c] * er;
        im[c] += y[c] * ei;
    }
}

static void pulsaurora_add_scaled(const float *restrict y, float factor, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] += factor * y[c];
}

/* Straight line through each cell's samples: y = a + b tau. */
static void pulsaurora_fit_line(const float *restrict sum_y, const float *restrict sum_ty, float count,
                                float sum_t, float inverse_determinant, float *restrict a, float *restrict b, int n)
{
    for (int c = 0; c < n; c++) {
        float slope = (count * sum_ty[c] - sum_t * sum_y[c]) * inverse_determinant;
        b[c] = slope;
        a[c] = (sum_y[c] - slope * sum_t) / count;
    }
}

/* One frequency of the Hann-tapered spectrum from three neighbouring untapered ones, the line taken off. */
static void pulsaurora_taper(const float *restrict r0, const float *restrict i0, const float *restrict r1,
                             const float *restrict i1, const float *restrict r2, const float *restrict i2,
                             float cp, float sp, const float *restrict a, const float *restrict b, float wr,
                             float wi, float vr, float vi, float *restrict xr, float *restrict xi,
                             float *restrict power, int n)
{
    for (int c = 0; c < n; c++) {
        float re = 0.5f * r1[c] + 0.25f * (cp * (r0[c] + r2[c]) + sp * (i0[c] - i2[c])) - a[c] * wr - b[c] * vr;
        float im = 0.5f * i1[c] + 0.25f * (cp * (i0[c] + i2[c]) + sp * (r2[c] - r0[c])) - a[c] * wi - b[c] * vi;
        xr[c] = re;
        xi[c] = im;
        power[c] = re * re + im * im;
    }
}

static void pulsaurora_track_peak(const float *restrict power, float k, float *restrict band,
                                  float *restrict peak, float *restrict peak_k, int n)
{
    for (int c = 0; c < n; c++) {
        band[c] += power[c];
        peak_k[c] = power[c] > peak[c] ? k : peak_k[c];
        peak[c] = power[c] > peak[c] ? power[c] : peak[c];
    }
}

static float pulsaurora_weighted_sum(const float *restrict power, const float *restrict weight, int n)
{
    float lanes[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    float total = 0;
    int c = 0;
    for (; c + 8 <= n; c += 8)
        for (int l = 0; l < 8; l++) lanes[l] += power[c + l] * weight[c + l];
    for (; c < n; c++) total += power[c] * weight[c];
    for (int l = 0; l < 8; l++) total += lanes[l];
    return total;
}

/* Re and Im of the sum of u conj(v) over cells, u and v already scaled. */
static void pulsaurora_cross(const float *restrict ur, const float *restrict ui, const float *restrict vr,
                             const float *restrict vi, const float *restrict gu, const float *restrict gv,
                             float *re, float *im, int n)
{
    float a[8] = {0, 0, 0, 0, 0, 0, 0, 0}, b[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    float ra = 0, rb = 0;
    int c = 0;
    for (; c + 8 <= n; c += 8)
        for (int l = 0; l < 8; l++) {
            float g = gu[c + l] * gv[c + l];
            a[l] += g * (ur[c + l] * vr[c + l] + ui[c + l] * vi[c + l]);
            b[l] += g * (ui[c + l] * vr[c + l] - ur[c + l] * vi[c + l]);
        }
    for (; c < n; c++) {
        float g = gu[c] * gv[c];
        ra += g * (ur[c] * vr[c] + ui[c] * vi[c]);
        rb += g * (ui[c] * vr[c] - ur[c] * vi[c]);
    }
    for (int l = 0; l < 8; l++) {
        ra += a[l];
        rb += b[l];
    }
    *re += ra;
    *im += rb;
}

/* Re and Im of u conj(v) added up cell by cell, u and v already scaled. */
static void pulsaurora_cross_each(const float *restrict ur, const float *restrict ui, const float *restrict vr,
                                  const float *restrict vi, const float *restrict gu, const float *restrict gv,
                                  float *restrict re, float *restrict im, int n)
{
    for (int c = 0; c < n; c++) {
        float g = gu[c] * gv[c];
        re[c] += g * (ur[c] * vr[c] + ui[c] * vi[c]);
        im[c] += g * (ui[c] * vr[c] - ur[c] * vi[c]);
    }
}

/* Moments of one frame's deviation from the line, added up cell by cell; above holds the last sign. */
static void pulsaurora_moments(const float *restrict frame, const float *restrict reference,
                               const float *restrict a, const float *restrict b, float tau, float first,
                               float *restrict above, float *restrict m2, float *restrict m3, float *restrict m4,
                               float *restrict up, float *restrict crossings, int n)
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

#endif
