/* One turn of a step. */
static void NAME_take_turn(NAME_state *state, uint32_t i)
{
    const struct NAME_step *step = &NAME_steps[i];
    const int32_t y = state->made[i + 1], turn = state->turns[i]++;
    NAME_code *to = NAME_row_of(state, i + 1, y);
    switch (step->kind) {
    CASES
    }
    state->made[i + 1]++;
}

