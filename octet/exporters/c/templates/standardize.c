static void NAME_layer_LAYER(const double *x, double *y)
{
    int32_t i;
    for (i = 0; i < COUNT; i++)
        y[i] = (x[i] - NAME_mean_LAYER[i]) / NAME_deviation_LAYER[i];
}

