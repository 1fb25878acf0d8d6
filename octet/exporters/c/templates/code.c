/* The code of output `pair`, whose products with codes less their zero points have this sum. */
NAME_APART static uint8_t NAME_clipped(const struct NAME_step *step, int32_t pair, int32_t sum)
{
    const struct NAME_ends ends = NAME_ends_of(step);
    return NAME_within(&ends, NAME_scaled(sum + NAME_OFFSET(pair), NAME_factors[pair]));
}

