/* A stream of rng.h as a gsl_rng, for the distributions of GSL. Apart from rng.h, so that its users need no GSL. */
#ifndef RH_RNG_GSL_H
#define RH_RNG_GSL_H

#include <gsl/gsl_rng.h>

#include "rng.h"

/* Draws the numbers of `stream` from where it stands; the stream itself stays there. gsl_rng_get is rh_rng_u32,
 * gsl_rng_uniform rh_rng_f64. Owned by the caller: gsl_rng_free. gsl_rng_set starts the stream of that seed with
 * RH_PURPOSE_TEST. */
gsl_rng *rh_rng_gsl(rh_rng stream);

#endif
