/* Pairwise all-to-all: every rank ends with a message of its own from every other rank.
 *
 * Symbols     N ranks, p position, k step, S length of the message of one rank to one other, a latency and B bandwidth
 *             of the slowest route
 * In step k = 0..N-2, p sends to p+k+1 and receives from p-k-1, modulo N: every port carries one message each way.
 * Executed on values, p's message to q is p's block q, and q has it in its block N + p.
 *
 * messages    (N-1) N
 * bytes       (N-1) N S
 * seconds     (N-1) (a + S / B)
 * source      Thakur, Rabenseifner & Gropp, Optimization of collective communication operations in MPICH,
 *             IJHPCA 19(1), 2005 (long messages)
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  return (int64_t)c->size - 1;
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const int32_t N = c->size, distance = (int32_t)k + 1;
  const int32_t to = p >= N - distance ? p - (N - distance) : p + distance, from = wrap(p - distance, N);
  *step = (rh_step){.send_block = to, .receive_block = N + from};
  send_to(step, to, c->bytes);
  receive_from(step, from);
}

static int64_t messages(const rh_collective *c)
{
  return steps(c) * c->size;
}

static int64_t wire_bytes(const rh_collective *c)
{
  return messages(c) * c->bytes;
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  return (double)steps(c) * (latency_s + (double)c->bytes / bandwidth_Bps);
}

const rh_collective_kind rh_alltoall_pairwise = {
    .name = "alltoall-pairwise",
    .operation = "all-to-all",
    .summary = "a message of its own from every rank to every other, over one distance after the other",
    .formula = "(N-1) (a + S / B)",
    .source = "Thakur, Rabenseifner & Gropp, IJHPCA 19(1), 2005",
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
