/* A row of what becomes of each code. */
static void NAME_table(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t y)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const NAME_code *from = NAME_row_of(state, step->source, y);
    const uint8_t *table = step->data;
    int32_t i;
    for (i = 0; i < in->width * in->channels; i++)
        to[i] = table[from[i]];
}

