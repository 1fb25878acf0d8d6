#define NAME_depthwise NAME_sums

/* Codes of as many rows as are multiplied at once, of as many channels as a register has codes: those
 * of a channel together. Register k has channels 4 k to 4 k + 3 of either half of them. */
static NAME_INLINE void NAME_put_together(NAME_eight *codes, const NAME_code *const *rows, int32_t from)
{
    const NAME_eight a = NAME_load(rows[0] + from), b = NAME_load(rows[1] + from);
#if NAME_VNNI
    const NAME_eight c = NAME_load(rows[2] + from), d = NAME_load(rows[3] + from);
    const NAME_eight upper = _mm256_unpacklo_epi8(a, b), upper_next = _mm256_unpackhi_epi8(a, b);
    const NAME_eight lower = _mm256_unpacklo_epi8(c, d), lower_next = _mm256_unpackhi_epi8(c, d);
    codes[0] = _mm256_unpacklo_epi16(upper, lower);
    codes[1] = _mm256_unpackhi_epi16(upper, lower);
    codes[2] = _mm256_unpacklo_epi16(upper_next, lower_next);
    codes[3] = _mm256_unpackhi_epi16(upper_next, lower_next);
#else
    codes[0] = _mm256_unpacklo_epi16(a, b);
    codes[1] = _mm256_unpackhi_epi16(a, b);
#endif
}

/* Numbers of the channels of register k. */
static inline NAME_eight NAME_numbers_of(const void *numbers, int32_t k)
{
    const __m128i *from = numbers;
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(from + k)), _mm_loadu_si128(from + NAME_ATONCE + k), 1);
}

static NAME_INLINE void NAME_begin_each(NAME_eight *sums, const int32_t *offsets)
{
    sums[0] = NAME_numbers_of(offsets, 0);
    sums[1] = NAME_numbers_of(offsets, 1);
#if NAME_VNNI
    sums[2] = NAME_numbers_of(offsets, 2);
    sums[3] = NAME_numbers_of(offsets, 3);
#endif
}

static NAME_INLINE void NAME_add_each(NAME_eight *sums, const NAME_weight *weights, const NAME_eight *codes)
{
    const int32_t length = 8 * NAME_ATONCE;
    sums[0] = NAME_add(sums[0], NAME_load(weights), codes[0]);
    sums[1] = NAME_add(sums[1], NAME_load(weights + length), codes[1]);
#if NAME_VNNI
    sums[2] = NAME_add(sums[2], NAME_load(weights + 2 * length), codes[2]);
    sums[3] = NAME_add(sums[3], NAME_load(weights + 3 * length), codes[3]);
#endif
}

/* The codes of those sums, in order again. */
static NAME_INLINE void NAME_store_each(
    NAME_code *to, const NAME_eight *sums, const float *factors, const struct NAME_ends *ends)
{
    NAME_eight codes = NAME_sixteen(NAME_rounded(sums[0], NAME_numbers_of(factors, 0)),
        NAME_rounded(sums[1], NAME_numbers_of(factors, 1)), ends);
#if NAME_VNNI
    /* Which clips to 0 and 255. */
    codes = _mm256_packus_epi16(codes, NAME_sixteen(NAME_rounded(sums[2], NAME_numbers_of(factors, 2)),
        NAME_rounded(sums[3], NAME_numbers_of(factors, 3)), ends));
#endif
    _mm256_storeu_si256((__m256i *)(void *)to, codes);
}

