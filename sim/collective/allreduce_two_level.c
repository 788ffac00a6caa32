/* Two-level all-reduce: every rank ends with the elementwise sum over ranks: first inside each zone (node), then across
 * zones, then inside again. A ring's bytes in fewer steps, of which only 2 (Z-1) leave a zone, with all its ranks'
 * ports.
 *
 * Symbols     N ranks, Z zones, m ranks in the smallest zone, M in the largest, F = ceil(M / m) - 1, X = N - m Z ranks
 *             beyond the smallest zone's number, n elements of b bytes, S = n b, c = ceil(n / m Z) elements of a block,
 *             a latency and B bandwidth of the slowest route
 * The first m positions of each zone take part, numbered i. Ring reduce-scatter of m chunks inside the zone, after
 * which i holds chunk i+1 (modulo m); ring all-reduce of that chunk, in Z blocks, with the i-th of all other zones;
 * ring all-gather inside the zone. Zones that are larger than the smallest one fold: in step f = 0..F-1 before, the
 * (m (f+1) + i)-th member hands its vector to the i-th, and gets the sum in as many steps after. Equal zones: F = 0.
 * One zone, or zones of one rank, leave the plain ring. Blocks are padded; whole vectors are not.
 *
 * Exact where all routes are alike and transfers wait for their receiver. Where zones are faster inside, the form,
 * which knows the slowest route alone, is an upper bound; where a zone's ranks share one port, steps across take m
 * times as long as it says.
 *
 * messages    2 Z m (m-1) + 2 m Z (Z-1) + 2 X
 * bytes       (2 Z m (m-1) Z + 2 m Z (Z-1)) c b + 2 X S
 * seconds     2 (m-1) (a + Z c b / B) + 2 (Z-1) (a + c b / B) + 2 F (a + S / B)
 * source      Cho et al., BlueConnect: decomposing all-reduce for deep learning on heterogeneous network hierarchy,
 *             MLSys 2019
 */
#include "parts.h"

#include <stdlib.h>

typedef struct shape {
  int32_t zones, least, most; /* Z, m, M */
  int32_t folds;              /* F */
} shape;

typedef struct plan {
  shape shape;
  int32_t size;    /* N */
  int32_t *number; /* [N] within its zone, by position */
  int32_t *zone;   /* [N] 0 .. Z-1, by position */
  int32_t *first;  /* [Z + 1] where a zone's members begin in `members` */
  int32_t *members;
  int32_t storage[]; /* of all four */
} plan;

static int32_t zone_at(const rh_collective *c, int32_t position)
{
  return c->zone_of != NULL ? c->zone_of[rh_collective_rank(c, position)] : 0;
}

/* Zones in the order in which positions come to them, members in the order of positions. */
static void number_members(const rh_collective *c, plan *plan)
{
  int32_t ids = 1, zones = 0;
  for (int32_t p = 0; p < c->size; p++)
    if (zone_at(c, p) >= ids) ids = zone_at(c, p) + 1;
  int32_t *known = calloc((size_t)ids, sizeof *known); /* 1 + a zone's number; 0: nobody has come to it yet */
  RH_ASSERT(known != NULL);
  for (int32_t z = 0; z <= c->size; z++)
    plan->first[z] = 0;
  for (int32_t p = 0; p < c->size; p++) {
    const int32_t id = zone_at(c, p);
    RH_ASSERT(id >= 0 && id < ids);
    if (known[id] == 0) known[id] = ++zones;
    plan->zone[p] = known[id] - 1;
    plan->number[p] = plan->first[known[id]]++;
  }
  for (int32_t z = 0; z < zones; z++)
    plan->first[z + 1] += plan->first[z];
  for (int32_t p = 0; p < c->size; p++)
    plan->members[plan->first[plan->zone[p]] + plan->number[p]] = p;
  plan->shape.zones = zones;
  free(known);
}

static void *new_plan(const rh_collective *c)
{
  const size_t N = (size_t)c->size;
  plan *made = malloc(sizeof *made + (4 * N + 1) * sizeof *made->storage);
  RH_ASSERT(made != NULL);
  made->size = c->size;
  made->number = made->storage;
  made->zone = made->number + N;
  made->members = made->zone + N;
  made->first = made->members + N;
  number_members(c, made);
  shape *s = &made->shape;
  s->least = s->most = made->first[1];
  for (int32_t z = 1; z < s->zones; z++) {
    const int32_t count = made->first[z + 1] - made->first[z];
    if (count < s->least) s->least = count;
    if (count > s->most) s->most = count;
  }
  s->folds = (s->most - 1) / s->least;
  return made;
}

static shape shape_of(const rh_collective *c)
{
  if (c->plan != NULL) return ((const plan *)c->plan)->shape;
  plan *own = new_plan(c);
  const shape s = own->shape;
  free(own);
  return s;
}

static int64_t block_bytes(const rh_collective *c, shape s)
{
  return chunk_bytes(c, (int64_t)s.least * s.zones);
}

static int64_t steps(const rh_collective *c)
{
  RH_ASSERT(c->plan != NULL);
  const shape s = shape_of(c);
  return 2 * ((int64_t)s.folds + s.least - 1 + s.zones - 1);
}

static int32_t member(const plan *plan, int32_t zone, int32_t number)
{
  return plan->members[plan->first[zone] + number];
}

/* Fold f: member m (f+1) + i with member i. */
static void fold_step(const rh_collective *c, const plan *plan, int32_t p, int32_t f, bool before, rh_step *step)
{
  const shape s = plan->shape;
  const int32_t zone = plan->zone[p], i = plan->number[p], count = plan->first[zone + 1] - plan->first[zone];
  const bool extra = i / s.least == f + 1, first = i < s.least && s.least * (f + 1) + i < count;
  step->more_blocks = s.least * s.zones - 1;
  if (!extra && !first) return;
  const int32_t peer = member(plan, zone, extra ? i % s.least : s.least * (f + 1) + i);
  if (extra == before)
    send_to(step, peer, c->bytes);
  else
    receive_from(step, peer);
}

static void inside_step(const rh_collective *c, const plan *plan, int32_t p, int32_t j, rh_step *step)
{
  const shape s = plan->shape;
  const int32_t zone = plan->zone[p], i = plan->number[p];
  const ring_chunks chunk = ring_half(i, j, s.least, step->reduce);
  step->send_block = chunk.sent * s.zones;
  step->receive_block = chunk.received * s.zones;
  step->more_blocks = s.zones - 1;
  send_to(step, member(plan, zone, wrap(i + 1, s.least)), s.zones * block_bytes(c, s));
  receive_from(step, member(plan, zone, wrap(i - 1, s.least)));
}

static void across_step(const rh_collective *c, const plan *plan, int32_t p, int32_t j, rh_step *step)
{
  const shape s = plan->shape;
  const int32_t zone = plan->zone[p], i = plan->number[p], chunk = wrap(i + 1, s.least) * s.zones;
  const ring_chunks block = ring_half(zone, j, s.zones, step->reduce);
  step->send_block = chunk + block.sent;
  step->receive_block = chunk + block.received;
  send_to(step, member(plan, wrap(zone + 1, s.zones), i), block_bytes(c, s));
  receive_from(step, member(plan, wrap(zone - 1, s.zones), i));
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const plan *plan = c->plan;
  const shape s = plan->shape;
  const int64_t half = (int64_t)s.folds + s.least - 1 + s.zones - 1;
  const bool reduce = k < half;
  const int32_t at = (int32_t)(reduce ? k : 2 * half - 1 - k); /* phases come back in reverse order */
  *step = (rh_step){.reduce = reduce};
  if (at < s.folds) {
    fold_step(c, plan, p, at, reduce, step);
    return;
  }
  if (plan->number[p] >= s.least) return;
  int32_t j = at - s.folds;
  if (j < s.least - 1)
    inside_step(c, plan, p, reduce ? j : s.least - 2 - j, step);
  else
    across_step(c, plan, p, reduce ? j - (s.least - 1) : s.zones - 2 - (j - (s.least - 1)), step);
}

static int64_t extras(const rh_collective *c, shape s)
{
  return c->size - (int64_t)s.least * s.zones;
}

static int64_t messages(const rh_collective *c)
{
  const shape s = shape_of(c);
  const int64_t taking_part = (int64_t)s.least * s.zones;
  return 2 * taking_part * (s.least - 1 + s.zones - 1) + 2 * extras(c, s);
}

static int64_t wire_bytes(const rh_collective *c)
{
  const shape s = shape_of(c);
  const int64_t taking_part = (int64_t)s.least * s.zones;
  return 2 * taking_part * ((int64_t)(s.least - 1) * s.zones + s.zones - 1) * block_bytes(c, s) +
         2 * extras(c, s) * c->bytes;
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  const shape s = shape_of(c);
  const int64_t blocks = (int64_t)(s.least - 1) * s.zones + s.zones - 1;
  const double bytes = 2 * ((double)blocks * (double)block_bytes(c, s) + s.folds * (double)c->bytes);
  return 2 * ((double)s.folds + s.least - 1 + s.zones - 1) * latency_s + bytes / bandwidth_Bps;
}

const rh_collective_kind rh_allreduce_two_level = {
    .name = "allreduce-two-level",
    .operation = "all-reduce",
    .summary = "sum over ranks by rings: reduce-scatter inside each zone, all-reduce across zones, all-gather inside",
    .formula = "2 (m-1) (a + Z c b / B) + 2 (Z-1) (a + c b / B), Z zones of m ranks, c = ceil(n / m Z); unequal zones: "
               "+ 2 F (a + S / B)",
    .source = "Cho et al., BlueConnect, MLSys 2019",
    .new_plan = new_plan,
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
