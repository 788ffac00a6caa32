#include "rng_gsl.h"

#include "status.h"

static void set(void *state, unsigned long seed)
{
  *(rh_rng *)state = rh_rng_stream(seed, RH_PURPOSE_TEST, 0, 0);
}

static unsigned long get(void *state)
{
  return rh_rng_u32(state);
}

static double get_double(void *state)
{
  return rh_rng_f64(state);
}

static const gsl_rng_type philox = {.name = "philox4x32-10",
                                    .max = UINT32_MAX,
                                    .min = 0,
                                    .size = sizeof(rh_rng),
                                    .set = set,
                                    .get = get,
                                    .get_double = get_double};

gsl_rng *rh_rng_gsl(rh_rng stream)
{
  gsl_rng *rng = gsl_rng_alloc(&philox);
  RH_ASSERT(rng && "memory is exhausted");
  *(rh_rng *)gsl_rng_state(rng) = stream;
  return rng;
}
