/* How many rows give other bits than they should. */
int NAME_wrong(void);
int NAME_wrong(void)
{
    double y[NAME_OUTPUTS];
    int wrong = 0;
    int32_t i;
    for (i = 0; i < ROWS; i++) {
        NAME(NAME_rows + i * NAME_INPUTS, y);
        wrong += memcmp(y, NAME_expected + i * NAME_OUTPUTS, sizeof y) != 0;
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
