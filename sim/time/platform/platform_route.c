/* Routes between ranks, asked of SimGrid once per pair and kept in a hash table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform_private.h"
#include "simgrid_shim.h"

/* The slot of a pair: its own, or the free one where it belongs. The table is never full. */
static route_entry *find_slot(route_entry *table, size_t size, uint64_t pair)
{
  /* Fibonacci hashing: neighbouring pairs are the usual case and must not pile up. */
  size_t i = (size_t)((pair * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (size - 1);
  while (table[i].route && table[i].pair != pair)
    i = (i + 1) & (size - 1);
  return &table[i];
}

static void grow_table(rh_platform *platform)
{
  size_t size = platform->route_size ? 2 * platform->route_size : 1024;
  route_entry *table = calloc(size, sizeof *table);
  RH_ASSERT(table);
  for (size_t i = 0; i < platform->route_size; i++)
    if (platform->routes[i].route) *find_slot(table, size, platform->routes[i].pair) = platform->routes[i];
  free(platform->routes);
  platform->routes = table;
  platform->route_size = size;
}

/* A link that the route crosses k times gives it a k-th of its bandwidth. */
static double crossing_bandwidth(const rh_platform *platform, const int32_t *links, int32_t count, int32_t link)
{
  int32_t crossings = 0;
  for (int32_t i = 0; i < count; i++)
    crossings += links[i] == link;
  return rh_platform_link_bandwidth(platform, link) / crossings;
}

/* SimGrid's route as ours, in one block of memory. */
static rh_route *make_route(const rh_platform *platform, const sg_link_t *links, int32_t count, double latency_s)
{
  rh_route *route = malloc(sizeof *route + (size_t)count * sizeof(int32_t));
  RH_ASSERT(route);
  int32_t *indices = (int32_t *)(route + 1);
  *route = (rh_route){.link_count = count, .links = indices, .latency_s = latency_s, .bandwidth_Bps = INFINITY};
  for (int32_t i = 0; i < count; i++) {
    indices[i] = platform_link_index(links[i]);
    if (platform->profiles) route->latency_s += platform->links[indices[i]].latency_s - sg_link_get_latency(links[i]);
  }
  for (int32_t i = 0; i < count; i++)
    route->bandwidth_Bps = fmin(route->bandwidth_Bps, crossing_bandwidth(platform, indices, count, indices[i]));
  return route;
}

static rh_status ask_route(rh_platform *platform, int32_t from, int32_t to, rh_route **route)
{
  char why[512];
  sg_link_t *links;
  double latency_s;
  int count = rh_shim_route(platform->ranks[from], platform->ranks[to], &links, &latency_s, why, sizeof why);
  if (count < 0)
    return rh_error(RH_EINVAL, "%s: hosts '%s' and '%s' have no route (%s)", platform->file,
                    rh_platform_host(platform, from), rh_platform_host(platform, to), why);
  if (count == 0 && latency_s > 0)
    return rh_error(RH_EUNSUPPORTED,
                    "%s: the route from '%s' to '%s' has a latency and no link: bytes would cost no time",
                    platform->file, rh_platform_host(platform, from), rh_platform_host(platform, to));
  if (count == 0)
    return rh_error(RH_EINVAL, "%s: hosts '%s' and '%s' have no route", platform->file,
                    rh_platform_host(platform, from), rh_platform_host(platform, to));
  *route = make_route(platform, links, count, latency_s);
  if (count > platform->longest_route) platform->longest_route = count;
  free(links);
  return RH_OK;
}

rh_status rh_platform_route(rh_platform *platform, int32_t from, int32_t to, const rh_route **route)
{
  RH_ASSERT(from >= 0 && from < platform->workers && to >= 0 && to < platform->workers);
  const uint64_t pair = (uint64_t)from << 32 | (uint64_t)to;
  if (2 * (platform->route_count + 1) > platform->route_size) grow_table(platform);
  route_entry *entry = find_slot(platform->routes, platform->route_size, pair);
  if (!entry->route) {
    rh_status status = ask_route(platform, from, to, &entry->route);
    if (status != RH_OK) return status;
    entry->pair = pair;
    platform->route_count++;
  }
  *route = entry->route;
  return RH_OK;
}

/* The SMPI model's factors depend on the length; cross traffic loads the way back, which others use. */
void platform_read_rates(rh_platform *platform)
{
  const bool plain = strcmp(platform->model, "CM02") == 0 || strcmp(platform->model, "LV08") == 0;
  platform->lone_known = plain && !rh_platform_cross_traffic(platform) && !platform->profiles;
  if (!platform->lone_known) return;
  platform->latency_factor = rh_shim_setting_number("network/latency-factor");
  platform->bandwidth_factor = rh_shim_setting_number("network/bandwidth-factor");
  platform->window_bytes = rh_shim_setting_number("network/TCP-gamma");
  platform->weight_bytes = rh_shim_setting_number("network/weight-S");
}

/* SimGrid's CM02 and LV08: the latency passes, then bytes flow at the least of the links' rates and of the TCP
 * window's, one window per two latencies. The factor of the bandwidth is on both, that of the latency not on the
 * window's. */
bool rh_platform_lone_seconds(const rh_platform *platform, const rh_route *route, int64_t bytes, double *latency_s,
                              double *flow_s)
{
  if (!platform->lone_known) return false;
  for (int32_t i = 0; i < route->link_count; i++) {
    if (platform->links[route->links[i]].wifi) return false;
    for (int32_t j = 0; j < i; j++)
      if (route->links[i] == route->links[j]) return false;
  }
  double rate_Bps = route->bandwidth_Bps;
  if (platform->window_bytes > 0 && route->latency_s > 0)
    rate_Bps = fmin(rate_Bps, platform->window_bytes / (2 * route->latency_s));
  *latency_s = platform->latency_factor * route->latency_s;
  *flow_s = (double)bytes / (platform->bandwidth_factor * rate_Bps);
  return true;
}

/* Both models give transfers on a full link rates in inverse proportion to their latencies; LV08 adds to these what a
 * window of bytes takes on each link. */
bool rh_platform_share(const rh_platform *platform, const rh_route *route, double *latency_s, double *weight,
                       double *limit_Bps)
{
  double flow_s;
  if (!rh_platform_lone_seconds(platform, route, 1, latency_s, &flow_s) || !(*latency_s > 0)) return false;
  double share_s = route->latency_s;
  for (int32_t i = 0; i < route->link_count; i++) {
    const platform_link *link = &platform->links[route->links[i]];
    if (rh_shim_link_fatpipe(link->link)) return false;
    share_s += platform->weight_bytes / link->bandwidth_Bps;
  }
  *weight = 1 / share_s;
  *limit_Bps = platform->window_bytes > 0 ? platform->bandwidth_factor * platform->window_bytes / (2 * route->latency_s)
                                          : INFINITY;
  return true;
}

double rh_platform_share_capacity(const rh_platform *platform, int32_t link)
{
  return platform->bandwidth_factor * platform->links[link].bandwidth_Bps;
}

int32_t rh_platform_longest_route(const rh_platform *platform)
{
  return platform->longest_route;
}
