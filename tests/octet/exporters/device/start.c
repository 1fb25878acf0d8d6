/* What runs a self-test on a Cortex-M under QEMU: prints how many rows were wrong and how many
 * instructions an image takes (the timer has 25 MHz, and with -icount shift=0 an instruction takes 1 ns), and ends. Included behind a C file of Octet, whose
 * names begin with `net`. */
extern uint32_t stack_top, bss_start, bss_end;

#define SYSTICK ((volatile uint32_t *)0xE000E010)

static uint32_t host(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void print(const char *word, uint32_t number)
{
    char text[12], *to = text + sizeof text - 1;
    *to = 0;
    do
        *--to = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    host(4, word);
    host(4, to);
    host(4, "\n");
}

static void reset(void)
{
    static net_state state;
    static uint8_t codes[NET_OUTPUTS];
    static const uint32_t ended[2] = {0x20026, 0};
    uint32_t *p, start;
    for (p = &bss_start; p < &bss_end; p++)
        *p = 0;
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xF00000;
    __asm__ volatile("dsb\n isb");
#endif
    SYSTICK[1] = 0xFFFFFF;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5;
    start = SYSTICK[2];
    net(&state, net_rows, codes);
    print("instructions ", ((start - SYSTICK[2]) & 0xFFFFFF) * 40);
    print("wrong ", (uint32_t)net_wrong());
    host(0x20, ended);
    for (;;)
        ;
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    &stack_top, (const void *)reset};
