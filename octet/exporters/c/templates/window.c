/* What a kernel sees at rows from y on of `count` columns from x on: column by column, codes less
 * their zero point, and 0 in the padding. The sum of each column goes to `totals`. */
static void NAME_columns(NAME_state *state, const struct NAME_step *step, int16_t *to,
    int32_t *totals, int32_t x, int32_t y, int32_t count, int32_t group)
{
    const struct NAME_image *in = &NAME_images[step->source];
    const int32_t channels = in->channels / step->groups, zero = step->zero_in;
    const int32_t tall = step->tall, width = in->width, every = in->channels, column = step->column;
    const NAME_code *rows[NAME_TALLEST] = {0};
    int32_t i, j;
    for (i = 0; i < tall; i++) {
        if (y + i >= 0 && y + i < in->height)
            rows[i] = NAME_row_of(state, step->source, y + i) + group * channels;
    }
    for (; count > 0; count--, x++) {
        int32_t total = 0;
        for (i = 0; i < tall; i++) {
            const NAME_code *from = rows[i];
            if (from == 0 || x < 0 || x >= width) {
                (void)memset(to, 0, (size_t)channels * sizeof *to);
                to += channels;
                continue;
            }
            from += x * every;
            for (j = channels; j > 0; j--) {
                const int32_t code = *from++ - zero;
                *to++ = (int16_t)code;
                total += code;
            }
        }
        /* Where a column has one code more its weight is 0. */
        to += column - tall * channels;
        *totals++ = total;
    }
}

/* Two numbers of a window, and their products with a pair of codes. */
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)
typedef uint32_t NAME_two;
#define NAME_TAKE(two, x) \
    __asm__ volatile("ldr %0, [%1], #4" : "=r"(two), "+r"(x) : "m"(*(const int16_t(*)[2])(x)))
#define NAME_ADD(sum, pair, two) \
    __asm__ volatile("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(pair), "r"(two))
#define NAME_IN_REGISTER(mask) __asm__("" : "+r"(mask))
#else
typedef const int16_t *NAME_two;
#define NAME_TAKE(two, x) ((two) = (x), (x) += 2)
#define NAME_ADD(sum, pair, two) \
    ((sum) += (int32_t)((pair)&0xFFFF) * (two)[0] + (int32_t)((pair) >> 16) * (two)[1])
#define NAME_IN_REGISTER(mask) (void)0
#endif

/* The pairs of two words at `shift`, and of one: two windows see each. */
#define NAME_OF_TWO(shift) \
    do { \
        const uint32_t pair = word >> (shift) & mask, second = other >> (shift) & mask; \
        NAME_TAKE(two, x); \
        NAME_ADD(a, pair, two); \
        NAME_ADD(c, second, two); \
        NAME_TAKE(two, next); \
        NAME_ADD(b, pair, two); \
        NAME_ADD(d, second, two); \
    } while (0)
#define NAME_OF_ONE(shift) \
    do { \
        const uint32_t pair = word >> (shift) & mask; \
        NAME_TAKE(two, x); \
        NAME_ADD(a, pair, two); \
        NAME_TAKE(two, next); \
        NAME_ADD(b, pair, two); \
    } while (0)

