/* Recursive-doubling all-reduce: every rank ends with the reduction (sum, maximum) over ranks. For short vectors: the
 * fewest steps, and every message is the whole vector.
 *
 * Symbols     N ranks, p position, k step, L = floor(log2 N), r = N - 2^L, S length of the vector, a latency and B
 *             bandwidth of the slowest route
 * 2^L positions take part: from 2r on all, below every odd one, which first reduces what the even one before it sends.
 * Numbered q = 0 .. 2^L - 1 in order, in step j = 0..L-1 q exchanges its vector with q XOR 2^j, and both reduce. At the
 * end the odd ones below 2r send the result back. With r = 0 the first and the last step are not there.
 *
 * Exact where transfers wait for their receiver. Under the eager protocol, with r > 0, positions that did not wait for
 * an even one send ahead, and share the port of a receiver that still hears another: 1 to 2.3 S / B more for N <= 48.
 *
 * messages    2^L L + 2r
 * bytes       S messages
 * seconds     (L + 2) (a + S / B);  L (a + S / B) if r = 0
 * source      Thakur, Rabenseifner & Gropp, Optimization of collective communication operations in MPICH,
 *             IJHPCA 19(1), 2005: recursive doubling, and Rabenseifner's way to a power of two
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  const fold f = fold_of(c->size);
  return f.L + (f.r > 0 ? 2 : 0);
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const fold f = fold_of(c->size);
  const int32_t q = fold_number(f, p);
  const int64_t j = f.r > 0 ? k - 1 : k;
  *step = (rh_step){.reduce = j < f.L};
  if (j < 0 || j == f.L) {
    fold_pass(f, p, j < 0, c->bytes, step);
  } else if (q >= 0) {
    const int32_t partner = fold_position(f, q ^ (int32_t)(INT64_C(1) << j));
    send_to(step, partner, c->bytes);
    receive_from(step, partner);
  }
}

static int64_t messages(const rh_collective *c)
{
  const fold f = fold_of(c->size);
  return (INT64_C(1) << f.L) * f.L + 2 * (int64_t)f.r;
}

static int64_t wire_bytes(const rh_collective *c)
{
  return messages(c) * c->bytes;
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  return (double)steps(c) * (latency_s + (double)c->bytes / bandwidth_Bps);
}

const rh_collective_kind rh_allreduce_doubling = {
    .name = "allreduce-doubling",
    .operation = "all-reduce",
    .summary = "reduction of a short vector by pairwise exchanges over distances 1, 2, 4, ...",
    .formula = "(floor(log2 N) + 2) (a + S / B); powers of two: log2 N (a + S / B)",
    .source = "Thakur, Rabenseifner & Gropp, IJHPCA 19(1), 2005",
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
