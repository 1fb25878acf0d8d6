/* How integers become codes. With a unit for float32, by it; without, in integers: the same codes
 * for every sum in int32, which was proven when this file was written. NAME_INTEGERS says which. */
#ifndef NAME_INTEGERS
#if (defined(__arm__) && (!defined(__ARM_FP) || !(__ARM_FP & 4))) || defined(__AVR__) || \
    (defined(__riscv) && !defined(__riscv_flen)) || defined(__SOFTFP__) || FLT_EVAL_METHOD < 0
#define NAME_INTEGERS 1
#else
#define NAME_INTEGERS 0
#endif
#endif

/* A float32 that is one: no wider, and no part of a multiply-add with one rounding. */
static inline float NAME_float32(float x)
{
#if defined(__GNUC__) && FLT_EVAL_METHOD == 0 && defined(__SSE__)
    __asm__("" : "+x"(x));
    return x;
#elif defined(__GNUC__) && FLT_EVAL_METHOD == 0 && defined(__arm__) && defined(__ARM_FP)
    __asm__("" : "+t"(x));
    return x;
#elif defined(__GNUC__) && FLT_EVAL_METHOD == 0 && defined(__aarch64__)
    __asm__("" : "+w"(x));
    return x;
#elif defined(__GNUC__) && FLT_EVAL_METHOD == 0 && (defined(__riscv_flen) || defined(__s390x__))
    __asm__("" : "+f"(x));
    return x;
#else
    volatile float kept = x;
    return kept;
#endif
}

/* The integer nearest to x, and of two the even one, for |x| up to 2^22: it is in the low bits of
 * x + 1.5 * 2^23. */
static inline int32_t NAME_nearest(float x)
{
#if defined(__GNUC__) && FLT_EVAL_METHOD == 0 && defined(__arm__) && defined(__ARM_FP)
    int32_t nearest;
    __asm__("vcvtr.s32.f32 %0, %1" : "=t"(nearest) : "t"(x));
    return nearest;
#else
    uint32_t bits;
    x = NAME_float32(x) + 12582912.0f;
    (void)memcpy(&bits, &x, sizeof bits);
    return (int32_t)bits - 0x4B400000;
#endif
}

