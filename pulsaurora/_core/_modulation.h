/* The inner loops of _modulation.pyx: one pass over cells each, written so that compilers vectorise them.
 * All arrays have n floats; cells outside the mask hold zeros. */
#ifndef PULSAURORA_MODULATION_H
#define PULSAURORA_MODULATION_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "_numeric.h"

/* Add (sign = +1) or take away (sign = -1) one frame's deviation from the reference level. */
static PULSAURORA_WIDE void pulsaurora_deviation(const float *restrict frame, const float *restrict reference, float sign,
                                 float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] = sign * (frame[c] - reference[c]);
}

static PULSAURORA_WIDE void pulsaurora_accumulate(const float *restrict y, float er, float ei, float *restrict re,
                                  float *restrict im, int n)
{
    for (int c = 0; c < n; c++) {
        re[c] += y[c] * er;
        im[c] += y[c] * ei;
    }
}

static PULSAURORA_WIDE void pulsaurora_add_scaled(const float *restrict y, float factor, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] += factor * y[c];
}

/* Straight line through each cell's samples: y = a + b tau. */
static PULSAURORA_WIDE void pulsaurora_fit_line(const float *restrict sum_y, const float *restrict sum_ty, float count,
                                float sum_t, float inverse_determinant, float *restrict a, float *restrict b, int n)
{
    for (int c = 0; c < n; c++) {
        float slope = (count * sum_ty[c] - sum_t * sum_y[c]) * inverse_determinant;
        b[c] = slope;
        a[c] = (sum_y[c] - slope * sum_t) / count;
    }
}

/* One frequency of the Hann-tapered spectrum from three neighbouring untapered ones, the line taken off. */
static PULSAURORA_WIDE void pulsaurora_taper(const float *restrict r0, const float *restrict i0, const float *restrict r1,
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

static PULSAURORA_WIDE void pulsaurora_track_peak(const float *restrict power, float k, float *restrict band,
                                  float *restrict peak, float *restrict peak_k, int n)
{
    for (int c = 0; c < n; c++) {
        /* Read before they are compared: stores on one side only would keep the loop from being vectorised. */
        float now = power[c], highest = peak[c], where = peak_k[c];
        band[c] += now;
        peak_k[c] = now > highest ? k : where;
        peak[c] = now > highest ? now : highest;
    }
}

/* Re and Im of the sum of u conj(v) over cells, u and v already scaled. */
static PULSAURORA_WIDE void pulsaurora_cross(const float *restrict ur, const float *restrict ui, const float *restrict vr,
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
static PULSAURORA_WIDE void pulsaurora_cross_each(const float *restrict ur, const float *restrict ui, const float *restrict vr,
                                  const float *restrict vi, const float *restrict gu, const float *restrict gv,
                                  float *restrict re, float *restrict im, int n)
{
    for (int c = 0; c < n; c++) {
        float g = gu[c] * gv[c];
        re[c] += g * (ur[c] * vr[c] + ui[c] * vi[c]);
        im[c] += g * (ui[c] * vr[c] - ur[c] * vi[c]);
    }
}

/* Sum of each of n_rows rows of n values, in double and from the first to the last. Eight rows go side by side, so
 * that no addition waits for another's end. */
static PULSAURORA_WIDE void pulsaurora_row_sums(const float *restrict rows, int n_rows, int n, double *restrict sums)
{
    int k = 0;
    for (; k + 8 <= n_rows; k += 8) {
        const float *restrict row = rows + (size_t)k * n;
        double a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
        for (int i = 0; i < n; i++) {
            a += row[i];
            b += row[i + n];
            c += row[i + 2 * n];
            d += row[i + 3 * n];
            e += row[i + 4 * n];
            f += row[i + 5 * n];
            g += row[i + 6 * n];
            h += row[i + 7 * n];
        }
        double *restrict out = sums + k;
        out[0] = a, out[1] = b, out[2] = c, out[3] = d, out[4] = e, out[5] = f, out[6] = g, out[7] = h;
    }
    for (; k < n_rows; k++) {
        double a = 0;
        for (int i = 0; i < n; i++) a += rows[(size_t)k * n + i];
        sums[k] = a;
    }
}

/* Moments of one frame's deviation from the line, added up cell by cell; above holds the last sign. */
static PULSAURORA_WIDE void pulsaurora_moments(const float *restrict frame, const float *restrict reference,
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

/* Counts above the pedestal of the cells inside, closed up. */
static PULSAURORA_WIDE void pulsaurora_light(const float *restrict frame, const int32_t *restrict place, float pedestal,
                             float *restrict out, int n)
{
    for (int c = 0; c < n; c++) {
        float v = frame[place[c]] - pedestal;
        out[c] = v > 0.0f ? v : 0.0f;
    }
}

/* log10 of counts (or anything positive) with an offset added. */
static PULSAURORA_WIDE void pulsaurora_log_light(const float *restrict light, float offset, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] = pulsaurora_log10f(light[c] + offset);
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

static PULSAURORA_WIDE void pulsaurora_add(const float *restrict values, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] += values[c];
}

/* Brightness relative to each cell's own, less 1, and its common part over all cells: the middle of the interval
 * that five halvings of mean +- one standard deviation, between which a median always lies, leave round the median. */
static PULSAURORA_WIDE float pulsaurora_common_mode(const float *restrict light, const float *restrict mean,
                                    const float *restrict inverse, float *restrict y, int n)
{
    float sums[32] = {0}, total = 0.0f, middle, step;
    int c = 0;
    for (; c < n; c++) y[c] = (light[c] - mean[c]) * inverse[c];
    for (c = 0; c + 32 <= n; c += 32)
        for (int l = 0; l < 32; l++) sums[l] += y[c + l];
    for (int l = 0; c + l < n; l++) sums[l] += y[c + l];
    for (int l = 0; l < 32; l++) total += sums[l];
    middle = total / (float)n;
    step = pulsaurora_weighted_sum(y, y, n) / (float)n - middle * middle;
    step = step > 0.0f ? sqrtf(step) : 0.0f;
    for (int halving = 0; halving < 5; halving++) {
        int above = 0;
        for (c = 0; c < n; c++) above += y[c] > middle;
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
