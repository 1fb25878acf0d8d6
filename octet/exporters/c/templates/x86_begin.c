void NAME_begin(NAME_state *state)
{
    int32_t i, j;
    memset(state, 0, sizeof *state);
    for (i = 0; i <= NAME_STEPS; i++)
        for (j = 0; j < (NAME_images[i].rows + 1) * NAME_images[i].pitch; j++)
            state->rows[NAME_images[i].at + j] = (NAME_code)NAME_images[i].zero;
}

