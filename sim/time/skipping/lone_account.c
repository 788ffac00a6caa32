/* Booking what was calculated: times, bytes and busy seconds as of simulated transfers. See lone.h. */
#include <math.h>
#include <stdlib.h>

#include "schedule_private.h"

/* Steps whose bytes are spread evenly over their time in the links' bins, which are far wider. */
enum { BLOCK = 64 };

typedef struct account {
  rh_schedule *schedule;
  use *use;
  double shift_s; /* from the recursion's times to simulated ones */
  rh_busy *busy;  /* [N] what a position sends and hears since it entered, relative to base_s; owned */
  double *from_s; /* [N] start of the block; owned */
  int64_t steps;  /* in the block */
} account;

/* An interval of a position. What lies before its own entering, which happens where senders do not wait, may overlap
 * with what it did before. */
static void note_interval(account *a, int32_t p, double start_s, double finish_s)
{
  const double enter_s = a->use->lone.enter_s[p];
  if (start_s < enter_s) {
    const int32_t rank = rh_collective_rank(&a->use->collective, p);
    rh_busy_add(&a->schedule->traffic.ranks[rank].communication, start_s + a->shift_s,
                fmin(finish_s, enter_s) + a->shift_s);
    start_s = enter_s;
  }
  rh_busy_add(&a->busy[p], start_s, finish_s);
}

static void note_step(account *a, const lone_times *t)
{
  const lone_stretch *s = &t->stretch;
  const int32_t N = t->c->size;
  const double floor_s = t->eager ? lone_earliest_s(t->ready_s, N) : 0;
  for (int32_t p = 0; p < N; p++) {
    const int32_t from = s->from[p];
    t->before_s[p] = a->busy[p].folded_s;
    if (s->to[p] != p) note_interval(a, p, t->start_s[p], t->finish_s[p]);
    if (from != p) note_interval(a, p, t->start_s[from], t->finish_s[from]);
    rh_busy_fold(&a->busy[p], t->eager ? floor_s : t->ready_s[p]);
  }
}

/* Links that nobody owns: latencies of one transfer may overlap with bytes of another one. */
static void note_links(account *a, const lone_times *t)
{
  for (int32_t p = 0; p < t->c->size; p++) {
    const rh_route *route = t->stretch.routes[p];
    for (int32_t i = 0; route != NULL && i < route->link_count; i++)
      rh_busy_add(&a->schedule->traffic.links[route->links[i]].busy, t->start_s[p] + a->shift_s,
                  t->finish_s[p] + a->shift_s);
  }
}

/* Bytes of the block go into the bins. */
static void end_block(account *a, const lone_times *t)
{
  const lone_stretch *s = &t->stretch;
  for (int32_t p = 0; p < t->c->size && a->steps > 0; p++)
    if (s->routes[p] != NULL)
      rh_traffic_spread(&a->schedule->traffic, s->routes[p], a->steps * s->bytes[p], a->from_s[p] + a->shift_s,
                        t->finish_s[p] + a->shift_s);
  a->steps = 0;
}

static void visit(void *context, const lone_times *t, int64_t k)
{
  (void)k;
  account *a = context;
  for (int32_t p = 0; p < t->c->size && a->steps == 0; p++)
    a->from_s[p] = t->start_s[p];
  a->steps++;
  note_step(a, t);
  if (!a->use->lone.owned) note_links(a, t);
  if (a->steps == BLOCK) end_block(a, t);
}

/* A settled step adds the same busy seconds as the last one. */
static void jump(void *context, const lone_times *t, double span_s, int64_t count)
{
  account *a = context;
  const lone_stretch *s = &t->stretch;
  const int32_t N = t->c->size;
  const double all_s = (double)count * span_s, floor_s = t->eager ? lone_earliest_s(t->ready_s, N) : 0;
  end_block(a, t);
  for (int32_t p = 0; p < N; p++) {
    const double more_s = (double)count * (a->busy[p].folded_s - t->before_s[p]);
    rh_busy_skip(&a->busy[p], t->eager ? floor_s : t->ready_s[p], all_s, more_s);
    if (s->routes[p] != NULL)
      rh_traffic_spread(&a->schedule->traffic, s->routes[p], count * s->bytes[p], t->start_s[p] + span_s + a->shift_s,
                        t->finish_s[p] + all_s + a->shift_s);
  }
}

/* Messages, bytes and the links' seconds of a stretch, in which everybody did the same `count` times. */
static void book_stretch(account *a, const lone_times *t, int64_t count)
{
  const lone_stretch *s = &t->stretch;
  rh_schedule *schedule = a->schedule;
  round_slot *slot = slot_of(schedule, a->use->round);
  for (int32_t p = 0; p < t->c->size; p++) {
    if (s->routes[p] == NULL) continue;
    const int32_t from = rh_collective_rank(t->c, p), to = rh_collective_rank(t->c, s->to[p]);
    const double lone_s = a->use->lone.owned ? s->seconds[p] : 0; /* else it was noted */
    rh_traffic_lone(&schedule->traffic, from, to, s->routes[p], s->bytes[p], count, lone_s);
    slot_add(schedule, slot, from, to, count, count * s->bytes[p]);
    a->use->messages += count;
    a->use->wire_bytes += count * s->bytes[p];
    use_note_route(a->use, s->routes[p]);
    schedule->steady.skipped_messages += count;
  }
}

void lone_account(rh_schedule *schedule, use *use, lone_times *t)
{
  const size_t N = (size_t)t->c->size;
  account a = {.schedule = schedule, .use = use, .shift_s = use->lone.base_s + schedule->skipped_s};
  a.busy = calloc(N, sizeof *a.busy);
  a.from_s = calloc(N, sizeof *a.from_s);
  RH_ASSERT(a.busy != NULL && a.from_s != NULL);
  schedule->traffic.counting = rounds_counting(schedule, use->round);
  for (size_t p = 0; p < N; p++)
    t->ready_s[p] = use->lone.enter_s[p];
  for (int64_t k = 0; k < use->lone.steps; k = t->stretch.end) {
    const bool known = lone_stretch_at(t, schedule->def.platform, k);
    RH_ASSERT(known); /* it was judged */
    lone_times_run(t, use->lone.steps, visit, use->lone.owned ? jump : NULL, &a);
    end_block(&a, t);
    const int64_t end = t->stretch.end < use->lone.steps ? t->stretch.end : use->lone.steps;
    book_stretch(&a, t, end - k);
  }
  for (size_t p = 0; p < N; p++) {
    use->lone.ready_s[p] = t->ready_s[p];
    rh_traffic_busy(&schedule->traffic, rh_collective_rank(t->c, (int32_t)p), &a.busy[p], a.shift_s);
    rh_busy_clear(&a.busy[p]);
  }
  free(a.busy);
  free(a.from_s);
}
