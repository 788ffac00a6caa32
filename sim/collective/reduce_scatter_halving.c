/* Recursive-halving reduce-scatter: rank p ends with chunk p of the elementwise sum over ranks.
 *
 * Symbols     N ranks, p position, L = floor(log2 N), r = N - 2^L, n elements of b bytes, S = n b, c = ceil(n / N)
 *             elements of a chunk, a latency and B bandwidth of the slowest route
 * 2^L positions take part, numbered q (allreduce_doubling.c says which). Number q < r sums up two chunks, its own and
 * that of the even position below it, which hands over its vector in a first step and gets its chunk in a last one. In
 * step j = 0..L-1, with d = 2^(L-1-j), q and q XOR d halve the range of numbers that both still work for: each sends
 * the chunks of the half in which the other one is.
 *
 * With r > 0 halves differ in chunks. Number 0 is always in the fullest one, so its way is the longest and the form is
 * exact where transfers wait for their receiver. Chunks are padded as a ring's are; whole vectors are not.
 *
 * messages    L 2^L + 2 r
 * bytes       (2^L - 1) N c b + r (S + c b)
 * seconds     L a + (N - 1) c b / B;  with r > 0: (L + 2) a + (S + (sum_(i < L) (2^i + min(r, 2^i)) + 1) c b) / B
 * source      Thakur, Rabenseifner & Gropp, Optimization of collective communication operations in MPICH,
 *             IJHPCA 19(1), 2005
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  const fold f = fold_of(c->size);
  return f.L + (f.r > 0 ? 2 : 0);
}

/* First chunk of number q; of 2^L: N. */
static int32_t first_chunk(fold f, int32_t q)
{
  return q < f.r ? 2 * q : q + f.r;
}

static void exchange(const rh_collective *c, fold f, int32_t q, int32_t d, rh_step *step)
{
  const int32_t low = q & -(2 * d);
  const bool upper = (q & d) != 0;
  const int32_t other = upper ? low : low + d, own = upper ? low + d : low;
  const int32_t count = first_chunk(f, other + d) - first_chunk(f, other);
  const int32_t partner = fold_position(f, q ^ d);
  send_to(step, partner, count * chunk_bytes(c, c->size));
  receive_from(step, partner);
  step->send_block = first_chunk(f, other);
  step->more_blocks = count - 1;
  step->receive_block = first_chunk(f, own);
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const fold f = fold_of(c->size);
  const int32_t q = fold_number(f, p);
  const int64_t j = f.r > 0 ? k - 1 : k;
  *step = (rh_step){.reduce = j < f.L};
  if (j < 0) {
    step->more_blocks = c->size - 1;
    fold_pass(f, p, true, c->bytes, step);
  } else if (j == f.L) {
    step->send_block = step->receive_block = p & ~1;
    fold_pass(f, p, false, chunk_bytes(c, c->size), step);
  } else if (q >= 0) {
    exchange(c, f, q, (int32_t)(INT64_C(1) << (f.L - 1 - j)), step);
  }
}

static int64_t messages(const rh_collective *c)
{
  const fold f = fold_of(c->size);
  return (int64_t)f.L * (INT64_C(1) << f.L) + 2 * (int64_t)f.r;
}

static int64_t wire_bytes(const rh_collective *c)
{
  const fold f = fold_of(c->size);
  const int64_t chunk = chunk_bytes(c, c->size);
  return ((INT64_C(1) << f.L) - 1) * c->size * chunk + f.r * (c->bytes + chunk);
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  const fold f = fold_of(c->size);
  int64_t chunks = f.r > 0 ? 1 : 0;
  for (int32_t i = 0; i < f.L; i++) {
    const int64_t half = INT64_C(1) << i;
    chunks += half + (f.r < half ? f.r : half);
  }
  const int64_t bytes = chunks * chunk_bytes(c, c->size) + (f.r > 0 ? c->bytes : 0);
  return (double)steps(c) * latency_s + (double)bytes / bandwidth_Bps;
}

const rh_collective_kind rh_reduce_scatter_halving = {
    .name = "reduce-scatter-halving",
    .operation = "reduce-scatter",
    .summary = "chunk p of the sum for rank p, by exchanging ever smaller halves with ever nearer ranks",
    .formula = "log2 N a + (N-1) c b / B, c = ceil(n / N); other N: see the file",
    .source = "Thakur, Rabenseifner & Gropp, IJHPCA 19(1), 2005",
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
