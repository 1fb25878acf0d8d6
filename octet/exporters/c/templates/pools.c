/* A turn of a pool; returns whether it has given a row. */
NAME_SELDOM static int NAME_pools(NAME_state *state, const struct NAME_step *step, NAME_code *to, int32_t turn)
{
    const int32_t height = NAME_images[step->source].height;
    int32_t y = turn * step->down - step->top, end = y + step->tall;
    int32_t first = y < 0 ? 0 : y, last = end < height ? end : height;
    if (step->in_parts) {
        y = turn;
        first = turn - turn % step->down;
        last = first + step->tall;
        end = turn + 1;
    } else {
        y = first;
        end = last;
    }
    if (y >= last)
        return 0; /* Between two windows. */
    for (; y < end; y++) {
        const NAME_code *row = NAME_row_of(state, step->source, y);
        NAME_pool(state, step, row, to, y == first, y + 1 == last);
    }
    return y == last;
}

