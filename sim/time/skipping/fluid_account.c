/* See fluid_account.h. */
#include "fluid_account.h"

#include <math.h>
#include <stdlib.h>

#include "schedule_private.h"

/* Transfers whose bytes are spread evenly over their time in the links' bins, which are far wider. */
enum { BLOCK = 64 };

/* What one position sends to another one. */
typedef struct tally {
  int32_t to, block; /* transfers since from_s */
  int64_t bytes, count;
  const rh_route *route;
  double from_s, finish_s;
} tally;

typedef struct tallies {
  tally *list; /* [count], owned */
  int32_t count, size, last;
} tallies;

typedef struct spread {
  const rh_route *route;
  int64_t bytes;
  double start_s, finish_s;
} spread;

struct fluid_account {
  const rh_collective *c;
  int32_t link_count;
  rh_busy *links, *ranks; /* [links], [N]; owned, one allocation */
  tallies *sent;          /* [N], owned */
  spread *spreads;        /* [spread_count], owned */
  int64_t spread_count, spread_size, told;
  double floor_s;
};

fluid_account *fluid_account_new(const rh_collective *c, int32_t links)
{
  fluid_account *a = calloc(1, sizeof *a);
  RH_ASSERT(a != NULL);
  *a = (fluid_account){.c = c, .link_count = links};
  const size_t N = (size_t)c->size;
  a->links = calloc((size_t)links + N, sizeof *a->links);
  a->sent = calloc(N, sizeof *a->sent);
  RH_ASSERT(a->links != NULL && a->sent != NULL);
  a->ranks = a->links + links;
  return a;
}

void fluid_account_free(fluid_account *a)
{
  if (a == NULL) return;
  for (int32_t i = 0; i < a->link_count + a->c->size; i++)
    rh_busy_clear(&a->links[i]);
  for (int32_t p = 0; p < a->c->size; p++)
    free(a->sent[p].list);
  free(a->links);
  free(a->sent);
  free(a->spreads);
  free(a);
}

/* --- noting ------------------------------------------------------------------------------------------------------- */

static void add_busy(const fluid_account *a, rh_busy *busy, const fluid_transfer *t)
{
  if (rh_busy_full(busy)) rh_busy_fold(busy, a->floor_s);
  rh_busy_add(busy, t->start_s, t->finish_s);
}

/* In each step a position sends to others in the same order, or to somebody new. */
static tally *find_tally(tallies *sent, const fluid_transfer *t)
{
  for (int32_t i = 0; i < 4 && i < sent->count; i++) {
    sent->last = sent->last + 1 < sent->count ? sent->last + 1 : 0;
    tally *known = &sent->list[sent->last];
    if (known->to == t->to && known->bytes == t->bytes) return known;
  }
  if (sent->count == sent->size) {
    sent->size = sent->size > 0 ? 2 * sent->size : 1;
    sent->list = realloc(sent->list, (size_t)sent->size * sizeof *sent->list);
    RH_ASSERT(sent->list != NULL);
  }
  sent->last = sent->count;
  sent->list[sent->count] = (tally){.to = t->to, .bytes = t->bytes, .route = t->route};
  return &sent->list[sent->count++];
}

static void end_block(fluid_account *a, tally *t)
{
  if (t->block == 0) return;
  if (a->spread_count == a->spread_size) {
    a->spread_size = a->spread_size > 0 ? 2 * a->spread_size : 1024;
    a->spreads = realloc(a->spreads, (size_t)a->spread_size * sizeof *a->spreads);
    RH_ASSERT(a->spreads != NULL);
  }
  a->spreads[a->spread_count++] =
      (spread){.route = t->route, .bytes = t->block * t->bytes, .start_s = t->from_s, .finish_s = t->finish_s};
  t->block = 0;
}

void fluid_account_note(void *context, const fluid *fluid, const fluid_transfer *t)
{
  fluid_account *a = context;
  if (++a->told > a->c->size) {
    a->floor_s = fmin(fluid_floor_s(fluid), t->start_s);
    a->told = 0;
  }
  for (int32_t i = 0; i < t->route->link_count; i++)
    add_busy(a, &a->links[t->route->links[i]], t);
  /* not folded: the rank may compute meanwhile, and the seconds of both are wanted */
  rh_busy_add(&a->ranks[t->from], t->start_s, t->finish_s);
  rh_busy_add(&a->ranks[t->to], t->start_s, t->finish_s);
  tally *tally = find_tally(&a->sent[t->from], t);
  if (tally->block == 0) tally->from_s = t->start_s;
  tally->finish_s = t->finish_s;
  tally->count++;
  if (++tally->block == BLOCK) end_block(a, tally);
}

/* --- booking ------------------------------------------------------------------------------------------------------ */

static void book_sent(const fluid_account *a, rh_schedule *schedule, use *use, int32_t p)
{
  round_slot *slot = slot_of(schedule, use->round);
  const tallies *sent = &a->sent[p];
  for (int32_t i = 0; i < sent->count; i++) {
    const tally *t = &sent->list[i];
    const int32_t from = rh_collective_rank(a->c, p), to = rh_collective_rank(a->c, t->to);
    rh_traffic_lone(&schedule->traffic, from, to, t->route, t->bytes, t->count, 0); /* seconds are those of the union */
    slot_add(schedule, slot, from, to, t->count, t->count * t->bytes);
    use->messages += t->count;
    use->wire_bytes += t->count * t->bytes;
    use_note_route(use, t->route);
    schedule->steady.skipped_messages += t->count;
  }
}

void fluid_account_book(fluid_account *a, rh_schedule *schedule, use *use, double shift_s)
{
  rh_traffic *traffic = &schedule->traffic;
  traffic->counting = rounds_counting(schedule, use->round);
  for (int32_t p = 0; p < a->c->size; p++) {
    const int32_t rank = rh_collective_rank(a->c, p);
    book_sent(a, schedule, use, p);
    for (int32_t i = 0; i < a->sent[p].count; i++)
      end_block(a, &a->sent[p].list[i]);
    rh_traffic_busy(traffic, rank, &a->ranks[p], shift_s);
  }
  for (int64_t i = 0; i < a->spread_count; i++)
    rh_traffic_spread(traffic, a->spreads[i].route, a->spreads[i].bytes, a->spreads[i].start_s + shift_s,
                      a->spreads[i].finish_s + shift_s);
  /* no other transfer was under way meanwhile */
  for (int32_t i = 0; i < a->link_count; i++)
    traffic->links[i].busy.folded_s += rh_busy_seconds(&a->links[i]);
}
