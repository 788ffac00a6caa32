/* Ring all-reduce: every rank ends with the elementwise sum over ranks.
 *
 * Symbols     N ranks, p position, k step, n elements of b bytes, c = ceil(n / N) elements of a chunk,
 *             a latency and B bandwidth of the slowest route
 * The vector is cut into N chunks. In the reduce-scatter half, step k = 0..N-2, p sends chunk p-k to p+1 and adds what
 * comes from p-1 to its chunk p-k-1; then p holds the full sum of chunk p+1. In the all-gather half, step j = 0..N-2,
 * p forwards chunk p+1-j and replaces chunk p-j. All indices modulo N.
 *
 * Chunks are padded to the same length, since MPI libraries' short last chunk saves nothing (the longest chunk sets the
 * pace) and a ring with unequal chunks never settles into a steady state. The pad travels and is counted.
 *
 * messages    2 (N-1) N
 * bytes       2 (N-1) N c b
 * seconds     2 (N-1) (a + c b / B)
 * source      Patarasuk & Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, JPDC 69(2), 2009
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  return 2 * ((int64_t)c->size - 1);
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const int32_t N = c->size;
  const bool reduce = k < N - 1;
  const ring_chunks chunk = ring_half(p, (int32_t)(reduce ? k : k - (N - 1)), N, reduce);
  *step = (rh_step){.send_block = chunk.sent, .receive_block = chunk.received, .reduce = reduce};
  send_to(step, wrap(p + 1, N), chunk_bytes(c, N));
  receive_from(step, wrap(p - 1, N));
}

static int64_t messages(const rh_collective *c)
{
  return steps(c) * c->size;
}

static int64_t wire_bytes(const rh_collective *c)
{
  return messages(c) * chunk_bytes(c, c->size);
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  return (double)steps(c) * (latency_s + (double)chunk_bytes(c, c->size) / bandwidth_Bps);
}

const rh_collective_kind rh_allreduce_ring = {
    .name = "allreduce-ring",
    .operation = "all-reduce",
    .summary = "sum over ranks in N equal chunks that travel a ring twice: reduce-scatter, then all-gather",
    .formula = "2 (N-1) (a + c b / B), c = ceil(n / N) elements of b bytes",
    .source = "Patarasuk & Yuan, JPDC 69(2), 2009",
    .steps = steps,
    .step = step,
    .same_until = rh_collective_all_alike,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
