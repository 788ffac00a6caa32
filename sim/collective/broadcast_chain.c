/* Pipelined chain broadcast: every rank ends with position 0's message. For long messages: all links work at once.
 *
 * Symbols     N ranks, p position, k step, n elements of b bytes, C chunks of c = ceil(n / C) elements, a latency and B
 *             bandwidth of the slowest route
 * In step k = 0..C+N-3, p sends chunk k-p to p+1 and receives chunk k-p+1 from p-1, where there are such ones. C is the
 * least number that keeps chunks at 128 KiB (parts.h); the best one, sqrt((N-2) S / (a B)), is known only to who knows
 * the network.
 *
 * messages    (N-1) C
 * bytes       (N-1) C c b
 * seconds     (C + N - 2) (a + c b / B)
 * source      Pjesivac-Grbovic et al., Performance analysis of MPI collective operations, Cluster Computing 10(2), 2007
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  return c->size > 1 ? pipeline_chunks(c->bytes) + c->size - 2 : 0;
}

static int64_t bytes_of_chunk(const rh_collective *c)
{
  return chunk_bytes(c, pipeline_chunks(c->bytes));
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const int64_t chunks = pipeline_chunks(c->bytes), chunk = k - p;
  *step = (rh_step){.send_block = (int32_t)chunk, .receive_block = (int32_t)(chunk + 1)};
  if (p + 1 < c->size && chunk >= 0 && chunk < chunks) send_to(step, p + 1, bytes_of_chunk(c));
  if (p > 0 && chunk + 1 >= 0 && chunk + 1 < chunks) receive_from(step, p - 1);
}

/* While the chain is full, from its last position's first chunk to its first position's last one. */
static int64_t same_until(const rh_collective *c, int64_t k)
{
  const int64_t chunks = pipeline_chunks(c->bytes);
  return k >= c->size - 2 && k < chunks ? chunks : k + 1;
}

static int64_t messages(const rh_collective *c)
{
  return ((int64_t)c->size - 1) * pipeline_chunks(c->bytes);
}

static int64_t wire_bytes(const rh_collective *c)
{
  return messages(c) * bytes_of_chunk(c);
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  return (double)steps(c) * (latency_s + (double)bytes_of_chunk(c) / bandwidth_Bps);
}

const rh_collective_kind rh_broadcast_chain = {
    .name = "broadcast-chain",
    .operation = "broadcast",
    .summary = "position 0's message along a chain of ranks, in chunks of at most 128 KiB that follow each other",
    .formula = "(C + N - 2) (a + c b / B), C chunks of c = ceil(n / C) elements",
    .source = "Pjesivac-Grbovic et al., Cluster Computing 10(2), 2007",
    .steps = steps,
    .step = step,
    .same_until = same_until,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
