/* One row of a convolution. Pixels that are left over are done with some of those before them. The
 * last outputs come first: what is stored too much of them the first ones of the next pixel replace,
 * and what is behind the last pixel is filled again. */
static NAME_INLINE void NAME_sums(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t y)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const int32_t outputs = out->channels, width = out->width, together = step->together;
    const int32_t apart = step->across * in->channels;
    const NAME_code *rows[NAME_TALLEST + NAME_ATONCE];
    int32_t i, x;
    (void)NAME_clipped; /* Registers round by themselves. */
    for (i = 0; i < step->side; i++)
        rows[i] = NAME_row_of(state, step->source, y * step->stride - step->above + i)
            - step->left * in->channels;
    /* As many as are multiplied at once, by weights of 0. */
    for (; i < step->side + NAME_ATONCE - 1; i++)
        rows[i] = rows[0];
    for (x = 0; x < width; x += together) {
        int32_t tile = step->last_tile, from;
        x = x + together > width ? width - together : x;
        from = x * step->pool * apart;
        for (i = step->outputs / 8; i > 0; tile = step->tile) {
            switch (tile) {
            TILES
            }
        }
    }
    for (i = width * outputs; i < (width + out->right) * outputs; i++)
        to[i] = (NAME_code)out->zero;
}

