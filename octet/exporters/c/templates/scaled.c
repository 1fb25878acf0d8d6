#if NAME_INTEGERS
/* x / 2^bits, rounded half to even. */
static uint64_t NAME_half_even(uint64_t x, uint32_t bits)
{
    const uint64_t whole = x >> bits, half = ((uint64_t)1 << bits) >> 1;
    const uint64_t rest = x & (((uint64_t)1 << bits) - 1);
    return whole + (bits != 0 && (rest > half || (rest == half && (whole & 1) != 0)));
}

/* Rounded to the 24 bits of a float32. */
static uint64_t NAME_24_bits(uint64_t x)
{
    uint32_t drop = 0;
    while (x >> drop >> 24 != 0)
        drop++;
    return NAME_half_even(x, drop) << drop;
}

/* The integer nearest to float32(float32(sum) * m), at most 1024. */
static int32_t NAME_scaled(int32_t sum, float m)
{
    uint32_t bits;
    uint64_t x = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    (void)memcpy(&bits, &m, sizeof bits);
    if (bits == 0)
        return 0;
    x = NAME_24_bits(NAME_24_bits(x) * ((bits & 0x7FFFFF) | 0x800000));
    x = NAME_half_even(x, 150 - (bits >> 23));
    if (x > 1024)
        x = 1024;
    return sum < 0 ? -(int32_t)x : (int32_t)x;
}
#else
/* The integer nearest to float32(float32(sum) * m); NAME_WIDE where that could leave int32. */
static inline int32_t NAME_scaled(int32_t sum, float m)
{
    float x = NAME_float32(NAME_float32((float)sum) * m);
#if NAME_WIDE
    x = x < -1024.0f ? -1024.0f : x > 1024.0f ? 1024.0f : x;
#endif
    return NAME_nearest(x);
}
#endif

