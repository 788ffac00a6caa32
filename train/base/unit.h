/* Quantities with units: text to SI base units (second, byte, flop, bit/s as byte/s) and back to something readable.
 *
 * Inside the program every quantity is a double or int64_t in base units; units exist at its edges only.
 */
#ifndef RH_UNIT_H
#define RH_UNIT_H

#include <stddef.h>

#include "status.h"

typedef enum rh_unit {
  RH_UNIT_NONE = 0,  /* a plain number */
  RH_UNIT_SECOND,    /* ns us ms s min h */
  RH_UNIT_BYTE,      /* B kB MB GB TB, KiB MiB GiB TiB */
  RH_UNIT_BANDWIDTH, /* byte/s: Bps kBps ... TBps, bps kbps ... Tbps (bits), KiBps ... */
  RH_UNIT_SPEED      /* flop/s: f kf Mf Gf Tf Pf */
} rh_unit;

/* Parses "25GBps", "8 GiB", "1.5ms". The number is finite; only RH_UNIT_NONE may come without a unit.
 *
 * text        the whole value, blanks around it are ignored
 * value       out, in base units
 * returns     RH_EINVAL if it does not start with a number or something follows, RH_EUNIT if the unit is missing or
 *             unknown (the message names the nearest one); the message quotes `text` and carries no file position
 */
RH_CHECKED rh_status rh_unit_parse(const char *text, rh_unit unit, double *value);

/* Writes a value in base units with a fitting prefix and three digits: "1.25 GB", "912 us", "12.5 GBps".
 * Returns `buffer`, so that it can stand in a printf. */
const char *rh_unit_format(double value, rh_unit unit, char *buffer, size_t size);

/* The names of a unit's accepted spellings, for help texts: "ns us ms s min h". */
const char *rh_unit_names(rh_unit unit);

#endif
