/* What the kernels of the synthetic sky share. */
#ifndef PULSAURORA_SIMULATION_H
#define PULSAURORA_SIMULATION_H

/* Round down; what fits an int alone. floorf is a call on processors that compilers must reckon with. */
static inline int pulsaurora_floor(float value)
{
    int whole = (int)value;
    return whole - (value < (float)whole);
}

/* out[c] += weight * shape[c], which vectorises. */
static inline void pulsaurora_add_scaled(const float *shape, float weight, float *restrict out, int n)
{
    for (int c = 0; c < n; c++)
        out[c] += weight * shape[c];
}

#endif
