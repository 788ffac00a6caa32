/* Double-binary-tree all-reduce: every rank ends with the elementwise sum over ranks. Logarithmic latency at a ring's
 * bandwidth, for any N.
 *
 * Symbols     N ranks, n elements of b bytes, C chunks of each half, c = ceil(n / 2C) elements of a chunk, D steps that
 *             a chunk needs to reach everybody, a latency and B bandwidth of the slowest route
 * Positions 1..N-1 form two binary trees, both below position 0; whoever has children in one is a leaf in the other, so
 * with half of the vector in each tree every port is used once. Edges have one of two colours, so that a rank's two
 * incoming edges (one in each tree) differ and its two outgoing ones do; those of one colour are served in even steps,
 * the others in odd ones. So a rank sends at most one and receives at most one chunk in each step of a broadcast, and
 * an edge takes a chunk every other step. The reduction is the broadcast backwards.
 *
 * The first tree is the in-order one: position v is as many levels above the leaves as it has zero bits at its end. The
 * second is its mirror image (N odd) or the same moved by one position (N even), which turns odd positions into even
 * ones. C is the least number that keeps chunks at 128 KiB (parts.h). D = 2 ceil(log2 N) at most.
 *
 * The form counts steps as if all ranks kept in step. A rank that has nothing to do in one goes on to the next, so it
 * is an upper bound where transfers wait for their receiver; simulated, it is reached for every N from 2 to 64.
 *
 * messages    4 C (N-1)
 * bytes       4 C (N-1) c b
 * seconds     at most 2 (D + 2 (C-1)) (a + c b / B)
 * source      Sanders, Speck & Traff, Two-tree algorithms for full bandwidth broadcast, reduction and scan, Parallel
 *             Computing 35(12), 2009
 */
#include "parts.h"

#include <stdlib.h>

/* One position's edges of a broadcast. `first`: the step at which an edge takes its first chunk. */
typedef struct edge {
  int32_t peer; /* -1: none */
  int32_t tree, first;
} edge;

typedef struct place {
  edge in[2], out[2]; /* by colour */
} place;

typedef struct plan {
  int32_t span; /* D */
  place places[];
} plan;

/* While the plan is made: edges by number 2 v + tree, v the child. */
typedef struct drawing {
  int32_t N;
  int32_t *parent;  /* [2 N] */
  int32_t *sibling; /* [2 N] the other edge below the same parent, or -1 */
  int8_t *colour;   /* [2 N] -1: not yet */
} drawing;

/* Role that a position plays in a tree: its number in the in-order one. And back, which is the same for a mirror. */
static int32_t role_of(int32_t v, int32_t tree, int32_t N)
{
  if (tree == 0) return v;
  if (N % 2 != 0) return N - v;
  return v > 1 ? v - 1 : N - 1;
}

static int32_t position_of(int32_t role, int32_t tree, int32_t N)
{
  if (tree == 0) return role;
  if (N % 2 != 0) return N - role;
  return role < N - 1 ? role + 1 : 1;
}

/* Parent of a role in the in-order tree of roles 1..N-1; 0 for its root. */
static int32_t role_above(int32_t role, int32_t N)
{
  const int32_t low = role & -role, rest = role ^ low;
  const int64_t above = (int64_t)rest | 2 * (int64_t)low;
  return above < N ? (int32_t)above : rest;
}

static void draw_edges(drawing *d)
{
  int32_t *below = malloc((size_t)d->N * sizeof *below); /* an edge already found below a parent */
  RH_ASSERT(below != NULL);
  for (int32_t u = 0; u < d->N; u++)
    below[u] = -1;
  for (int32_t e = 2; e < 2 * d->N; e++) {
    const int32_t tree = e % 2, role = role_above(role_of(e / 2, tree, d->N), d->N);
    const int32_t parent = role > 0 ? position_of(role, tree, d->N) : 0;
    RH_ASSERT(parent >= 0 && parent < d->N);
    d->parent[e] = parent;
    d->colour[e] = -1;
    d->sibling[e] = below[parent];
    if (below[parent] >= 0) d->sibling[below[parent]] = e;
    below[parent] = e;
  }
  free(below);
}

/* Edges that must differ form paths and even cycles, on which a child's two edges and a parent's two take turns. */
static void colour_from(drawing *d, int32_t e, int8_t colour)
{
  while (e >= 0 && d->colour[e] < 0) {
    d->colour[e] = colour;
    d->colour[e ^ 1] = 1 - colour;
    e = d->sibling[e ^ 1];
  }
}

static void colour_edges(drawing *d)
{
  for (int32_t e = 2; e < 2 * d->N; e++) {
    if (d->colour[e] >= 0) continue;
    colour_from(d, e, 0);
    colour_from(d, d->sibling[e], 1);
  }
}

/* First step of edge e: the first of its colour after the one that reaches its parent. */
static int32_t first_step(const drawing *d, int32_t e)
{
  const int32_t parent = d->parent[e], tree = e % 2;
  const int32_t ready = parent > 0 ? first_step(d, 2 * parent + tree) + 1 : 0;
  return ready + ((ready ^ d->colour[e]) & 1);
}

static void *new_plan(const rh_collective *c)
{
  const int32_t N = c->size;
  const size_t edges = 2 * (size_t)N;
  drawing d = {.N = N,
               .parent = malloc(edges * sizeof *d.parent),
               .sibling = malloc(edges * sizeof *d.sibling),
               .colour = malloc(edges)};
  plan *made = malloc(sizeof *made + (size_t)N * sizeof *made->places);
  RH_ASSERT(d.parent != NULL && d.sibling != NULL && d.colour != NULL && made != NULL);
  draw_edges(&d);
  colour_edges(&d);
  made->span = 0;
  const edge none = {.peer = -1};
  for (int32_t p = 0; p < N; p++)
    made->places[p] = (place){.in = {none, none}, .out = {none, none}};
  for (int32_t e = 2; e < 2 * N; e++) {
    const int32_t first = first_step(&d, e), v = e / 2, u = d.parent[e];
    made->places[v].in[d.colour[e]] = (edge){.peer = u, .tree = e % 2, .first = first};
    made->places[u].out[d.colour[e]] = (edge){.peer = v, .tree = e % 2, .first = first};
    if (first + 1 > made->span) made->span = first + 1;
  }
  free(d.parent);
  free(d.sibling);
  free(d.colour);
  return made;
}

static int64_t chunks_of(const rh_collective *c)
{
  return pipeline_chunks((c->bytes + 1) / 2);
}

static int64_t bytes_of_chunk(const rh_collective *c)
{
  return chunk_bytes(c, 2 * chunks_of(c));
}

/* Steps of one half, reduction or broadcast. */
static int64_t half_steps(const rh_collective *c, const plan *plan)
{
  return plan->span > 0 ? plan->span + 2 * (chunks_of(c) - 1) : 0;
}

static int64_t steps(const rh_collective *c)
{
  RH_ASSERT(c->plan != NULL);
  return 2 * half_steps(c, c->plan);
}

/* Block that an edge takes in step t of the broadcast; -1: none. */
static int32_t block_at(const edge *e, int64_t t, int64_t chunks)
{
  if (e->peer < 0 || t < e->first) return -1;
  const int64_t chunk = (t - e->first) / 2;
  return chunk < chunks ? (int32_t)(e->tree * chunks + chunk) : -1;
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const plan *plan = c->plan;
  const int64_t half = half_steps(c, plan), chunks = chunks_of(c);
  const bool reduce = k < half;
  const int64_t t = reduce ? half - 1 - k : k - half;
  const edge *in = &plan->places[p].in[t & 1], *out = &plan->places[p].out[t & 1];
  const edge *sends = reduce ? in : out, *receives = reduce ? out : in;
  *step = (rh_step){
      .reduce = reduce, .send_block = block_at(sends, t, chunks), .receive_block = block_at(receives, t, chunks)};
  if (step->send_block >= 0) send_to(step, sends->peer, bytes_of_chunk(c));
  if (step->receive_block >= 0) receive_from(step, receives->peer);
}

static int64_t messages(const rh_collective *c)
{
  return 4 * chunks_of(c) * ((int64_t)c->size - 1);
}

static int64_t wire_bytes(const rh_collective *c)
{
  return messages(c) * bytes_of_chunk(c);
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  plan *own = c->plan == NULL ? new_plan(c) : NULL;
  const plan *plan = own != NULL ? own : c->plan;
  RH_ASSERT(plan != NULL);
  const int64_t steps = 2 * half_steps(c, plan);
  free(own);
  return (double)steps * (latency_s + (double)bytes_of_chunk(c) / bandwidth_Bps);
}

const rh_collective_kind rh_allreduce_double_tree = {
    .name = "allreduce-double-tree",
    .operation = "all-reduce",
    .summary =
        "sum of a long vector up two binary trees at once, each with half of it in chunks of at most 128 KiB, and "
        "down again",
    .formula = "at most 2 (D + 2 (C-1)) (a + c b / B), D <= 2 ceil(log2 N), c = ceil(n / 2C)",
    .source = "Sanders, Speck & Traff, Parallel Computing 35(12), 2009",
    .new_plan = new_plan,
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
