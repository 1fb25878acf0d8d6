#define NAME_STEPS COUNT
#define NAME_ZEROS HAS_ZEROS
#define NAME_WIDE IS_WIDE
#define NAME_MEANS HAS_MEANS
#define NAME_OUTPUT OUTPUT_IMAGE
#define NAME_ODD HAS_ODD
#define NAME_TALLEST MOST_ROWS
#define NAME_MOST_COLUMNS COLUMNS
#if NAME_ZEROS
#define NAME_ZERO(i) step->zeros[pair - step->pairs + (i)]
#else
#define NAME_ZERO(i) step->zero_weights
#endif

typedef uint8_t NAME_code;

/* What goes in, and what each step gives: where its rows are, and how many wait. */
struct NAME_image {
    PLACE at;
    SIZE channels, height, width, rows;
};

/* What is done to rows. Sources are images; the turn t of a step needs rows of them up to
 * t * stride + side - above. */
struct NAME_step {
    const void *data;
    const struct NAME_pair *pairs;
#if NAME_ZEROS
    const uint8_t *zeros;
#endif
#if NAME_MEANS
    PLACE sums_at;
#endif
    SIZE kind, source, other;
    SIZE turns, stride, side, above;
    SIZE tall, wide, down, across, top, left, in_parts;
    SIZE groups, words, column, zero_in, zero_weights;
    SIZE zero_out, low, high;
};

KINDS

