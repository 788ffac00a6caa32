/* Sums shared by summable compressors. */
#ifndef RH_SUMMABLE_H
#define RH_SUMMABLE_H

#include <stdint.h>

/* sum += wire, elements of f32; 4-byte aligned */
void rh_summable_add_f32(int64_t elements, const void *wire, void *sum);

#endif
