/* The code of a sum. */
NAME_APART static uint8_t NAME_clipped(const struct NAME_step *step, int32_t sum, float m)
{
    const struct NAME_ends ends = NAME_ends_of(step);
    return NAME_within(&ends, NAME_scaled(sum, m));
}

