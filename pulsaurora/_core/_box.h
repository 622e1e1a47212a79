/* Sums over the neighbours of each cell of a sky; _structure and _stars both use it. */
#ifndef PULSAURORA_BOX_H
#define PULSAURORA_BOX_H

#include <string.h>

#include "_numeric.h"

/* Sums over the (2 reach + 1)^2 cells about each cell of a 32 x 32 grid, nothing beyond it; reach is 1 or 2.
 * out may be the grid itself: rows are summed aside first. */
PULSAURORA_INLINE void pulsaurora_box_of(const float *grid, int reach, float *out)
{
    float rows[36 * 32];
    memset(rows, 0, 64 * sizeof(float));
    memset(rows + 34 * 32, 0, 64 * sizeof(float));
    float *restrict sums = rows + 64;
    /* As if the rows were one, then again where that took in another row's cells. */
    for (int c = 2; c < 1022; c++) {
        float sum = grid[c - reach];
        for (int d = 1 - reach; d <= reach; d++) sum += grid[c + d];
        sums[c] = sum;
    }
    for (int c = 0; c < 1024; c += 32)
        for (int side = 0; side < 2 * reach; side++) {
            int j = side < reach ? side : 32 - 2 * reach + side;
            float sum = 0.0f;
            for (int d = -reach; d <= reach; d++)
                if (j + d >= 0 && j + d < 32) sum += grid[c + j + d];
            sums[c + j] = sum;
        }
    for (int c = 0; c < 1024; c++) {
        float sum = sums[c - 32 * reach];
        for (int d = 1 - reach; d <= reach; d++) sum += sums[c + 32 * d];
        out[c] = sum;
    }
}

static PULSAURORA_WIDE void pulsaurora_box(const float *grid, int reach, float *out)
{
    if (reach == 1) pulsaurora_box_of(grid, 1, out);
    else pulsaurora_box_of(grid, 2, out);
}

#endif
