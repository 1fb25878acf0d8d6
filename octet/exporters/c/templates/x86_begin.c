void NAME_begin(NAME_state *state)
{
    int32_t i, j;
    memset(state, 0, sizeof *state);
    for (i = 0; i <= NAME_STEPS; i++) {
        const struct NAME_image *of = &NAME_images[i];
        NAME_code *row = (NAME_code *)(void *)state->rows + of->at;
        for (j = 0; of->zero != 0 && j < (of->rows + 1) * of->pitch; j++)
            row[j] = (NAME_code)of->zero;
    }
}

