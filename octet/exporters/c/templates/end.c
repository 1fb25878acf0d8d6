NAME_SELDOM void NAME_end(const NAME_state *state, uint8_t *codes)
{
    const struct NAME_image *out = &NAME_images[NAME_OUTPUT];
    int32_t x, y, i;
    for (y = 0; y < out->height; y++) {
        const NAME_code *from = NAME_row_of(state, NAME_OUTPUT, y);
        for (x = 0; x < out->width; x++)
            for (i = 0; i < out->channels; i++)
                codes[(i * out->height + y) * out->width + x] = (uint8_t)*from++;
    }
}

