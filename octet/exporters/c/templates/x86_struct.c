#define NAME_STEPS COUNT
#define NAME_WIDE IS_WIDE
#define NAME_MEANS HAS_MEANS
#define NAME_OUTPUT OUTPUT_IMAGE
#define NAME_TALLEST MOST_ROWS
#define NAME_MOST_OUTPUTS MOST_CHANNELS

/* A code as it is multiplied. */
typedef int16_t NAME_code;

/* What goes in, and what each step gives: where its rows are, and how many wait. A row has `left`
 * pixels of its zero in front of it, and `pitch` codes in all; behind the rows that wait is one of
 * zeros, for what is above and below an image. */
struct NAME_image {
    int32_t at, channels, height, width, rows, left, pitch, zero;
};

/* What is done to rows. Sources are images; the turn t of a step needs rows of them up to
 * t * stride + side - above. */
struct NAME_step {
    const void *data;
    const struct NAME_pair *pairs;
    const int32_t *offsets;
    const float *factors;
    int32_t kind, source, other, sums_at;
    int32_t turns, stride, side, above;
    int32_t tall, wide, down, across, top, left, in_parts;
    int32_t groups, words, zero_out, low, high;
    NAME_code zero_in;
};

KINDS

