/* Row y of the input, or of what a step gives; a row that waits no longer makes room for the next. */
static int32_t NAME_row_at(uint32_t image, int32_t y)
{
    const struct NAME_image *of = &NAME_images[image];
    const int32_t row = y < 0 || y >= of->height ? of->rows : y % of->rows;
    return of->at + row * of->pitch + of->left * of->channels;
}

#define NAME_row_of(state, image, y) \
    ((NAME_code *)(void *)(state)->rows + NAME_row_at((uint32_t)(image), y))

