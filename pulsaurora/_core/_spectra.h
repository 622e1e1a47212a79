/* The inner loops of _spectra.pyx: one pass over cells each, written so that compilers vectorise them.
 * All arrays have n floats unless told. */
#ifndef PULSAURORA_SPECTRA_H
#define PULSAURORA_SPECTRA_H

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

/* Add y times a phase to sums of real and imaginary parts. */
static PULSAURORA_WIDE void pulsaurora_accumulate(const float *restrict y, float er, float ei, float *restrict re,
                                  float *restrict im, int n)
{
    for (int c = 0; c < n; c++) {
        re[c] += y[c] * er;
        im[c] += y[c] * ei;
    }
}

/* The same with two frames, the first first: the sums are read and written once. */
static PULSAURORA_WIDE void pulsaurora_accumulate_two(const float *restrict y, float er, float ei, const float *restrict z,
                                      float fr, float fi, float *restrict re, float *restrict im, int n)
{
    for (int c = 0; c < n; c++) {
        float a = re[c] + y[c] * er, b = im[c] + y[c] * ei;
        re[c] = a + z[c] * fr;
        im[c] = b + z[c] * fi;
    }
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

/* Add one frame's phases times its weight to sums over the window, and times another weight to others. */
static PULSAURORA_WIDE void pulsaurora_weigh_phases(const double *restrict phases, double w, double w_tau,
                                                    double *restrict sums, double *restrict tau_sums, int n)
{
    for (int j = 0; j < n; j++) {
        sums[j] += w * phases[j];
        tau_sums[j] += w_tau * phases[j];
    }
}

/* One frequency of the Hann-tapered spectrum from three neighbouring untapered ones, the line taken off. Its power is
 * added to that of its band, of which the highest so far is kept, and at which frequency k that is. */
static PULSAURORA_WIDE void pulsaurora_taper(const float *restrict r0, const float *restrict i0, const float *restrict r1,
                             const float *restrict i1, const float *restrict r2, const float *restrict i2,
                             float cp, float sp, const float *restrict a, const float *restrict b,
                             const float *restrict weights, float k, float *restrict xr, float *restrict xi,
                             float *restrict band, float *restrict peak, float *restrict peak_k, int n)
{
    float wr = weights[0], wi = weights[1], vr = weights[2], vi = weights[3];
    for (int c = 0; c < n; c++) {
        float re = 0.5f * r1[c] + 0.25f * (cp * (r0[c] + r2[c]) + sp * (i0[c] - i2[c])) - a[c] * wr - b[c] * vr;
        float im = 0.5f * i1[c] + 0.25f * (cp * (i0[c] + i2[c]) + sp * (r2[c] - r0[c])) - a[c] * wi - b[c] * vi;
        float now = re * re + im * im;
        /* Read before they are compared: stores on one side only would keep the loop from being vectorised. */
        float highest = peak[c], where = peak_k[c];
        xr[c] = re;
        xi[c] = im;
        band[c] += now;
        /* By arithmetic, exact for such numbers: a choice between k and what was there becomes a masked store, which
         * takes 20 cycles and more on AMD's processors. */
        float more = now > highest ? 1.0f : 0.0f;
        peak_k[c] = where + more * (k - where);
        peak[c] = now > highest ? now : highest;
    }
}

/* Sum of each of n_rows rows of n values, in double and from the first to the last. Six rows go side by side, so
 * that no addition waits for another's end. */
static PULSAURORA_WIDE void pulsaurora_row_sums(const float *restrict rows, int n_rows, int n, double *restrict sums)
{
    int k = 0;
    for (; k + 6 <= n_rows; k += 6) {
        const float *restrict row = rows + (size_t)k * n;
        double a = 0, b = 0, c = 0, d = 0, e = 0, f = 0;
        for (int i = 0; i < n; i++) {
            a += row[i];
            b += row[i + n];
            c += row[i + 2 * n];
            d += row[i + 3 * n];
            e += row[i + 4 * n];
            f += row[i + 5 * n];
        }
        double *restrict out = sums + k;
        out[0] = a, out[1] = b, out[2] = c, out[3] = d, out[4] = e, out[5] = f;
    }
    for (; k < n_rows; k++) {
        double a = 0;
        for (int i = 0; i < n; i++) a += rows[(size_t)k * n + i];
        sums[k] = a;
    }
}

/* What is asked of each cell's power: its level at the window's middle, power of the fast periods over photon noise,
 * rms of fast and slow ones relative to the level. */
static PULSAURORA_WIDE void pulsaurora_cell_power(const float *restrict reference,
                                                  const float *restrict a, const float *restrict b, double tau,
                                                  const float *restrict fast, const float *restrict slow, int n_fast,
                                                  int n_slow, double pedestal, double ratio, double gain,
                                                  double read_variance, int n_pixels, double sum_w2, double scale,
                                                  double offset, double *restrict levels, double *restrict excess,
                                                  double *restrict amplitude, double *restrict slow_amplitude, int n)
{
    for (int c = 0; c < n; c++) {
        double level = reference[c] + a[c] + b[c] * tau - pedestal;
        level = level < 0 ? 0 : level;
        double noise = ratio * ratio * (gain * level + read_variance) / n_pixels * sum_w2;
        double over = (fast[c] - n_fast * noise) * scale, slow_over = (slow[c] - n_slow * noise) * scale;
        levels[c] = level;
        excess[c] = fast[c] / (n_fast * noise);
        amplitude[c] = sqrt(over > 0 ? over : 0) / (level + offset);
        slow_amplitude[c] = sqrt(slow_over > 0 ? slow_over : 0) / (level + offset);
    }
}

#endif
