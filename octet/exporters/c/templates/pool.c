/* A row of the source into the windows that it is in, whose first row begins anew: sums, which the
 * last row makes means, or the largest codes. */
static void NAME_pool(NAME_state *state, const struct NAME_step *step, uint8_t *to, int32_t y,
    int first, int last)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const uint8_t *row = NAME_row_of(state, step->source, y);
    const int32_t channels = out->channels;
    int32_t x, i, j, k = 0;
    for (x = -step->left; k < out->width * channels; x += step->across) {
        const int32_t begin = x < 0 ? 0 : x;
        const int32_t end = x + step->wide < in->width ? x + step->wide : in->width;
        for (i = 0; i < channels; i++, k++) {
#if NAME_MEANS
            if (step->kind == NAME_MEAN) {
                int32_t *sum = &state->sums[step->sums_at + (uint32_t)k];
                if (first)
                    *sum = step->pairs->offset;
                for (j = begin; j < end; j++)
                    *sum += row[j * channels + i];
                if (last)
                    to[k] = NAME_clipped(step, NAME_scaled(*sum, step->pairs->factor));
                continue;
            }
#endif
            if (first)
                to[k] = 0;
            for (j = begin; j < end; j++)
                if (row[j * channels + i] > to[k])
                    to[k] = row[j * channels + i];
        }
    }
    (void)last;
}

/* A turn of a pool; returns whether it has given a row. */
static int NAME_pools(NAME_state *state, const struct NAME_step *step, uint8_t *to, int32_t turn)
{
    int32_t y = turn * step->down - step->top, end = y + step->tall;
    const int32_t height = NAME_images[step->source].height, begin = y < 0 ? 0 : y;
    if (step->in_parts) {
        const int32_t place = turn % step->down + 1;
        if (place <= step->tall)
            NAME_pool(state, step, to, turn, place == 1, place == step->tall);
        return place == step->tall;
    }
    end = end < height ? end : height;
    for (y = begin; y < end; y++)
        NAME_pool(state, step, to, y, y == begin, y + 1 == end);
    return 1;
}

