/* A row of the source into the windows that it is in, whose first row begins anew: the largest
 * codes. */
static void NAME_largest(const struct NAME_step *step, const NAME_code *row, NAME_code *to, int first)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const int32_t channels = out->channels;
    int32_t x, i, j, k;
    if (first)
        memset(to, 0, (size_t)(out->width * channels) * sizeof *to);
    for (k = out->width, x = -step->left; k > 0; k--, x += step->across, to += channels) {
        const int32_t end = NAME_PADDED && x + step->wide > in->width ? in->width : x + step->wide;
        for (j = NAME_PADDED && x < 0 ? 0 : x; j < end; j++) {
            const NAME_code *from = row + j * channels;
            for (i = 0; i < channels; i++)
                to[i] = from[i] > to[i] ? from[i] : to[i];
        }
    }
}

