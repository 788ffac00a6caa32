/* The steps that are timed; for measure*.c alone. */
#ifndef RH_MEASURE_PRIVATE_H
#define RH_MEASURE_PRIVATE_H

#include "measure.h"

typedef enum step { STEP_FORWARD, STEP_BACKWARD, STEP_UPDATE, STEP_MIX, STEP_ENCODE, STEP_DECODE, STEP_COUNT } step;

/* Appends the name of a step's duration; layer counts for STEP_BACKWARD alone. */
void measure_name(const rh_run *run, const rh_setup *setup, step kind, int layer, rh_text *out);
bool measure_needs(const rh_run *run, step kind);
int measure_repeats(const rh_setup *setup, step kind); /* layers for STEP_BACKWARD, else 1 */

#endif
