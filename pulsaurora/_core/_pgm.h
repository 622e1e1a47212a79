/* The inner loops of _pgm.pyx, written so that compilers vectorise them. */
#ifndef PULSAURORA_PGM_H
#define PULSAURORA_PGM_H

#include <stdint.h>

#include "_numeric.h"

/* Big-endian 16-bit pixels in native order. */
static PULSAURORA_WIDE void pulsaurora_pixels(const unsigned char *restrict source, unsigned short *restrict target, int n)
{
    for (int k = 0; k < n; k++) target[k] = (unsigned short)((source[2 * k] << 8) | source[2 * k + 1]);
}

/* Whether any of n places holds the two bytes that a gzip member begins with; reads n + 1 bytes. */
static PULSAURORA_WIDE int pulsaurora_gzip_begins(const unsigned char *restrict data, int n)
{
    unsigned char any = 0;
    for (int i = 0; i < n; i++) any |= (unsigned char)((data[i] == 0x1F) & (data[i + 1] == 0x8B));
    return any;
}

#endif
