/* Two windows times the weights of one output, added to sums. A word has two halves of codes of
 * BITS bits, which belong to neighbours. */
static inline void NAME_products_BITS(
    int32_t *sums, const uint32_t *weights, const int16_t *first, const int16_t *second, int32_t words)
{
    int32_t a = sums[0], b = sums[1];
    const uint32_t mask = ((1u << BITS) - 1) * 0x10001u;
    do {
        const uint32_t word = *weights++;
        int k;
        for (k = 0; k < 16 / BITS; k++, first += 2, second += 2) {
            const uint32_t pair = word >> BITS * k & mask;
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)
            uint32_t x;
            memcpy(&x, first, sizeof x);
            __asm__("smlad %0, %1, %2, %0" : "+r"(a) : "r"(pair), "r"(x));
            memcpy(&x, second, sizeof x);
            __asm__("smlad %0, %1, %2, %0" : "+r"(b) : "r"(pair), "r"(x));
#else
            a += (int32_t)(pair & 0xFFFF) * first[0] + (int32_t)(pair >> 16) * first[1];
            b += (int32_t)(pair & 0xFFFF) * second[0] + (int32_t)(pair >> 16) * second[1];
#endif
        }
    } while (--words != 0);
    sums[0] = a;
    sums[1] = b;
}

/* One row of a convolution, two pixels at a time. */
static void NAME_sums_BITS(NAME_state *state, const struct NAME_step *step, uint8_t *to, int32_t y)
{
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const int32_t outputs = out->channels / step->groups, length = step->words * (16 / BITS * 2);
    int16_t *first = state->window, *second = first + length;
    int32_t x, group, i;
    for (x = 0; x < out->width; x += 2, to += 2 * out->channels) {
        const uint32_t *weights = step->data;
        const struct NAME_pair *pair = step->pairs;
        uint8_t *code = to;
        const int both = x + 1 < out->width;
        for (group = 0; group < step->groups; group++) {
            int32_t seen[2];
            seen[0] = NAME_window(state, first, step, x, y, group);
            seen[1] = both ? NAME_window(state, second, step, x + 1, y, group) : 0;
            for (i = 0; i < outputs; i++, pair++, code++, weights += step->words) {
                int32_t sums[2];
#if NAME_ZEROS
                const int32_t zero = step->zeros[code - to];
#else
                const int32_t zero = step->zero_weights;
#endif
                sums[0] = pair->offset - zero * seen[0];
                sums[1] = pair->offset - zero * seen[1];
                NAME_products_BITS(sums, weights, first, second, step->words);
                code[0] = NAME_clipped(step, NAME_scaled(sums[0], pair->factor));
                if (both)
                    code[out->channels] = NAME_clipped(step, NAME_scaled(sums[1], pair->factor));
            }
        }
    }
}

