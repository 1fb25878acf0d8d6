/* PIXELS pixels of a row of which each output sees its own channel, from the block'th eight on, as many
 * as a register has codes. */
static NAME_INLINE void NAME_tile_SHAPE(const NAME_code *const *rows, const struct NAME_step *step,
    int32_t block, int32_t from, NAME_code *to, int32_t apart, int32_t outputs)
{
    const struct NAME_ends ends = NAME_ends_of(step);
    const int32_t channels = outputs, length = 8 * NAME_ATONCE * NAME_ATONCE;
    const NAME_weight *weights = (const NAME_weight *)step->data + step->block * block;
    NAME_eight codes[NAME_ATONCE], DECLARED;
    int32_t pass, i;
    (void)apart;
    BEGUN
    from += 8 * block;
    for (pass = step->passes; pass > 0; pass--) {
        for (i = 0; i < step->tall; i += NAME_ATONCE) {
            ADDED
            weights += WIDE * length;
        }
    }
    STORED
}

