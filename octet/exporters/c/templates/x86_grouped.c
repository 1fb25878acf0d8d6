/* One row of a convolution whose outputs see some of the channels: all outputs, weight by weight. */
static NAME_INLINE void NAME_grouped(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t y)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const int32_t outputs = out->channels, channels = in->channels / step->groups;
    const int32_t of_group = outputs / step->groups;
    int32_t sums[NAME_MOST_OUTPUTS], x, i, j, k, o;
    for (x = 0; x < out->width; x++, to += outputs) {
        const int16_t *weights = step->data;
        memcpy(sums, step->offsets, (size_t)outputs * sizeof *sums);
        for (i = 0; i < step->tall; i++) {
            const NAME_code *row = NAME_row_of(state, step->source, y * step->down - step->top + i);
            row += (x * step->across - step->left) * in->channels;
            for (j = 0; j < step->wide; j++, row += in->channels) {
                for (k = 0; k < channels; k++, weights += outputs) {
                    if (channels == 1 && of_group == 1)
                        for (o = 0; o < outputs; o++)
                            sums[o] += weights[o] * row[o];
                    else
                        for (o = 0; o < outputs; o++)
                            sums[o] += weights[o] * row[o / of_group * channels + k];
                }
            }
        }
        for (o = 0; o < outputs; o++)
            to[o] = NAME_clipped(step, sums[o], step->factors[o]);
    }
}

