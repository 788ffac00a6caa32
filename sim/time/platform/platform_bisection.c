/* An upper bound of the bisection bandwidth of any platform.
 *
 * Idea        take a half of the ranks and the routes from it to the other half. A set of links that meets every one of
 *             these routes lets through no more than its bandwidths together, however the senders share them. So each
 *             half, and each such set, gives an upper bound. Halves: N/2 neighbours in rank order, from several starts,
 *             and every other rank. Sets: the links at which senders begin, those at which receivers end, and a greedy
 *             choice, the least bandwidth per route that it meets.
 * Symbols     N ranks
 * Source      Chvatal, A greedy heuristic for the set-covering problem, Mathematics of OR 4, 1979
 */
#include <math.h>
#include <stdlib.h>

#include "platform_figures.h"
#include "rng.h"
#include "simgrid_shim.h"

#define EXACT_RANKS 128 /* up to so many all pairs between the halves are looked at */
#define PARTNERS    4   /* of each rank of larger platforms, both ways */
#define STARTS      16

typedef struct cut {
  rh_platform *platform;
  void (*trying)(int32_t from, int32_t to);
  int32_t count, size;
  const rh_route **routes; /* [count] */
  bool *met;               /* [count] */
  int32_t *crossings;      /* [links] least times that a route which crosses a link does so */
  double *share;           /* [links] routes of the cut that cross a link, while counting */
  bool *chosen;            /* [links] */
} cut;

static bool add_pair(cut *c, int32_t from, int32_t to)
{
  const rh_route *route;
  if (c->trying) c->trying(from, to);
  if (rh_platform_route(c->platform, from, to, &route) != RH_OK) return false;
  if (c->count == c->size) {
    c->size = c->size ? 2 * c->size : 1024;
    c->routes = realloc(c->routes, (size_t)c->size * sizeof *c->routes);
    c->met = realloc(c->met, (size_t)c->size * sizeof *c->met);
    RH_ASSERT(c->routes && c->met);
  }
  c->routes[c->count++] = route;
  return true;
}

/* Rank of the i-th place of a half: neighbours from `start` on, or every other rank (start -1). */
static int32_t member(int32_t N, int32_t start, int32_t i, bool other)
{
  if (start < 0) return 2 * i + !other;
  return (start + i + (other ? N / 2 : 0)) % N;
}

/* With an odd N the receivers are one more. */
static bool collect(cut *c, int32_t start, bool sampled)
{
  const int32_t N = c->platform->workers, half = N / 2, rest = N - half;
  rh_rng rng = rh_rng_stream(0, RH_PURPOSE_SAMPLE, 1, (uint64_t)(start + 1));
  c->count = 0;
  for (int32_t i = 0; i < half; i++)
    for (int32_t j = 0; j < (sampled ? PARTNERS : rest); j++) {
      const int32_t to = sampled ? (int32_t)rh_rng_below(&rng, (uint32_t)rest) : j;
      if (!add_pair(c, member(N, start, i, false), member(N, start, to, true))) return false;
    }
  for (int32_t j = 0; j < rest && sampled; j++)
    for (int32_t i = 0; i < PARTNERS; i++)
      if (!add_pair(c, member(N, start, (int32_t)rh_rng_below(&rng, (uint32_t)half), false), member(N, start, j, true)))
        return false;
  return true;
}

static bool is_shared(const cut *c, int32_t link)
{
  return !rh_shim_link_fatpipe(c->platform->links[link].link);
}

/* Between two stations of an access point every byte crosses the air twice. */
static void count_crossings(cut *c)
{
  for (int32_t l = 0; l < c->platform->link_count; l++)
    c->crossings[l] = INT32_MAX;
  for (int32_t i = 0; i < c->count; i++) {
    const rh_route *r = c->routes[i];
    for (int32_t k = 0; k < r->link_count; k++) {
      int32_t crossings = 0;
      for (int32_t j = 0; j < r->link_count; j++)
        crossings += r->links[j] == r->links[k];
      if (crossings < c->crossings[r->links[k]]) c->crossings[r->links[k]] = crossings;
    }
  }
}

static double capacity(const cut *c, int32_t link)
{
  return c->platform->links[link].bandwidth_Bps / c->crossings[link];
}

/* All links with which routes begin (or end), added up. */
static double bound_of_ends(cut *c, bool first)
{
  double sum_Bps = 0;
  for (int32_t l = 0; l < c->platform->link_count; l++)
    c->chosen[l] = false;
  for (int32_t i = 0; i < c->count; i++) {
    const rh_route *r = c->routes[i];
    const int32_t link = r->links[first ? 0 : r->link_count - 1];
    if (c->chosen[link]) continue;
    if (!is_shared(c, link)) return INFINITY;
    c->chosen[link] = true;
    sum_Bps += capacity(c, link);
  }
  return sum_Bps;
}

/* The link of the least bandwidth per route that is not met yet; -1: some route has no shared link. */
static int32_t cheapest_link(cut *c)
{
  int32_t best = -1;
  double least = INFINITY;
  for (int32_t l = 0; l < c->platform->link_count; l++)
    c->share[l] = 0;
  for (int32_t i = 0; i < c->count; i++)
    for (int32_t k = 0; k < c->routes[i]->link_count && !c->met[i]; k++)
      c->share[c->routes[i]->links[k]]++;
  for (int32_t l = 0; l < c->platform->link_count; l++) {
    if (c->share[l] == 0 || !is_shared(c, l) || !(capacity(c, l) / c->share[l] < least)) continue;
    least = capacity(c, l) / c->share[l];
    best = l;
  }
  return best;
}

static double bound_of_greed(cut *c, double enough_Bps)
{
  double sum_Bps = 0;
  for (int32_t i = 0; i < c->count; i++)
    c->met[i] = false;
  for (int32_t left = c->count; left > 0;) {
    const int32_t link = cheapest_link(c);
    if (link < 0) return INFINITY;
    sum_Bps += capacity(c, link);
    if (sum_Bps >= enough_Bps) return sum_Bps;
    for (int32_t i = 0; i < c->count; i++)
      for (int32_t k = 0; k < c->routes[i]->link_count && !c->met[i]; k++)
        if (c->routes[i]->links[k] == link) {
          c->met[i] = true;
          left--;
        }
  }
  return sum_Bps;
}

double platform_bisection_bound(rh_platform *platform, void (*trying)(int32_t from, int32_t to), int32_t *cuts,
                                bool *sampled)
{
  const int32_t N = platform->workers, starts = N / 2 < STARTS ? N / 2 : STARTS;
  double least_Bps = INFINITY;
  cut c = {.platform = platform, .trying = trying};
  c.crossings = malloc((size_t)platform->link_count * sizeof *c.crossings + 1);
  c.share = malloc((size_t)platform->link_count * sizeof *c.share + 1);
  c.chosen = malloc((size_t)platform->link_count * sizeof *c.chosen + 1);
  RH_ASSERT(c.crossings && c.share && c.chosen);
  *cuts = 0;
  *sampled = N > EXACT_RANKS;
  for (int32_t i = -1; i < starts && N > 1; i++) {
    if (!collect(&c, i < 0 ? -1 : (int32_t)((int64_t)i * (N / 2) / starts), *sampled)) {
      least_Bps = 0;
      break;
    }
    ++*cuts;
    count_crossings(&c);
    least_Bps = fmin(least_Bps, fmin(bound_of_ends(&c, true), bound_of_ends(&c, false)));
    least_Bps = fmin(least_Bps, bound_of_greed(&c, least_Bps));
  }
  free(c.routes);
  free(c.met);
  free(c.crossings);
  free(c.share);
  free(c.chosen);
  return least_Bps;
}
