/* Binomial-tree broadcast: every rank ends with position 0's message.
 *
 * Symbols     N ranks, p position, k step, K = ceil(log2 N), S length of the message, a latency and B bandwidth of the
 *             slowest route
 * In step k = 0..K-1, with m = 2^(K-1-k), every p that is a multiple of 2m holds the message and sends it to p+m, where
 * there is such a position. The farthest goes first, as in MPICH: with ranks in blocks of a power of two on each node,
 * exactly one message enters every other node. Position 0 sends in all K steps, and no other path is longer.
 *
 * messages    N-1
 * bytes       (N-1) S
 * seconds     K (a + S / B)
 * source      Thakur, Rabenseifner & Gropp, Optimization of collective communication operations in MPICH,
 *             IJHPCA 19(1), 2005, section 4.2 (short messages)
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  return rh_collective_log2(c->size);
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  int32_t peer;
  const tree_side side = binomial_side(p, INT64_C(1) << (steps(c) - 1 - k), c->size, &peer);
  *step = (rh_step){0};
  if (side == TREE_PARENT)
    send_to(step, peer, c->bytes);
  else if (side == TREE_CHILD)
    receive_from(step, peer);
}

static int64_t messages(const rh_collective *c)
{
  return (int64_t)c->size - 1;
}

static int64_t wire_bytes(const rh_collective *c)
{
  return messages(c) * c->bytes;
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  return (double)steps(c) * (latency_s + (double)c->bytes / bandwidth_Bps);
}

const rh_collective_kind rh_broadcast_binomial = {
    .name = "broadcast-binomial",
    .operation = "broadcast",
    .summary = "position 0's message down a binomial tree, the farthest first: who has it passes it on",
    .formula = "ceil(log2 N) (a + S / B)",
    .source = "Thakur, Rabenseifner & Gropp, IJHPCA 19(1), 2005",
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
