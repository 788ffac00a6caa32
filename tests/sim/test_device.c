/* Methods whose rows stay on a device (stays_on_device): in the memory of a device that is none, which ends the
 * program where somebody mixes it up with its own, rounds are bit for bit those in the program's memory. Checked with
 * RH_ASSERT, as in test_method.c. */
#include "method_fixture.h"
#include "rows.h"

enum { ROUNDS = 9 };

/* The state after some rounds, how far workers are apart, the score of their mean. */
typedef struct outcome {
  uint64_t hash;
  double distance, loss;
  rh_score score;
} outcome;

static outcome outcome_of(choice c, const rh_mask_options *mask, bool on_device)
{
  fixture f;
  outcome o = {0};
  c.on_device = on_device;
  fixture_init(&f, &c);
  if (mask) { /* its state is made again */
    f.method->free_state(f.state);
    f.world.mask = *mask;
    RH_ASSERT(f.method->new_state(&f.world, &f.state) == RH_OK);
  }
  RH_ASSERT(f.method->stays_on_device && f.method->stays_on_device(&f.world));
  float *mean = calloc((size_t)f.model.stride, sizeof *mean);
  RH_ASSERT(mean);
  rounds(&f, 0, ROUNDS, 0.1);
  RH_ASSERT(rh_replicas_mean(f.world.replicas, mean) == RH_OK);
  RH_ASSERT(rh_replicas_score(f.world.replicas, mean, &f.dataset.test, 0, &o.score) == RH_OK);
  o.distance = rh_replicas_consensus_distance(f.world.replicas, mean);
  o.hash = rh_replicas_hash(f.world.replicas);
  o.loss = f.world.train_loss;
  free(mean);
  fixture_clear(&f);
  return o;
}

static void check_masked(const choice *c, const rh_mask_options *mask)
{
  const outcome host = outcome_of(*c, mask, false), device = outcome_of(*c, mask, true);
  RH_ASSERT(host.hash == device.hash && host.distance == device.distance && host.loss == device.loss);
  RH_ASSERT(host.score.loss == device.score.loss && host.score.accuracy == device.score.accuracy);
}

static void check(const choice *c)
{
  check_masked(c, NULL);
}

static void rounds_on_a_device_are_those_in_memory_body(void)
{
  const rh_optimiser clipped = {.kind = RH_OPTIMISER_SGD, .momentum = 0.9, .nesterov = true, .clip = 0.1};
  const rh_optimiser adamw = {.kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .decay = 0.01};
  const char *const ab_syncs[] = {"train.ab_sync=with-stale", "train.ab_sync=only-learned", "train.ab_sync=full",
                                  "train.ab_sync=only-b"};
  const rh_optimiser *const optimisers[] = {NULL, &clipped, &adamw};
  for (size_t i = 0; i < RH_COUNT(optimisers); i++) {
    check(&(choice){.method = "allreduce", .momentum = 0.9, .optimiser = optimisers[i]});
    check(&(choice){.method = "dpsgd", .graph = "ring", .momentum = 0.9, .optimiser = optimisers[i]});
    check(&(choice){.method = "dpsgd",
                    .graph = "ring",
                    .order = "combine-then-adapt",
                    .momentum = 0.9,
                    .optimiser = optimisers[i]});
    check(&(choice){.method = "dcd", .graph = "ring", .momentum = 0.9, .optimiser = optimisers[i]});
    check(&(choice){.method = "sgp",
                    .graph = "exponential",
                    .directed = true,
                    .weights = RH_WEIGHTS_PUSH,
                    .optimiser = optimisers[i]});
    if (!optimisers[i] || optimisers[i]->kind == RH_OPTIMISER_SGD)
      check(&(choice){.method = "qg-dsgdm", .graph = "ring", .momentum = 0.9, .optimiser = optimisers[i]});
    for (int feedback = RH_FEEDBACK_NONE; feedback <= RH_FEEDBACK_CLASSIC; feedback++)
      for (int cold = 0; cold < 2; cold++)
        check(&(choice){.method = "allreduce",
                        .momentum = 0.9,
                        .compressor = "lowrank",
                        .buckets = cold ? 3 : 1,
                        .feedback = feedback,
                        .optimiser = optimisers[i],
                        .settings = (const char *[]){cold ? "compress.warm=off" : "compress.rank=3", NULL}});
    check(&(choice){.method = "dpsgd",
                    .graph = "ring",
                    .momentum = 0.9,
                    .compressor = "lowrank",
                    .optimiser = optimisers[i],
                    .settings = (const char *[]){"compress.rank=2", NULL}});
    for (size_t k = 0; k < RH_COUNT(ab_syncs); k++) /* through all its phases: FULL, AB, FULL, AB of a lower rank */
      check(&(choice){.method = "ab",
                      .momentum = 0.9,
                      .optimiser = optimisers[i],
                      .settings = (const char *[]){"train.ab_warmup=1", "train.ab_period=4", "train.ab_rebound=2",
                                                   "train.dense_ends=off", "train.groups=blocks", "train.group_size=2",
                                                   "train.rank_cut=0.3", ab_syncs[k], NULL}});
  }
}
VALUES_TEST(rounds_on_a_device_are_those_in_memory)

static void estimates_on_a_device_are_those_in_memory_body(void)
{
  const char *const background[] = {"train.exchange=background", "train.consensus_step=.5", NULL};
  const char *const gossip[] = {"train.gossip_rounds=1", NULL};
  check(&(choice){.method = "choco", .graph = "ring", .momentum = 0.9, .settings = background});
  check(&(choice){.method = "deepsqueeze", .graph = "ring", .rounds = ROUNDS, .settings = gossip});
  check(&(choice){.method = "qg-dsgdm", .graph = "ring", .rounds = ROUNDS, .decay = 0.01, .settings = gossip});
}
VALUES_TEST(estimates_on_a_device_are_those_in_memory)

/* A turn with a mask, one without, in which momentum starts anew, and one with another mask. */
static void masked_rounds_on_a_device_are_those_in_memory_body(void)
{
  const rh_mask_options by_turns = {.kind = RH_MASK_MAGNITUDE,
                                    .sparsity = 0.8,
                                    .ends = true,
                                    .every = 1,
                                    .schedule = RH_MASK_ACDC,
                                    .sparse_rounds = 1,
                                    .dense_rounds = 1,
                                    .end = 3};
  const rh_mask_options groups = {.kind = RH_MASK_NM, .n = 2, .m = 4, .ends = true, .every = 1, .start = 1};
  const rh_mask_options *const masks[] = {&by_turns, &groups};
  for (size_t k = 0; k < RH_COUNT(masks); k++) {
    check_masked(&(choice){.method = "allreduce", .momentum = 0.9, .rounds = ROUNDS}, masks[k]);
    check_masked(&(choice){.method = "choco", .graph = "ring", .momentum = 0.9, .rounds = ROUNDS}, masks[k]);
    check_masked(&(choice){.method = "sgp",
                           .graph = "exponential",
                           .directed = true,
                           .weights = RH_WEIGHTS_PUSH,
                           .momentum = 0.9,
                           .rounds = ROUNDS},
                 masks[k]);
  }
}
VALUES_TEST(masked_rounds_on_a_device_are_those_in_memory)

/* How many workers were in the call that had worker i. */
static void take_count(void *context, rh_rows rows)
{
  int32_t *together = context;
  for (int32_t i = rows.first; i < rows.first + rows.count; i++)
    together[i] += rows.count;
}

/* Workers 1 .. 7 by threes: 3, 3 and 1 on a device, each alone in the program's memory. */
static void rows_are_cut_by_where_they_live_body(void)
{
  static const int32_t expected[2][N] = {{0, 1, 1, 1, 1, 1, 1, 1}, {0, 3, 3, 3, 3, 3, 3, 1}};
  for (int on_device = 0; on_device < 2; on_device++) {
    fixture f;
    int32_t together[N] = {0};
    fixture_init(&f, &(choice){.method = "dpsgd", .graph = "ring", .on_device = on_device});
    RH_ASSERT(rh_backend_on_host(rh_replicas_get_def(f.world.replicas)->backend) == !on_device);
    rh_rows_each(&f.world, (rh_rows){1, N - 1, 0}, 3, take_count, together);
    RH_ASSERT(memcmp(together, expected[on_device], sizeof together) == 0);
    fixture_clear(&f);
  }
}
VALUES_TEST(rows_are_cut_by_where_they_live)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(rounds_on_a_device_are_those_in_memory),
                                     cmocka_unit_test(estimates_on_a_device_are_those_in_memory),
                                     cmocka_unit_test(masked_rounds_on_a_device_are_those_in_memory),
                                     cmocka_unit_test(rows_are_cut_by_where_they_live)};
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
