#define NAME_STEPS COUNT
#define NAME_WIDE IS_WIDE
#define NAME_PADDED HAS_PADDED_POOLS
#define NAME_MEANS HAS_MEANS
#define NAME_OUTPUT OUTPUT_IMAGE
#define NAME_TALLEST MOST_ROWS
#define NAME_MOST_OUTPUTS MOST_CHANNELS

/* VNNI multiplies four codes by four weights and adds, in bytes. Without it codes and weights are
 * int16, two of each at once with AVX2. NAME_WORD has four weights of eight outputs, as either takes
 * them. Where there is neither, weights of an output lie together. */
#if defined(__AVX2__)
#include <immintrin.h>
#endif
#if (defined(__AVX512VNNI__) && defined(__AVX512VL__)) || defined(__AVXVNNI__)
#define NAME_VNNI 1
typedef uint8_t NAME_code;
typedef int8_t NAME_weight;
#define NAME_ALL(a, b, c, d) a, b, c, d
#define NAME_WORD(a, b, c, d, e, f, g, h) \
    NAME_ALL a, NAME_ALL b, NAME_ALL c, NAME_ALL d, NAME_ALL e, NAME_ALL f, NAME_ALL g, NAME_ALL h
#else
#define NAME_VNNI 0
typedef int16_t NAME_code;
typedef int16_t NAME_weight;
#define NAME_FRONT(a, b, c, d) a, b
#define NAME_BACK(a, b, c, d) c, d
#define NAME_WORD(a, b, c, d, e, f, g, h) \
    NAME_FRONT a, NAME_FRONT b, NAME_FRONT c, NAME_FRONT d, \
    NAME_FRONT e, NAME_FRONT f, NAME_FRONT g, NAME_FRONT h, \
    NAME_BACK a, NAME_BACK b, NAME_BACK c, NAME_BACK d, \
    NAME_BACK e, NAME_BACK f, NAME_BACK g, NAME_BACK h
#endif
/* Codes and weights of an output that are multiplied at once: 32 bits of them. */
#define NAME_ATONCE (4 / (int32_t)sizeof(NAME_code))

#define NAME_SELDOM
#define NAME_APART inline

/* What goes in, and what each step gives: where its rows are, and how many wait. A row has `left`
 * pixels of its zero in front of it, `right` behind it, and `pitch` codes in all; behind the rows
 * that wait is one of zeros, for what is above and below an image. */
struct NAME_image {
    int32_t at, channels, height, width, rows, left, right, pitch, zero;
};

/* What all steps have in common that ask for it. */
COMMON
/* What is done to rows. Sources are images; the turn t of a step needs `side` rows of them from
 * t * stride - above on. */
struct NAME_step {
    const void *data;
    const int32_t *offsets;
    const float *factors;
    int32_t kind, source, other, sums_at, pairs;
    int32_t stride, side, above;
    int32_t tall, wide, down, across, top, left, in_parts;
    int32_t groups, words, passes, block, length, outputs, pool, tile, last_tile, together, zero_out, low, high;
    NAME_code zero_in;
};

KINDS
