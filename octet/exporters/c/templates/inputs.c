/* A row, the numbers of one channel after the other, which lie `apart` from each other. */
NAME_SELDOM static void NAME_take_row(NAME_state *state, const NUMBER *numbers, uint32_t apart)
{
    const struct NAME_image *in = &NAME_images[0];
    NAME_code *to = NAME_row_of(state, 0, state->made[0]);
    int32_t x, i;
    for (x = 0; x < in->width; x++)
        for (i = 0; i < in->channels; i++)
            *to++ = NAME_CODE(i, numbers[(uint32_t)i * apart + (uint32_t)x]);
    state->made[0]++;
    NAME_go_on(state);
}

void NAME_row(NAME_state *state, const NUMBER *numbers)
{
    NAME_take_row(state, numbers, NAME_WIDTH);
}

void NAME(NAME_state *state, const NUMBER *image, uint8_t *codes)
{
    uint32_t y;
    NAME_begin(state);
    for (y = 0; y < NAME_HEIGHT; y++)
#if NAME_CHANNELS == 1
        NAME_row(state, image + y * NAME_WIDTH);
#else
        NAME_take_row(state, image + y * NAME_WIDTH, NAME_HEIGHT * NAME_WIDTH);
#endif
    NAME_end(state, codes);
}

