/* Decentralised methods: what an exchange keeps and how fast it makes workers agree; which methods are one without
 * loss; what is refused. Values only; test_decentral_time.c has the clock, test_decentral_literal.c the formulas one by
 * one. */
#include "method_fixture.h"
#include "method_sgp.h"

/* A directed graph of in-degrees 1 to 3 and out-degrees 1 to 4, strongly connected by its ring. */
static const char irregular[] = "0 1\n1 2\n2 3\n3 4\n4 5\n5 6\n6 7\n7 0\n0 3\n0 4\n0 5\n2 5\n3 7\n6 1\n";

static const char *const background[] = {"train.exchange=background", NULL};

static choice irregular_sgp(void)
{
  return (choice){.method = "sgp", .graph = "file", .edges = irregular, .directed = true, .weights = RH_WEIGHTS_PUSH};
}

static bool equal_bits(fixture *a, fixture *b)
{
  bool same = true;
  for (int32_t i = 0; i < N; i++)
    same = same && memcmp(rh_replicas_parameters(a->world.replicas, i), rh_replicas_parameters(b->world.replicas, i),
                          (size_t)a->model.parameters * sizeof(float)) == 0;
  return same;
}

/* Ten rounds of both; returns the largest relative difference over all workers; bits: they are the same. */
static double apart_after_training(const choice *one, const choice *two, bool *bits)
{
  fixture a, b;
  double apart = 0;
  fixture_init(&a, one);
  fixture_init(&b, two);
  rounds(&a, 0, 10, 0.1);
  rounds(&b, 0, 10, 0.1);
  for (int32_t i = 0; i < N; i++)
    apart = fmax(apart, relative_difference(&a, i, &b, i));
  *bits = equal_bits(&a, &b);
  RH_ASSERT(relative_difference(&a, 0, &a, N / 2) > 1e-4); /* workers do differ */
  fixture_clear(&a);
  fixture_clear(&b);
  return apart;
}

/* With eta 1 and no loss the same sums in the same order. */
static void methods_without_loss_are_dpsgd_body(void)
{
  const rh_optimiser o = {.momentum = 0.9, .decay = 1e-3, .nesterov = true, .clip = 2};
  choice adapt = {.method = "dpsgd", .graph = "torus", .optimiser = &o};
  choice combine = {.method = "dpsgd", .graph = "torus", .optimiser = &o, .order = "combine-then-adapt"};
  choice choco = {.method = "choco", .graph = "torus", .optimiser = &o};
  choice deepsqueeze = {.method = "deepsqueeze", .graph = "torus", .optimiser = &o};
  choice dcd = {.method = "dcd", .graph = "torus", .optimiser = &o};
  bool bits;
  RH_ASSERT(apart_after_training(&choco, &adapt, &bits) == 0 && bits);
  RH_ASSERT(apart_after_training(&deepsqueeze, &adapt, &bits) == 0 && bits);
  RH_ASSERT(apart_after_training(&dcd, &combine, &bits) == 0 && bits);
  RH_ASSERT(apart_after_training(&adapt, &combine, &bits) > 1e-4); /* and the orders are two */
}

/* With loss, dpsgd's differences are synchronous choco's. */
static void choco_is_dpsgd_with_differences_body(void)
{
  static const char *const half[] = {"train.consensus_step=.5", NULL};
  static const char *const compressors[] = {"int8", "topk"};
  for (int k = 0; k < 2; k++) {
    choice dpsgd = {.method = "dpsgd", .graph = "ring", .compressor = compressors[k], .settings = half};
    choice choco = {.method = "choco", .graph = "ring", .compressor = compressors[k], .settings = half};
    bool bits;
    RH_ASSERT(apart_after_training(&choco, &dpsgd, &bits) == 0 && bits);
  }
}

/* The background exchange without loss mixes models from before the step, as combine-then-adapt does, but adds
 * sum_j W_ij x_j - x_i to the stepped x_i: another order, ten rounds of f32 rounding. So does sgp, which multiplies
 * with weights of 1/3 where metropolis has 1 - 2/3. */
static void other_orders_of_the_sums_are_dpsgd_to_rounding_body(void)
{
  choice combine = {.method = "dpsgd", .graph = "ring", .order = "combine-then-adapt", .momentum = 0.9};
  choice behind = {.method = "choco", .graph = "ring", .settings = background, .momentum = 0.9};
  choice adapt = {.method = "dpsgd", .graph = "ring", .momentum = 0.9};
  choice push = {.method = "sgp", .graph = "ring", .weights = RH_WEIGHTS_PUSH, .momentum = 0.9};
  bool bits;
  RH_ASSERT(apart_after_training(&behind, &combine, &bits) < 2e-5 && !bits);
  RH_ASSERT(apart_after_training(&push, &adapt, &bits) < 2e-5);
}

/* sum_i w_i x_i / N, [parameters]; w 1 but for sgp. */
static void mean_model(fixture *f, double *mean)
{
  const bool pushes = strcmp(f->method->name, "sgp") == 0;
  for (int64_t p = 0; p < f->model.parameters; p++) {
    mean[p] = 0;
    for (int32_t i = 0; i < N; i++)
      mean[p] += (pushes ? rh_sgp_weights(f->state)[i] : 1.0) * rh_replicas_parameters(f->world.replicas, i)[p] / N;
  }
}

/* Largest move of the mean model in `count` rounds from round t on, at learning rate 0. */
static double drift(fixture *f, int64_t t, int64_t count)
{
  const size_t values = (size_t)f->model.parameters;
  double *before = calloc(values, sizeof *before), *after = calloc(values, sizeof *after), moved = 0;
  mean_model(f, before);
  rounds(f, t, count, 0);
  mean_model(f, after);
  for (size_t p = 0; p < values; p++)
    moved = fmax(moved, fabs(after[p] - before[p]));
  free(before);
  free(after);
  return moved;
}

static void check_mean_is_kept(const choice *c)
{
  fixture f;
  fixture_init(&f, c);
  rounds(&f, 0, 3, 0.1);
  const double before = consensus(&f);
  RH_ASSERT(before > 1e-3);
  /* 20 exchanges of values below 2, each an ulp (1.2e-7) off in some worker; what deepsqueeze keeps may be ten times as
   * large */
  RH_ASSERT(drift(&f, 3, 20) < 2e-6);
  RH_ASSERT(fabs(consensus(&f) - before) > 1e-6); /* and something was exchanged */
  fixture_clear(&f);
}

/* Every method but dcd, with every compressor; of topk a tenth of the values, with a step that it can bear. */
static void exchanges_keep_the_mean_body(void)
{
  static const char *const tenth[] = {"compress.ratio=.1", "train.consensus_step=.1", NULL};
  static const char *const tenth_behind[] = {"compress.ratio=.1", "train.consensus_step=.1",
                                             "train.exchange=background", NULL};
  static const char *const methods[] = {"dpsgd", "choco", "choco", "deepsqueeze", "qg-dsgdm", "sgp"};
  for (int m = 0; m < 6; m++) {
    const bool behind = m == 2;
    choice c = {.method = methods[m], .graph = "ring", .momentum = 0.9};
    if (m == 5) c = irregular_sgp();
    c.settings = behind ? background : NULL;
    check_mean_is_kept(&c);
    c.compressor = "int8";
    check_mean_is_kept(&c);
    c.compressor = "topk";
    c.settings = behind ? tenth_behind : tenth;
    check_mean_is_kept(&c);
  }
}

/* dcd moves the mean by the mean of what messages lose, so only without loss it stays. With int8 a value is lost by
 * less than a step, a 255th of its tensor's range; z_i = sum_j W_ij x_j - x_i is at most the range of the models. */
static void dcd_moves_the_mean_by_what_is_lost_body(void)
{
  choice c = {.method = "dcd", .graph = "ring", .momentum = 0.9};
  check_mean_is_kept(&c);
  c.compressor = "int8";
  fixture f;
  fixture_init(&f, &c);
  rounds(&f, 0, 3, 0.1);
  double range = 0;
  for (int64_t p = 0; p < f.model.parameters; p++)
    for (int32_t i = 0; i < N; i++)
      for (int32_t j = 0; j < N; j++)
        range = fmax(range, (double)rh_replicas_parameters(f.world.replicas, i)[p] -
                                rh_replicas_parameters(f.world.replicas, j)[p]);
  const double moved = drift(&f, 3, 1);
  RH_ASSERT(moved > 1e-6);
  RH_ASSERT(moved < 2 * range / 255); /* z is between -range and range */
  fixture_clear(&f);
}

/* What 60 rounds of gossip alone leave of the consensus distance. */
static double left_after_gossip(const choice *c)
{
  fixture f;
  fixture_init(&f, c);
  rounds(&f, 0, 3, 0.1);
  const double before = consensus(&f);
  rounds(&f, 3, 60, 0);
  const double left = consensus(&f) / before;
  fixture_clear(&f);
  return left;
}

/* The negative control: models through the 8-bit quantiser stall at its noise floor, and so do deepsqueeze's, whose
 * kept errors are added later but not smaller. Differences shrink with the distance: 60 rounds of a ring of 8 leave
 * 2e-6. */
static void differences_converge_where_models_stall_body(void)
{
  choice c = {.method = "dpsgd", .graph = "ring", .compressor = "int8", .message = "model"};
  const double stalled = left_after_gossip(&c);
  RH_ASSERT(stalled > 0.01);
  c.message = NULL;
  c.method = "deepsqueeze";
  RH_ASSERT(left_after_gossip(&c) > 0.01);
  static const char *const methods[] = {"dpsgd", "choco", "qg-dsgdm", "sgp", "dcd"};
  for (int m = 0; m < 5; m++) {
    c.method = methods[m];
    c.weights = m == 3 ? RH_WEIGHTS_PUSH : RH_WEIGHTS_METROPOLIS;
    RH_ASSERT(left_after_gossip(&c) < stalled / 1000);
  }
  c.method = "choco";
  c.settings = background;
  c.weights = RH_WEIGHTS_METROPOLIS;
  RH_ASSERT(left_after_gossip(&c) < stalled / 1000);
}

/* Normal values around 0, whose mean over workers is 0 to rounding. */
static void spread(fixture *f)
{
  for (int64_t p = 0; p < f->model.parameters; p++) {
    rh_rng rng = rh_rng_stream(5, RH_PURPOSE_TEST, 0, (uint64_t)p);
    double value[N], mean = 0;
    for (int32_t i = 0; i < N; i++)
      mean += (value[i] = rh_rng_normal(&rng)) / N;
    for (int32_t i = 0; i < N; i++)
      rh_replicas_parameters(f->world.replicas, i)[p] = (float)(value[i] - mean);
  }
}

/* The squared distance shrinks by |lambda_2|^2 in a round of gossip alone: never less on graphs whose W is symmetric or
 * circulant (normal), and exactly that once the other eigenvectors are gone, after 12 rounds. */
static void check_contraction(const choice *c, double lambda2)
{
  enum { ROUNDS = 18, SETTLED = 12 };
  fixture f;
  fixture_init(&f, c);
  double found, squared[ROUNDS + 1];
  RH_ASSERT(rh_graph_sequence_lambda2(&f.graphs, &found) == RH_OK && fabs(found - lambda2) < 5e-5);
  spread(&f);
  squared[0] = pow(consensus(&f), 2);
  for (int t = 0; t < ROUNDS; t++) {
    rounds(&f, f.world.rounds - ROUNDS + t, 1, 0.1); /* the learning rate is of no use in them */
    squared[t + 1] = pow(consensus(&f), 2);
    RH_ASSERT(squared[t + 1] <= squared[t] * found * found * (1 + 1e-5)); /* f32 weights and sums */
  }
  const double rate = pow(squared[ROUNDS] / squared[SETTLED], 1.0 / (ROUNDS - SETTLED));
  RH_ASSERT(fabs(rate / (found * found) - 1) < 1e-3);
  fixture_clear(&f);
}

/* |lambda_2| by hand. Ring: (1 + 2 cos 45) / 3; directed: cos 22.5; torus of 2 x 4: (1 + 1 + 2 cos 90) / 4, hypercube
 * (1 + 3 - 2) / 4, star with weights 1/8: 1 - 1/8, exponential (neighbours 1, 2, 4 away, alternating): (1 - 2 + 2 + 1)
 * / 6. */
static void gossip_alone_contracts_by_lambda2_body(void)
{
  static const char *const alone[] = {"train.gossip_rounds=18", NULL};
  choice c = {.method = "choco", .graph = "ring", .settings = alone, .rounds = 19};
  check_contraction(&c, 0.8047);
  c.graph = "torus";
  check_contraction(&c, 0.5);
  c.graph = "hypercube";
  check_contraction(&c, 0.5);
  c.graph = "star";
  check_contraction(&c, 0.875);
  c.graph = "exponential";
  check_contraction(&c, 1.0 / 3);
  c.graph = "ring";
  c.directed = true;
  check_contraction(&c, 0.9239);
}

/* Rounds of gossip alone compute nothing: loss, moments and data stay; the learning rate is recorded as 0. */
static void gossip_alone_computes_no_gradient_body(void)
{
  static const char *const methods[] = {"dpsgd", "choco", "deepsqueeze", "dcd", "qg-dsgdm", "sgp"};
  static const char *const alone[] = {"train.gossip_rounds=4", NULL};
  for (int m = 0; m < 6; m++) {
    choice c = {.method = methods[m], .graph = "ring", .settings = alone, .rounds = 7, .momentum = 0.9};
    c.weights = m == 5 ? RH_WEIGHTS_PUSH : RH_WEIGHTS_METROPOLIS;
    fixture f;
    fixture_init(&f, &c);
    rounds(&f, 0, 3, 0.1);
    RH_ASSERT(strcmp(f.world.phase, "train") == 0 && f.world.learning_rate == 0.1);
    const double loss = f.world.train_loss, before = consensus(&f);
    const float moment = rh_replicas_moment(f.world.replicas, 5, 0)[7];
    RH_ASSERT(loss > 0 && moment != 0);
    rounds(&f, 3, 4, 0.1);
    RH_ASSERT(strcmp(f.world.phase, "gossip") == 0 && f.world.learning_rate == 0);
    RH_ASSERT(f.world.train_loss == loss && rh_replicas_moment(f.world.replicas, 5, 0)[7] == moment);
    RH_ASSERT(consensus(&f) < before);
    RH_ASSERT(f.method->check_settings(&f.world) == RH_OK);
    fixture_clear(&f);
  }
}

static double sum_of_weights(fixture *f)
{
  double sum = 0;
  for (int32_t i = 0; i < N; i++)
    sum += rh_sgp_weights(f->state)[i];
  return sum;
}

/* Largest distance of a worker's z from the mean that the numerators have. */
static double distance_to_mean(fixture *f, const double *mean)
{
  double distance = 0;
  for (int32_t i = 0; i < N; i++)
    for (int64_t p = 0; p < f->model.parameters; p++)
      distance = fmax(distance, fabs(rh_replicas_parameters(f->world.replicas, i)[p] - mean[p]));
  return distance;
}

/* Push-sum on a directed irregular graph, without loss and with 8 bits: the weights leave 1 but sum to N, f32 a round;
 * all z go to the mean that the models had, not to another one. */
static void push_sum_finds_the_true_mean_body(void)
{
  static const char *const compressors[] = {"none", "int8"};
  for (int k = 0; k < 2; k++) {
    choice c = irregular_sgp();
    c.compressor = compressors[k];
    fixture f;
    fixture_init(&f, &c);
    RH_ASSERT(!rh_graph_mixes(&f.graphs.graphs[0], RH_MIXING_DOUBLY));
    rounds(&f, 0, 3, 0.1);
    double *mean = calloc((size_t)f.model.parameters, sizeof *mean);
    mean_model(&f, mean);
    RH_ASSERT(distance_to_mean(&f, mean) > 1e-2);
    rounds(&f, 3, 100, 0);
    RH_ASSERT(fabs(sum_of_weights(&f) - N) < 1e-5);
    RH_ASSERT(fabs(rh_sgp_weights(f.state)[0] - 1) > 0.1);
    /* 100 roundings of values below 2 */
    RH_ASSERT(distance_to_mean(&f, mean) < 1e-5);
    free(mean);
    fixture_clear(&f);
  }
}

/* The step of a worker goes to its numerator as it is: the mean of the x moves by the mean of lr u_i. */
static void sgp_moves_the_mean_by_whole_steps_body(void)
{
  choice c = irregular_sgp();
  c.momentum = 0.9;
  c.decay = 1e-3;
  fixture f;
  fixture_init(&f, &c);
  const size_t values = (size_t)f.model.parameters;
  double *before = calloc(values, sizeof *before), *after = calloc(values, sizeof *after), moved = 0;
  for (int64_t t = 0; t < 4; t++) {
    mean_model(&f, before);
    rounds(&f, t, 1, 0.1);
    mean_model(&f, after);
    for (size_t p = 0; p < values; p++) {
      double step = 0;
      for (int32_t i = 0; i < N; i++)
        step += 0.1 * rh_replicas_moment(f.world.replicas, i, 0)[p] / N;
      RH_ASSERT(fabs(before[p] - step - after[p]) < 1e-6); /* values of size 1 in f32 */
      moved = fmax(moved, fabs(step));
    }
  }
  RH_ASSERT(moved > 1e-2);
  free(before);
  free(after);
  fixture_clear(&f);
}

/* One peer a round, 1, 2 and 4 ranks away: three exchanges after the last step everybody has the mean of all eight. */
static void push_sum_follows_a_changing_graph_body(void)
{
  static const char *const methods[] = {"sgp", "qg-dsgdm"};
  for (int m = 0; m < 2; m++) {
    choice c = {.method = methods[m], .graph = "one-peer", .directed = true, .weights = RH_WEIGHTS_PUSH};
    fixture f;
    fixture_init(&f, &c);
    RH_ASSERT(f.graphs.period == 3);
    rounds(&f, 0, 3, 0.1); /* one exchange after the third step */
    double *mean = calloc((size_t)f.model.parameters, sizeof *mean);
    mean_model(&f, mean);
    RH_ASSERT(distance_to_mean(&f, mean) > 1e-3);
    rounds(&f, 3, 1, 0);
    RH_ASSERT(distance_to_mean(&f, mean) > 1e-4);
    rounds(&f, 4, 1, 0);
    RH_ASSERT(distance_to_mean(&f, mean) < 1e-6); /* values of size 1 in f32 */
    free(mean);
    fixture_clear(&f);
  }
}

/* Whether a method warns of this. */
static bool warns(const char *method, const char *graph, const char *compressor, const char *bits)
{
  const choice c = {.method = method, .graph = graph, .compressor = compressor, .bits = bits};
  fixture f;
  rh_text text = {0};
  fixture_init(&f, &c);
  f.method->warn(&f.world, &text);
  const bool said = text.length > 0;
  RH_ASSERT(!said || (strstr(rh_text_get(&text), method) && strstr(rh_text_get(&text), "watch the loss")));
  rh_text_clear(&text);
  fixture_clear(&f);
  return said;
}

/* dcd's proof on a ring of 8 asks for alpha < (1 - .8047) / (2 * 4/3) = .0732, on a complete graph for .5. int8
 * promises alpha^2 = (d - 2) / (2 L^2), d = 576 at most: .066 with 255 steps, .133 with 127; a tenth of the
 * values .95. */
static void coarse_messages_are_warned_of_body(void)
{
  RH_ASSERT(!warns("dcd", "ring", "none", NULL));
  RH_ASSERT(!warns("dcd", "ring", "int", "8"));
  RH_ASSERT(warns("dcd", "ring", "int", "7"));
  RH_ASSERT(!warns("dcd", "complete", "int", "7"));
  RH_ASSERT(warns("dcd", "complete", "topk", NULL));
  /* 2 bits: a sign and one level in buckets of 512 values; the error may be longer than the vector */
  static const char *const methods[] = {"choco", "deepsqueeze", "qg-dsgdm", "sgp"};
  for (int m = 0; m < 4; m++) {
    RH_ASSERT(!warns(methods[m], "ring", "none", NULL));
    RH_ASSERT(!warns(methods[m], "ring", "topk", NULL));
    RH_ASSERT(warns(methods[m], "ring", "qsgd", "2"));
  }
}

/* All methods learn with all compressors: 60 rounds from a loss of ln 3 = 1.1. */
static void methods_learn_body(void)
{
  static const char *const methods[] = {"choco", "deepsqueeze", "dcd", "qg-dsgdm", "sgp"};
  static const char *const compressors[] = {"none", "int8", "topk"};
  static const char *const tenth[] = {"compress.ratio=.1", "train.consensus_step=.1", NULL};
  for (int m = 0; m < 5; m++)
    for (int k = 0; k < 3; k++) {
      choice c = {.method = methods[m], .graph = "ring", .momentum = 0.9, .compressor = compressors[k]};
      c.weights = strcmp(methods[m], "sgp") == 0 ? RH_WEIGHTS_PUSH : RH_WEIGHTS_METROPOLIS;
      if (k == 2) c.settings = tenth;
      fixture f;
      fixture_init(&f, &c);
      rounds(&f, 0, 60, 0.02);
      RH_ASSERT(f.world.train_loss < 0.05);
      fixture_clear(&f);
    }
}

VALUES_TEST(methods_without_loss_are_dpsgd)
VALUES_TEST(choco_is_dpsgd_with_differences)
VALUES_TEST(other_orders_of_the_sums_are_dpsgd_to_rounding)
VALUES_TEST(exchanges_keep_the_mean)
VALUES_TEST(dcd_moves_the_mean_by_what_is_lost)
VALUES_TEST(differences_converge_where_models_stall)
VALUES_TEST(gossip_alone_contracts_by_lambda2)
VALUES_TEST(gossip_alone_computes_no_gradient)
VALUES_TEST(push_sum_finds_the_true_mean)
VALUES_TEST(sgp_moves_the_mean_by_whole_steps)
VALUES_TEST(push_sum_follows_a_changing_graph)
VALUES_TEST(coarse_messages_are_warned_of)
VALUES_TEST(methods_learn)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(methods_without_loss_are_dpsgd),
      cmocka_unit_test(choco_is_dpsgd_with_differences),
      cmocka_unit_test(other_orders_of_the_sums_are_dpsgd_to_rounding),
      cmocka_unit_test(exchanges_keep_the_mean),
      cmocka_unit_test(dcd_moves_the_mean_by_what_is_lost),
      cmocka_unit_test(differences_converge_where_models_stall),
      cmocka_unit_test(gossip_alone_contracts_by_lambda2),
      cmocka_unit_test(gossip_alone_computes_no_gradient),
      cmocka_unit_test(push_sum_finds_the_true_mean),
      cmocka_unit_test(sgp_moves_the_mean_by_whole_steps),
      cmocka_unit_test(push_sum_follows_a_changing_graph),
      cmocka_unit_test(coarse_messages_are_warned_of),
      cmocka_unit_test(methods_learn),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
