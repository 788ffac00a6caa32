/* Ring all-gather: every rank ends with the messages of all ranks, which may differ in length.
 *
 * Symbols     N ranks, p position, k step, S_q length of the message that starts at position q, S_max the longest,
 *             a latency and B bandwidth of the slowest route
 * In step k = 0..N-2, p sends the message of position p-k to p+1 and receives that of p-k-1 from p-1, modulo N.
 * In every step all N messages are under way, so the longest one sets the pace: it never waits for another one, and no
 * step lasts longer.
 *
 * messages    (N-1) N
 * bytes       (N-1) sum_q S_q
 * seconds     (N-1) (a + S_max / B)
 * source      Thakur, Rabenseifner & Gropp, Optimization of collective communication operations in MPICH,
 *             IJHPCA 19(1), 2005, section 4.1
 */
#include "collectives.h"

static int64_t steps(const rh_collective *c)
{
  return (int64_t)c->size - 1;
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const int32_t N = c->size, left = p > 0 ? p - 1 : N - 1;
  const int32_t block = p - (int32_t)k < 0 ? p - (int32_t)k + N : p - (int32_t)k;
  *step = (rh_step){.send_count = 1,
                    .receive_count = 1,
                    .send_to = &step->one[0],
                    .receive_from = &step->one[1],
                    .send_bytes = rh_collective_bytes(c, block),
                    .send_block = block,
                    .receive_block = block > 0 ? block - 1 : N - 1,
                    .one = {p + 1 < N ? p + 1 : 0, left}};
}

/* Messages of different lengths pass a rank in another order than the next one. */
static int64_t same_until(const rh_collective *c, int64_t k)
{
  for (int32_t q = 1; q < c->size; q++)
    if (rh_collective_bytes(c, q) != rh_collective_bytes(c, 0)) return k + 1;
  return steps(c);
}

static int64_t messages(const rh_collective *c)
{
  return steps(c) * c->size;
}

static int64_t wire_bytes(const rh_collective *c)
{
  int64_t sum = 0;
  for (int32_t q = 0; q < c->size; q++)
    sum += rh_collective_bytes(c, q);
  return steps(c) * sum;
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  int64_t longest = 0;
  for (int32_t q = 0; q < c->size; q++)
    if (rh_collective_bytes(c, q) > longest) longest = rh_collective_bytes(c, q);
  return (double)steps(c) * (latency_s + (double)longest / bandwidth_Bps);
}

const rh_collective_kind rh_allgather_ring = {
    .name = "allgather-ring",
    .operation = "all-gather",
    .summary = "every rank's message, of any length, travels once around a ring",
    .formula = "(N-1) (a + S_max / B), S_max the longest message",
    .source = "Thakur, Rabenseifner & Gropp, IJHPCA 19(1), 2005",
    .steps = steps,
    .step = step,
    .same_until = same_until,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
