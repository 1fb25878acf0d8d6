/* Sums in order of inputs, from 0 on; the bias comes last. */
static void NAME_layer_LAYER(const double *x, double *y)
{
    int32_t i, j;
    for (i = 0; i < OUTPUTS; i++) {
        double total = 0.0;
        for (j = 0; j < INPUTS; j++)
            total += NAME_product(x[j], WEIGHT);
        y[i] = total + NAME_bias_LAYER[i];
    }
}

