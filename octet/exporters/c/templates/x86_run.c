/* After each row of the input, whatever can be done: the order of turns never changes. */
static const SIZE NAME_order[TURNS] = {
ORDER
};

static const SIZE NAME_counts[NAME_HEIGHT] = {
COUNTS
};

static void NAME_go_on(NAME_state *state)
{
    int32_t count = NAME_counts[state->made[0] - 1];
    for (; count > 0; count--)
        NAME_take_turn(state, NAME_order[state->had++]);
}

