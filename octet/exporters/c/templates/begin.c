NAME_SELDOM void NAME_begin(NAME_state *state)
{
    (void)memset(state, 0, sizeof *state);
}

