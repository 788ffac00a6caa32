/* The steps of collectives as data, executed on small integers without any clock, against the plain definition. */
#include "collective_fixture.h"

static const int32_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 32};

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
      const counts counts = execute(&c, x, padded, chunk, sum_of);
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
      const counts counts = execute(&c, x, N, 1, sum_of);
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

/* ceil(log2 N) by the sizes above. */
static const int32_t rounds_up[] = {0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5};

static void log2_is_rounded_up(void **state)
{
  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
    assert_int_equal(rh_collective_log2(sizes[s]), rounds_up[s]);
  assert_int_equal(rh_collective_log2(INT32_MAX), 31);
}

static void binomial_broadcast_reaches_everybody_once(void **state)
{
  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s];
    const int64_t lengths[] = {0, 1, N - 1, N, 1000};
    for (int l = 0; l < 5; l++) {
      const int64_t n = lengths[l];
      int64_t *x = calloc((size_t)(N * n + 1), sizeof *x);
      for (int64_t i = 0; i < n; i++)
        x[i] = value(0, i);
      const rh_collective c = {.kind = &rh_broadcast_binomial, .size = N, .bytes = 4 * n, .element_bytes = 4};
      const counts counts = execute(&c, x, n, n, NULL);
      for (int32_t p = 0; p < N; p++)
        for (int64_t i = 0; i < n; i++)
          assert_int_equal(x[p * n + i], value(0, i));
      assert_int_equal(rh_broadcast_binomial.steps(&c), rounds_up[s]);
      assert_int_equal(counts.messages, N - 1);
      assert_int_equal(counts.bytes, (N - 1) * 4 * n);
      assert_int_equal(rh_broadcast_binomial.messages(&c), N - 1);
      assert_int_equal(rh_broadcast_binomial.wire_bytes(&c), (N - 1) * 4 * n);
      free(x);
    }
  }
}

/* 16 ranks in blocks of 4: three messages leave a block, one into each other block. */
static void binomial_broadcast_enters_each_block_once(void **state)
{
  (void)state;
  const rh_collective c = {.kind = &rh_broadcast_binomial, .size = 16, .bytes = 1, .element_bytes = 1};
  int entered[4] = {0};
  for (int64_t k = 0; k < rh_broadcast_binomial.steps(&c); k++)
    for (int32_t p = 0; p < 16; p++) {
      rh_step step;
      rh_broadcast_binomial.step(&c, p, k, &step);
      if (step.send_count && step.send_to[0] / 4 != p / 4) entered[step.send_to[0] / 4]++;
    }
  const int expected[] = {0, 1, 1, 1};
  assert_memory_equal(entered, expected, sizeof expected);
}

/* Each begins with its own bit; whoever leaves has the bits of all. */
static void dissemination_barrier_lets_nobody_out_early(void **state)
{
  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s];
    int64_t heard[32];
    for (int32_t p = 0; p < N; p++)
      heard[p] = INT64_C(1) << p;
    const rh_collective c = {.kind = &rh_barrier_dissemination, .size = N, .element_bytes = 1};
    const counts counts = execute(&c, heard, 1, 1, union_of);
    for (int32_t p = 0; p < N; p++)
      assert_int_equal(heard[p], (INT64_C(1) << N) - 1);
    assert_int_equal(rh_barrier_dissemination.steps(&c), rounds_up[s]);
    assert_int_equal(counts.messages, N * rounds_up[s]);
    assert_int_equal(counts.bytes, 0);
    assert_int_equal(rh_barrier_dissemination.messages(&c), N * rounds_up[s]);
    assert_int_equal(rh_barrier_dissemination.wire_bytes(&c), 0);
  }
}

/* Sums are exact, so each value was added once; the maximum stands for what the collective is used for. */
static void doubling_allreduce_reduces_exactly(void **state)
{
  (void)state;
  /* 2^L L + 2 r by the sizes above: 1, 2, 2+1, 4, 4+1, 4+2, 4+3, 8, 8+1, 8+5, 16, 32 */
  static const int64_t messages[] = {0, 2, 4, 8, 10, 12, 14, 24, 26, 34, 64, 160};
  static const int64_t steps[] = {0, 1, 3, 2, 4, 4, 4, 3, 5, 5, 4, 5};
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s];
    const int64_t lengths[] = {0, 1, N - 1, N, 1000};
    for (int l = 0; l < 10; l++) {
      const int64_t n = lengths[l % 5];
      const bool greatest = l >= 5;
      int64_t *x = calloc((size_t)(N * n + 1), sizeof *x);
      for (int32_t p = 0; p < N; p++)
        for (int64_t i = 0; i < n; i++)
          x[p * n + i] = value((p + (int32_t)i) % N, i);
      const rh_collective c = {.kind = &rh_allreduce_doubling, .size = N, .bytes = 8 * n, .element_bytes = 8};
      const counts counts = execute(&c, x, n, n, greatest ? greatest_of : sum_of);
      for (int32_t p = 0; p < N; p++)
        for (int64_t i = 0; i < n; i++) {
          int64_t expected = value(N - 1, i);
          for (int32_t q = 0; q < N - 1 && !greatest; q++)
            expected += value(q, i);
          assert_int_equal(x[p * n + i], expected);
        }
      assert_int_equal(rh_allreduce_doubling.steps(&c), steps[s]);
      assert_int_equal(counts.messages, messages[s]);
      assert_int_equal(counts.bytes, messages[s] * 8 * n);
      assert_int_equal(rh_allreduce_doubling.messages(&c), messages[s]);
      assert_int_equal(rh_allreduce_doubling.wire_bytes(&c), messages[s] * 8 * n);
      free(x);
    }
  }
}

/* Chunk p of the sum at rank p; the other chunks of it are whatever was left. */
static void reduce_scatters_leave_each_rank_its_chunk(void **state)
{
  (void)state;
  static const rh_collective_kind *const kinds[] = {&rh_reduce_scatter_ring, &rh_reduce_scatter_halving};
  for (size_t s = 0; s < 2 * sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s / 2];
    const int64_t lengths[] = {0, 1, N - 1, N, 1000};
    for (int l = 0; l < 5; l++) {
      const int64_t n = lengths[l], chunk = (n + N - 1) / N, padded = chunk * N;
      int64_t *x = calloc((size_t)(N * padded + 1), sizeof *x);
      for (int32_t p = 0; p < N; p++)
        for (int64_t i = 0; i < n; i++)
          x[p * padded + i] = value(p, i);
      const rh_collective c = {.kind = kinds[s % 2], .size = N, .bytes = 4 * n, .element_bytes = 4};
      const counts counts = execute(&c, x, padded, chunk, sum_of);
      for (int64_t i = 0; i < n; i++) {
        int64_t sum = 0;
        for (int32_t q = 0; q < N; q++)
          sum += value(q, i);
        assert_int_equal(x[i / chunk * padded + i], sum);
      }
      assert_int_equal(counts.messages, c.kind->messages(&c));
      assert_int_equal(counts.bytes, c.kind->wire_bytes(&c));
      assert_int_equal(counts.misfits, 0);
      assert_in_range(counts.most_at_once, 0, 1);
      free(x);
    }
  }
}

/* Blocks are whole messages, of different lengths; each step's bytes are those of the messages that travel. */
static void bruck_allgather_delivers_every_message(void **state)
{
  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s];
    int64_t *bytes_of = malloc((size_t)N * sizeof *bytes_of);
    int64_t *x = calloc((size_t)N * (size_t)N, sizeof *x), sum = 0;
    for (int32_t p = 0; p < N; p++) {
      bytes_of[p] = 5 + 7 * p;
      sum += bytes_of[p];
      x[p * N + p] = value(p, 0);
    }
    const rh_collective c = {.kind = &rh_allgather_bruck, .size = N, .element_bytes = 1, .bytes_of = bytes_of};
    const counts counts = execute(&c, x, N, 1, NULL);
    for (int32_t p = 0; p < N; p++)
      for (int32_t q = 0; q < N; q++)
        assert_int_equal(x[p * N + q], value(q, 0));
    for (int64_t k = 0; k < rh_allgather_bruck.steps(&c); k++)
      for (int32_t p = 0; p < N; p++) {
        rh_step step;
        rh_allgather_bruck.step(&c, p, k, &step);
        int64_t bytes = 0;
        for (int32_t i = 0; i <= step.more_blocks; i++)
          bytes += bytes_of[(step.send_block + i) % N];
        assert_int_equal(step.send_bytes, bytes);
      }
    assert_int_equal(rh_allgather_bruck.steps(&c), rounds_up[s]);
    assert_int_equal(counts.messages, N * rounds_up[s]);
    assert_int_equal(counts.bytes, (N - 1) * sum);
    assert_int_equal(rh_allgather_bruck.messages(&c), N * rounds_up[s]);
    assert_int_equal(rh_allgather_bruck.wire_bytes(&c), (N - 1) * sum);
    free(bytes_of);
    free(x);
  }
}

/* Elements of 1 KiB: 1000 of them are 8 chunks of 125, at most 128 KiB. */
static void chain_broadcast_reaches_everybody_in_chunks(void **state)
{
  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s];
    const int64_t lengths[] = {0, 1, 128, 129, 1000}, chunks[] = {1, 1, 1, 2, 8};
    for (int l = 0; l < 5; l++) {
      const int64_t n = lengths[l], chunk = (n + chunks[l] - 1) / chunks[l], padded = chunk * chunks[l];
      int64_t *x = calloc((size_t)(N * padded + 1), sizeof *x);
      for (int64_t i = 0; i < n; i++)
        x[i] = value(0, i);
      const rh_collective c = {.kind = &rh_broadcast_chain, .size = N, .bytes = 1024 * n, .element_bytes = 1024};
      const counts counts = execute(&c, x, padded, chunk, NULL);
      for (int32_t p = 0; p < N; p++)
        for (int64_t i = 0; i < n; i++)
          assert_int_equal(x[p * padded + i], value(0, i));
      assert_int_equal(counts.messages, (N - 1) * chunks[l]);
      assert_int_equal(counts.bytes, (N - 1) * padded * 1024);
      assert_int_equal(rh_broadcast_chain.messages(&c), counts.messages);
      assert_int_equal(rh_broadcast_chain.wire_bytes(&c), counts.bytes);
      assert_in_range(counts.most_at_once, 0, 1);
      free(x);
    }
  }
}

/* Blocks 0 .. N-1 are to be sent, N .. 2N-1 came; a rank's block to itself stays where it is. */
static void pairwise_alltoall_delivers_each_its_own(void **state)
{
  (void)state;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    const int32_t N = sizes[s];
    int64_t *x = calloc((size_t)N * (size_t)N * 2, sizeof *x);
    for (int32_t p = 0; p < N; p++)
      for (int32_t q = 0; q < N; q++)
        x[p * 2 * N + q] = value(p, q);
    const rh_collective c = {.kind = &rh_alltoall_pairwise, .size = N, .bytes = 4, .element_bytes = 4};
    const counts counts = execute(&c, x, 2 * N, 1, NULL);
    for (int32_t p = 0; p < N; p++)
      for (int32_t q = 0; q < N; q++)
        if (p != q) assert_int_equal(x[p * 2 * N + N + q], value(q, p));
    assert_int_equal(counts.messages, N * (N - 1));
    assert_int_equal(counts.bytes, N * (N - 1) * 4);
    assert_int_equal(rh_alltoall_pairwise.messages(&c), counts.messages);
    assert_int_equal(rh_alltoall_pairwise.wire_bytes(&c), counts.bytes);
    assert_in_range(counts.most_at_once, 0, 1);
    free(x);
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
  /* 5 ranks, 6 bytes: 3 levels of a tree; 3 empty steps; a pair, 2 exchanges, the pair again */
  rh_collective five = {.kind = &rh_broadcast_binomial, .size = 5, .bytes = 6, .element_bytes = 1};
  assert_float_equal(rh_broadcast_binomial.closed_form_s(&five, 1, 2), 3 * (1 + 3), 1e-12);
  assert_float_equal(rh_barrier_dissemination.closed_form_s(&five, 1, 2), 3, 1e-12);
  assert_float_equal(rh_allreduce_doubling.closed_form_s(&five, 1, 2), 4 * (1 + 3), 1e-12);
  five.size = 4;
  assert_float_equal(rh_allreduce_doubling.closed_form_s(&five, 1, 2), 2 * (1 + 3), 1e-12);
  /* 10 elements of 4 bytes on 5: chunks of 2 elements. The pair folds 40 byte and gets 8 back, halves have 3 and 2
   * chunks */
  rh_collective scatter = {.kind = &rh_reduce_scatter_halving, .size = 5, .bytes = 40, .element_bytes = 4};
  assert_float_equal(rh_reduce_scatter_halving.closed_form_s(&scatter, 1, 2), (1 + 20) + (1 + 12) + (1 + 8) + (1 + 4),
                     1e-12);
  assert_float_equal(rh_reduce_scatter_ring.closed_form_s(&scatter, 1, 2), 4 * (1 + 4), 1e-12);
  assert_float_equal(rh_allgather_bruck.closed_form_s(&scatter, 1, 2), 3 + 4 * 20, 1e-12);
  assert_float_equal(rh_alltoall_pairwise.closed_form_s(&scatter, 1, 2), 4 * (1 + 20), 1e-12);
  /* one message of each, then two (the longest 6 + 2); three ranks in all */
  assert_float_equal(rh_allgather_bruck.closed_form_s(&gather, 1, 2), (1 + 3) + (1 + 3), 1e-12);
  /* 300,000 bytes in 3 chunks along 5 ranks */
  const rh_collective chain = {.kind = &rh_broadcast_chain, .size = 5, .bytes = 300000, .element_bytes = 1};
  assert_float_equal(rh_broadcast_chain.closed_form_s(&chain, 1, 2), 6 * (1 + 50000), 1e-9);
}

static void kinds_are_found_by_name(void **state)
{
  (void)state;
  int count = 0;
  for (; rh_collective_kinds[count] != NULL; count++)
    assert_ptr_equal(rh_collective_find(rh_collective_kinds[count]->name), rh_collective_kinds[count]);
  assert_int_equal(count, 19);
  assert_ptr_equal(rh_collective_find("allreduce-double-tree"), &rh_allreduce_double_tree);
  assert_null(rh_collective_find("lr"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ring_allreduce_sums_exactly),
      cmocka_unit_test(ring_allgather_delivers_every_message),
      cmocka_unit_test(neighbour_exchange_follows_the_graph),
      cmocka_unit_test(direct_kinds_reach_the_server_and_come_back),
      cmocka_unit_test(log2_is_rounded_up),
      cmocka_unit_test(binomial_broadcast_reaches_everybody_once),
      cmocka_unit_test(binomial_broadcast_enters_each_block_once),
      cmocka_unit_test(dissemination_barrier_lets_nobody_out_early),
      cmocka_unit_test(doubling_allreduce_reduces_exactly),
      cmocka_unit_test(reduce_scatters_leave_each_rank_its_chunk),
      cmocka_unit_test(bruck_allgather_delivers_every_message),
      cmocka_unit_test(chain_broadcast_reaches_everybody_in_chunks),
      cmocka_unit_test(pairwise_alltoall_delivers_each_its_own),
      cmocka_unit_test(closed_forms_by_hand),
      cmocka_unit_test(kinds_are_found_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
