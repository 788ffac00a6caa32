/* Exponential graph: worker i sends to i + 2^k modulo N for k = 0 .. tau - 1, tau = ceil(log2 N), and, undirected, to
 * i - 2^k as well. one-peer takes a single hop a round: 2^(t mod tau) in round t.
 *
 * Symbols     D set of the hops modulo N, theta_m = 2 pi m / N
 * Formula     W is circulant: eigenvalues (1 + sum_(d in D) e^(i theta_m d)) / (|D| + 1); directed with N even
 *             |lambda_2| = (tau - 1) / (tau + 1). One peer, N = 2^tau: the product of tau rounds,
 *             prod_k (1 + e^(i theta_m 2^k)) / 2, is 0 for every m > 0: after a period all have the mean.
 */
#include <complex.h>
#include <math.h>

#include "graph_kind.h"

/* tau */
static int hop_count(int32_t workers)
{
  return 32 - __builtin_clz((unsigned)workers - 1);
}

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  const int64_t n = def->workers;
  for (int32_t i = 0; i < def->workers; i++)
    for (int k = 0; k < hop_count(def->workers); k++) {
      const int32_t to = (int32_t)((i + ((int64_t)1 << k)) % n);
      rh_edges_add(edges, i, to);
      if (!def->directed) rh_edges_add(edges, to, i);
    }
  return RH_OK;
}

/* The different hops, at most 2 tau. Returns how many. */
static int hops_of(const rh_graph_def *def, int32_t hops[64])
{
  int count = 0;
  for (int k = 0; k < hop_count(def->workers); k++)
    for (int back = 0; back <= !def->directed; back++) {
      const int32_t hop = back ? def->workers - (1 << k) : 1 << k;
      bool known = false;
      for (int d = 0; d < count; d++)
        known = known || hops[d] == hop;
      if (!known) hops[count++] = hop;
    }
  return count;
}

static double lambda2(const rh_graph_def *def)
{
  int32_t hops[64];
  const int count = hops_of(def, hops);
  double largest = 0;
  for (int32_t m = 1; m < def->workers; m++) {
    double complex sum = 1;
    for (int d = 0; d < count; d++) /* the angle's multiple is taken modulo N, in whole numbers */
      sum += cexp(I * (2 * M_PI * (double)((int64_t)m * hops[d] % def->workers) / def->workers));
    largest = fmax(largest, cabs(sum) / (count + 1));
  }
  return largest < 1e-12 ? 0 : largest; /* a complete graph's, to rounding */
}

static int32_t period(const rh_graph_def *def)
{
  return hop_count(def->workers);
}

static rh_status one_peer_edges(const rh_graph_def *def, rh_edges *edges)
{
  for (int32_t i = 0; i < def->workers; i++)
    rh_edges_add(edges, i, (int32_t)((i + ((int64_t)1 << edges->round)) % def->workers));
  return RH_OK;
}

static double one_peer_lambda2(const rh_graph_def *def)
{
  return (def->workers & (def->workers - 1)) == 0 ? 0 : -1;
}

static const char source[] =
    "Ying, Yuan, Chen, Hu, Pan, Yin, Exponential graph is provably efficient for decentralized "
    "deep training, NeurIPS 2021";

const rh_graph_kind rh_graph_exponential = {
    .name = "exponential",
    .summary = "neighbours 1, 2, 4, 8, ... ranks away: a well mixed graph with about log2 N neighbours",
    .source = source,
    .edges = edges,
    .lambda2 = lambda2,
};

const rh_graph_kind rh_graph_one_peer = {
    .name = "one-peer",
    .summary = "one neighbour a round, 1, 2, 4, ... ranks away in turn; with 2^d workers exact after d rounds",
    .source = source,
    .direction = RH_GRAPH_DIRECTED,
    .period = period,
    .edges = one_peer_edges,
    .lambda2 = one_peer_lambda2,
};
