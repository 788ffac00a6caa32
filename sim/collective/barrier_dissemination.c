/* Dissemination barrier: no rank leaves before all have entered.
 *
 * Symbols     N ranks, p position, k step, K = ceil(log2 N), a latency of the slowest route
 * In step k = 0..K-1, p tells p + 2^k, modulo N, that it has come so far, and hears the same from p - 2^k: then it
 * knows of 2^(k+1) positions, and after K steps of all. Messages are empty: only their latency counts. Executed on
 * values, they carry one block that a step joins: the set of positions heard of.
 *
 * messages    N K
 * bytes       0
 * seconds     K a
 * source      Hensgen, Finkel & Manber, Two algorithms for barrier synchronization, International Journal of Parallel
 *             Programming 17(1), 1988
 */
#include "collectives.h"

static int64_t steps(const rh_collective *c)
{
  return rh_collective_log2(c->size);
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const int64_t N = c->size, distance = INT64_C(1) << k; /* below N */
  *step = (rh_step){.send_count = 1,
                    .receive_count = 1,
                    .send_to = &step->one[0],
                    .receive_from = &step->one[1],
                    .reduce = true,
                    .one = {(int32_t)((p + distance) % N), (int32_t)((p - distance + N) % N)}};
}

static int64_t messages(const rh_collective *c)
{
  return steps(c) * c->size;
}

static int64_t wire_bytes(const rh_collective *c)
{
  (void)c;
  return 0;
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  (void)bandwidth_Bps;
  return (double)steps(c) * latency_s;
}

const rh_collective_kind rh_barrier_dissemination = {
    .name = "barrier-dissemination",
    .operation = "barrier",
    .summary = "empty messages over distances 1, 2, 4, ...: who is through has heard of everybody",
    .formula = "ceil(log2 N) a",
    .source = "Hensgen, Finkel & Manber, IJPP 17(1), 1988",
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
