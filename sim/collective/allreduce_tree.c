/* Binomial-tree all-reduce: every rank ends with the elementwise sum over ranks: reduced to position 0, then broadcast.
 * The fewest messages; every one is the whole vector.
 *
 * Symbols     N ranks, p position, k step, K = ceil(log2 N), S length of the vector, a latency and B bandwidth of the
 *             slowest route
 * Step k = 0..K-1, with m = 2^k: every p that is an odd multiple of m sends its sum so far to p-m. Then the broadcast
 * of broadcast_binomial.c, the same messages backwards. Position 0 hears, then speaks, in every step.
 *
 * messages    2 (N-1)
 * bytes       2 (N-1) S
 * seconds     2 K (a + S / B)
 * source      Thakur, Rabenseifner & Gropp, Optimization of collective communication operations in MPICH,
 *             IJHPCA 19(1), 2005 (short messages)
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  return 2 * (int64_t)rh_collective_log2(c->size);
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const int64_t K = rh_collective_log2(c->size);
  const bool reduce = k < K;
  int32_t peer;
  const tree_side side = binomial_side(p, INT64_C(1) << (reduce ? k : 2 * K - 1 - k), c->size, &peer);
  *step = (rh_step){.reduce = reduce};
  if (side == (reduce ? TREE_CHILD : TREE_PARENT))
    send_to(step, peer, c->bytes);
  else if (side != TREE_IDLE)
    receive_from(step, peer);
}

static int64_t messages(const rh_collective *c)
{
  return 2 * ((int64_t)c->size - 1);
}

static int64_t wire_bytes(const rh_collective *c)
{
  return messages(c) * c->bytes;
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  return (double)steps(c) * (latency_s + (double)c->bytes / bandwidth_Bps);
}

const rh_collective_kind rh_allreduce_tree = {
    .name = "allreduce-tree",
    .operation = "all-reduce",
    .summary = "sum of a short vector up a binomial tree to position 0, and down again",
    .formula = "2 ceil(log2 N) (a + S / B)",
    .source = "Thakur, Rabenseifner & Gropp, IJHPCA 19(1), 2005",
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
