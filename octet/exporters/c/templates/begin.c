void NAME_begin(NAME_state *state)
{
    memset(state, 0, sizeof *state);
}

