/* Halving-doubling all-reduce (Rabenseifner): every rank ends with the elementwise sum over ranks. For long vectors: a
 * ring's bytes in logarithmically many steps, on powers of two.
 *
 * Symbols     N ranks, p position, L = floor(log2 N), r = N - 2^L, n elements of b bytes, S = n b,
 *             c = ceil(n / 2^L) elements of a block, a latency and B bandwidth of the slowest route
 * 2^L positions take part, numbered q (allreduce_doubling.c says which); the r others hand their vectors to a neighbour
 * in a first step and get the sum in a last one. Reduce-scatter: in step j = 0..L-1, q and q XOR 2^j halve the range of
 * blocks that both still sum up; bit j of q says which half is q's, and it sends the other one. All-gather: the same
 * steps backwards, each sends what it holds. The longest message goes to the nearest, as in MPICH.
 *
 * Blocks are padded to the same length, as a ring's chunks are; the pad travels and is counted, except in whole
 * vectors. Exact where transfers wait for their receiver. Under the eager protocol, with r > 0, positions that waited
 * for nobody send ahead, and share the port of a receiver that still hears another.
 *
 * messages    2 L 2^L + 2 r
 * bytes       2 (2^L - 1) 2^L c b + 2 r S
 * seconds     2 L a + 2 (2^L - 1) c b / B;  with r > 0: + 2 (a + S / B)
 * source      Rabenseifner, Optimization of collective reduction operations, ICCS 2004, LNCS 3036; Thakur, Rabenseifner
 *             & Gropp, IJHPCA 19(1), 2005
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  const fold f = fold_of(c->size);
  return 2 * f.L + (f.r > 0 ? 2 : 0);
}

/* First block of the range that q holds alone with those that agree with it in the bits below j. */
static int32_t range_start(int32_t q, int32_t j, int32_t L)
{
  int32_t start = 0;
  for (int32_t i = 0; i < j; i++)
    start += (q >> i & 1) << (L - 1 - i);
  return start;
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const fold f = fold_of(c->size);
  const int32_t q = fold_number(f, p), blocks = (int32_t)(INT64_C(1) << f.L);
  const int64_t at = f.r > 0 ? k - 1 : k, last = 2 * (int64_t)f.L;
  *step = (rh_step){.reduce = at < f.L};
  if (at < 0 || at == last) {
    step->more_blocks = blocks - 1;
    fold_pass(f, p, at < 0, c->bytes, step);
    return;
  }
  if (q < 0) return;
  const int32_t j = (int32_t)(at < f.L ? at : last - 1 - at), half = (int32_t)(INT64_C(1) << (f.L - 1 - j));
  const int32_t start = range_start(q, j, f.L), own = start + (q >> j & 1) * half, other = 2 * start + half - own;
  const int32_t partner = fold_position(f, q ^ (int32_t)(INT64_C(1) << j));
  send_to(step, partner, half * chunk_bytes(c, blocks));
  receive_from(step, partner);
  step->send_block = step->reduce ? other : own;
  step->receive_block = step->reduce ? own : other;
  step->more_blocks = half - 1;
}

static int64_t messages(const rh_collective *c)
{
  const fold f = fold_of(c->size);
  return 2 * (int64_t)f.L * (INT64_C(1) << f.L) + 2 * (int64_t)f.r;
}

/* Sent by each of the 2^L in the middle. */
static int64_t middle_bytes(const rh_collective *c)
{
  const int64_t blocks = INT64_C(1) << fold_of(c->size).L;
  return 2 * (blocks - 1) * chunk_bytes(c, blocks);
}

static int64_t wire_bytes(const rh_collective *c)
{
  const fold f = fold_of(c->size);
  return (INT64_C(1) << f.L) * middle_bytes(c) + 2 * (int64_t)f.r * c->bytes;
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  const int64_t bytes = middle_bytes(c) + (fold_of(c->size).r > 0 ? 2 * c->bytes : 0);
  return (double)steps(c) * latency_s + (double)bytes / bandwidth_Bps;
}

const rh_collective_kind rh_allreduce_halving_doubling = {
    .name = "allreduce-halving-doubling",
    .operation = "all-reduce",
    .summary = "sum of a long vector: reduce-scatter by exchanging ever smaller halves, all-gather the way back",
    .formula = "2 L a + 2 (2^L - 1) c b / B, L = floor(log2 N), c = ceil(n / 2^L); other N: + 2 (a + S / B)",
    .source = "Rabenseifner, ICCS 2004; Thakur, Rabenseifner & Gropp, IJHPCA 19(1), 2005",
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
