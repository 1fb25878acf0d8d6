/* How many rows give other codes than they should. */
int NAME_wrong(void);
int NAME_wrong(void)
{
    static NAME_state state;
    uint8_t codes[NAME_OUTPUTS];
    int wrong = 0;
    int32_t i;
    for (i = 0; i < ROWS; i++) {
        NAME(&state, NAME_rows + i * LENGTH, codes);
        wrong += memcmp(codes, NAME_expected + i * NAME_OUTPUTS, sizeof codes) != 0;
    }
    return wrong;
}

#if NAME_SELFTEST
/* The status is 0 if all is well. */
int main(void)
{
    return NAME_wrong() != 0;
}
#endif
