/* Gather to, and broadcast from, one rank without intermediaries: the two halves of a parameter server.
 *
 * Symbols     N ranks, p position, S_p length of p's message, S of the broadcast, a latency and B bandwidth of the
 *             slowest route
 * One step each. All messages share the server's port, position 0's, in one direction:
 *
 * seconds     gather a + sum_(p > 0) S_p / B,  broadcast a + (N - 1) S / B
 * messages    N - 1
 * bytes       gather sum_(p > 0) S_p,  broadcast (N - 1) S
 * source      Li et al., Scaling distributed machine learning with the parameter server, OSDI 2014; the bound of one
 *             port in the alpha-beta model: Hockney, Parallel Computing 20(3), 1994
 */
#include "collectives.h"

/* Positions 1 .. N-1 as a list that never moves; filled as far as it was asked for. */
enum { POSITIONS_MAX = 1 << 20 };
static int32_t positions[POSITIONS_MAX];

static const int32_t *others(int32_t size)
{
  RH_ASSERT(size <= POSITIONS_MAX);
  for (int32_t p = size - 1; p > 0 && positions[p] == 0; p--)
    positions[p] = p;
  return positions + 1;
}

static int64_t steps(const rh_collective *c)
{
  return c->size > 1 ? 1 : 0;
}

static int64_t messages(const rh_collective *c)
{
  return c->size - 1;
}

/* What position p and the server exchange; `up`: towards the server. */
static void exchange(const rh_collective *c, int32_t p, bool up, int64_t bytes, rh_step *step)
{
  *step = (rh_step){.send_bytes = bytes, .send_block = up ? p : 0, .receive_block = up ? -1 : 0};
  const bool server = p == 0;
  const int32_t *peers = server ? others(c->size) : step->one; /* one is zeroed: the server's position */
  const int32_t count = server ? c->size - 1 : 1;
  if (server == up) {
    step->receive_count = count;
    step->receive_from = peers;
  } else {
    step->send_count = count;
    step->send_to = peers;
  }
}

static void gather_step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  (void)k;
  exchange(c, p, true, rh_collective_bytes(c, p), step);
}

static int64_t gather_bytes(const rh_collective *c)
{
  int64_t sum = 0;
  for (int32_t p = 1; p < c->size; p++)
    sum += rh_collective_bytes(c, p);
  return sum;
}

static double gather_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  return (double)steps(c) * (latency_s + (double)gather_bytes(c) / bandwidth_Bps);
}

static void broadcast_step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  (void)k;
  exchange(c, p, false, c->bytes, step);
}

static int64_t broadcast_bytes(const rh_collective *c)
{
  return (c->size - 1) * c->bytes;
}

static double broadcast_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  return (double)steps(c) * (latency_s + (double)broadcast_bytes(c) / bandwidth_Bps);
}

const rh_collective_kind rh_gather_direct = {
    .name = "gather-direct",
    .operation = "gather",
    .summary = "every rank sends its message straight to position 0, all at once",
    .formula = "a + sum_(p > 0) S_p / B",
    .source = "Li et al., OSDI 2014 (parameter server)",
    .steps = steps,
    .step = gather_step,
    .messages = messages,
    .wire_bytes = gather_bytes,
    .closed_form_s = gather_s,
};

const rh_collective_kind rh_broadcast_direct = {
    .name = "broadcast-direct",
    .operation = "broadcast",
    .summary = "position 0 sends the same message straight to every other rank, all at once",
    .formula = "a + (N - 1) S / B",
    .source = "Li et al., OSDI 2014 (parameter server)",
    .steps = steps,
    .step = broadcast_step,
    .messages = messages,
    .wire_bytes = broadcast_bytes,
    .closed_form_s = broadcast_s,
};
