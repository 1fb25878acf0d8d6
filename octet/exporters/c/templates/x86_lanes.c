/* Sums of eight outputs at once. */
typedef __m256i NAME_eight;

static inline NAME_eight NAME_load(const void *from)
{
    return _mm256_loadu_si256(from);
}

/* Codes times weights, four or two of each, for eight sums. */
static inline NAME_eight NAME_add(NAME_eight sums, NAME_eight weights, NAME_eight codes)
{
#if NAME_VNNI && defined(__GNUC__) && defined(__AVX512VL__)
    /* As the intrinsic, around which GCC 12 copies registers, and Clang 14 moves loads away. */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(codes), "v"(weights));
    return sums;
#elif NAME_VNNI && defined(__AVX512VL__)
    return _mm256_dpbusd_epi32(sums, codes, weights);
#elif NAME_VNNI
    return _mm256_dpbusd_avx_epi32(sums, codes, weights);
#elif defined(__GNUC__) && !defined(__clang__)
    /* As the intrinsics, which GCC 12 moves apart until sums are in memory. */
    NAME_eight products;
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
            : "+x"(sums), "=&x"(products)
            : "x"(weights), "x"(codes));
    return sums;
#else
    return _mm256_add_epi32(sums, _mm256_madd_epi16(weights, codes));
#endif
}

/* The integers nearest to products with factors. */
static inline NAME_eight NAME_rounded(NAME_eight sums, NAME_eight factors)
{
    __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_castsi256_ps(factors));
#if NAME_WIDE
    x = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(1024.0f)), _mm256_set1_ps(-1024.0f));
#endif
    return _mm256_cvtps_epi32(x);
}

/* The codes of sixteen integers, in turn four of the first and four of the second; with VNNI what is
 * below 0 or above 255 is left to the store. */
static inline NAME_eight NAME_sixteen(NAME_eight first, NAME_eight second, const struct NAME_ends *ends)
{
    NAME_eight codes = _mm256_packs_epi32(first, second);
    if (ends->zero != 0)
        codes = _mm256_adds_epi16(codes, _mm256_set1_epi16((int16_t)ends->zero));
    if (ends->low > 0 || !NAME_VNNI)
        codes = _mm256_max_epi16(codes, _mm256_set1_epi16((int16_t)ends->low));
    if (ends->high < 255 || !NAME_VNNI)
        codes = _mm256_min_epi16(codes, _mm256_set1_epi16((int16_t)ends->high));
    return codes;
}

