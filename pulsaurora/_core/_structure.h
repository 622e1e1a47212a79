/* The inner loops of _structure.pyx over its 32 x 32 cells, written so that compilers vectorise them. */
#ifndef PULSAURORA_STRUCTURE_H
#define PULSAURORA_STRUCTURE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "_numeric.h"

static PULSAURORA_WIDE void pulsaurora_fill_log(const float *restrict level, float pedestal, float offset, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) {
        float v = level[c] - pedestal;
        v = v > 0.0f ? v : 0.0f;
        out[c] = pulsaurora_log10f(v + offset);
    }
}

/* Mean of 2 x 2 blocks of a size x size grid. */
static PULSAURORA_WIDE void pulsaurora_halve(const float *restrict grid, int size, float *restrict out)
{
    for (int i = 0; i < size / 2; i++) {
        const float *restrict upper = grid + 2 * i * size, *restrict lower = upper + size;
        for (int j = 0; j < size / 2; j++)
            out[i * (size / 2) + j] = 0.25f * (upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1]);
    }
}

/* Unbiased variance within each 2 x 2 block of a size x size grid, at most 64 x 64. */
static PULSAURORA_WIDE void pulsaurora_variances(const float *restrict grid, int size, double *restrict out)
{
    for (int i = 0; i < size / 2; i++) {
        const float *restrict upper = grid + 2 * i * size, *restrict lower = upper + size;
        for (int j = 0; j < size / 2; j++) {
            double a = upper[2 * j], b = upper[2 * j + 1], c = lower[2 * j], d = lower[2 * j + 1];
            double m = (a + b + c + d) / 4;
            a -= m;
            b -= m;
            c -= m;
            d -= m;
            out[i * (size / 2) + j] = (a * a + b * b + c * c + d * d) / 3;
        }
    }
}

/* Mean of the middle two of each 2 x 2 of 64 x 64 numbers: of two pairs, the greater least and the least greatest. */
static PULSAURORA_WIDE void pulsaurora_middles(const float *restrict grid, float *restrict out)
{
    for (int i = 0; i < 32; i++) {
        const float *restrict upper = grid + 128 * i, *restrict lower = upper + 64;
        float least[64], greatest[64];
        for (int j = 0; j < 64; j++) {
            least[j] = upper[j] < lower[j] ? upper[j] : lower[j];
            greatest[j] = upper[j] < lower[j] ? lower[j] : upper[j];
        }
        for (int j = 0; j < 32; j++) {
            float low = least[2 * j] > least[2 * j + 1] ? least[2 * j] : least[2 * j + 1];
            float high = greatest[2 * j] < greatest[2 * j + 1] ? greatest[2 * j] : greatest[2 * j + 1];
            out[32 * i + j] = 0.5f * (low + high);
        }
    }
}

/* Peaks of some blocks over those that the photon law lets expect; `place` says where the blocks lie. */
static PULSAURORA_WIDE void pulsaurora_noise_ratios(const float *restrict level, const float *restrict peak,
                                                    const int32_t *restrict place, double pedestal, float peak_scale,
                                                    float gain, float read_variance, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) {
        double v = level[place[c]] - pedestal;
        v = v > 0.0 ? v : 0.0;
        out[c] = peak[place[c]] / (peak_scale * sqrtf((float)(gain * v + read_variance)));
    }
}

/* What noise adds to the variance of each block's logarithm, and which blocks are to be looked at one by one: those
 * that are saturated, or whose peak stands three times as high over the mean as noise makes it. */
static PULSAURORA_WIDE void pulsaurora_block_noise(const float *restrict level, const float *restrict peak,
                                                   const int32_t *restrict place, double pedestal, double ratio,
                                                   float peak_scale, int n_pixels, float gain, float read_variance,
                                                   float offset, float saturation, double *restrict noise,
                                                   uint8_t *restrict unusual, int n)
{
    for (int c = 0; c < n; c++) {
        float mean = level[place[c]];
        double v = mean - pedestal;
        v = v < 0.0 ? 0.0 : v;
        double sigma = ratio * sqrtf((float)(gain * v + read_variance));
        double relative = 0.4342944819 * sigma / (v + offset);
        noise[c] = relative * relative / (n_pixels - 1);
        unusual[c] = (mean > saturation) | (peak[place[c]] > 3 * peak_scale * sigma);
    }
}

/* Products of the gradient, where edge is 1; 0 where it is 0. edge is 0 in the outermost cells. */
static PULSAURORA_WIDE void pulsaurora_gradient(const float *restrict field, const float *restrict edge, float *restrict gxx,
                                float *restrict gyy, float *restrict gxy)
{
    memset(gxx, 0, 1024 * sizeof(float));
    memset(gyy, 0, 1024 * sizeof(float));
    memset(gxy, 0, 1024 * sizeof(float));
    for (int c = 32; c < 992; c++) {
        float gx = 0.5f * (field[c + 1] - field[c - 1]) * edge[c];
        float gy = 0.5f * (field[c + 32] - field[c - 32]) * edge[c];
        gxx[c] = gx * gx;
        gyy[c] = gy * gy;
        gxy[c] = gx * gy;
    }
}

/* Sums over the cells inside of the tensors' trace and of the difference of their eigenvalues. */
static PULSAURORA_WIDE void pulsaurora_anisotropy(const float *restrict gxx, const float *restrict gyy, const float *restrict gxy,
                                  const float *restrict inside, float *restrict trace, float *restrict difference)
{
    float traces[8] = {0}, differences[8] = {0};
    for (int c = 0; c < 1024; c += 8)
        for (int l = 0; l < 8; l++) {
            float d = gxx[c + l] - gyy[c + l];
            traces[l] += inside[c + l] * (gxx[c + l] + gyy[c + l]);
            differences[l] += inside[c + l] * sqrtf(d * d + 4.0f * gxy[c + l] * gxy[c + l]);
        }
    *trace = *difference = 0.0f;
    for (int l = 0; l < 8; l++) {
        *trace += traces[l];
        *difference += differences[l];
    }
}

#endif
