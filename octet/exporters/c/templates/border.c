/* A row of an image with a border around. */
static void NAME_border(NAME_state *state, const struct NAME_step *step, uint8_t *to, int32_t y)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    y -= step->top;
    memset(to, step->zero_in, (size_t)(out->width * out->channels));
    if (y >= 0 && y < in->height)
        memcpy(to + step->left * in->channels, NAME_row_of(state, step->source, y),
            (size_t)(in->width * in->channels));
}

