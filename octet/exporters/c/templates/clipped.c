static inline uint8_t NAME_within(int32_t x, int32_t low, int32_t high)
{
    x = x < low ? low : x;
    return (uint8_t)(x > high ? high : x);
}

static inline uint8_t NAME_clipped(const struct NAME_step *step, int32_t x)
{
    return NAME_within(x + step->zero_out, step->low, step->high);
}

