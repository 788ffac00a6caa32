/* See platform_figures.h. */
#include "platform_figures.h"

#include <math.h>
#include <stdlib.h>

#include "simgrid_shim.h"

#define REDUCED_BYTES 100e6

/* ---- the ring ---- */

/* A ring all-reduce over N ranks: 2 (N - 1) steps of S / N bytes over the slowest of the ring's routes (Patarasuk and
 * Yuan, JPDC 69(2), 2009). The model's factors are in it, and TCP's window; transfers that share a link are not. */
static void reduce_over_ring(rh_platform *platform, const rh_route *const *ring, platform_figures *f)
{
  const int32_t N = platform->workers;
  const double gamma_B = rh_shim_setting_number("network/TCP-gamma");
  f->ring_bandwidth_Bps = INFINITY;
  for (int32_t rank = 0; rank < N; rank++) {
    const double latency_s = ring[rank]->latency_s;
    double bandwidth_Bps = ring[rank]->bandwidth_Bps * rh_shim_setting_number("network/bandwidth-factor");
    if (gamma_B > 0 && latency_s > 0) bandwidth_Bps = fmin(bandwidth_Bps, gamma_B / (2 * latency_s));
    f->ring_bandwidth_Bps = fmin(f->ring_bandwidth_Bps, bandwidth_Bps);
    f->ring_latency_s = fmax(f->ring_latency_s, latency_s * rh_shim_setting_number("network/latency-factor"));
  }
  f->allreduce_s = 2. * (N - 1) * (f->ring_latency_s + REDUCED_BYTES / (N * f->ring_bandwidth_Bps));
}

/* ---- the star ---- */

static int compare_rates(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double slowest_half(double *rates_Bps, int32_t N)
{
  double sum_Bps = 0;
  qsort(rates_Bps, (size_t)N, sizeof *rates_Bps, compare_rates);
  for (int32_t i = 0; i < N / 2; i++)
    sum_Bps += rates_Bps[i];
  return sum_Bps;
}

/* The two slowest of some latencies, and whose the slowest is. */
typedef struct slowest {
  double first_s, second_s;
  int32_t host;
} slowest;

static void keep_slowest(slowest *s, double latency_s, int32_t host)
{
  if (s->host >= 0 && latency_s <= s->first_s) {
    s->second_s = fmax(s->second_s, latency_s);
    return;
  }
  *s = (slowest){.first_s = latency_s, .second_s = s->first_s, .host = host};
}

/* Every host has a link to the middle and one from it, and perhaps all share one there. The halves that can least are
 * the slowest senders, or the slowest receivers. */
static bool measure_star(const rh_platform *platform, const rh_route *const *ring, platform_figures *f)
{
  const int32_t N = platform->workers, links = ring[0]->link_count;
  double *up_Bps = malloc((size_t)N * sizeof *up_Bps), *down_Bps = malloc((size_t)N * sizeof *down_Bps);
  double middle_Bps = INFINITY, middle_s = 0;
  slowest up_s = {.host = -1}, down_s = {.host = -1};
  bool star = links == 2 || links == 3;
  RH_ASSERT(up_Bps && down_Bps);
  for (int32_t rank = 0; rank < N && star; rank++) {
    const int32_t next = (rank + 1) % N, *l = ring[rank]->links;
    star = ring[rank]->link_count == links && (links == 2 || l[1] == ring[0]->links[1]);
    if (!star) break;
    const platform_link *up = &platform->links[l[0]], *down = &platform->links[l[links - 1]];
    up_Bps[rank] = up->bandwidth_Bps;
    down_Bps[next] = down->bandwidth_Bps;
    keep_slowest(&up_s, up->latency_s, rank);
    keep_slowest(&down_s, down->latency_s, next);
  }
  if (star && links == 3) {
    const platform_link *middle = &platform->links[ring[0]->links[1]];
    if (!rh_shim_link_fatpipe(middle->link)) middle_Bps = middle->bandwidth_Bps;
    middle_s = middle->latency_s;
  }
  if (star) {
    f->bisection_Bps = fmin(middle_Bps, fmin(slowest_half(up_Bps, N), slowest_half(down_Bps, N)));
    f->bisection_exact = true;
    f->how = "the links of the slower half of the hosts, or what they share";
    f->diameter_links = links;
    f->diameter_s =
        middle_s + (up_s.host != down_s.host ? up_s.first_s + down_s.first_s
                                             : fmax(up_s.first_s + down_s.second_s, up_s.second_s + down_s.first_s));
  }
  free(up_Bps);
  free(down_Bps);
  return star;
}

/* ---- all ---- */

static bool ask_ring(rh_platform *platform, void (*trying)(int32_t from, int32_t to), const rh_route **ring)
{
  for (int32_t rank = 0; rank < platform->workers; rank++) {
    const int32_t next = (rank + 1) % platform->workers;
    if (trying) trying(rank, next);
    if (rh_platform_route(platform, rank, next, &ring[rank]) != RH_OK) return false;
  }
  return true;
}

rh_status platform_figures_gather(rh_platform *platform, void (*trying)(int32_t from, int32_t to),
                                  platform_figures *figures)
{
  const int32_t N = platform->workers;
  rh_status status = RH_OK;
  platform_shape shape;
  const rh_route **ring = NULL;
  *figures = (platform_figures){.how = ""};
  if (N < 2) return RH_OK;
  RH_TRY(platform_shape_read(platform, &shape));
  figures->diameter_links = platform_shape_diameter(&shape);
  figures->diameter_s = figures->diameter_links * shape.latency_s;
  figures->bisection_Bps = platform_shape_bisection(&shape, &figures->how);
  figures->bisection_exact = figures->bisection_Bps > 0;
  ring = malloc((size_t)N * sizeof(*ring));
  RH_ASSERT(ring);
  if (!ask_ring(platform, trying, ring)) goto done;
  reduce_over_ring(platform, ring, figures);
  if (shape.kind == SHAPE_STAR && measure_star(platform, ring, figures)) goto done;
  if (!figures->bisection_exact)
    figures->bisection_Bps = platform_bisection_bound(platform, trying, &figures->cuts, &figures->cuts_sampled);
done:
  free(ring);
  return status;
}
