/* The steps of collectives as data, executed on small integers without any clock, against the plain definition. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "collectives.h"

static const int32_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 32};

/* A message under way. */
typedef struct message {
  int32_t from, to, block;
  int64_t bytes;
  int64_t *values;
} message;

typedef struct counts {
  int64_t messages, bytes;
} counts;

/* The i-th value of rank p before the collective: different everywhere. */
static int64_t value(int32_t p, int64_t i)
{
  return (int64_t)(p + 1) * 1000003 + i * 7919 % 10007;
}

/* Executes all steps on x[N][length]: block b of a rank starts at b * block_length, `reduce` adds, else replaces.
 * All sends of a step read before any receive writes, as all transfers of a step start together. */
static counts execute(const rh_collective *c, int64_t *x, int64_t length, int64_t block_length)
{
  const int32_t N = c->size;
  const int64_t steps = c->kind->steps(c);
  counts counts = {0};
  message *sent = calloc((size_t)N, sizeof *sent);
  for (int64_t k = 0; k < steps; k++) {
    for (int32_t p = 0; p < N; p++) {
      rh_step s;
      c->kind->step(c, p, k, &s);
      assert_int_equal(s.send_count, 1);
      sent[p] = (message){.from = p, .to = s.send_to[0], .block = s.send_block, .bytes = s.send_bytes};
      sent[p].values = malloc((size_t)block_length * sizeof(int64_t) + 1);
      memcpy(sent[p].values, x + p * length + s.send_block * block_length, (size_t)block_length * sizeof(int64_t));
      counts.messages++;
      counts.bytes += s.send_bytes;
    }
    for (int32_t p = 0; p < N; p++) {
      rh_step s;
      c->kind->step(c, p, k, &s);
      assert_int_equal(s.receive_count, 1);
      const message *m = &sent[s.receive_from[0]];
      assert_int_equal(m->to, p); /* the sender means this rank */
      assert_int_equal(m->block, s.receive_block);
      int64_t *into = x + p * length + s.receive_block * block_length;
      for (int64_t i = 0; i < block_length; i++)
        into[i] = s.reduce ? into[i] + m->values[i] : m->values[i];
    }
    for (int32_t p = 0; p < N; p++)
      free(sent[p].values);
  }
  free(sent);
  return counts;
}

static void ring_allreduce_sums_exactly(void **state)
{
  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s];
    const int64_t lengths[] = {0, 1, N - 1, N, 1000};
    for (int l = 0; l < 5; l++) {
      const int64_t n = lengths[l], chunk = (n + N - 1) / N, padded = chunk * N;
      int64_t *x = calloc((size_t)(N * padded + 1), sizeof *x);
      for (int32_t p = 0; p < N; p++)
        for (int64_t i = 0; i < n; i++)
          x[p * padded + i] = value(p, i);
      const rh_collective c = {.kind = &rh_allreduce_ring, .size = N, .bytes = 4 * n, .element_bytes = 4};
      const counts counts = execute(&c, x, padded, chunk);
      for (int32_t p = 0; p < N; p++)
        for (int64_t i = 0; i < n; i++) {
          int64_t sum = 0;
          for (int32_t q = 0; q < N; q++)
            sum += value(q, i);
          assert_int_equal(x[p * padded + i], sum);
        }
      assert_int_equal(counts.messages, 2 * (int64_t)(N - 1) * N);
      assert_int_equal(counts.bytes, 2 * (int64_t)(N - 1) * N * chunk * 4);
      assert_int_equal(counts.messages, rh_allreduce_ring.messages(&c));
      assert_int_equal(counts.bytes, rh_allreduce_ring.wire_bytes(&c));
      free(x);
    }
  }
}

/* Blocks are whole messages here; their lengths differ and are checked in bytes. */
static void ring_allgather_delivers_every_message(void **state)
{
  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s];
    const int64_t lengths[] = {0, 1, N - 1, N, 1000};
    for (int l = 0; l < 5; l++) {
      int64_t *bytes_of = malloc((size_t)N * sizeof *bytes_of);
      int64_t *x = calloc((size_t)N * (size_t)N, sizeof *x), sum = 0;
      for (int32_t p = 0; p < N; p++) {
        bytes_of[p] = lengths[l] + 3 * p; /* encoded messages: any number of bytes */
        sum += bytes_of[p];
        x[p * N + p] = value(p, 0);
      }
      const rh_collective c = {
          .kind = &rh_allgather_ring, .size = N, .bytes = 0, .element_bytes = 1, .bytes_of = bytes_of};
      const counts counts = execute(&c, x, N, 1);
      for (int32_t p = 0; p < N; p++)
        for (int32_t q = 0; q < N; q++)
          assert_int_equal(x[p * N + q], value(q, 0));
      for (int64_t k = 0; k < rh_allgather_ring.steps(&c); k++)
        for (int32_t p = 0; p < N; p++) {
          rh_step step;
          rh_allgather_ring.step(&c, p, k, &step);
          assert_int_equal(step.send_block, (p - k % N + N) % N); /* at step k, p forwards the block of p - k */
          assert_int_equal(step.send_bytes, bytes_of[step.send_block]);
        }
      assert_int_equal(counts.messages, (int64_t)(N - 1) * N);
      assert_int_equal(counts.bytes, (N - 1) * sum);
      assert_int_equal(counts.messages, rh_allgather_ring.messages(&c));
      assert_int_equal(counts.bytes, rh_allgather_ring.wire_bytes(&c));
      free(bytes_of);
      free(x);
    }
  }
}

/* A star: rank 0 with all others, both ways; N = 4. */
static void neighbour_exchange_follows_the_graph(void **state)
{
  (void)state;
  const int32_t offset[] = {0, 3, 4, 5, 6}, list[] = {1, 2, 3, 0, 0, 0};
  const rh_neighbours star = {.workers = 4, .out_offset = offset, .out = list, .in_offset = offset, .in = list};
  const int64_t bytes_of[] = {10, 20, 30, 40};
  rh_collective c = {.kind = &rh_neighbour_exchange, .size = 4, .bytes = 8, .element_bytes = 1, .neighbours = &star};
  assert_int_equal(rh_neighbour_exchange.steps(&c), 1);
  int64_t messages = 0, bytes = 0;
  for (int32_t p = 0; p < 4; p++) {
    rh_step s;
    rh_neighbour_exchange.step(&c, p, 0, &s);
    assert_int_equal(s.send_count, p == 0 ? 3 : 1);
    assert_int_equal(s.receive_count, p == 0 ? 3 : 1);
    for (int32_t i = 0; i < s.send_count; i++)
      assert_int_equal(s.send_to[i], p == 0 ? i + 1 : 0);
    messages += s.send_count;
    bytes += s.send_count * s.send_bytes;
  }
  assert_int_equal(messages, 6);
  assert_int_equal(bytes, 48);
  assert_int_equal(rh_neighbour_exchange.messages(&c), 6);
  assert_int_equal(rh_neighbour_exchange.wire_bytes(&c), 48);
  /* degree 3, 8 bytes, 1 s, 2 byte/s: 1 + 3 * 8 / 2 */
  assert_float_equal(rh_neighbour_exchange.closed_form_s(&c, 1, 2), 13, 1e-12);
  c.bytes_of = bytes_of;
  assert_int_equal(rh_neighbour_exchange.wire_bytes(&c), 3 * 10 + 20 + 30 + 40);
  /* rank 0 receives 20 + 30 + 40 = 90, more than any rank sends */
  assert_float_equal(rh_neighbour_exchange.closed_form_s(&c, 1, 2), 46, 1e-12);
}

/* What a step says of p's peers: a list of positions, or the server alone. */
static void assert_peers(const int32_t *peers, int32_t count, int32_t p, int32_t N)
{
  assert_int_equal(count, p == 0 ? N - 1 : 1);
  for (int32_t i = 0; i < count; i++)
    assert_int_equal(peers[i], p == 0 ? i + 1 : 0);
}

/* A gather and a broadcast by the steps, with values: the server ends with all messages, everybody with its answer. */
static void direct_kinds_reach_the_server_and_come_back(void **state)
{
  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s];
    int64_t *bytes_of = malloc((size_t)N * sizeof *bytes_of), *seen = calloc((size_t)N, sizeof *seen), sum = 0;
    for (int32_t p = 0; p < N; p++) {
      bytes_of[p] = 5 + 3 * p;
      sum += p > 0 ? bytes_of[p] : 0;
    }
    const rh_collective up = {.kind = &rh_gather_direct, .size = N, .element_bytes = 1, .bytes_of = bytes_of};
    const rh_collective down = {.kind = &rh_broadcast_direct, .size = N, .bytes = 77, .element_bytes = 1};
    assert_int_equal(rh_gather_direct.steps(&up), N > 1);
    assert_int_equal(rh_broadcast_direct.steps(&down), N > 1);
    counts gathered = {0}, broadcast = {0};
    for (int32_t p = 0; p < N && N > 1; p++) {
      rh_step step;
      rh_gather_direct.step(&up, p, 0, &step);
      assert_int_equal(step.send_count, p > 0);
      assert_int_equal(step.receive_count, p == 0 ? N - 1 : 0);
      if (p > 0) {
        assert_peers(step.send_to, step.send_count, p, N);
        assert_int_equal(step.send_block, p);
        seen[step.send_block] = value(p, 0);
      } else {
        assert_peers(step.receive_from, step.receive_count, p, N);
        assert_int_equal(step.receive_block, -1); /* the sender's position */
      }
      gathered.messages += step.send_count;
      gathered.bytes += step.send_count * step.send_bytes;
      rh_broadcast_direct.step(&down, p, 0, &step);
      assert_int_equal(step.send_count, p == 0 ? N - 1 : 0);
      assert_int_equal(step.receive_count, p > 0);
      if (p == 0)
        assert_peers(step.send_to, step.send_count, p, N);
      else
        assert_peers(step.receive_from, step.receive_count, p, N);
      assert_int_equal(p == 0 ? step.send_block : step.receive_block, 0);
      assert_false(step.reduce);
      broadcast.messages += step.send_count;
      broadcast.bytes += step.send_count * step.send_bytes;
    }
    for (int32_t p = 1; p < N; p++)
      assert_int_equal(seen[p], value(p, 0));
    assert_int_equal(gathered.messages, N - 1);
    assert_int_equal(gathered.bytes, sum);
    assert_int_equal(broadcast.messages, N - 1);
    assert_int_equal(broadcast.bytes, (N - 1) * 77);
    assert_int_equal(rh_gather_direct.messages(&up), N - 1);
    assert_int_equal(rh_gather_direct.wire_bytes(&up), sum);
    assert_int_equal(rh_broadcast_direct.messages(&down), N - 1);
    assert_int_equal(rh_broadcast_direct.wire_bytes(&down), (N - 1) * 77);
    free(bytes_of);
    free(seen);
  }
}

static void closed_forms_by_hand(void **state)
{
  (void)state;
  /* N = 4, 10 elements of 4 bytes: chunks of 3 elements; 6 steps of 1 s + 12 byte / (2 byte/s) */
  const rh_collective reduce = {.kind = &rh_allreduce_ring, .size = 4, .bytes = 40, .element_bytes = 4};
  assert_float_equal(rh_allreduce_ring.closed_form_s(&reduce, 1, 2), 42, 1e-12);
  const int64_t bytes_of[] = {1, 6, 2};
  const rh_collective gather = {.kind = &rh_allgather_ring, .size = 3, .element_bytes = 1, .bytes_of = bytes_of};
  assert_float_equal(rh_allgather_ring.closed_form_s(&gather, 1, 2), 2 * (1 + 3), 1e-12);
  /* a server of three: 6 + 2 bytes come in, the same 5 bytes go out twice; alone it has nothing to do */
  const rh_collective up = {.kind = &rh_gather_direct, .size = 3, .element_bytes = 1, .bytes_of = bytes_of};
  assert_float_equal(rh_gather_direct.closed_form_s(&up, 1, 2), 1 + 4, 1e-12);
  rh_collective down = {.kind = &rh_broadcast_direct, .size = 3, .bytes = 5, .element_bytes = 1};
  assert_float_equal(rh_broadcast_direct.closed_form_s(&down, 1, 2), 1 + 5, 1e-12);
  down.size = 1;
  assert_float_equal(rh_broadcast_direct.closed_form_s(&down, 1, 2), 0, 0);
}

static void kinds_are_found_by_name(void **state)
{
  (void)state;
  assert_ptr_equal(rh_collective_find("allreduce-ring"), &rh_allreduce_ring);
  assert_ptr_equal(rh_collective_find("allgather-ring"), &rh_allgather_ring);
  assert_ptr_equal(rh_collective_find("neighbour-exchange"), &rh_neighbour_exchange);
  assert_ptr_equal(rh_collective_find("gather-direct"), &rh_gather_direct);
  assert_ptr_equal(rh_collective_find("broadcast-direct"), &rh_broadcast_direct);
  assert_null(rh_collective_find("lr"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ring_allreduce_sums_exactly),
      cmocka_unit_test(ring_allgather_delivers_every_message),
      cmocka_unit_test(neighbour_exchange_follows_the_graph),
      cmocka_unit_test(direct_kinds_reach_the_server_and_come_back),
      cmocka_unit_test(closed_forms_by_hand),
      cmocka_unit_test(kinds_are_found_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
