#if (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 1) || DBL_MANT_DIG != 53
#error "Numbers become codes in IEEE float64: compile with -msse2 -mfpmath=sse, or as your machine has it"
#endif
#if defined(__FAST_MATH__) || defined(__RECIPROCAL_MATH__)
#error "Numbers become codes by division: compile without -ffast-math"
#endif

/* The code of a finite number, as `octet predict` has it: in float64 less the mean and by the
 * deviation, then in float32 by the scale. */
static uint8_t NAME_code_of(double x, int32_t channel)
{
    static const struct NAME_ends ends = {ZERO_IN, 0, TOP_IN};
    float steps;
#if STANDARDIZED
    x = (x - NAME_mean[channel]) / NAME_deviation[channel];
#endif
    (void)channel;
    x = x < -3.0e38 ? -3.0e38 : x > 3.0e38 ? 3.0e38 : x;
    steps = NAME_float32(NAME_float32((float)x) / SCALE_IN);
    steps = steps < -1024.0f ? -1024.0f : steps > 1024.0f ? 1024.0f : steps;
    return NAME_within(&ends, NAME_nearest(steps));
}

#define NAME_CODE(channel, number) NAME_code_of(number, channel)

