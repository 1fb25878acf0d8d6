#ifndef NAME_INTERFACE
#define NAME_INTERFACE
#include <stdint.h>

#define NAME_CHANNELS IN_CHANNELS
#define NAME_HEIGHT IN_HEIGHT
#define NAME_WIDTH IN_WIDTH
#define NAME_OUTPUTS COUNT_OUT
#define NAME_SCALE GRID_SCALE
#define NAME_ZERO_POINT GRID_ZERO

/* All that is kept while an image goes through. */
typedef struct {
    FIELDS
} NAME_state;

#ifdef __cplusplus
extern "C" {
#endif
/* One image, channels x height x width, and its codes. */
void NAME(NAME_state *state, const NUMBER *image, uint8_t *codes);

/* The same row by row, from the top: begin, row for each, channels x width, and end. */
void NAME_begin(NAME_state *state);
void NAME_row(NAME_state *state, const NUMBER *row);
void NAME_end(const NAME_state *state, uint8_t *codes);
#ifdef __cplusplus
}
#endif
#endif

