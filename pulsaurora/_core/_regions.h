/* Regions of touching cells, which _structure and _modulation both describe. */
#ifndef PULSAURORA_REGIONS_H
#define PULSAURORA_REGIONS_H

#include <math.h>
#include <stdint.h>

/* Size in cells of the region that holds cell `start` of a grid, cells touching by their sides, and its
 * elongation by second moments, 0 (round) to 1 (a line). `inside` is not zero where a cell belongs to any region;
 * cells found are marked in `seen`; stack holds n_rows * n_cols numbers. */
static int pulsaurora_region(const float *inside, int n_rows, int n_cols, int start, int32_t *stack, uint8_t *seen,
                             double *elongation)
{
    const int step_i[4] = {-1, 1, 0, 0}, step_j[4] = {0, 0, -1, 1};
    int depth = 1, size = 0;
    double si = 0, sj = 0, sii = 0, sjj = 0, sij = 0, covariance;
    stack[0] = start;
    seen[start] = 1;
    while (depth) {
        int c = stack[--depth], i = c / n_cols, j = c % n_cols;
        size++;
        si += i;
        sj += j;
        sii += i * i;
        sjj += j * j;
        sij += i * j;
        for (int side = 0; side < 4; side++) {
            int a = i + step_i[side], b = j + step_j[side], d = a * n_cols + b;
            if (a < 0 || b < 0 || a >= n_rows || b >= n_cols || inside[d] == 0.0f || seen[d]) continue;
            seen[d] = 1;
            stack[depth++] = d;
        }
    }
    /* Each cell is a unit square, hence the twelfth. */
    sii = sii / size - (si / size) * (si / size) + 1.0 / 12;
    sjj = sjj / size - (sj / size) * (sj / size) + 1.0 / 12;
    covariance = sij / size - (si / size) * (sj / size);
    *elongation = sqrt((sii - sjj) * (sii - sjj) + 4 * covariance * covariance) / (sii + sjj);
    return size;
}

#endif
