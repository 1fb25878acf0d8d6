#if defined(__FAST_MATH__) || defined(__RECIPROCAL_MATH__)
#error "Images are added by division: compile without -ffast-math"
#endif

/* A row of the sum of two images, in float32, one operation after the other. */
static void NAME_sum(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t y)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const NAME_code *first = NAME_row_of(state, step->source, y);
    const NAME_code *second = NAME_row_of(state, step->other, y);
    const int32_t pair = step->pairs;
    const struct NAME_ends ends = NAME_ends_of(step);
    int32_t i;
    for (i = 0; i < in->width * in->channels; i++) {
        const float a = NAME_float32((float)(first[i] - NAME_OFFSET(pair)) * NAME_factors[pair]);
        const float b = NAME_float32((float)(second[i] - NAME_OFFSET(pair + 1)) * NAME_factors[pair + 1]);
        float x = NAME_float32(NAME_float32(a + b) / NAME_factors[pair + 2]);
        x = x < -1024.0f ? -1024.0f : x > 1024.0f ? 1024.0f : x;
        to[i] = NAME_within(&ends, NAME_nearest(x));
    }
}

