/* The bytes of AB-training, transfer by transfer, against the formulas; those between nodes, item by item.
 *
 * A ring of p ranks over n values sends 2 (p-1) p ceil(n / p) values in all: the formula 2 (p-1) n, with chunks padded
 * to equal length. With ranks in consecutive nodes of g, one hop in g of a ring over all N crosses nodes, and a
 * binomial broadcast enters every other node once.
 */
#include "ab_fixture.h"

enum { MODES = 4, F = HIDDEN * INPUTS + CLASSES * HIDDEN, D = HIDDEN + CLASSES };
static const char *const modes[MODES] = {"with-stale", "only-learned", "full", "only-b"};

/* What the rounds said of themselves, and what travelled in them. */
typedef struct counted {
  int mode;
  int64_t a_values[ROUNDS], b_values[ROUNDS];
  bool in_ab[ROUNDS];
  int64_t bytes, between; /* of all rounds */
  int64_t barrier_messages, index_bytes, index_between, broadcast_bytes, broadcast_between;
  int64_t broadcast_to[N]; /* by receiver */
} counted;

static fixture f;

static rh_status produce_rounds(void *context, int64_t round, bool *more)
{
  counted *c = context;
  const char *const settings[] = {AB_SETTINGS, "train.ab_sync", modes[c->mode], NULL};
  if (round == 0) fixture_init(&f, "ab", settings);
  to_clear[0] = &f;
  RH_ASSERT(f.method->round(&f.world, f.state, round, lr) == RH_OK);
  const ab_state *s = f.state;
  c->in_ab[round] = s->in_ab;
  c->a_values[round] = s->factors.a_values;
  c->b_values[round] = s->factors.b_values;
  *more = round + 1 < ROUNDS;
  return RH_OK;
}

static void count(void *context, const rh_event *e)
{
  counted *c = context;
  if (e->peer < 0) return;
  const int64_t between = e->peer / G != e->rank / G ? e->bytes : 0;
  c->bytes += e->bytes;
  c->between += between;
  if (strcmp(e->label, "barrier-dissemination") == 0) c->barrier_messages++;
  if (strcmp(e->label, "allreduce-doubling") == 0) {
    c->index_bytes += e->bytes;
    c->index_between += between;
  }
  if (strcmp(e->label, "broadcast-binomial") == 0) {
    c->broadcast_bytes += e->bytes;
    c->broadcast_to[e->rank] += e->bytes;
    c->broadcast_between += between;
  }
}

/* All bytes of an all-reduce of n values over p ranks, and of those that cross nodes when the ring runs over all of
 * them in order. */
static int64_t ring(int64_t p, int64_t n)
{
  return p > 1 ? 2 * (p - 1) * p * ((n + p - 1) / p) * 4 : 0;
}

static int64_t ring_between(int64_t n)
{
  return ring(N, n) / G;
}

/* One mode: the steps' and synchronisations' bytes by the formulas, and what papers leave out. */
static void check(int mode)
{
  static counted c;
  c = (counted){.mode = mode};
  run(produce_rounds, &c, count);
  int64_t bytes = 0, between = 0, learned_b = 0, broadcast = 0, index = 0, broadcast_between = 0, index_between = 0,
          changes = 0;
  const bool one_group = mode == 3;
  for (int t = 0; t < ROUNDS; t++) {
    const bool was = t > 0 && c.in_ab[t - 1];
    const int64_t a = c.a_values[t], b = c.b_values[t];
    if (!c.in_ab[t]) {
      bytes += ring(N, F + D);
      between += ring_between(F + D);
    } else if (one_group) {
      bytes += ring(N, b + D);
      between += ring_between(b + D);
    } else {
      bytes += N / G / 2 * (ring(G, a + D) + ring(G, b + D)); /* nothing leaves a node */
    }
    changes += c.in_ab[t] != was;
    if (c.in_ab[t] && !was) {
      broadcast += 7 * 4 * (a + b + D);
      broadcast_between += 3 * 4 * (a + b + D);
      if (t > 3) index += 2 * 24 * 8; /* 8 ranks: 3 exchanges each, 8 bytes, for each of two weights */
      if (t > 3) index_between += 2 * 16 * 8;
    }
    if (!c.in_ab[t] && was) {
      broadcast += 7 * 4 * (F + D);
      broadcast_between += 3 * 4 * (F + D);
      if (mode == 0) bytes += ring(N, a + b + D), between += ring_between(a + b + D);
      if (mode == 2) bytes += ring(N, F + D), between += ring_between(F + D);
      if (mode == 1) {
        bytes += ring(N, D) + ring(N / 2, a) + ring(N / 2, b);
        /* of the rings over two nodes, two of four hops cross; both broadcasts enter three nodes */
        between += ring_between(D) + ring(N / 2, a) / 2 + ring(N / 2, b) / 2;
        learned_b += 4 * b;
        broadcast += 7 * 4 * (a + b);
        broadcast_between += 3 * 4 * (a + b);
      }
    }
  }
  assert_int_equal(changes, 6);
  assert_int_equal(c.barrier_messages, changes * 3 * N);
  assert_int_equal(c.broadcast_bytes, broadcast);
  assert_int_equal(c.broadcast_between, broadcast_between);
  /* rank 0 receives nothing but the B that rank N / 2 averaged, which alone does not receive it */
  assert_int_equal(c.broadcast_to[0], learned_b);
  assert_int_equal(c.broadcast_to[N / 2] - c.broadcast_to[1], -learned_b);
  assert_int_equal(c.index_bytes, index);
  assert_int_equal(c.index_between, index_between);
  assert_int_equal(c.bytes, bytes + broadcast + index);
  assert_int_equal(c.between, between + broadcast_between + index_between);
}

#define COUNTS(name, mode)                                                                                             \
  static void test_bytes_of_##name(void **state)                                                                       \
  {                                                                                                                    \
    (void)state;                                                                                                       \
    IN_PROCESS();                                                                                                      \
    check(mode);                                                                                                       \
  }
COUNTS(with_stale, 0)
COUNTS(only_learned, 1)
COUNTS(full, 2)
COUNTS(only_b, 3)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bytes_of_with_stale),
      cmocka_unit_test(test_bytes_of_only_learned),
      cmocka_unit_test(test_bytes_of_full),
      cmocka_unit_test(test_bytes_of_only_b),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
