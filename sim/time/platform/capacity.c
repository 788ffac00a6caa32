/* See capacity.h. */
#include "capacity.h"

#include <math.h>
#include <stdlib.h>

#include "status.h"

#define DOWN_SHARE 1e-6

rh_capacity *rh_capacity_new(double rate_Bps, double most_Bps)
{
  rh_capacity *capacity = calloc(1, sizeof *capacity);
  RH_ASSERT(capacity != NULL && rate_Bps >= 0);
  capacity->count = 1;
  capacity->rate_Bps = rate_Bps;
  capacity->most_Bps = fmax(rate_Bps, most_Bps);
  return capacity;
}

bool rh_capacity_is_down(const rh_capacity *capacity, double rate_Bps)
{
  return rate_Bps <= DOWN_SHARE * capacity->most_Bps;
}

double rh_capacity_down_s(const rh_capacity *capacity, double until_s)
{
  return capacity->down_s + (rh_capacity_is_down(capacity, capacity->rate_Bps) ? until_s - capacity->changed_s : 0);
}

/* Bytes before a time after the last step. */
static double last_bytes(const rh_capacity *capacity, double at_s)
{
  const rh_capacity_step *last = &capacity->steps[capacity->count - 1];
  return last->bytes + capacity->rate_Bps * (at_s - last->at_s);
}

void rh_capacity_change(rh_capacity *capacity, double at_s, double rate_Bps)
{
  RH_ASSERT(at_s >= capacity->changed_s && rate_Bps >= 0);
  capacity->down_s = rh_capacity_down_s(capacity, at_s);
  capacity->changed_s = at_s;
  if (at_s > capacity->steps[capacity->count - 1].at_s) {
    if (capacity->count == RH_CAPACITY_STEPS) {
      for (int32_t i = 1; i < RH_CAPACITY_STEPS / 2; i++)
        capacity->steps[i] = capacity->steps[2 * i];
      capacity->steps[RH_CAPACITY_STEPS / 2] = capacity->steps[RH_CAPACITY_STEPS - 1];
      capacity->count = RH_CAPACITY_STEPS / 2 + 1;
    }
    capacity->steps[capacity->count] = (rh_capacity_step){at_s, last_bytes(capacity, at_s)};
    capacity->count++;
  }
  capacity->rate_Bps = rate_Bps;
  capacity->most_Bps = fmax(capacity->most_Bps, rate_Bps);
}

/* The last step at or before a time. */
static int32_t find_step(const rh_capacity *capacity, double at_s)
{
  int32_t low = 0, high = capacity->count;
  while (high - low > 1) {
    const int32_t middle = (low + high) / 2;
    if (capacity->steps[middle].at_s <= at_s)
      low = middle;
    else
      high = middle;
  }
  return low;
}

double rh_capacity_rate(const rh_capacity *capacity, double at_s, double *until_s)
{
  const int32_t i = find_step(capacity, at_s);
  const rh_capacity_step *step = &capacity->steps[i];
  *until_s = i + 1 < capacity->count ? step[1].at_s : INFINITY;
  return i + 1 < capacity->count ? (step[1].bytes - step->bytes) / (step[1].at_s - step->at_s) : capacity->rate_Bps;
}

static double bytes_before(const rh_capacity *capacity, double at_s)
{
  double until_s;
  const rh_capacity_step *step = &capacity->steps[find_step(capacity, at_s)];
  return step->bytes + rh_capacity_rate(capacity, at_s, &until_s) * (at_s - step->at_s);
}

double rh_capacity_bytes(const rh_capacity *capacity, double from_s, double to_s)
{
  return bytes_before(capacity, to_s) - bytes_before(capacity, from_s);
}
