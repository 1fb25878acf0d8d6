/* Codes that lie together, for eight outputs. */
static inline NAME_eight NAME_spread(const NAME_code *x)
{
#if defined(__GNUC__)
    /* As the intrinsic, which GCC 12 sends through a general register, and Clang 14 moves away. */
    NAME_eight all;
    __asm__("vpbroadcastd %1, %0" : "=v"(all) : "m"(*(const NAME_code(*)[NAME_ATONCE])(const void *)x));
    return all;
#else
    int32_t word;
    memcpy(&word, x, sizeof word);
    return _mm256_set1_epi32(word);
#endif
}

/* The codes of sixteen outputs, or of eight and what the next pixel replaces. */
static inline void NAME_store(
    NAME_code *to, NAME_eight first, NAME_eight second, const struct NAME_ends *ends)
{
    const NAME_eight codes = _mm256_permute4x64_epi64(NAME_sixteen(first, second, ends), 0xD8);
#if NAME_VNNI
    _mm_storeu_si128((__m128i *)(void *)to,
        _mm_packus_epi16(_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1)));
#else
    _mm256_storeu_si256((__m256i *)(void *)to, codes);
#endif
}

