/* Going from event to event. See fluid.h. */
#include "fluid.h"

#include <math.h>
#include <stdlib.h>

#include "shares.h"
#include "status.h"

enum { PEERS_MOST = 64 }; /* of a position in a step: each transfer is looked for among them */
enum { LATENCIES = 16 };  /* of which each has a queue: what starts first is through first */
enum { KNOWN_PEERS = 4 }; /* to which a position's routes are kept at hand; a power of two */

typedef struct known_route {
  const rh_route *route; /* NULL: none */
  int32_t to;
  int32_t queue; /* of its latency; -1: none */
  double latency_s, weight, limit_Bps;
} known_route;

typedef struct flow {
  fluid_transfer what;
  double left_bytes, rate_Bps, since_s; /* what was left then; the rate since */
  double date_s;                        /* of the next event: its latency is over, or all of it */
  int32_t heap_at;                      /* -1: not there */
  bool flowing;
} flow;

/* Flows whose latency passes, a ring. */
typedef struct queue {
  double latency_s;
  int32_t *list; /* [size], a power of two; owned */
  int64_t first, end, size;
} queue;

typedef struct position {
  int64_t step; /* -1: has not entered */
  int64_t bytes;
  int32_t pending; /* transfers of the step that are not over */
  int32_t early_count, early_size;
  int64_t *early; /* steps of which something was heard before they began; owned */
} position;

struct fluid {
  const fluid_def *def;
  const rh_collective *c; /* of def */
  int64_t steps, messages;
  double precision_s, now_s;
  position *positions; /* [N] */
  known_route *routes; /* [N KNOWN_PEERS] */
  int64_t marks;
  double *mark_s;   /* [marks, N] when positions came to them */
  int32_t *arrived; /* [marks] positions */
  shares shares;
  flow *flows; /* [flow_size] */
  int32_t flow_count, flow_size;
  int32_t *unused; /* [flow_size] numbers below flow_count */
  int32_t unused_count;
  int32_t *heap; /* [flow_size] flows by date */
  int32_t heap_count;
  queue queues[LATENCIES];
  int32_t queue_count;
  int32_t *order;            /* [N] positions by the time at which they enter */
  int32_t entered;           /* of those */
  int32_t *done, done_count; /* [N] positions whose step is over */
};

/* --- what can be calculated --------------------------------------------------------------------------------------- */

static bool contains(const int32_t *list, int32_t count, int32_t value)
{
  for (int32_t i = 0; i < count; i++)
    if (list[i] == value) return true;
  return false;
}

/* The first step of a stretch, in which all are alike. */
static bool knows_step(const rh_collective *c, rh_platform *platform, int64_t k)
{
  int64_t sent = 0, received = 0;
  for (int32_t p = 0; p < c->size; p++) {
    rh_step step = {0};
    c->kind->step(c, p, k, &step);
    if (step.send_count > PEERS_MOST || step.receive_count > PEERS_MOST) return false;
    sent += step.send_count;
    received += step.receive_count;
    for (int32_t i = 0; i < step.send_count; i++) {
      const int32_t to = step.send_to[i];
      const rh_route *route;
      double latency_s, weight, limit_Bps;
      rh_step other = {0};
      c->kind->step(c, to, k, &other);
      if (contains(step.send_to, i, to) || !contains(other.receive_from, other.receive_count, p)) return false;
      if (rh_platform_route(platform, rh_collective_rank(c, p), rh_collective_rank(c, to), &route) != RH_OK ||
          !rh_platform_share(platform, route, &latency_s, &weight, &limit_Bps))
        return false;
    }
  }
  return sent == received;
}

bool fluid_knows(const rh_collective *c, rh_platform *platform)
{
  const int64_t steps = c->kind->steps(c);
  for (int64_t k = 0; k < steps; k = c->kind->same_until != NULL ? c->kind->same_until(c, k) : k + 1)
    if (!knows_step(c, platform, k)) return false;
  return true;
}

/* --- events by date ----------------------------------------------------------------------------------------------- */

static void put(fluid *f, int32_t at, int32_t number)
{
  f->heap[at] = number;
  f->flows[number].heap_at = at;
}

static void rise(fluid *f, int32_t at)
{
  const int32_t number = f->heap[at];
  const double date_s = f->flows[number].date_s;
  while (at > 0 && date_s < f->flows[f->heap[(at - 1) / 2]].date_s) {
    put(f, at, f->heap[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
  put(f, at, number);
}

static void sink(fluid *f, int32_t at)
{
  const int32_t number = f->heap[at];
  const double date_s = f->flows[number].date_s;
  for (int32_t child; (child = 2 * at + 1) < f->heap_count; at = child) {
    if (child + 1 < f->heap_count && f->flows[f->heap[child + 1]].date_s < f->flows[f->heap[child]].date_s) child++;
    if (!(f->flows[f->heap[child]].date_s < date_s)) break;
    put(f, at, f->heap[child]);
  }
  put(f, at, number);
}

static void push(fluid *f, int32_t number)
{
  f->heap[f->heap_count] = number;
  rise(f, f->heap_count++);
}

static void drop_first(fluid *f)
{
  f->flows[f->heap[0]].heap_at = -1;
  const int32_t last = f->heap[--f->heap_count];
  if (f->heap_count == 0) return;
  put(f, 0, last);
  sink(f, 0);
}

static void move(fluid *f, int32_t number, double date_s)
{
  flow *flow = &f->flows[number];
  const bool earlier = date_s < flow->date_s;
  flow->date_s = date_s;
  if (earlier)
    rise(f, flow->heap_at);
  else
    sink(f, flow->heap_at);
}

static void enqueue(queue *q, int32_t number)
{
  if (q->end - q->first == q->size) {
    const int64_t size = q->size > 0 ? 2 * q->size : 64;
    int32_t *list = malloc((size_t)size * sizeof *list);
    RH_ASSERT(list != NULL);
    for (int64_t i = q->first; i < q->end; i++)
      list[i & (size - 1)] = q->list[i & (q->size - 1)];
    free(q->list);
    q->list = list;
    q->size = size;
  }
  q->list[q->end++ & (q->size - 1)] = number;
}

static int32_t queue_of(fluid *f, double latency_s)
{
  for (int32_t i = 0; i < f->queue_count; i++)
    if (f->queues[i].latency_s == latency_s) return i;
  if (f->queue_count == LATENCIES) return -1;
  f->queues[f->queue_count].latency_s = latency_s;
  return f->queue_count++;
}

/* Of the next event. */
static double next_s(const fluid *f)
{
  double date_s = f->heap_count > 0 ? f->flows[f->heap[0]].date_s : INFINITY;
  for (int32_t i = 0; i < f->queue_count; i++) {
    const queue *q = &f->queues[i];
    if (q->first < q->end) date_s = fmin(date_s, f->flows[q->list[q->first & (q->size - 1)]].date_s);
  }
  return date_s;
}

/* --- transfers ---------------------------------------------------------------------------------------------------- */

static const known_route *route_to(fluid *f, int32_t from, int32_t to)
{
  known_route *known = &f->routes[KNOWN_PEERS * from + (to & (KNOWN_PEERS - 1))];
  if (known->route != NULL && known->to == to) return known;
  const rh_collective *c = f->c;
  const rh_status status =
      rh_platform_route(f->def->platform, rh_collective_rank(c, from), rh_collective_rank(c, to), &known->route);
  RH_ASSERT(status == RH_OK); /* fluid_knows has asked for it */
  known->to = to;
  rh_platform_share(f->def->platform, known->route, &known->latency_s, &known->weight, &known->limit_Bps);
  known->queue = queue_of(f, known->latency_s);
  return known;
}

static void grow_flows(fluid *f)
{
  const int32_t size = f->flow_size > 0 ? 2 * f->flow_size : 2 * f->c->size;
  f->flows = realloc(f->flows, (size_t)size * sizeof *f->flows);
  f->unused = realloc(f->unused, (size_t)size * sizeof *f->unused);
  f->heap = realloc(f->heap, (size_t)size * sizeof *f->heap);
  RH_ASSERT(f->flows != NULL && f->unused != NULL && f->heap != NULL);
  shares_reserve(&f->shares, size);
  f->flow_size = size;
}

static void start(fluid *f, int32_t from, int32_t to)
{
  const known_route *known = route_to(f, from, to);
  if (f->unused_count == 0 && f->flow_count == f->flow_size) grow_flows(f);
  const int32_t number = f->unused_count > 0 ? f->unused[--f->unused_count] : f->flow_count++;
  const position *sender = &f->positions[from];
  const double rounding_s = f->def->rounding_s * (double)((5 * from + 3 * sender->step) % 16) / 16;
  f->flows[number] = (flow){.what = {.from = from,
                                     .to = to,
                                     .step = sender->step,
                                     .bytes = sender->bytes,
                                     .route = known->route,
                                     .start_s = f->now_s},
                            .date_s = f->now_s + known->latency_s + rounding_s,
                            .heap_at = -1};
  if (known->queue >= 0)
    enqueue(&f->queues[known->queue], number);
  else
    push(f, number);
}

/* Its latency is over. */
static void begin_to_flow(fluid *f, int32_t number)
{
  flow *flow = &f->flows[number];
  const known_route *known = route_to(f, flow->what.from, flow->what.to);
  flow->flowing = true;
  flow->left_bytes = (double)flow->what.bytes;
  flow->since_s = f->now_s;
  shares_add(&f->shares, number, flow->what.route->links, flow->what.route->link_count, known->weight,
             known->limit_Bps);
}

static void find_rates(fluid *f)
{
  shares *s = &f->shares;
  if (s->dirty_count == 0) return;
  shares_find(s);
  for (int32_t i = 0; i < s->met_flow_count; i++) {
    const int32_t number = s->met_flows[i];
    const double rate_Bps = s->flows[number].rate_Bps;
    flow *flow = &f->flows[number];
    if (rate_Bps == flow->rate_Bps) continue;
    flow->left_bytes -= flow->rate_Bps * (f->now_s - flow->since_s);
    if (flow->left_bytes < 0) flow->left_bytes = 0;
    flow->since_s = f->now_s;
    flow->rate_Bps = rate_Bps;
    const double date_s = f->now_s + flow->left_bytes / rate_Bps;
    if (flow->heap_at >= 0) {
      move(f, number, date_s);
    } else {
      flow->date_s = date_s;
      push(f, number);
    }
  }
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static void over(fluid *f, int32_t p)
{
  if (--f->positions[p].pending == 0) f->done[f->done_count++] = p;
}

/* What arrives before its step has begun, which eager senders bring about. */
static void note_early(position *q, int64_t step)
{
  if (q->early_count == q->early_size) {
    q->early_size = q->early_size > 0 ? 2 * q->early_size : 4;
    q->early = realloc(q->early, (size_t)q->early_size * sizeof *q->early);
    RH_ASSERT(q->early != NULL);
  }
  q->early[q->early_count++] = step;
}

static int32_t take_early(position *q)
{
  int32_t kept = 0, taken = 0;
  for (int32_t i = 0; i < q->early_count; i++)
    if (q->early[i] == q->step)
      taken++;
    else
      q->early[kept++] = q->early[i];
  q->early_count = kept;
  return taken;
}

static void end(fluid *f, int32_t number)
{
  fluid_transfer *t = &f->flows[number].what;
  t->finish_s = f->now_s;
  f->messages++;
  if (f->def->visit != NULL) f->def->visit(f->def->context, f, t);
  if (f->flows[number].flowing) shares_remove(&f->shares, number);
  f->unused[f->unused_count++] = number;
  over(f, t->from);
  if (f->positions[t->to].step == t->step)
    over(f, t->to);
  else
    note_early(&f->positions[t->to], t->step);
}

double fluid_floor_s(const fluid *f)
{
  double floor_s = f->now_s;
  for (int32_t i = 0; i < f->heap_count; i++)
    floor_s = fmin(floor_s, f->flows[f->heap[i]].what.start_s);
  for (int32_t i = 0; i < f->queue_count; i++) {
    const queue *q = &f->queues[i];
    if (q->first < q->end) floor_s = fmin(floor_s, f->flows[q->list[q->first & (q->size - 1)]].what.start_s);
  }
  return floor_s;
}

static void come_to(fluid *f, int32_t p, int64_t mark)
{
  f->mark_s[mark * f->c->size + p] = f->now_s;
  f->arrived[mark]++;
}

/* The position comes to its next step with transfers, or to the end. */
static void next_step(fluid *f, int32_t p)
{
  position *self = &f->positions[p];
  while (++self->step < f->steps) {
    rh_step step = {0};
    if (self->step % FLUID_MARK == 0) come_to(f, p, self->step / FLUID_MARK);
    f->c->kind->step(f->c, p, self->step, &step);
    self->bytes = step.send_bytes;
    self->pending = step.send_count + step.receive_count - (f->def->eager ? take_early(self) : 0);
    for (int32_t i = 0; i < step.send_count; i++)
      if (f->def->eager || f->positions[step.send_to[i]].step == self->step) start(f, p, step.send_to[i]);
    for (int32_t i = 0; i < step.receive_count && !f->def->eager; i++)
      if (f->positions[step.receive_from[i]].step == self->step) start(f, step.receive_from[i], p);
    if (self->pending > 0) return;
  }
  come_to(f, p, f->marks - 1);
}

static bool is_now(const fluid *f, int32_t number)
{
  return f->flows[number].date_s - f->now_s < f->precision_s;
}

static void happen_to(fluid *f, int32_t number)
{
  if (!f->flows[number].flowing && f->flows[number].what.bytes > 0)
    begin_to_flow(f, number);
  else
    end(f, number);
}

/* Everything that happens now. */
static void happen(fluid *f)
{
  for (int32_t i = 0; i < f->queue_count; i++) {
    queue *q = &f->queues[i];
    while (q->first < q->end && is_now(f, q->list[q->first & (q->size - 1)]))
      happen_to(f, q->list[q->first++ & (q->size - 1)]);
  }
  while (f->heap_count > 0 && is_now(f, f->heap[0])) {
    const int32_t number = f->heap[0];
    drop_first(f);
    happen_to(f, number);
  }
  while (f->entered < f->c->size && f->def->enter_s[f->order[f->entered]] <= f->now_s)
    f->done[f->done_count++] = f->order[f->entered++];
  for (int32_t i = 0; i < f->done_count; i++)
    next_step(f, f->done[i]);
  f->done_count = 0;
  find_rates(f);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static const double *enter_s; /* of compare_enter */

static int compare_enter(const void *a, const void *b)
{
  const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  if (enter_s[x] != enter_s[y]) return enter_s[x] < enter_s[y] ? -1 : 1;
  return x < y ? -1 : x > y;
}

fluid *fluid_new(const fluid_def *def)
{
  fluid *f = calloc(1, sizeof *f);
  RH_ASSERT(f != NULL);
  f->def = def;
  f->c = def->collective;
  const size_t N = (size_t)f->c->size;
  f->steps = f->c->kind->steps(f->c);
  f->marks = (f->steps + FLUID_MARK - 1) / FLUID_MARK + 1;
  f->mark_s = malloc((size_t)f->marks * N * sizeof *f->mark_s);
  f->arrived = calloc((size_t)f->marks, sizeof *f->arrived);
  f->precision_s = rh_platform_precision(f->def->platform);
  f->positions = calloc(N, sizeof *f->positions);
  f->routes = calloc(KNOWN_PEERS * N, sizeof *f->routes);
  f->order = malloc(2 * N * sizeof *f->order);
  RH_ASSERT(f->positions != NULL && f->routes != NULL && f->order != NULL && f->mark_s != NULL && f->arrived != NULL);
  f->done = f->order + N;
  for (int32_t p = 0; p < f->c->size; p++) {
    f->positions[p].step = -1;
    f->order[p] = p;
  }
  enter_s = f->def->enter_s;
  qsort(f->order, N, sizeof *f->order, compare_enter);
  const int32_t links = rh_platform_link_count(f->def->platform);
  shares_init(&f->shares, links, rh_platform_longest_route(f->def->platform));
  for (int32_t i = 0; i < links; i++)
    f->shares.links[i].capacity_Bps = rh_platform_share_capacity(f->def->platform, i);
  return f;
}

void fluid_free(fluid *f)
{
  if (f == NULL) return;
  for (int32_t p = 0; p < f->c->size; p++)
    free(f->positions[p].early);
  free(f->positions);
  free(f->routes);
  free(f->order);
  free(f->flows);
  free(f->unused);
  free(f->heap);
  for (int32_t i = 0; i < f->queue_count; i++)
    free(f->queues[i].list);
  free(f->mark_s);
  free(f->arrived);
  shares_clear(&f->shares);
  free(f);
}

int64_t fluid_marks(const fluid *f)
{
  return f->marks;
}

int64_t fluid_messages(const fluid *f)
{
  return f->messages;
}

bool fluid_doubtful(const fluid *f)
{
  return f->shares.doubtful;
}

const double *fluid_until(fluid *f, int64_t mark)
{
  RH_ASSERT(mark < f->marks);
  const int32_t N = f->c->size;
  while (f->arrived[mark] < N) {
    const double enters_s = f->entered < N ? f->def->enter_s[f->order[f->entered]] : INFINITY;
    f->now_s = fmin(enters_s, next_s(f));
    RH_ASSERT(isfinite(f->now_s));
    happen(f);
  }
  return f->mark_s + mark * N;
}
