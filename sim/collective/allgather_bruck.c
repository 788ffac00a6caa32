/* Bruck all-gather: every rank ends with the messages of all ranks, in ceil(log2 N) steps for any N. For short
 * messages.
 *
 * Symbols     N ranks, p position, k step, K = ceil(log2 N), S_q length of the message that starts at position q, S if
 *             all are equal, a latency and B bandwidth of the slowest route
 * Before step k = 0..K-1, p holds the messages of positions p .. p + 2^k - 1. It sends them to p - 2^k, in the last
 * step only the first N - 2^k of them, and gets as many from p + 2^k; all modulo N. The rotation at the end of the
 * textbook's version moves nothing between ranks.
 *
 * Exact with equal messages. With unequal ones the form is a bound where transfers wait for their receiver: the longest
 * send of a step need not follow the longest one of the step before.
 *
 * messages    K N
 * bytes       (N-1) sum_q S_q
 * seconds     K a + (N-1) S / B;  unequal: at most K a + sum_k max_p (bytes that p sends in step k) / B
 * source      Bruck, Ho, Kipnis, Upfal & Weathersby, Efficient algorithms for all-to-all communications in multiport
 *             message-passing systems, IEEE TPDS 8(11), 1997
 */
#include "parts.h"

static int64_t steps(const rh_collective *c)
{
  return rh_collective_log2(c->size);
}

static int32_t count_of(const rh_collective *c, int64_t k)
{
  const int64_t held = INT64_C(1) << k;
  return (int32_t)(held < c->size - held ? held : c->size - held);
}

static int64_t bytes_from(const rh_collective *c, int32_t first, int32_t count)
{
  if (c->bytes_of == NULL) return count * c->bytes;
  int64_t sum = 0;
  for (int32_t i = 0; i < count; i++)
    sum += c->bytes_of[(first + i) % c->size];
  return sum;
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const int32_t N = c->size, distance = (int32_t)(INT64_C(1) << k), count = count_of(c, k);
  *step = (rh_step){.send_block = p, .more_blocks = count - 1, .receive_block = (p + distance) % N};
  send_to(step, wrap(p - distance, N), bytes_from(c, p, count));
  receive_from(step, (p + distance) % N);
}

static int64_t messages(const rh_collective *c)
{
  return steps(c) * c->size;
}

static int64_t wire_bytes(const rh_collective *c)
{
  return ((int64_t)c->size - 1) * bytes_from(c, 0, c->size);
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  int64_t bytes = c->bytes_of == NULL ? (c->size - 1) * c->bytes : 0;
  for (int64_t k = 0; c->bytes_of != NULL && k < steps(c); k++) {
    const int32_t count = count_of(c, k);
    int64_t sent = bytes_from(c, 0, count), most = sent;
    for (int32_t p = 1; p < c->size; p++) { /* the window of messages moves by one */
      sent += c->bytes_of[(p + count - 1) % c->size] - c->bytes_of[p - 1];
      if (sent > most) most = sent;
    }
    bytes += most;
  }
  return (double)steps(c) * latency_s + (double)bytes / bandwidth_Bps;
}

const rh_collective_kind rh_allgather_bruck = {
    .name = "allgather-bruck",
    .operation = "all-gather",
    .summary =
        "every rank's message in ceil(log2 N) steps: each passes on all that it holds, over distances 1, 2, 4, ...",
    .formula = "ceil(log2 N) a + (N-1) S / B; unequal messages: a bound",
    .source = "Bruck, Ho, Kipnis, Upfal & Weathersby, IEEE TPDS 8(11), 1997",
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
