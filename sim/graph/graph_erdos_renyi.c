/* Erdos-Renyi graph G(N, p): every pair of workers is joined with probability p.
 *
 * Idea        The pairs in a fixed order; how many are passed over until the next joined one is drawn at once: with u
 *             uniform in (0, 1], floor(ln u / ln(1 - p)).
 *
 * source      Gilbert, Random graphs, Ann. Math. Stat. 30(4), 1959; Erdos, Renyi, On random graphs I, 1959 (connected
 *             above p = ln N / N); the skipping: Batagelj, Brandes, Phys. Rev. E 71, 036113, 2005
 */
#include <math.h>

#include "graph_kind.h"
#include "rng.h"

enum { ATTEMPTS_MAX = 100 };

typedef struct erdos_options {
  double probability;
  int64_t seed;
} erdos_options;

static const rh_option options[] = {
    {.name = "probability",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(erdos_options, probability),
     .fallback = "0.3",
     .min = 1e-6,
     .max = 1,
     .help = "of an edge between two workers; N workers are likely connected above ln N / N, .26 for 8, .13 for 32"},
    {.name = "seed",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(erdos_options, seed),
     .fallback = "1",
     .min = 0,
     .max = 9007199254740992.0,
     .help = "seed of a random graph; runs with several run.seed share their graph"},
};

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  const erdos_options *o = def->options;
  const int32_t n = def->workers;
  const double p = o->probability, expected = p * n * (n - 1.0);
  if (expected > RH_EDGES_MAX)
    return rh_error(RH_EINVAL, "graph.probability: %d workers would have %.2g edges; at most %.2g", n, expected,
                    (double)RH_EDGES_MAX);
  if (edges->attempt == ATTEMPTS_MAX)
    return rh_error(
        RH_EINVAL,
        "graph.probability: none of %d graphs of %d workers drawn with %g was connected; raise it (they are "
        "likely connected above ln N / N = %.2g)",
        ATTEMPTS_MAX, n, p, log(n) / n);
  rh_rng rng = rh_rng_stream((uint64_t)o->seed, RH_PURPOSE_GRAPH, 2, (uint64_t)edges->attempt);
  int64_t j = -1;
  for (int32_t i = 1; i < n;) { /* the pair (i, j), j < i */
    j += 1 + (int64_t)floor(log(1 - rh_rng_f64(&rng)) / log1p(-p));
    while (i < n && j >= i)
      j -= i++;
    if (i < n) rh_edges_add_both(edges, i, (int32_t)j);
  }
  return RH_OK;
}

const rh_graph_kind rh_graph_erdos_renyi = {
    .name = "erdos-renyi",
    .summary = "every pair joined with the same probability; drawn again while not connected",
    .source = "Gilbert, Ann. Math. Stat. 30(4), 1959; Erdos, Renyi, On random graphs I, 1959",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(erdos_options),
    .direction = RH_GRAPH_UNDIRECTED,
    .random = true,
    .edges = edges,
};
