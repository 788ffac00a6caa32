/* Do transfers of a collective meet on a link? See lone.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lone.h"
#include "status.h"

/* --- links that one position owns --------------------------------------------------------------------------------- */

enum { NOBODY = 0, SEVERAL = -1 }; /* else: position + 1 */

typedef struct owners {
  int32_t sender, receiver;
} owners;

static void note_owner(int32_t *known, int32_t position)
{
  if (*known == NOBODY)
    *known = position + 1;
  else if (*known != position + 1)
    *known = SEVERAL;
}

/* Adds a stretch; false: two positions send over a link, and two are sent to. */
static bool note_stretch(const lone_times *times, owners *links)
{
  const lone_stretch *s = &times->stretch;
  for (int32_t p = 0; p < times->c->size; p++) {
    if (s->routes[p] == NULL) continue;
    for (int32_t i = 0; i < s->routes[p]->link_count; i++) {
      owners *link = &links[s->routes[p]->links[i]];
      note_owner(&link->sender, p);
      note_owner(&link->receiver, s->to[p]);
      if (link->sender == SEVERAL && (times->eager || link->receiver == SEVERAL)) return false;
    }
  }
  return true;
}

/* Several peers in a step: does whatever crosses a link come from one and go to one? */
static bool are_apart(const rh_collective *c, rh_platform *platform, owners *links)
{
  const int64_t steps = c->kind->steps(c);
  double latency_s, flow_s;
  for (int64_t k = 0; k < steps; k++)
    for (int32_t p = 0; p < c->size; p++) {
      rh_step step = {0};
      const rh_route *route;
      c->kind->step(c, p, k, &step);
      for (int32_t j = 0; j < step.send_count; j++) {
        const int32_t from = rh_collective_rank(c, p), to = rh_collective_rank(c, step.send_to[j]);
        if (rh_platform_route(platform, from, to, &route) != RH_OK) return false;
        if (!rh_platform_lone_seconds(platform, route, step.send_bytes, &latency_s, &flow_s)) return false;
        for (int32_t i = 0; i < route->link_count; i++) {
          owners *link = &links[route->links[i]];
          note_owner(&link->sender, p);
          note_owner(&link->receiver, step.send_to[j]);
          if (link->sender == SEVERAL || link->receiver == SEVERAL) return false;
        }
      }
    }
  return true;
}

lone_verdict lone_links_judge(lone_times *times, rh_platform *platform)
{
  const size_t links = (size_t)rh_platform_link_count(platform);
  const int64_t steps = times->c->kind->steps(times->c);
  owners *known = calloc(links + 1, sizeof *known);
  RH_ASSERT(known != NULL);
  lone_verdict verdict = LONE_OWNED;
  for (int64_t k = 0; k < steps && verdict != LONE_NEVER; k = times->stretch.end) {
    if (!lone_stretch_at(times, platform, k))
      verdict = LONE_NEVER;
    else if (verdict == LONE_OWNED && !note_stretch(times, known))
      verdict = times->eager ? LONE_NEVER : LONE_PERHAPS;
  }
  memset(known, 0, (links + 1) * sizeof *known);
  if (verdict == LONE_NEVER && are_apart(times->c, platform, known)) verdict = LONE_APART;
  free(known);
  return verdict;
}

/* --- intervals on links ------------------------------------------------------------------------------------------- */

typedef struct link_use {
  int32_t link;
  double start_s, finish_s; /* of the bytes: a link knows nothing of a transfer whose latency is passing */
} link_use;

struct lone_intervals {
  int32_t link_count;
  link_use *list; /* [count], owned */
  int64_t count, size;
};

lone_intervals *lone_intervals_new(int32_t links)
{
  lone_intervals *all = calloc(1, sizeof *all);
  RH_ASSERT(all != NULL);
  all->link_count = links;
  return all;
}

static void note_use(lone_intervals *all, link_use use)
{
  if (all->count == all->size) {
    all->size = all->size > 0 ? 2 * all->size : 1 << 12;
    all->list = realloc(all->list, (size_t)all->size * sizeof *all->list);
    RH_ASSERT(all->list != NULL);
  }
  all->list[all->count++] = use;
}

void lone_intervals_note(lone_intervals *all, const lone_times *times)
{
  const lone_stretch *s = &times->stretch;
  for (int32_t p = 0; p < times->c->size; p++) {
    const rh_route *route = s->routes[p];
    for (int32_t i = 0; route != NULL && i < route->link_count; i++)
      note_use(all, (link_use){.link = route->links[i],
                               .start_s = times->finish_s[p] - s->flow_s[p],
                               .finish_s = times->finish_s[p]});
  }
}

static int compare_uses(const void *a, const void *b)
{
  const link_use *x = a, *y = b;
  if (x->link != y->link) return x->link < y->link ? -1 : 1;
  return x->start_s < y->start_s ? -1 : x->start_s > y->start_s;
}

/* One that begins as the other ends may begin a few roundings before. */
double lone_intervals_conflict_s(lone_intervals *all)
{
  enum { ROUNDINGS = 16 };
  double first_s = INFINITY, until_s = 0;
  if (all->count > 0) qsort(all->list, (size_t)all->count, sizeof *all->list, compare_uses);
  for (int64_t i = 0; i < all->count; i++) {
    const link_use *use = &all->list[i];
    const bool same = i > 0 && all->list[i - 1].link == use->link;
    if (same && use->start_s < until_s * (1 - ROUNDINGS * 0x1p-52)) first_s = fmin(first_s, use->start_s);
    until_s = same ? fmax(until_s, use->finish_s) : use->finish_s;
  }
  return first_s;
}

void lone_intervals_free(lone_intervals *all)
{
  if (all == NULL) return;
  free(all->list);
  free(all);
}
