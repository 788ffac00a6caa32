/* The smallest and the largest of some values: what every quantiser asks first. */
#ifndef RH_EXTENT_H
#define RH_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

/* Smallest and largest value of x [n], n > 0, in one pass. False, and nothing is set, if a value is not finite. */
bool rh_extent(const float *x, int64_t n, float *lo, float *hi);

#endif
