/* Small numeric helpers that the kernels share: they must vectorise and give the same bits everywhere. */
#ifndef PULSAURORA_NUMERIC_H
#define PULSAURORA_NUMERIC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Compiled twice, for every x86-64 processor and for those with AVX2, and chosen when the module is loaded. The
 * bits are the same: no multiplication is joined with an addition, and every sum keeps its order. Only glibc's
 * loader can choose, and the sanitizers' cannot. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) \
    && !defined(__SANITIZE_ADDRESS__)
#define PULSAURORA_WIDE __attribute__((unused, target_clones("avx2", "default")))
#else
#define PULSAURORA_WIDE
#endif

/* log10 of a positive, finite, normal float to about 2e-7: libm's logf does not vectorise without
 * fast-math. The mantissa is folded into [sqrt(1/2), sqrt(2)), then log(m) = 2 atanh((m-1)/(m+1)). */
static inline float pulsaurora_log10f(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int32_t exponent = (int32_t)((bits - 0x3f3504f3u) & 0xff800000u);
    bits -= (uint32_t)exponent;
    float m;
    memcpy(&m, &bits, sizeof m);
    float s = (m - 1.0f) / (m + 1.0f);
    float s2 = s * s;
    float p = 2.0f * s * (1.0f + s2 * (0.333333333f + s2 * (0.2f + s2 * (0.142857143f + s2 * 0.111111111f))));
    return 0.4342944819f * p + 0.30102999566f * ((float)exponent * 1.1920928955078125e-7f);
}

/* The k-th smallest of values[0..n) (Hoare's selection); reorders values. n > 0, 0 <= k < n, no NaN. */
static inline float pulsaurora_select(float *values, int n, int k)
{
    int left = 0, right = n - 1;
    while (left < right) {
        float pivot = values[(left + right) / 2];
        int i = left, j = right;
        while (i <= j) {
            while (values[i] < pivot) i++;
            while (values[j] > pivot) j--;
            if (i <= j) {
                float t = values[i];
                values[i] = values[j];
                values[j] = t;
                i++;
                j--;
            }
        }
        if (k <= j) right = j;
        else if (k >= i) left = i;
        else break;
    }
    return values[k];
}

/* The k-th smallest of values of which the last-th, last <= k, was selected before: nothing after it is smaller. */
static inline float pulsaurora_select_above(float *values, int n, int last, int k)
{
    return pulsaurora_select(values + last, n - last, k - last);
}

/* Sum of values times weights, in 32 partial sums: a plain inner loop, which compilers vectorise. */
static inline float pulsaurora_weighted_sum(const float *restrict values, const float *restrict weight, int n)
{
    float lanes[32] = {0}, total = 0.0f;
    int c = 0;
    for (; c + 32 <= n; c += 32) {
        const float *restrict v = values + c, *restrict w = weight + c;
        for (int l = 0; l < 32; l++) lanes[l] += v[l] * w[l];
    }
    for (int l = 0; c + l < n; l++) lanes[l] += values[c + l] * weight[c + l];
    for (int l = 0; l < 32; l++) total += lanes[l];
    return total;
}

/* Correlation of two columns; 0 where either does not vary. */
static inline double pulsaurora_correlation(const float *x, const float *y, int n)
{
    double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    for (int c = 0; c < n; c++) {
        sx += x[c];
        sy += y[c];
        sxx += (double)x[c] * x[c];
        syy += (double)y[c] * y[c];
        sxy += (double)x[c] * y[c];
    }
    if (n < 3) return 0;
    sxx -= sx * sx / n;
    syy -= sy * sy / n;
    double product = sxx * syy;
    if (sxx <= 1e-6 * n || syy <= 1e-10 * n || product <= 0) return 0;
    return (sxy - sx * sy / n) / sqrt(product);
}

#endif
