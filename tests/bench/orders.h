/* Orders of ranks in which neighbours of a ring are far apart, and what becomes of a ring all-reduce in them. */
#ifndef RH_BENCH_ORDERS_H
#define RH_BENCH_ORDERS_H

#include <stdint.h>

#include "status.h"

/* A host file, of hosts prefix0, prefix1, ...; the caller removes it and frees its path. Names: "stride 8": every
 * 8th, then those beside them; "names": by the letters of their names; "bits": bits reversed, of a power of two;
 * "swap 4": four pairs changed places; "random 1": at random, seed 1. */
char *orders_file(const char *name, int hosts, const char *prefix);

/* Prints of several orders whether, when and with which period a ring all-reduce of 100 MB settles, and how far other
 * roundings lead from it. */
RH_CHECKED rh_status orders_tell(const char *platform, int32_t hosts);

#endif
