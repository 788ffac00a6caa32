/* Bytes over time on routes whose links change: a transfer flows as fast as the slowest of its links lets it at each
 * moment, and not at all while one is down. What else shares those links is left out, as it is on links that never
 * change, where bytes are spread evenly. */
#include <math.h>

#include "traffic.h"

void traffic_stall(rh_traffic *traffic, int32_t link, double start_s, double finish_s)
{
  const rh_capacity *capacity = rh_platform_link_capacity(traffic->changing, link);
  rh_busy *stalled = &traffic->links[link].stalled;
  if (capacity == NULL) return;
  double at_s = start_s, next_s;
  while (at_s < finish_s) {
    const bool down = rh_capacity_is_down(capacity, rh_capacity_rate(capacity, at_s, &next_s));
    next_s = fmin(next_s, finish_s);
    if (down && rh_busy_full(stalled)) rh_busy_fold(stalled, traffic_floor(traffic));
    if (down) rh_busy_add(stalled, at_s, next_s);
    at_s = next_s;
  }
}

/* The least bandwidth along the route just after a time, byte/s, and until when that holds, at most until *until_s. */
static double rate_of(const rh_platform *platform, const rh_route *route, double at_s, double *until_s)
{
  double least_Bps = INFINITY;
  for (int32_t i = 0; i < route->link_count; i++) {
    const rh_capacity *capacity = rh_platform_link_capacity(platform, route->links[i]);
    double rate_Bps = rh_platform_link_bandwidth(platform, route->links[i]), next_s = INFINITY;
    if (capacity != NULL) rate_Bps = rh_capacity_rate(capacity, at_s, &next_s);
    least_Bps = fmin(least_Bps, rate_Bps);
    *until_s = fmin(*until_s, next_s);
  }
  return least_Bps;
}

void traffic_spread_changing(rh_traffic *traffic, const rh_route *route, int64_t bytes, double start_s, double finish_s)
{
  if (!isfinite(finish_s)) return;
  double could_bytes = 0, before_bytes = 0, at_s = start_s, next_s;
  while (at_s < finish_s) {
    next_s = finish_s;
    const double rate_Bps = rate_of(traffic->changing, route, at_s, &next_s);
    could_bytes += rate_Bps * (next_s - at_s);
    at_s = next_s;
  }
  int64_t told = 0;
  at_s = start_s;
  while (told < bytes) {
    next_s = finish_s;
    before_bytes += rate_of(traffic->changing, route, at_s, &next_s) * (next_s - at_s);
    int64_t until = could_bytes > 0 ? (int64_t)((double)bytes * (before_bytes / could_bytes)) : 0;
    if (until > bytes || next_s >= finish_s) until = bytes;
    for (int32_t i = 0; i < route->link_count && until > told; i++)
      rh_bins_add(&traffic->bins, route->links[i], until - told, at_s, next_s);
    told = until;
    at_s = next_s;
  }
}
