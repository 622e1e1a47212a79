/* The inner loops of _clahe.pyx. Every one has a plain C form; where SSE2 is there (every x86-64) it is used.
 *
 * Rounding is to nearest, half to even, of products and sums in single precision in the order in which
 * they stand: cvtps_epi32 and lrintf do the same. Compile without contraction into FMA.
 *
 * A rank is a count's place among the distinct counts of its frame. */
#ifndef PULSAURORA_CLAHE_H
#define PULSAURORA_CLAHE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if (defined(__SSE2__) || defined(_M_X64)) && !defined(PULSAURORA_PORTABLE)
#include <emmintrin.h>
#define PULSAURORA_SSE2 1
#endif

/* Mark the counts that a frame holds; present has 65,536 bytes. */
static inline void pulsaurora_mark_counts(const uint16_t *frame, ptrdiff_t n, uint8_t *present)
{
    memset(present, 0, 65536);
    for (ptrdiff_t i = 0; i < n; i++) present[frame[i]] = 1;
}

/* Give every count from *low to *high (the smallest and largest marked) the number of marked counts
 * below it. present and ranks have 65,536 entries; up to 7 more on either side of the range are filled. */
static inline void pulsaurora_rank_counts(const uint8_t *present, uint16_t *ranks, int *low, int *high)
{
    int first = 0, last = 65535, below = 0;
    while (first < 65535 && !present[first]) first++;
    while (last > first && !present[last]) last--;
    *low = first;
    *high = last;
    for (int v = first & ~7; v <= last; v += 8) {
#ifdef PULSAURORA_SSE2
        __m128i here = _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(present + v)), _mm_setzero_si128());
        __m128i before = _mm_slli_si128(here, 2);
        before = _mm_add_epi16(before, _mm_slli_si128(before, 2));
        before = _mm_add_epi16(before, _mm_slli_si128(before, 4));
        before = _mm_add_epi16(before, _mm_slli_si128(before, 8));
        before = _mm_add_epi16(before, _mm_set1_epi16((short)below));
        _mm_storeu_si128((__m128i *)(ranks + v), before);
        below = _mm_extract_epi16(before, 7) + present[v + 7];
#else
        for (int k = 0; k < 8; k++) {
            ranks[v + k] = (uint16_t)below;
            below += present[v + k];
        }
#endif
    }
}

static inline void pulsaurora_to_ranks(const uint16_t *frame, ptrdiff_t n, const uint16_t *ranks, uint16_t *out)
{
    for (ptrdiff_t i = 0; i < n; i++) out[i] = ranks[frame[i]];
}

/* Smallest and largest rank in a rectangle of at least one pixel. */
static inline void pulsaurora_rank_range(const uint16_t *at, ptrdiff_t stride, int rows, int columns, int32_t *low,
                                         int32_t *high)
{
    int a = 65535, b = 0;
#ifdef PULSAURORA_SSE2
    if (columns >= 8) {
        /* SSE2 compares 16 bits as signed only: shift the range by half. */
        const __m128i half = _mm_set1_epi16((short)0x8000);
        __m128i least = _mm_set1_epi16(32767), most = half;
        for (int y = 0; y < rows; y++, at += stride) {
            for (int x = 0; x < columns; x += 8) {
                int from = x + 8 <= columns ? x : columns - 8;
                __m128i q = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(at + from)), half);
                least = _mm_min_epi16(least, q);
                most = _mm_max_epi16(most, q);
            }
        }
        int16_t lanes[2][8];
        _mm_storeu_si128((__m128i *)lanes[0], least);
        _mm_storeu_si128((__m128i *)lanes[1], most);
        for (int k = 0; k < 8; k++) {
            int p = lanes[0][k] + 32768, q = lanes[1][k] + 32768;
            if (p < a) a = p;
            if (q > b) b = q;
        }
        *low = a;
        *high = b;
        return;
    }
#endif
    for (int y = 0; y < rows; y++, at += stride)
        for (int x = 0; x < columns; x++) {
            int q = at[x];
            a = q < a ? q : a;
            b = q > b ? q : b;
        }
    *low = a;
    *high = b;
}

/* Count the ranks of a tile: the rectangle of `rows` by `columns` at `at`. */
static inline void pulsaurora_count_ranks(const uint16_t *at, ptrdiff_t stride, int rows, int columns,
                                          uint16_t *histogram)
{
    for (int y = 0; y < rows; y++, at += stride)
        for (int x = 0; x < columns; x++) histogram[at[x]]++;
}

/* Cut every bin to the limit; return how many pixels stay. */
static inline int pulsaurora_clip_bins(uint16_t *histogram, int n, int limit)
{
    int kept = 0;
    const uint16_t cut = (uint16_t)limit;
    for (int i = 0; i < n; i++) {
        uint16_t bin = histogram[i] < cut ? histogram[i] : cut;
        histogram[i] = bin;
        kept += bin;
    }
    return kept;
}

/* Running sum of the bins from `base` on, times `scale`, rounded: a tile's table from rank to equalized
 * count. Clears the bins. Writes up to 7 entries past n in both, where the bins must be clear. */
static inline void pulsaurora_sum_bins(uint16_t *histogram, uint16_t *table, int n, int base, float scale)
{
#ifdef PULSAURORA_SSE2
    const __m128i zero = _mm_setzero_si128(), half = _mm_set1_epi32(32768), flip = _mm_set1_epi16((short)0x8000);
    const __m128 by = _mm_set1_ps(scale);
    __m128i carry = _mm_set1_epi16((short)base);
    for (int i = 0; i < n; i += 8) {
        __m128i sum = _mm_loadu_si128((__m128i *)(histogram + i));
        _mm_storeu_si128((__m128i *)(histogram + i), zero);
        sum = _mm_add_epi16(sum, _mm_slli_si128(sum, 2));
        sum = _mm_add_epi16(sum, _mm_slli_si128(sum, 4));
        sum = _mm_add_epi16(sum, _mm_slli_si128(sum, 8));
        sum = _mm_add_epi16(sum, carry);
        carry = _mm_shufflehi_epi16(sum, 0xff);
        carry = _mm_unpackhi_epi64(carry, carry);
        __m128i a = _mm_cvtps_epi32(_mm_mul_ps(_mm_cvtepi32_ps(_mm_unpacklo_epi16(sum, zero)), by));
        __m128i b = _mm_cvtps_epi32(_mm_mul_ps(_mm_cvtepi32_ps(_mm_unpackhi_epi16(sum, zero)), by));
        /* Pack to 16 bits unsigned, which SSE2 has for signed only. */
        a = _mm_packs_epi32(_mm_sub_epi32(a, half), _mm_sub_epi32(b, half));
        _mm_storeu_si128((__m128i *)(table + i), _mm_xor_si128(a, flip));
    }
#else
    for (int i = 0; i < n; i++) {
        base += histogram[i];
        histogram[i] = 0;
        long value = lrintf((float)base * scale);
        table[i] = (uint16_t)(value > 65535 ? 65535 : value);
    }
#endif
}

/* One run of pixels between the same four tiles: bilinear in the tables' values, rounded to 16 bits; then,
 * if out8 is given, times `scale` and rounded to 8 bits. t00 and t01 are the tables above, left and right,
 * t10 and t11 those below, each taken at the pixel's rank plus its offset. */
typedef struct {
    const uint16_t *table;
    ptrdiff_t offset[4];
    float below;
    float scale;
} pulsaurora_cell;

static inline void pulsaurora_blend_one(const pulsaurora_cell *cell, int rank, float right, uint16_t *out16,
                                        uint8_t *out8)
{
    const uint16_t *t = cell->table + rank;
    float left = 1.0f - right, below = cell->below, above = 1.0f - below;
    float value = ((float)t[cell->offset[0]] * left + (float)t[cell->offset[1]] * right) * above +
                  ((float)t[cell->offset[2]] * left + (float)t[cell->offset[3]] * right) * below;
    long rounded = lrintf(value);
    rounded = rounded > 65535 ? 65535 : rounded;
    if (out8) {
        float small = (float)rounded * cell->scale;
        *out8 = (uint8_t)lrintf(small < 255.0f ? small : 255.0f);
    } else {
        *out16 = (uint16_t)rounded;
    }
}

static inline void pulsaurora_blend_run(const pulsaurora_cell *cell, const uint16_t *ranks, const float *right,
                                        int n, uint16_t *out16, uint8_t *out8)
{
#ifdef PULSAURORA_SSE2
    if (n >= 8) {
        const __m128i zero = _mm_setzero_si128(), half = _mm_set1_epi32(32768);
        const __m128i flip = _mm_set1_epi16((short)0x8000);
        const __m128 one = _mm_set1_ps(1.0f), below = _mm_set1_ps(cell->below);
        const __m128 above = _mm_sub_ps(one, below), by = _mm_set1_ps(cell->scale), top = _mm_set1_ps(255.0f);
        const uint16_t *const t00 = cell->table + cell->offset[0], *const t01 = cell->table + cell->offset[1];
        const uint16_t *const t10 = cell->table + cell->offset[2], *const t11 = cell->table + cell->offset[3];
        for (int from = 0; from < n; from += 8) {
            /* The last eight may overlap the ones before: the same values are written again. */
            const int x = from + 8 <= n ? from : n - 8;
            __m128i a = zero, b = zero, c = zero, d = zero, whole[2];
#define PULSAURORA_TAKE(k)                                                                                    \
    {                                                                                                         \
        const int q = ranks[x + k];                                                                           \
        a = _mm_insert_epi16(a, t00[q], k);                                                                   \
        b = _mm_insert_epi16(b, t01[q], k);                                                                   \
        c = _mm_insert_epi16(c, t10[q], k);                                                                   \
        d = _mm_insert_epi16(d, t11[q], k);                                                                   \
    }
            PULSAURORA_TAKE(0) PULSAURORA_TAKE(1) PULSAURORA_TAKE(2) PULSAURORA_TAKE(3)
            PULSAURORA_TAKE(4) PULSAURORA_TAKE(5) PULSAURORA_TAKE(6) PULSAURORA_TAKE(7)
#undef PULSAURORA_TAKE
            for (int h = 0; h < 2; h++) {
                __m128i i00 = h ? _mm_unpackhi_epi16(a, zero) : _mm_unpacklo_epi16(a, zero);
                __m128i i01 = h ? _mm_unpackhi_epi16(b, zero) : _mm_unpacklo_epi16(b, zero);
                __m128i i10 = h ? _mm_unpackhi_epi16(c, zero) : _mm_unpacklo_epi16(c, zero);
                __m128i i11 = h ? _mm_unpackhi_epi16(d, zero) : _mm_unpacklo_epi16(d, zero);
                __m128 r = _mm_loadu_ps(right + x + 4 * h), l = _mm_sub_ps(one, r);
                __m128 up = _mm_add_ps(_mm_mul_ps(_mm_cvtepi32_ps(i00), l), _mm_mul_ps(_mm_cvtepi32_ps(i01), r));
                __m128 down = _mm_add_ps(_mm_mul_ps(_mm_cvtepi32_ps(i10), l), _mm_mul_ps(_mm_cvtepi32_ps(i11), r));
                whole[h] = _mm_cvtps_epi32(_mm_add_ps(_mm_mul_ps(up, above), _mm_mul_ps(down, below)));
            }
            if (out8) {
                __m128 p = _mm_min_ps(_mm_mul_ps(_mm_cvtepi32_ps(whole[0]), by), top);
                __m128 q = _mm_min_ps(_mm_mul_ps(_mm_cvtepi32_ps(whole[1]), by), top);
                __m128i packed = _mm_packs_epi32(_mm_cvtps_epi32(p), _mm_cvtps_epi32(q));
                _mm_storel_epi64((__m128i *)(out8 + x), _mm_packus_epi16(packed, packed));
            } else {
                __m128i p = _mm_packs_epi32(_mm_sub_epi32(whole[0], half), _mm_sub_epi32(whole[1], half));
                _mm_storeu_si128((__m128i *)(out16 + x), _mm_xor_si128(p, flip));
            }
        }
        return;
    }
#endif
    for (int x = 0; x < n; x++)
        pulsaurora_blend_one(cell, ranks[x], right[x], out16 ? out16 + x : out16, out8 ? out8 + x : out8);
}

#endif
