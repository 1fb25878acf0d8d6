/* One row of a convolution: pixels that are left over are done with some of those before them. The
 * last outputs come first: what is stored too much of them the first ones of the next pixel replace,
 * so only the last pixel stores no more than there are. */
static void NAME_sums(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t y)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const struct NAME_ends ends = NAME_ends_of(step);
    const int32_t outputs = out->channels, width = out->width, apart = step->across * in->channels;
    const int32_t together = width >= 8 ? 8 : width >= 4 ? 4 : 1;
    const NAME_code *rows[NAME_TALLEST];
    int32_t i, x;
    for (i = 0; i < step->tall; i++)
        rows[i] = NAME_row_of(state, step->source, y * step->down - step->top + i);
    for (x = 0; x < width; x += together) {
        const int16_t *weights = step->data;
        x = x + together > width ? width - together : x;
        for (i = (outputs - 1) / 8 * 8; i >= 0; i -= 8) {
            const int32_t from = x * apart - step->left * in->channels;
            const int32_t last = outputs - i < 8 ? outputs - i : 8;
            const int32_t count = outputs < 8 ? last : 8;
            NAME_code *code = to + x * outputs + i;
            if (together == 8)
                weights = NAME_block_8(
                    rows, from, step, weights, i, code, apart, outputs, &ends, count,
                    x + together < width ? count : last);
            else if (together == 4)
                weights = NAME_block_4(
                    rows, from, step, weights, i, code, apart, outputs, &ends, count,
                    x + together < width ? count : last);
            else
                weights = NAME_block_1(
                    rows, from, step, weights, i, code, apart, outputs, &ends, count,
                    x + together < width ? count : last);
        }
    }
}

