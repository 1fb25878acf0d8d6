/* Sums of four outputs, in loops that compilers make vectors of: weights of `length` codes each. */
static NAME_INLINE void NAME_four(
    int32_t *sums, const NAME_code *codes, const NAME_weight *weights, int32_t length)
{
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3], i;
    /* By itself Clang fills half a register; where there is none it need not say so. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed"
#pragma clang loop vectorize_width(8)
#endif
    for (i = 0; i < length; i++) {
        a += codes[i] * weights[i];
        b += codes[i] * weights[length + i];
        c += codes[i] * weights[2 * length + i];
        d += codes[i] * weights[3 * length + i];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

/* The sums of all outputs where a kernel sees `window`, if they are larger than what is there. */
static NAME_INLINE void NAME_window(const struct NAME_step *step, const NAME_code *window, int32_t *largest)
{
    const NAME_weight *weights = step->data;
    int32_t i, j;
    for (i = 0; i < step->outputs; i += 4, weights += 4 * step->length) {
        int32_t sums[4];
        memcpy(sums, step->offsets + i, sizeof sums);
        NAME_four(sums, window, weights, step->length);
        for (j = 0; j < 4; j++)
            largest[i + j] = sums[j] > largest[i + j] ? sums[j] : largest[i + j];
    }
}

/* One row of a convolution: what a kernel sees is copied, so that it lies together. */
static NAME_INLINE void NAME_sums(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t y)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const struct NAME_image *out = &NAME_images[step - NAME_steps + 1];
    const int32_t run = step->wide * in->channels, apart = step->across * in->channels;
    const NAME_code *rows[NAME_TALLEST];
    NAME_code window[LONGEST] = {0};
    int32_t largest[NAME_MOST_OUTPUTS + 7], x, i, j, k;
    for (i = 0; i < step->side; i++)
        rows[i] = NAME_row_of(state, step->source, y * step->stride - step->above + i)
            - step->left * in->channels;
    for (x = 0; x < out->width; x++) {
        for (i = 0; i < step->outputs; i++)
            largest[i] = -2147483647 - 1;
        for (i = 0; i < step->pool; i++) {
            for (j = 0; j < step->pool; j++) {
                const int32_t from = (x * step->pool + j) * apart;
                for (k = 0; k < step->tall; k++)
                    memcpy(window + k * run, rows[i * step->down + k] + from,
                        (size_t)run * sizeof *window);
                NAME_window(step, window, largest);
            }
        }
        for (i = 0; i < out->channels; i++)
            *to++ = NAME_clipped(step, largest[i], step->factors[i]);
    }
}

