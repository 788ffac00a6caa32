/* Random regular graph: every worker has the same number of neighbours, drawn at random.
 *
 * Symbols     N workers, d degree
 * Idea        Every worker holds d ends. The free ends are shuffled and paired; pairs that would make a self-loop or a
 *             double edge are free again and shuffled anew, until none is free, or no pair of them fits: then all over.
 *             For d well below N nearly uniform over all graphs. Of a dense graph the missing edges are drawn.
 *
 * source      Steger, Wormald, Generating random regular graphs quickly, Combinatorics, Probability and Computing 8(4),
 *             1999; nearly uniform: Kim, Vu, STOC 2003
 */
#include <math.h>
#include <stdlib.h>

#include "edges.h"
#include "rng.h"

/* Of three neighbours and more almost every graph is connected; of two, which make rings, one in sqrt N or so. Of dead
 * ends there are few. */
enum { ATTEMPTS_MAX = 1000, TRIES_MAX = 1000 };

typedef struct regular_options {
  int64_t degree, seed;
} regular_options;

static const rh_option options[] = {
    {.name = "degree",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(regular_options, degree),
     .fallback = "3",
     .min = 1,
     .max = 1e6,
     .help = "neighbours of every worker; workers x degree must be even"},
    {.name = "seed",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(regular_options, seed),
     .fallback = "1",
     .min = 0,
     .max = 9007199254740992.0,
     .help = "seed of a random graph; runs with several run.seed share their graph"},
};

/* A graph in the making. */
typedef struct drawing {
  int32_t workers, degree;
  int32_t *ends;       /* [workers * degree] free ends */
  int32_t *neighbours; /* [workers][degree] */
  int32_t *count;      /* [workers] neighbours so far */
} drawing;

static bool adjacent(const drawing *g, int32_t i, int32_t j)
{
  for (int32_t k = 0; k < g->count[i]; k++)
    if (g->neighbours[(int64_t)i * g->degree + k] == j) return true;
  return false;
}

static void link_both(drawing *g, int32_t i, int32_t j)
{
  g->neighbours[(int64_t)i * g->degree + g->count[i]++] = j;
  g->neighbours[(int64_t)j * g->degree + g->count[j]++] = i;
}

static bool some_pair_fits(const drawing *g, int64_t open)
{
  for (int64_t a = 0; a < open; a++)
    for (int64_t b = 0; b < a; b++)
      if (g->ends[a] != g->ends[b] && !adjacent(g, g->ends[a], g->ends[b])) return true;
  return false;
}

/* One try; false: a dead end. */
static bool draw(drawing *g, rh_rng *rng)
{
  int64_t open = (int64_t)g->workers * g->degree;
  for (int64_t k = 0; k < open; k++)
    g->ends[k] = (int32_t)(k / g->degree);
  for (int32_t i = 0; i < g->workers; i++)
    g->count[i] = 0;
  while (open > 0) {
    int64_t left = 0;
    rh_rng_shuffle(rng, g->ends, open);
    for (int64_t k = 0; k < open; k += 2) {
      const int32_t i = g->ends[k], j = g->ends[k + 1];
      if (i != j && !adjacent(g, i, j)) {
        link_both(g, i, j);
        continue;
      }
      g->ends[left++] = i;
      g->ends[left++] = j;
    }
    if (left == open && !some_pair_fits(g, open)) return false;
    open = left;
  }
  return true;
}

static rh_status check(const rh_graph_def *def, int32_t attempt)
{
  const regular_options *o = def->options;
  const long long d = o->degree;
  const int32_t n = def->workers;
  if (d >= n)
    return rh_error(RH_EINVAL, "graph.degree: %d workers cannot have %lld neighbours each; at most %d", n, d, n - 1);
  if (n % 2 && d % 2)
    return rh_error(RH_EINVAL,
                    "graph.degree: %d workers with %lld neighbours each leave an end over: one of both must be even", n,
                    d);
  if (d == 1 && n > 2)
    return rh_error(RH_EINVAL, "graph.degree: one neighbour each makes pairs, which are not connected; at least 2");
  if ((double)n * (double)d > RH_EDGES_MAX)
    return rh_error(RH_EINVAL, "graph 'random-regular': %d workers with %lld neighbours have %.2g edges; at most %.2g",
                    n, d, (double)n * (double)d, (double)RH_EDGES_MAX);
  if (attempt == ATTEMPTS_MAX)
    return rh_error(RH_EINVAL,
                    "graph 'random-regular': none of %d graphs of %d workers with %lld neighbours was connected; raise "
                    "graph.degree to 3 or more",
                    ATTEMPTS_MAX, n, d);
  return RH_OK;
}

/* The drawn edges, or those that are missing. */
static void add_edges(const drawing *g, bool missing, rh_edges *edges)
{
  for (int32_t i = 0; i < g->workers; i++)
    for (int32_t j = 0; j < i && missing; j++)
      if (!adjacent(g, i, j)) rh_edges_add_both(edges, i, j);
  for (int32_t i = 0; i < g->workers && !missing; i++)
    for (int32_t k = 0; k < g->count[i]; k++)
      rh_edges_add(edges, i, g->neighbours[(int64_t)i * g->degree + k]);
}

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  const regular_options *o = def->options;
  const int32_t n = def->workers;
  rh_status status = check(def, edges->attempt);
  if (status != RH_OK) return status;
  const bool dense = 2 * o->degree >= n;
  drawing g = {.workers = n, .degree = (int32_t)(dense ? n - 1 - o->degree : o->degree)};
  g.ends = rh_graph_allocate((size_t)n * (size_t)g.degree, sizeof *g.ends);
  g.neighbours = rh_graph_allocate((size_t)n * (size_t)g.degree, sizeof *g.neighbours);
  g.count = rh_graph_allocate((size_t)n, sizeof *g.count);
  rh_rng rng = rh_rng_stream((uint64_t)o->seed, RH_PURPOSE_GRAPH, 1, (uint64_t)edges->attempt);
  bool found = false;
  for (int try = 0; try < TRIES_MAX && !found; try++)
    found = draw(&g, &rng);
  if (found)
    add_edges(&g, dense, edges);
  else
    status = rh_error(RH_EINVAL, "graph 'random-regular': no graph was found in %d tries; use another graph.seed",
                      TRIES_MAX);
  free(g.ends);
  free(g.neighbours);
  free(g.count);
  return status;
}

const rh_graph_kind rh_graph_random_regular = {
    .name = "random-regular",
    .summary = "as many neighbours for every worker, drawn at random and drawn again while not connected",
    .source = "Steger, Wormald, Combinatorics, Probability and Computing 8(4), 1999",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(regular_options),
    .direction = RH_GRAPH_UNDIRECTED,
    .random = true,
    .edges = edges,
};
