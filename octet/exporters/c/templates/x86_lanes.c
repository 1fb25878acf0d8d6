/* Sums of eight outputs at once: with AVX2, with its successors that multiply and add at once
 * (AVX-VNNI, AVX-512 VNNI), or with whatever the compiler makes of loops of eight. */
#if defined(__AVX2__)
#include <immintrin.h>
typedef __m256i NAME_eight;

static inline NAME_eight NAME_load(const void *from)
{
    return _mm256_loadu_si256(from);
}

/* Two neighbours of a row, times two weights of each output. */
static inline NAME_eight NAME_add(NAME_eight sums, NAME_eight weights, const NAME_code *x)
{
#if defined(__AVX512VNNI__) && defined(__AVX512VL__) && defined(__GNUC__)
    /* As the intrinsic, which GCC 12 surrounds with copies of registers. */
    __asm__("vpdpwssd %2%{1to8%}, %1, %0"
            : "+v"(sums)
            : "v"(weights), "m"(*(const NAME_code(*)[2])(const void *)x));
    return sums;
#else
    int32_t two;
    memcpy(&two, x, sizeof two);
#if defined(__AVXVNNI__)
    return _mm256_dpwssd_avx_epi32(sums, weights, _mm256_set1_epi32(two));
#else
    return _mm256_add_epi32(sums, _mm256_madd_epi16(weights, _mm256_set1_epi32(two)));
#endif
#endif
}

/* The codes of the first `count` of them. */
static inline void NAME_store(
    NAME_code *to, NAME_eight sums, const float *factors, const struct NAME_ends *ends, int32_t count)
{
    __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(factors));
    __m256i codes;
    __m128i narrow;
#if NAME_WIDE
    x = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(1024.0f)), _mm256_set1_ps(-1024.0f));
#endif
    codes = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(ends->zero));
    codes = _mm256_max_epi32(codes, _mm256_set1_epi32(ends->low));
    codes = _mm256_min_epi32(codes, _mm256_set1_epi32(ends->high));
    narrow = _mm_packs_epi32(_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1));
    if (count == 8) {
        _mm_storeu_si128((__m128i *)(void *)to, narrow);
    } else {
        NAME_code eight[8];
        _mm_storeu_si128((__m128i *)(void *)eight, narrow);
        memcpy(to, eight, (size_t)count * sizeof *to);
    }
}
#else
typedef struct {
    int32_t lane[8];
} NAME_eight;

static inline NAME_eight NAME_load(const void *from)
{
    NAME_eight eight;
    memcpy(&eight, from, sizeof eight);
    return eight;
}

static inline NAME_eight NAME_add(NAME_eight sums, NAME_eight weights, const NAME_code *x)
{
    int16_t pairs[16];
    int i;
    memcpy(pairs, &weights, sizeof pairs);
    for (i = 0; i < 8; i++)
        sums.lane[i] += pairs[2 * i] * x[0] + pairs[2 * i + 1] * x[1];
    return sums;
}

static inline void NAME_store(
    NAME_code *to, NAME_eight sums, const float *factors, const struct NAME_ends *ends, int32_t count)
{
    int32_t i;
    for (i = 0; i < count; i++)
        to[i] = NAME_clipped(ends, sums.lane[i], factors[i]);
}
#endif

