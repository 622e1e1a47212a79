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
#elif defined(__GNUC__)
#define PULSAURORA_WIDE __attribute__((unused))
#else
#define PULSAURORA_WIDE
#endif

/* Inner loops that such functions share: left out of line, they would be compiled for every processor alone. */
#if defined(__GNUC__)
#define PULSAURORA_INLINE static inline __attribute__((always_inline, unused))
#else
#define PULSAURORA_INLINE static inline
#endif

/* log10 of a positive, finite, normal float to about 2e-7: libm's logf does not vectorise without
 * fast-math. The mantissa is folded into [sqrt(1/2), sqrt(2)), then log(m) = 2 atanh((m-1)/(m+1)). */
PULSAURORA_INLINE float pulsaurora_log10f(float x)
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

#define PULSAURORA_MOST_SELECTED 1024

/* How many of n keys, a multiple of 32, are at most a bound. */
PULSAURORA_INLINE int pulsaurora_count_to(const int32_t *restrict keys, int32_t bound, int n)
{
    int32_t lanes[32] = {0}, total = 0;
    for (int c = 0; c < n; c += 32)
        for (int l = 0; l < 32; l++) lanes[l] += keys[c + l] <= bound;
    for (int l = 0; l < 32; l++) total += lanes[l];
    return total;
}

/* The k-th smallest of n values, 0 <= k < n <= PULSAURORA_MOST_SELECTED, no NaN. By counting how many lie below a
 * bound, without a branch to guess, until two are left between the bounds. First the least value itself, as many
 * columns hold many zeros; then by turns half-way, and where the k-th would lie if values were spread evenly between
 * the bounds: some 10 counts of 500 values. Halving alone takes 25, and Hoare's selection as long as 50. */
static PULSAURORA_WIDE float pulsaurora_select(const float *restrict values, int n, int k)
{
    int32_t keys[PULSAURORA_MOST_SELECTED], low = INT32_MAX, high = INT32_MIN;
    int below = 0, up_to = n, padded = (n + 31) & ~31; /* how many are less than low, and at most high */
    float found;
    memcpy(keys, values, (size_t)n * sizeof(float));
    for (int c = 0; c < n; c++) {
        /* Integers in the order of the floats whose bits they were. */
        int32_t key = keys[c] ^ (int32_t)((uint32_t)(keys[c] >> 31) >> 1);
        keys[c] = key;
        low = key < low ? key : low;
        high = key > high ? key : high;
    }
    for (int c = n; c < padded; c++) keys[c] = INT32_MAX;
    for (int turn = 0; low < high && up_to - below > 2; turn++) {
        int64_t width = (int64_t)high - low;
        int64_t even = (int64_t)((double)width * (k + 1 - below) / (up_to - below + 1));
        int32_t bound = (int32_t)(low + (turn == 0 ? 0 : turn & 1 ? even : width >> 1));
        int n_to = pulsaurora_count_to(keys, bound, padded);
        if (n_to > k) {
            high = bound;
            up_to = n_to;
        } else {
            low = bound + 1;
            below = n_to;
        }
    }
    if (low < high) {
        /* Those nearest to the bounds; what lies beyond them wraps round to the farthest. */
        uint32_t from_low = UINT32_MAX, from_high = UINT32_MAX;
        for (int c = 0; c < n; c++) {
            uint32_t up = (uint32_t)keys[c] - (uint32_t)low, down = (uint32_t)high - (uint32_t)keys[c];
            from_low = up < from_low ? up : from_low;
            from_high = down < from_high ? down : from_high;
        }
        low = (int32_t)(k == below ? (uint32_t)low + from_low : (uint32_t)high - from_high);
    }
    low ^= (int32_t)((uint32_t)(low >> 31) >> 1);
    memcpy(&found, &low, sizeof found);
    return found;
}

/* Sum of values times weights, in 32 partial sums: a plain inner loop, which compilers vectorise. */
PULSAURORA_INLINE float pulsaurora_weighted_sum(const float *restrict values, const float *restrict weight, int n)
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

static PULSAURORA_WIDE void pulsaurora_add(const float *restrict values, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] += values[c];
}

static PULSAURORA_WIDE void pulsaurora_add_scaled(const float *restrict y, float factor, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] += factor * y[c];
}

/* log10 of counts, or of anything positive, with an offset added. */
static PULSAURORA_WIDE void pulsaurora_log_light(const float *restrict light, float offset, float *restrict out, int n)
{
    for (int c = 0; c < n; c++) out[c] = pulsaurora_log10f(light[c] + offset);
}

#endif
