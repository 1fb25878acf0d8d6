static const struct NAME_image NAME_images[NAME_STEPS + 1] = {
IMAGES
};

static const struct NAME_step NAME_steps[NAME_STEPS] = {
STEPS_OF
};

