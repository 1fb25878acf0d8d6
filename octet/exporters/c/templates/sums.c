/* Sums of two windows times the weights of two outputs: of the first output, then of the second.
 * Words of the two take turns; a word has two halves of codes of BITS bits, which belong to
 * neighbours. */
NAME_APART static void NAME_products_BITS(
    int32_t *sums, const uint32_t *weights, int32_t words, const int16_t *x, const int16_t *next)
{
    const uint32_t *const end = weights + 2 * words;
    int32_t a = 0, b = 0, c = 0, d = 0;
    uint32_t mask = ((1u << BITS) - 1) * 0x10001u;
    NAME_IN_REGISTER(mask);
    while (weights != end) {
        const uint32_t word = *weights++, other = *weights++;
        NAME_two two;
        PAIRS_OF_TWO
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

#if NAME_ODD
/* The same of one output. */
NAME_APART static void NAME_product_BITS(
    int32_t *sums, const uint32_t *weights, int32_t words, const int16_t *x, const int16_t *next)
{
    const uint32_t *const end = weights + words;
    int32_t a = 0, b = 0;
    uint32_t mask = ((1u << BITS) - 1) * 0x10001u;
    NAME_IN_REGISTER(mask);
    while (weights != end) {
        const uint32_t word = *weights++;
        NAME_two two;
        PAIRS_OF_ONE
    }
    sums[0] = a;
    sums[1] = b;
}
#endif

/* One row of a convolution, two pixels of two outputs at a time. */
NAME_APART static void NAME_sums_BITS(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t y)
{
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const int32_t outputs = out->channels / step->groups, words = step->words;
    const int32_t kept = step->wide > step->across ? step->wide - step->across : 0;
    int32_t pair = step->pairs;
    const uint32_t *weights = step->data;
    int32_t totals[NAME_MOST_COLUMNS], group, x, i;
    for (group = 0; group < step->groups; group++, pair += outputs, weights += outputs * words) {
        int32_t have = 0, from = -step->left;
        NAME_code *code = to + group * outputs;
        for (x = out->width; x > 0; x -= 2, from += 2 * step->across) {
            /* A window that is not there is looked through as the one before it. */
            const int32_t across = x > 1 ? step->across : 0;
            const int32_t right = x > 1 ? out->channels : 0;
            const int16_t *first = state->window, *next = first + across * step->column;
            int32_t seen[2] = {0, 0};
            NAME_columns(state, step, state->window + have * step->column, totals + have,
                from + have, y * step->down - step->top, step->wide + across - have, group);
            for (i = 0; i < step->wide; i++) {
                seen[0] += totals[i];
                seen[1] += totals[i + across];
            }
            for (i = 0; i + 1 < outputs; i += 2) {
                int32_t sums[4];
                NAME_products_BITS(sums, weights + i * words, words, first, next);
                code[right] = NAME_clipped(step, pair + i, sums[1] - NAME_ZERO(i) * seen[1]);
                *code++ = NAME_clipped(step, pair + i, sums[0] - NAME_ZERO(i) * seen[0]);
                code[right] = NAME_clipped(step, pair + i + 1, sums[3] - NAME_ZERO(i + 1) * seen[1]);
                *code++ = NAME_clipped(step, pair + i + 1, sums[2] - NAME_ZERO(i + 1) * seen[0]);
            }
#if NAME_ODD
            if (i < outputs) {
                int32_t sums[2];
                NAME_product_BITS(sums, weights + i * words, words, first, next);
                code[right] = NAME_clipped(step, pair + i, sums[1] - NAME_ZERO(i) * seen[1]);
                *code++ = NAME_clipped(step, pair + i, sums[0] - NAME_ZERO(i) * seen[0]);
            }
#endif
            code += 2 * out->channels - outputs;
            /* The next two windows, if there are any, see the last columns of these. */
            have = x > 2 ? kept : 0;
            memmove(state->window, state->window + 2 * step->across * step->column,
                (size_t)(have * step->column) * sizeof *state->window);
            for (i = 0; i < have; i++)
                totals[i] = totals[i + 2 * step->across];
        }
    }
}

