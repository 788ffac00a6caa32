/* Neighbour exchange: every rank sends its message to its out-neighbours and receives from its in-neighbours, at once.
 *
 * Symbols     N ranks, p position, S_p length of its message, out_p and in_p its neighbours, E = sum_p |out_p| edges,
 *             a latency and B bandwidth of the slowest route
 * One step. On a full-duplex link what a rank sends and what it receives do not share; its out-going messages share
 * the one direction, its in-coming ones the other. So the busiest direction of the busiest rank sets the time:
 *
 * seconds     a + max_p max(|out_p| S_p, sum_{q in in_p} S_q) / B;   with equal messages a + max degree S / B
 *
 * Exact when all messages, degrees and routes are equal. Unequal messages or degrees take longer: a message's rate is
 * set by the busier one of its two ends, which leaves gaps at the other. Unequal latencies take a little less: the
 * message on a rank's shorter route flows alone while the other's latency passes. Where both directions share one link
 * (Wi-Fi, a bus), out and in add up, and an undirected exchange takes twice as long: the measured ratio to this form
 * says so.
 *
 * messages    E
 * bytes       sum_p |out_p| S_p
 * source      the bandwidth bound of one port in the alpha-beta model: Hockney, Parallel Computing 20(3), 1994
 */
#include "collectives.h"

static int64_t steps(const rh_collective *c)
{
  return c->size > 1 ? 1 : 0;
}

static int32_t out_degree(const rh_collective *c, int32_t p)
{
  return c->neighbours->out_offset[p + 1] - c->neighbours->out_offset[p];
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  (void)k;
  const rh_neighbours *graph = c->neighbours;
  *step = (rh_step){.send_count = out_degree(c, p),
                    .receive_count = graph->in_offset[p + 1] - graph->in_offset[p],
                    .send_to = graph->out + graph->out_offset[p],
                    .receive_from = graph->in + graph->in_offset[p],
                    .send_bytes = rh_collective_bytes(c, p),
                    .send_block = p,
                    .receive_block = -1};
}

static int64_t messages(const rh_collective *c)
{
  return steps(c) * c->neighbours->out_offset[c->size];
}

static int64_t wire_bytes(const rh_collective *c)
{
  int64_t sum = 0;
  for (int32_t p = 0; p < c->size; p++)
    sum += out_degree(c, p) * rh_collective_bytes(c, p);
  return steps(c) * sum;
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  const rh_neighbours *graph = c->neighbours;
  int64_t busiest = 0;
  for (int32_t p = 0; p < c->size; p++) {
    const int64_t sent = out_degree(c, p) * rh_collective_bytes(c, p);
    int64_t received = 0;
    for (int32_t i = graph->in_offset[p]; i < graph->in_offset[p + 1]; i++)
      received += rh_collective_bytes(c, graph->in[i]);
    if (sent > busiest) busiest = sent;
    if (received > busiest) busiest = received;
  }
  return (double)steps(c) * (latency_s + (double)busiest / bandwidth_Bps);
}

const rh_collective_kind rh_neighbour_exchange = {
    .name = "neighbour-exchange",
    .operation = "neighbour exchange",
    .summary = "one message from every rank to each of its out-neighbours, all at once",
    .formula = "a + max_p max(|out_p| S_p, sum of S over in_p) / B; equal messages: a + max degree S / B",
    .source = "Hockney, Parallel Computing 20(3), 1994 (alpha-beta model, one port)",
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
