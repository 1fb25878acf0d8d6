void NAME_end(const NAME_state *state, uint8_t *codes)
{
    const struct NAME_image *out = &NAME_images[NAME_OUTPUT];
    const uint8_t *from = state->rows + out->at;
    int32_t x, y, i;
    for (y = 0; y < out->height; y++)
        for (x = 0; x < out->width; x++)
            for (i = 0; i < out->channels; i++)
                codes[(i * out->height + y) * out->width + x] = *from++;
}

