/* LANES outputs, from the block'th eight on, at PIXELS pixels OF_ROWS: each sum has a name, or
 * compilers keep it in memory. */
static NAME_INLINE void NAME_tile_SHAPE(const NAME_code *const *rows, const struct NAME_step *step,
    int32_t block, int32_t from, NAME_code *to, int32_t apart, int32_t outputs)
{
    const struct NAME_ends ends = NAME_ends_of(step);
    const int32_t words = step->words * (int32_t)sizeof(NAME_weight);
    const NAME_weight *weights = step->data;
    const NAME_eight FACTORS;
    NAME_eight DECLARED;
    int32_t pass, i, j;
    weights += step->block * block;
    for (pass = step->passes; pass > 0; pass--) {
        for (i = 0; i < step->tall; i++) {
            SOURCES
#if !NAME_VNNI && defined(__GNUC__) && !defined(__clang__)
            /* Their number is even, and loops of one take up to a quarter longer. */
#pragma GCC unroll 2
#endif
            for (j = words; j > 0; j--) {
                NAME_eight WEIGHTS, codes;
                ADDED
                weights += 8 * NAME_ATONCE;
                ONWARDS
            }
        }
    }
    STORED
}

