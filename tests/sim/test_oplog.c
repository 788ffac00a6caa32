/* A log of the rounds gives the times of the run again without its values, whatever the method. */
#include "oplog.h"

#include "timed_fixture.h"

enum { ROUNDS = 6, NOTE = 7 };

typedef struct times {
  rh_oplog *log;
  const rh_method *method; /* NULL: the log alone */
  fixture *fixture;
  rh_round_time round[ROUNDS];
  int count;
} times;

static rh_status produce_round_of(void *context, int64_t t, bool *more)
{
  times *run = context;
  *more = t + 1 < ROUNDS;
  if (run->method) {
    const int64_t note[2] = {NOTE + t, rh_oplog_string(run->log, run->method->name)};
    rh_oplog_note(run->log, note, sizeof note);
    return run->method->round(&run->fixture->world, run->fixture->state, t, .1);
  }
  const rh_oplog_world world = {.find = rh_collective_find};
  return rh_oplog_replay(run->log, t, &world, N, schedule);
}

static rh_status keep_round(void *context, const rh_round_time *time)
{
  times *run = context;
  run->round[run->count++] = *time;
  return RH_OK;
}

static void simulate(times *run, const choice *c)
{
  const rh_schedule_def def = {.platform = platform,
                               .lead = 2,
                               .context = run,
                               .produce = produce_round_of,
                               .round_done = keep_round,
                               .log = run->log};
  fixture f;
  assert_int_equal(rh_schedule_new(&def, &schedule), RH_OK);
  if (c) {
    fixture_init(&f, c);
    run->fixture = &f;
    run->method = f.method;
  }
  assert_int_equal(rh_schedule_run(schedule), RH_OK);
  assert_int_equal(run->count, ROUNDS);
  if (c) fixture_clear(&f);
  run->fixture = NULL;
  rh_schedule_free(schedule);
}

typedef struct buffer {
  char data[1 << 20];
  size_t bytes;
} buffer;

static void keep_bytes(void *context, const void *data, size_t bytes)
{
  buffer *b = context;
  assert_true(b->bytes + bytes <= sizeof b->data);
  memcpy(b->data + b->bytes, data, bytes);
  b->bytes += bytes;
}

/* Times of the replay count from where SimGrid's clock stood: differences of them are compared, which lose a bit or
 * two. */
static void assert_same_times(const times *live, const times *again)
{
  for (int t = 0; t < ROUNDS; t++) {
    assert_int_equal(again->round[t].messages, live->round[t].messages);
    assert_int_equal(again->round[t].wire_bytes, live->round[t].wire_bytes);
    assert_int_equal(again->round[t].between_bytes, live->round[t].between_bytes);
    const double a = again->round[t].finish_s - again->round[0].first_finish_s;
    const double b = live->round[t].finish_s - live->round[0].first_finish_s;
    assert_true(fabs(a - b) <= 1e-12 * live->round[ROUNDS - 1].finish_s);
  }
}

static void replay_of(const choice *c)
{
  static buffer file;
  times live = {0}, again = {0};
  size_t used, bytes;
  file.bytes = 0;
  load();
  assert_int_equal(rh_oplog_new(INT64_MAX, &live.log), RH_OK);
  simulate(&live, c);
  assert_int_equal(rh_oplog_rounds(live.log), ROUNDS);
  rh_oplog_write(live.log, keep_bytes, &file);
  assert_int_equal(rh_oplog_read(file.data, file.bytes, INT64_MAX, &again.log, &used), RH_OK);
  assert_int_equal(used, file.bytes);
  simulate(&again, NULL);
  assert_int_equal(rh_oplog_rounds(again.log), ROUNDS); /* what it holds is not recorded again */
  assert_same_times(&live, &again);
  for (int t = 0; t < ROUNDS; t++) {
    const int64_t *note = rh_oplog_note_of(again.log, t, &bytes);
    assert_int_equal(bytes, 2 * sizeof *note);
    assert_int_equal(note[0], NOTE + t);
    assert_string_equal(rh_oplog_string_at(again.log, (int32_t)note[1]), c->method);
  }
  rh_oplog_free(live.log);
  rh_oplog_free(again.log);
}

static void test_overlapped_buckets(void **state)
{
  (void)state;
  IN_PROCESS();
  replay_of(&(choice){.method = "allreduce", .buckets = 3, .overlap = "on", .momentum = .9});
}

static void test_messages_of_any_length(void **state)
{
  (void)state;
  IN_PROCESS();
  replay_of(&(choice){.method = "allreduce", .compressor = "topk", .feedback = RH_FEEDBACK_CLASSIC, .momentum = .9});
}

static void test_server(void **state)
{
  (void)state;
  IN_PROCESS();
  replay_of(&(choice){.method = "allreduce", .compressor = "threshold", .gather = "server"});
}

/* Its exchange waits for tokens of the round before. */
static void test_background_gossip(void **state)
{
  (void)state;
  IN_PROCESS();
  const char *const settings[] = {"train.exchange=background", NULL};
  replay_of(&(choice){.method = "choco", .graph = "ring", .compressor = "qsgd", .settings = settings});
}

static void test_changing_graphs(void **state)
{
  (void)state;
  IN_PROCESS();
  replay_of(&(choice){.method = "sgp", .graph = "one-peer", .directed = true});
}

/* A run whose rounds are alike needs one round's room. */
static void test_equal_rounds_are_kept_once(void **state)
{
  (void)state;
  IN_PROCESS();
  static buffer file;
  times live = {0};
  load();
  assert_int_equal(rh_oplog_new(INT64_MAX, &live.log), RH_OK);
  simulate(&live, &(choice){.method = "dpsgd", .graph = "ring"});
  rh_oplog_write(live.log, keep_bytes, &file);
  /* N gradients, updates and mixes of 5 words, the exchange and its tokens; notes, the graph and labels beside them */
  const size_t round = sizeof(int64_t) * (3 * 5 * N + 3 + N);
  assert_true(file.bytes > round && file.bytes < 2 * round + 1024);
  rh_oplog_free(live.log);
}

static void test_limit(void **state)
{
  (void)state;
  IN_PROCESS();
  times live = {0};
  load();
  assert_int_equal(rh_oplog_new(16, &live.log), RH_OK);
  simulate(&live, &(choice){.method = "dpsgd", .graph = "ring"});
  assert_true(rh_oplog_is_full(live.log));
  assert_int_equal(rh_oplog_rounds(live.log), 0);
  rh_oplog_free(live.log);
}

static void test_files_that_end_early(void **state)
{
  (void)state;
  IN_PROCESS();
  static buffer file;
  times live = {0};
  rh_oplog *log;
  size_t used;
  load();
  assert_int_equal(rh_oplog_new(INT64_MAX, &live.log), RH_OK);
  simulate(&live, &(choice){.method = "choco", .graph = "ring", .compressor = "qsgd"});
  rh_oplog_write(live.log, keep_bytes, &file);
  for (size_t bytes = 0; bytes < file.bytes; bytes++)
    assert_int_equal(rh_oplog_read(file.data, bytes, INT64_MAX, &log, &used), RH_EFORMAT);
  rh_oplog_free(live.log);
}

/* Ranks and peers that a file names are tried before they are used. */
static rh_status replay_damaged(void *context, int64_t t, bool *more)
{
  const rh_oplog_world world = {.find = rh_collective_find};
  *more = false;
  return rh_oplog_replay(context, t, &world, N - 1, schedule);
}

static void test_other_ranks(void **state)
{
  (void)state;
  IN_PROCESS();
  times live = {0};
  load();
  assert_int_equal(rh_oplog_new(INT64_MAX, &live.log), RH_OK);
  simulate(&live, &(choice){.method = "dpsgd", .graph = "ring"});
  const rh_schedule_def def = {.platform = platform, .lead = 2, .context = live.log, .produce = replay_damaged};
  assert_int_equal(rh_schedule_new(&def, &schedule), RH_OK);
  assert_int_equal(rh_schedule_run(schedule), RH_EFORMAT);
  rh_schedule_free(schedule);
  rh_oplog_free(live.log);
}

/* A log of one collective, as a file may name it: refused, not carried out. */
static rh_status replay_collective_of(void *context, int64_t t, bool *more)
{
  const rh_oplog_world world = {.find = rh_collective_find};
  rh_oplog *log;
  *more = false;
  assert_int_equal(rh_oplog_new(INT64_MAX, &log), RH_OK);
  rh_oplog_begin(log, schedule, N);
  rh_oplog_collective(log, context, NULL);
  rh_oplog_end(log, true);
  const rh_status status = rh_oplog_replay(log, t, &world, N, schedule);
  rh_oplog_free(log);
  return status;
}

static void test_collectives_that_cannot_be(void **state)
{
  (void)state;
  IN_PROCESS();
  static const int64_t negative[N] = {[1] = -1};
  rh_collective wrong[] = {{.kind = rh_collective_find("allreduce-server")},   /* no shards */
                           {.kind = rh_collective_find("neighbour-exchange")}, /* no neighbours */
                           {.kind = rh_collective_find("allreduce-torus"), .sides = {N, 2}},
                           {.kind = rh_collective_find("allreduce-torus"), .sides = {-1, -N}},
                           {.kind = rh_collective_find("allgather-ring"), .bytes_of = negative}};
  load();
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    wrong[i].size = N;
    wrong[i].bytes = 64;
    wrong[i].element_bytes = 4;
    const rh_schedule_def def = {
        .platform = platform, .lead = 2, .context = &wrong[i], .produce = replay_collective_of};
    assert_int_equal(rh_schedule_new(&def, &schedule), RH_OK);
    assert_int_equal(rh_schedule_run(schedule), RH_EFORMAT);
    rh_schedule_free(schedule);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_overlapped_buckets),
      cmocka_unit_test(test_messages_of_any_length),
      cmocka_unit_test(test_server),
      cmocka_unit_test(test_background_gossip),
      cmocka_unit_test(test_changing_graphs),
      cmocka_unit_test(test_equal_rounds_are_kept_once),
      cmocka_unit_test(test_limit),
      cmocka_unit_test(test_files_that_end_early),
      cmocka_unit_test(test_other_ranks),
      cmocka_unit_test(test_collectives_that_cannot_be),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
