/* A row of the source into the windows that it is in, whose first row begins anew: the largest
 * codes. */
static void NAME_largest(const struct NAME_step *step, const NAME_code *row, NAME_code *to, int first)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const int32_t channels = out->channels;
    int32_t x, i, j, k;
    for (k = out->width, x = -step->left; k > 0; k--, x += step->across) {
        const int32_t begin = x < 0 ? 0 : x;
        const int32_t end = x + step->wide < in->width ? x + step->wide : in->width;
        for (i = 0; i < channels; i++) {
            const NAME_code *from = row + begin * channels + i;
            NAME_code most = first ? 0 : *to;
            for (j = begin; j < end; j++, from += channels)
                most = *from > most ? *from : most;
            *to++ = most;
        }
    }
}

