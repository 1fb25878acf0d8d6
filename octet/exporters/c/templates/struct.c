#define NAME_STEPS COUNT
#define NAME_ZEROS HAS_ZEROS
#define NAME_WIDE IS_WIDE
#define NAME_PADDED HAS_PADDED_POOLS
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

/* What is called once a row is small; the innermost loop has all registers for itself. */
#ifdef __GNUC__
#define NAME_SELDOM __attribute__((cold, noinline))
#define NAME_APART __attribute__((hot, noinline))
#else
#define NAME_SELDOM
#define NAME_APART
#endif

/* What goes in, and what each step gives: where its rows are, and how many wait. */
struct NAME_image {
    PLACE at;
    SIZE channels, height, width, rows;
};

/* What all steps have in common that ask for it. */
COMMON
/* What is done to rows. Sources are images; the turn t of a step needs rows of them up to
 * t * stride + side - above. */
struct NAME_step {
    const void *data;
#if NAME_ZEROS
    const uint8_t *zeros;
#endif
    SIZE FIELDS_OF;
};

KINDS

