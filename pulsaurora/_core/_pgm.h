/* The inner loops of _pgm.pyx, written so that compilers vectorise them. */
#ifndef PULSAURORA_PGM_H
#define PULSAURORA_PGM_H

#include <stdint.h>

#include "_numeric.h"

/* Whether any of n places holds the two bytes that a gzip member begins with; reads n + 1 bytes. */
static PULSAURORA_WIDE int pulsaurora_gzip_begins(const unsigned char *restrict data, int n)
{
    unsigned char any = 0;
    for (int i = 0; i < n; i++) any |= (unsigned char)((data[i] == 0x1F) & (data[i + 1] == 0x8B));
    return any;
}

#endif
