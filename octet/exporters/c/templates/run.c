/* Whether a step can have its next turn: rows that it needs are there. */
static int NAME_is_ready(const NAME_state *state, uint32_t i)
{
    const struct NAME_step *step = &NAME_steps[i];
    const struct NAME_image *in = &NAME_images[step->source];
    const int32_t turn = state->turns[i];
    int32_t end = turn * step->stride + step->side - step->above;
    if (turn >= step->turns)
        return 0;
    end = end < in->height ? end : in->height;
    return state->made[step->source] >= end && state->made[step->other] >= end;
}

/* Whatever can be done now, the last step first: so that few rows wait. */
NAME_SELDOM static void NAME_go_on(NAME_state *state)
{
    uint32_t i = NAME_STEPS;
    while (i-- > 0) {
        if (NAME_is_ready(state, i)) {
            NAME_take_turn(state, i);
            i = NAME_STEPS;
        }
    }
}

