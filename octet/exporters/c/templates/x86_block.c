/* Eight outputs at PIXELS pixels, `apart` from each other in the source and `next` in what leaves. */
static inline const int16_t *NAME_block_PIXELS(const NAME_code *const *rows, int32_t from,
    const struct NAME_step *step, const int16_t *weights, int32_t output, NAME_code *to,
    int32_t apart, int32_t next, const struct NAME_ends *ends, int32_t count,
    int32_t last)
{
    const NAME_eight offsets = NAME_load(step->offsets + output);
    const float *factors = step->factors + output;
    NAME_eight DECLARED;
    int32_t i, j;
    (void)count;
    for (i = 0; i < step->tall; i++) {
        const NAME_code *x = rows[i] + from;
        for (j = step->words; j > 0; j--, weights += 16, x += 2) {
            const NAME_eight both = NAME_load(weights);
            ADDED
        }
    }
    STORED
    NAME_store(to + (PIXELS - 1) * next, LAST, factors, ends, last);
    return weights;
}

