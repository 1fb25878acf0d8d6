/* For each convolution there is code of its own, in which compilers know its numbers. */
#ifdef __GNUC__
#define NAME_INLINE inline __attribute__((always_inline))
#else
#define NAME_INLINE inline
#endif

