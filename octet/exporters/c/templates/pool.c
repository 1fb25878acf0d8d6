/* A row of the source into the windows that it is in, whose first row begins anew: the largest codes,
 * or sums, which the last row makes means. */
static void NAME_pool(NAME_state *state, const struct NAME_step *step, const NAME_code *row, NAME_code *to,
    int first, int last)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const int32_t channels = out->channels;
    const int mean = IS_MEAN;
    int32_t x, i, j, k;
#if NAME_MEANS
    int32_t *sum = state->sums + step->sums_at;
#endif
    (void)state;
    (void)last;
    for (k = out->width, x = -step->left; k > 0; k--, x += step->across) {
        const int32_t end = NAME_PADDED && x + step->wide > in->width ? in->width : x + step->wide;
        for (i = 0; i < channels; i++, to++) {
            int32_t pooled = first ? 0 : *to;
#if NAME_MEANS
            if (mean && !first)
                pooled = *sum;
#endif
            for (j = NAME_PADDED && x < 0 ? 0 : x; j < end; j++) {
                const int32_t code = row[j * channels + i];
                pooled = mean ? pooled + code : code > pooled ? code : pooled;
            }
#if NAME_MEANS
            if (mean) {
                *sum++ = pooled;
                if (!last)
                    continue;
                pooled = NAME_clipped(step, step->pairs, pooled);
            }
#endif
            *to = (NAME_code)pooled;
        }
    }
}

