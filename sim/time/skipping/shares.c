/* Weighted max-min rates. See shares.h. */
#include "shares.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

void shares_init(shares *s, int32_t links, int32_t longest)
{
  *s = (shares){.link_count = links, .longest = longest};
  const size_t L = (size_t)links + 1; /* + 1: a platform may have no link */
  s->links = calloc(L, sizeof *s->links);
  s->dirty = malloc(L * sizeof *s->dirty);
  s->met_links = malloc(L * sizeof *s->met_links);
  s->changes = malloc(L * sizeof *s->changes);
  RH_ASSERT(s->links != NULL && s->dirty != NULL && s->met_links != NULL && s->changes != NULL);
}

void shares_clear(shares *s)
{
  for (int32_t i = 0; i < s->link_count; i++)
    free(s->links[i].list);
  for (int32_t i = 0; i < s->flow_size; i++)
    free(s->flows[i].places);
  free(s->links);
  free(s->flows);
  free(s->dirty);
  free(s->met_links);
  free(s->met_flows);
  free(s->added);
  free(s->changes);
  free(s->heap);
  *s = (shares){0};
}

void shares_reserve(shares *s, int32_t flows)
{
  if (flows <= s->flow_size) return;
  const int32_t size = flows > 2 * s->flow_size ? flows : 2 * s->flow_size;
  s->flows = realloc(s->flows, (size_t)size * sizeof *s->flows);
  s->met_flows = realloc(s->met_flows, (size_t)size * sizeof *s->met_flows);
  s->added = realloc(s->added, (size_t)size * sizeof *s->added);
  s->heap = realloc(s->heap, ((size_t)s->link_count + (size_t)size) * sizeof *s->heap);
  RH_ASSERT(s->flows != NULL && s->met_flows != NULL && s->added != NULL && s->heap != NULL);
  for (int32_t i = s->flow_size; i < size; i++) {
    s->flows[i] = (share_flow){.places = malloc((size_t)s->longest * sizeof(int32_t))};
    RH_ASSERT(s->flows[i].places != NULL);
  }
  s->flow_size = size;
}

/* --- lists of links ----------------------------------------------------------------------------------------------- */

/* A link with the number -1 - now in `seen` is in `dirty`. */
static void note_dirty(shares *s, int32_t link)
{
  if (s->links[link].seen == -1 - s->now) return;
  s->links[link].seen = -1 - s->now;
  s->dirty[s->dirty_count++] = link;
}

void shares_add(shares *s, int32_t flow, const int32_t *links, int32_t link_count, double weight, double limit_Bps)
{
  share_flow *f = &s->flows[flow];
  RH_ASSERT(link_count <= s->longest);
  f->links = links;
  f->link_count = link_count;
  f->weight = weight;
  f->limit_Bps = limit_Bps;
  f->rate_Bps = 0;
  s->added[s->added_count++] = flow;
  s->links[links[0]].sure = s->now + 1;
  for (int32_t i = 0; i < link_count; i++) {
    share_link *link = &s->links[links[i]];
    if (link->count == link->size) {
      link->size = link->size > 0 ? 2 * link->size : 4;
      link->list = realloc(link->list, (size_t)link->size * sizeof *link->list);
      RH_ASSERT(link->list != NULL);
    }
    f->places[i] = link->count;
    link->list[link->count++] = (share_place){.flow = flow, .link_at = i};
    note_dirty(s, links[i]);
  }
}

void shares_remove(shares *s, int32_t flow)
{
  share_flow *f = &s->flows[flow];
  for (int32_t i = 0; i < f->link_count; i++) {
    share_link *link = &s->links[f->links[i]];
    const share_place moved = link->list[--link->count];
    link->list[f->places[i]] = moved;
    s->flows[moved.flow].places[moved.link_at] = f->places[i];
    link->sure = link->removed = s->now + 1;
    note_dirty(s, f->links[i]);
  }
}

/* --- components --------------------------------------------------------------------------------------------------- */

static void meet_link(shares *s, int32_t number, int32_t component)
{
  share_link *link = &s->links[number];
  if (link->seen == s->now) return;
  link->seen = s->now;
  link->component = component;
  link->free = link->count;
  link->left_Bps = link->capacity_Bps;
  link->weight = 0;
  s->met_links[s->met_link_count++] = number;
}

/* All that is joined to one dirty link. */
static void meet_component(shares *s, int32_t number)
{
  int32_t i = s->met_link_count;
  meet_link(s, number, number);
  s->changes[number] = 0;
  for (; i < s->met_link_count; i++) {
    share_link *link = &s->links[s->met_links[i]];
    for (int32_t j = 0; j < link->count; j++) {
      const int32_t met = link->list[j].flow;
      share_flow *f = &s->flows[met];
      link->weight += f->weight;
      if (f->seen == s->now) continue;
      f->seen = s->now;
      f->rate_Bps = 0;
      s->met_flows[s->met_flow_count++] = met;
      for (int32_t k = 0; k < f->link_count; k++)
        meet_link(s, f->links[k], number);
    }
  }
}

/* May SimGrid have left out a link of this flow, which is new? Not if nobody else is on the first one, or nothing else
 * has happened that leads there, or all links were looked at anyhow. One that it has for itself alone and that is as
 * wide as the first does not matter. */
static bool may_be_left_out(const shares *s, const share_flow *f)
{
  const share_link *first = &s->links[f->links[0]];
  if (first->count == 1 && first->removed != s->now) return false;
  if (s->changes[first->component] < 2) return false;
  for (int32_t k = 1; k < f->link_count; k++) {
    const share_link *link = &s->links[f->links[k]];
    if (link->sure != s->now && !(link->count == 1 && link->capacity_Bps >= first->capacity_Bps)) return true;
  }
  return false;
}

/* Everything that is joined to the dirty links. */
static void meet(shares *s)
{
  s->now++;
  s->met_link_count = s->met_flow_count = 0;
  for (int32_t i = 0; i < s->dirty_count; i++)
    if (s->links[s->dirty[i]].seen != s->now) meet_component(s, s->dirty[i]);
  for (int32_t i = 0; i < s->added_count; i++)
    s->changes[s->links[s->flows[s->added[i]].links[0]].component]++;
  for (int32_t i = 0; i < s->dirty_count; i++) {
    const share_link *link = &s->links[s->dirty[i]];
    if (link->removed == s->now) s->changes[link->component]++;
  }
  for (int32_t i = 0; i < s->added_count && !s->doubtful; i++)
    s->doubtful = may_be_left_out(s, &s->flows[s->added[i]]);
  s->added_count = s->dirty_count = 0;
}

/* --- levels ------------------------------------------------------------------------------------------------------- */

static void sink(shares *s, int32_t i)
{
  const share_level moved = s->heap[i];
  for (int32_t child; (child = 2 * i + 1) < s->heap_count; i = child) {
    if (child + 1 < s->heap_count && s->heap[child + 1].level < s->heap[child].level) child++;
    if (!(s->heap[child].level < moved.level)) break;
    s->heap[i] = s->heap[child];
  }
  s->heap[i] = moved;
}

static void fix(shares *s, int32_t number, double rate_Bps)
{
  share_flow *f = &s->flows[number];
  f->rate_Bps = rate_Bps;
  for (int32_t k = 0; k < f->link_count; k++) {
    share_link *link = &s->links[f->links[k]];
    link->free--;
    link->left_Bps -= rate_Bps;
    link->weight -= f->weight;
  }
}

/* The link fills up at this level: what is on it and not fixed is fixed. */
static void fill(shares *s, const share_link *link, double level)
{
  for (int32_t j = 0; j < link->count; j++) {
    const int32_t number = link->list[j].flow;
    if (s->flows[number].rate_Bps == 0) fix(s, number, s->flows[number].weight * level);
  }
}

void shares_find(shares *s)
{
  meet(s);
  s->heap_count = 0;
  for (int32_t i = 0; i < s->met_link_count; i++) {
    const share_link *link = &s->links[s->met_links[i]];
    if (link->count == 0) continue;
    s->heap[s->heap_count++] =
        (share_level){.level = link->capacity_Bps / link->weight, .link = s->met_links[i], .flow = -1};
  }
  for (int32_t i = 0; i < s->met_flow_count; i++) {
    const share_flow *f = &s->flows[s->met_flows[i]];
    if (f->limit_Bps < INFINITY)
      s->heap[s->heap_count++] = (share_level){.level = f->limit_Bps / f->weight, .link = -1, .flow = s->met_flows[i]};
  }
  for (int32_t i = s->heap_count / 2; i-- > 0;)
    sink(s, i);
  double reached = 0; /* a rounding may put a level below the one before */
  while (s->heap_count > 0) {
    const share_level top = s->heap[0];
    const share_link *link = top.link >= 0 ? &s->links[top.link] : NULL;
    const double level = link == NULL || link->free == 0 ? top.level : fmax(reached, link->left_Bps / link->weight);
    if (level > top.level) {
      s->heap[0].level = level; /* others on it were fixed meanwhile */
      sink(s, 0);
      continue;
    }
    s->heap[0] = s->heap[--s->heap_count];
    if (s->heap_count > 0) sink(s, 0);
    if (link != NULL ? link->free == 0 : s->flows[top.flow].rate_Bps > 0) continue;
    reached = fmax(reached, level);
    if (link != NULL)
      fill(s, link, reached);
    else
      fix(s, top.flow, s->flows[top.flow].limit_Bps);
  }
}
