/* How many rows give other codes than they should: 0 if all is well. */
int main(void)
{
    static NAME_state state;
    uint8_t codes[NAME_OUTPUTS];
    int wrong = 0;
    int i;
    for (i = 0; i < ROWS; i++) {
        NAME(&state, NAME_rows + i * LENGTH, codes);
        wrong += memcmp(codes, NAME_codes + i * NAME_OUTPUTS, sizeof codes) != 0;
    }
    return wrong;
}
