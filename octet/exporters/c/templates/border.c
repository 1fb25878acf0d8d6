/* A row of an image with a border around. */
static void NAME_border(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t y)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    int32_t i;
    y -= step->top;
    for (i = 0; i < out->width * out->channels; i++)
        to[i] = step->zero_in;
    if (y >= 0 && y < in->height)
        (void)memcpy(to + step->left * in->channels, NAME_row_of(state, step->source, y),
            (size_t)(in->width * in->channels) * sizeof *to);
}

