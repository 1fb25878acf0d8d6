/* Of outputs of sums, and of grids: what is added, which is NAME_LEAST more than it says, and by what
 * is multiplied. */
#define NAME_LEAST (LEAST)
#if IN_BYTES
#define NAME_BYTE(i, byte) ((int32_t)NAME_offsets[3 * (i) + (byte)] << 8 * (byte))
#define NAME_OFFSET(i) (NAME_BYTE(i, 0) + NAME_BYTE(i, 1) + NAME_BYTE(i, 2) + NAME_LEAST)
#else
#define NAME_OFFSET(i) ((int32_t)NAME_offsets[i] + NAME_LEAST)
#endif

