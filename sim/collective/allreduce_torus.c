/* Torus all-reduce: every rank ends with the elementwise sum over ranks, by rings along one dimension after the other.
 *
 * Symbols     N = d_1 d_2 ... d_D ranks in a torus, n elements of b bytes, c = ceil(n / N) elements of a block, N_i =
 *             d_(i+1) ... d_D, a latency and B bandwidth of the slowest route
 * Position p has the coordinates x_1 = p mod d_1, x_2 = (p / d_1) mod d_2, ...: the first varies fastest, as SimGrid
 * numbers the hosts of a torus. Reduce-scatter along dimension i = 1..D: the range that is left, of d_i N_i blocks, is
 * cut into d_i chunks that travel the ring of those that differ in x_i alone; of it the chunk x_i + 1 (modulo d_i) is
 * left. Then all-gathers back along D..1. A ring's bytes with sum_i 2 (d_i - 1) latencies instead of 2 (N-1), and every
 * message goes to a neighbour of the torus. Blocks are padded as a ring's chunks are.
 *
 * messages    2 N sum_i (d_i - 1)
 * bytes       2 N (N-1) c b
 * seconds     2 sum_i (d_i - 1) a + 2 (N-1) c b / B
 * source      Barnett, Littlefield, Payne & van de Geijn, Global combine on mesh architectures with wormhole routing,
 *             IPPS 1993 (bucket algorithm, per dimension)
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  int64_t sum = 0;
  for (int i = 0; i < RH_TORUS_MAX && c->sides[i] > 0; i++)
    sum += 2 * ((int64_t)c->sides[i] - 1);
  return sum;
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const int64_t half = steps(c) / 2;
  const bool reduce = k < half;
  int32_t at = (int32_t)(reduce ? k : 2 * half - 1 - k), start = 0, stride = 1, left = c->size;
  int i = 0;
  for (;; i++) { /* the dimension of this step, and what is left of the vector before it */
    const int32_t side = c->sides[i], x = p / stride % side;
    left /= side;
    if (at < side - 1) break;
    at -= side - 1;
    start += wrap(x + 1, side) * left;
    stride *= side;
  }
  const int32_t side = c->sides[i], x = p / stride % side;
  const ring_chunks chunk = ring_half(x, reduce ? at : side - 2 - at, side, reduce);
  *step = (rh_step){.send_block = start + chunk.sent * left,
                    .receive_block = start + chunk.received * left,
                    .more_blocks = left - 1,
                    .reduce = reduce};
  send_to(step, p + (wrap(x + 1, side) - x) * stride, left * chunk_bytes(c, c->size));
  receive_from(step, p + (wrap(x - 1, side) - x) * stride);
}

/* The steps along one dimension; of the last one both halves, which follow each other. */
static int64_t same_until(const rh_collective *c, int64_t k)
{
  const int64_t half = steps(c) / 2;
  const bool reduce = k < half;
  const int64_t at = reduce ? k : 2 * half - 1 - k;
  int64_t begin = 0, end = 0;
  for (int i = 0; end <= at; i++) {
    begin = end;
    end += c->sides[i] - 1;
  }
  return reduce && end < half ? end : 2 * half - begin;
}

static int64_t messages(const rh_collective *c)
{
  return steps(c) * c->size;
}

static int64_t wire_bytes(const rh_collective *c)
{
  return 2 * (int64_t)c->size * ((int64_t)c->size - 1) * chunk_bytes(c, c->size);
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  const double bytes = 2 * ((double)c->size - 1) * (double)chunk_bytes(c, c->size);
  return (double)steps(c) * latency_s + bytes / bandwidth_Bps;
}

const rh_collective_kind rh_allreduce_torus = {
    .name = "allreduce-torus",
    .operation = "all-reduce",
    .summary = "sum over ranks by rings along each dimension of a torus: reduce-scatters, then all-gathers back",
    .formula = "2 sum_i (d_i - 1) a + 2 (N-1) c b / B, sides d_i, c = ceil(n / N) elements of b bytes",
    .source = "Barnett, Littlefield, Payne & van de Geijn, IPPS 1993",
    .steps = steps,
    .step = step,
    .same_until = same_until,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
