#include "summable.h"

void rh_summable_add_f32(int64_t elements, const void *wire, void *sum)
{
  const float *x = wire;
  float *total = sum;
  for (int64_t i = 0; i < elements; i++)
    total[i] += x[i];
}
