/* Sums of eight outputs at once. */
typedef __m256i NAME_eight;

static inline NAME_eight NAME_load(const void *from)
{
    return _mm256_loadu_si256(from);
}

/* Codes that lie together, for eight outputs. */
static inline NAME_eight NAME_spread(const NAME_code *x)
{
#if defined(__GNUC__) && !defined(__clang__)
    /* As the intrinsic, which GCC 12 sends through a general register. */
    NAME_eight all;
    __asm__("vpbroadcastd %1, %0" : "=v"(all) : "m"(*(const NAME_code(*)[NAME_ATONCE])(const void *)x));
    return all;
#else
    int32_t word;
    memcpy(&word, x, sizeof word);
    return _mm256_set1_epi32(word);
#endif
}

/* Those codes times weights of each output. */
static inline NAME_eight NAME_add(NAME_eight sums, NAME_eight weights, NAME_eight codes)
{
#if NAME_VNNI && defined(__GNUC__) && !defined(__clang__)
    /* As the intrinsic, which GCC 12 surrounds with copies of registers. */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(codes), "v"(weights));
    return sums;
#elif NAME_VNNI && defined(__AVX512VL__)
    return _mm256_dpbusd_epi32(sums, codes, weights);
#elif NAME_VNNI
    return _mm256_dpbusd_avx_epi32(sums, codes, weights);
#else
    return _mm256_add_epi32(sums, _mm256_madd_epi16(weights, codes));
#endif
}

/* The codes of eight sums. */
static inline void NAME_store(
    NAME_code *to, NAME_eight sums, const float *factors, const struct NAME_ends *ends)
{
    __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(factors));
    __m128i codes;
#if NAME_WIDE
    x = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(1024.0f)), _mm256_set1_ps(-1024.0f));
#endif
    sums = _mm256_cvtps_epi32(x);
    codes = _mm_packs_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    if (ends->zero != 0)
        codes = _mm_adds_epi16(codes, _mm_set1_epi16((int16_t)ends->zero));
    if (ends->low > 0 || !NAME_VNNI)
        codes = _mm_max_epi16(codes, _mm_set1_epi16((int16_t)ends->low));
    if (ends->high < 255 || !NAME_VNNI)
        codes = _mm_min_epi16(codes, _mm_set1_epi16((int16_t)ends->high));
#if NAME_VNNI
    /* Which clips to 0 and 255. */
    _mm_storel_epi64((__m128i *)(void *)to, _mm_packus_epi16(codes, codes));
#else
    _mm_storeu_si128((__m128i *)(void *)to, codes);
#endif
}

