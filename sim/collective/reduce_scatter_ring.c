/* Ring reduce-scatter: rank p ends with chunk p of the elementwise sum over ranks.
 *
 * Symbols     N ranks, p position, k step, n elements of b bytes, c = ceil(n / N) elements of a chunk, a latency and B
 *             bandwidth of the slowest route
 * The first half of a ring all-reduce, turned by one position: in step k = 0..N-2, p sends chunk p-k-1 to p+1 and adds
 * what comes from p-1 to its chunk p-k-2, modulo N. Chunks are padded as there.
 *
 * messages    (N-1) N
 * bytes       (N-1) N c b
 * seconds     (N-1) (a + c b / B)
 * source      Patarasuk & Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations, JPDC 69(2), 2009
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  return (int64_t)c->size - 1;
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const int32_t N = c->size, left = wrap(p - 1, N);
  const ring_chunks chunk = ring_half(left, (int32_t)k, N, true);
  *step = (rh_step){.send_block = chunk.sent, .receive_block = chunk.received, .reduce = true};
  send_to(step, wrap(p + 1, N), chunk_bytes(c, N));
  receive_from(step, left);
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

const rh_collective_kind rh_reduce_scatter_ring = {
    .name = "reduce-scatter-ring",
    .operation = "reduce-scatter",
    .summary = "chunk p of the sum for rank p: N equal chunks travel a ring once and are added on the way",
    .formula = "(N-1) (a + c b / B), c = ceil(n / N) elements of b bytes",
    .source = "Patarasuk & Yuan, JPDC 69(2), 2009",
    .steps = steps,
    .step = step,
    .same_until = rh_collective_all_alike,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
