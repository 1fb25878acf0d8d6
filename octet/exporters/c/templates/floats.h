#ifndef NAME_INTERFACE
#define NAME_INTERFACE
#include <stdint.h>

#define NAME_INPUTS COUNT_IN
#define NAME_OUTPUTS COUNT_OUT

#ifdef __cplusplus
extern "C" {
#endif
/* The outputs for a row of finite numbers. */
void NAME(const double *x, double *y);
#ifdef __cplusplus
}
#endif
#endif

