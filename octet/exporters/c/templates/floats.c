#if (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 1) || DBL_MANT_DIG != 53
#error "This computes in IEEE float64: compile with -msse2 -mfpmath=sse, or as your machine has it"
#endif
#if defined(__FAST_MATH__) || defined(__RECIPROCAL_MATH__)
#error "This adds and divides in order: compile without -ffast-math"
#endif

/* A product that is rounded to float64 before it is added: no part of a multiply-add. */
static inline double NAME_product(double a, double b)
{
    volatile double product = a * b;
    return product;
}

