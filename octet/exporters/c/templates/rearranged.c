/* A row of an image that has the codes of another, in the order of channel, row, column. */
static void NAME_rearranged(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t y)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    int32_t x, i;
    for (x = 0; x < out->width; x++) {
        for (i = 0; i < out->channels; i++) {
            const int32_t place = (i * out->height + y) * out->width + x;
            const int32_t row = place / in->width % in->height;
            const int32_t channel = place / in->width / in->height;
            *to++ = NAME_row_of(state, step->source, row)[place % in->width * in->channels + channel];
        }
    }
}

