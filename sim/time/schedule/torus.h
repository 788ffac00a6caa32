/* The sides of a torus of ranks, as studies write them. */
#ifndef RH_TORUS_H
#define RH_TORUS_H

#include <stdint.h>

#include "status.h"

enum { RH_TORUS_MAX = 5 }; /* dimensions at most: Blue Gene/Q's had five */

/* Reads the sides of a torus of `ranks`, as "8x4x4"; "" gives zeros.
 *
 * returns     RH_EINVAL for text that is no list of positive numbers, more than RH_TORUS_MAX of them, or numbers whose
 *             product is not `ranks`
 */
RH_CHECKED rh_status rh_torus_read(const char *text, int32_t ranks, int32_t sides[RH_TORUS_MAX]);

#endif
