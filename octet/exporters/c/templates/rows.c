/* Row y of the input, or of what a step gives; a row that waits no longer makes room for the next. */
static uint8_t *NAME_row_of(NAME_state *state, uint32_t image, int32_t y)
{
    const struct NAME_image *of = &NAME_images[image];
    return state->rows + of->at + y % of->rows * of->width * of->channels;
}

