/* What is added to an integer for its code, and the codes at which it is clipped. */
struct NAME_ends {
    int32_t zero, low, high;
};

static inline struct NAME_ends NAME_ends_of(const struct NAME_step *step)
{
    struct NAME_ends ends;
    (void)step;
    ends.zero = step->zero_out;
    ends.low = step->low;
    ends.high = step->high;
    return ends;
}

static inline uint8_t NAME_within(const struct NAME_ends *ends, int32_t x)
{
    x += ends->zero;
    x = x < ends->low ? ends->low : x;
    return (uint8_t)(x > ends->high ? ends->high : x);
}

