/* Codes less their zero point; returns their sum. */
static inline int32_t NAME_centred(int16_t *to, const uint8_t *from, int32_t count, int32_t zero)
{
    int32_t i, total = 0;
    for (i = 0; i < count; i++) {
        to[i] = (int16_t)(from[i] - zero);
        total += to[i];
    }
    return total;
}

/* What the kernel sees of one group at x of row y, row by row, 0 in the padding; returns its sum. */
static int32_t NAME_window(
    NAME_state *state, int16_t *to, const struct NAME_step *step, int32_t x, int32_t y, int32_t group)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const int32_t channels = in->channels / step->groups, together = step->groups == 1 ? step->wide : 1;
    const int32_t size = channels * together;
    int32_t i, j, total = 0;
    x = x * step->across - step->left;
    y = y * step->down - step->top;
    for (i = y; i < y + step->tall; i++) {
        const uint8_t *row = NAME_row_of(state, step->source, i < 0 ? 0 : i) + group * channels;
        for (j = x; j < x + step->wide; j += together, to += size) {
            /* Of the columns that lie together, those inside of the image. */
            const int32_t before = j < 0 ? (j + together > 0 ? -j : together) : 0;
            const int32_t end = j + together > in->width ? in->width - j : together;
            if (i < 0 || i >= in->height || before >= end) {
                memset(to, 0, (size_t)size * sizeof *to);
                continue;
            }
            memset(to, 0, (size_t)(before * channels) * sizeof *to);
            memset(to + end * channels, 0, (size_t)((together - end) * channels) * sizeof *to);
            total += NAME_centred(to + before * channels, row + (j + before) * in->channels,
                (end - before) * channels, step->zero_in);
        }
    }
    return total;
}

