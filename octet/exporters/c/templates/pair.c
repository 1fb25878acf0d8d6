/* An offset and a factor: of the sums of an output, or of a grid. */
struct NAME_pair {
    int32_t offset;
    float factor;
};

