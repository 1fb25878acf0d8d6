/* Of outputs of sums, and of grids: what is added, which is NAME_LEAST more than it says, and by what
 * is multiplied. */
#define NAME_LEAST (LEAST)
#define NAME_OFFSET(i) ((int32_t)NAME_offsets[i] + NAME_LEAST)

