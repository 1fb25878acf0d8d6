/* A row of the source into the windows that it is in, whose first row begins anew: the largest codes,
 * or sums, which the last row makes means. Channels come last, so that compilers make vectors of them. */
static void NAME_pool(NAME_state *state, const struct NAME_step *step, const NAME_code *row, NAME_code *to,
    int first, int last)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const int32_t channels = out->channels;
    int32_t x, i, j, k;
#if NAME_MEANS
    int32_t *sums = state->sums + step->sums_at;
#endif
    (void)state;
    (void)last;
    for (k = out->width, x = -step->left; k > 0; k--, x += step->across, to += channels) {
        const int32_t end = NAME_PADDED && x + step->wide > in->width ? in->width : x + step->wide;
#if NAME_MEANS
        if (IS_MEAN) {
            for (i = 0; first && i < channels; i++)
                sums[i] = NAME_OFFSET(step->pairs);
            for (j = x; j < end; j++)
                for (i = 0; i < channels; i++)
                    sums[i] += row[j * channels + i];
            for (i = 0; last && i < channels; i++)
                to[i] = NAME_clipped(step, sums[i], NAME_factors[step->pairs]);
            sums += channels;
            continue;
        }
#endif
        for (i = 0; first && i < channels; i++)
            to[i] = 0;
        for (j = NAME_PADDED && x < 0 ? 0 : x; j < end; j++) {
            const NAME_code *from = row + j * channels;
            for (i = 0; i < channels; i++)
                to[i] = from[i] > to[i] ? from[i] : to[i];
        }
    }
}

