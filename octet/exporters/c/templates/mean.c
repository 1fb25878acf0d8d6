/* A row of the source into the windows that it is in, whose first row begins anew: sums, which the
 * last row makes means. */
static void NAME_mean(NAME_state *state, const struct NAME_step *step, const NAME_code *row, NAME_code *to,
    int first, int last)
{
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    int32_t *sum = state->sums + step->sums_at;
    int32_t x, i, j;
    for (x = out->width; x > 0; x--, row += (step->across - 1) * out->channels) {
        for (i = out->channels; i > 0; i--, sum++, row++) {
            if (first)
                *sum = NAME_OFFSET(step->pairs);
            for (j = 0; j < step->wide; j++)
                *sum += row[j * out->channels];
            if (last)
                *to++ = NAME_clipped(step, *sum, NAME_factors[step->pairs]);
        }
    }
}

