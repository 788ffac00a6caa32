/* Methods: what they compute, against each other and by hand.
 *
 * Methods append to a schedule, which only its producer may do: a test of values is the producer of one long round, and
 * since that runs on an actor's stack, which cmocka cannot leave, it checks with RH_ASSERT.
 */
#include "method_fixture.h"

/* With everybody as neighbour, the average after the step is the step with the average. f32 rounding of 30 steps: each
 * adds about an ulp (6e-8) of relative error, momentum 0.9 multiplies it by up to 10; 2e-5 is that with a margin. */
static void dpsgd_on_a_complete_graph_is_allreduce_body(void)
{
  choice all = {.method = "allreduce", .momentum = 0.9, .decay = 1e-3};
  choice gossip = {.method = "dpsgd", .graph = "complete", .momentum = 0.9, .decay = 1e-3};
  fixture a, b;
  fixture_init(&a, &all);
  fixture_init(&b, &gossip);
  rounds(&a, 0, 30, 0.05);
  rounds(&b, 0, 30, 0.05);
  for (int32_t i = 0; i < N; i++)
    RH_ASSERT(relative_difference(&a, 0, &b, i) < 2e-5);
  fixture initial;
  fixture_init(&initial, &all);
  RH_ASSERT(relative_difference(&a, 0, &initial, 0) > 0.01); /* and they did move */
  fixture_clear(&initial);
  fixture_clear(&a);
  fixture_clear(&b);
}

/* One worker's neighbourhood by hand: combine-then-adapt gives W x - lr g(x), the gradient taken before mixing. */
static void combine_then_adapt_takes_the_gradient_before_mixing_body(void)
{
  choice c = {.method = "dpsgd", .graph = "ring", .order = "combine-then-adapt"};
  fixture f;
  fixture_init(&f, &c);
  rounds(&f, 0, 3, 0.1); /* now the workers differ */
  size_t bytes = (size_t)f.model.stride * sizeof(float);
  float *x = malloc(N * bytes), *gradient = malloc(bytes);
  for (int32_t i = 0; i < N; i++)
    memcpy(x + i * f.model.stride, rh_replicas_parameters(f.world.replicas, i), bytes);
  float *g;
  RH_ASSERT(rh_replicas_gradients(f.world.replicas, 3, 4, 1, &g, NULL) == RH_OK);
  memcpy(gradient, g, bytes);
  rounds(&f, 3, 1, 0.1);
  const float *after = rh_replicas_parameters(f.world.replicas, 4);
  for (int64_t p = 0; p < f.model.parameters; p++) {
    double mixed = ((double)x[3 * f.model.stride + p] + x[4 * f.model.stride + p] + x[5 * f.model.stride + p]) / 3;
    RH_ASSERT(fabs(mixed - 0.1 * gradient[p] - after[p]) < 1e-6); /* values below 2: a few f32 ulp */
  }
  free(x);
  free(gradient);
  fixture_clear(&f);
}

static double mean_value(fixture *f)
{
  double sum = 0;
  for (int32_t i = 0; i < N; i++)
    for (int64_t p = 0; p < f->model.parameters; p++)
      sum += rh_replicas_parameters(f->world.replicas, i)[p];
  return sum / (N * (double)f->model.parameters);
}

/* Gossip alone (lr 0) keeps the mean model and contracts the distance by at most |lambda_2| per round. */
static void gossip_keeps_the_mean_and_contracts_body(void)
{
  static const char *const compressors[] = {"none", "qsgd"};
  for (int k = 0; k < 2; k++) {
    choice c = {.method = "dpsgd", .graph = "ring", .compressor = compressors[k], .bits = k ? "8" : NULL};
    fixture f;
    fixture_init(&f, &c);
    rounds(&f, 0, 3, 0.1);
    double mean = mean_value(&f), before = consensus(&f), lambda2;
    RH_ASSERT(rh_graph_sequence_lambda2(&f.graphs, &lambda2) == RH_OK);
    RH_ASSERT(before > 1e-3);
    rounds(&f, 3, 30, 0);
    /* each exchange rounds N x P values of size 0.3 to f32; their mean error is far below 1e-7 */
    RH_ASSERT(fabs(mean_value(&f) - mean) < 1e-7);
    double after = consensus(&f);
    if (k == 0) {
      RH_ASSERT(after <= before * pow(lambda2, 30) * 1.001 + 1e-6); /* 1e-6: f32 rounding of 600 values */
    } else {
      RH_ASSERT(after < 0.02 * before); /* the noise shrinks with the differences */
    }
    fixture_clear(&f);
  }
}

/* The negative control: whole models through the same quantiser stall at its noise floor. */
static void averaging_quantised_models_stalls_body(void)
{
  static const char *const messages[] = {"difference", "model"};
  double distance[2];
  for (int k = 0; k < 2; k++) {
    choice c = {.method = "dpsgd", .graph = "ring", .compressor = "qsgd", .bits = "8", .message = messages[k]};
    fixture f;
    fixture_init(&f, &c);
    rounds(&f, 0, 3, 0.1);
    rounds(&f, 3, 60, 0);
    distance[k] = consensus(&f);
    fixture_clear(&f);
  }
  RH_ASSERT(distance[1] > 100 * distance[0]);
}

/* allreduce with qsgd trains on what was decoded: without momentum the step is lr times a mean of N messages. */
static void allreduce_steps_on_decoded_messages_body(void)
{
  choice plain = {.method = "allreduce"}, lossy = {.method = "allreduce", .compressor = "qsgd", .bits = "2"};
  fixture a, b;
  fixture_init(&a, &plain);
  fixture_init(&b, &lossy);
  size_t bytes = (size_t)a.model.stride * sizeof(float);
  float *start = malloc(bytes), *sum = calloc((size_t)a.model.stride, sizeof *sum), *y = calloc(1, bytes);
  memcpy(start, rh_replicas_parameters(b.world.replicas, 0), bytes);
  uint8_t *wire = malloc(65536);
  for (int32_t i = 0; i < N; i++) { /* the messages again, by hand */
    float *g;
    RH_ASSERT(rh_replicas_gradients(a.world.replicas, 0, i, 1, &g, NULL) == RH_OK);
    rh_coding coding = {.options = b.compressor_options,
                        .layout = &b.buckets[0].layout,
                        .rng = rh_rng_stream(1, RH_PURPOSE_COMPRESS, (uint32_t)i, 0)};
    int64_t length = b.world.compressor->encode(&coding, g, NULL, wire);
    b.world.compressor->decode(&coding, wire, length, y);
    for (int64_t p = 0; p < a.model.parameters; p++)
      sum[p] += y[p] / N;
  }
  rounds(&b, 0, 1, 0.5);
  const float *after = rh_replicas_parameters(b.world.replicas, 0);
  double moved = 0;
  for (int64_t p = 0; p < a.model.parameters; p++) {
    RH_ASSERT(fabs((double)start[p] - 0.5 * sum[p] - after[p]) < 1e-5); /* sums of 8 in another order, f32 */
    moved = fmax(moved, fabs((double)start[p] - after[p]));
  }
  RH_ASSERT(moved > 1e-2);
  free(start);
  free(sum);
  free(y);
  free(wire);
  fixture_clear(&a);
  fixture_clear(&b);
}

/* Feedback and step-ahead around a lossless compressor change nothing: errors stay zero, and momentum is linear. 20
 * steps of f32 rounding, as above. */
static void feedback_without_loss_changes_nothing_body(void)
{
  choice plain = {.method = "allreduce", .momentum = 0.9};
  fixture a;
  fixture_init(&a, &plain);
  rounds(&a, 0, 20, 0.05);
  for (int kind = RH_FEEDBACK_CLASSIC; kind <= RH_FEEDBACK_STEP_AHEAD; kind++) {
    choice fed = {.method = "allreduce", .momentum = 0.9, .feedback = kind, .average_every = 5, .buckets = 2};
    fixture b;
    fixture_init(&b, &fed);
    rounds(&b, 0, 20, 0.05);
    RH_ASSERT(relative_difference(&a, 0, &b, 0) < 2e-5);
    fixture_clear(&b);
  }
  fixture_clear(&a);
}

/* Classic feedback loses nothing: after T rounds at a constant lr without momentum, x has moved by lr times the sum of
 * all mean gradients less what is still kept: x_0 - x_T = lr (sum_t g_t - mean of e_T). Seen through one step: the mean
 * of p_i is the mean of what arrived plus the mean of e_i. */
static void feedback_keeps_what_is_lost_body(void)
{
  choice c = {.method = "allreduce", .compressor = "qsgd", .bits = "8", .feedback = RH_FEEDBACK_CLASSIC};
  fixture f;
  fixture_init(&f, &c);
  rh_aggregate *a;
  RH_ASSERT(rh_aggregate_new(&f.world, &a) == RH_OK);
  const int64_t stride = f.model.stride, chunk = rh_replicas_chunk(f.world.replicas);
  RH_ASSERT(chunk >= N);
  float *rows = calloc(N * (size_t)stride, sizeof *rows), *mean = calloc((size_t)stride, sizeof *mean);
  double *owed = calloc((size_t)stride, sizeof *owed);
  for (int64_t t = 0; t < 5; t++) {
    rh_rng rng = rh_rng_stream(3, RH_PURPOSE_TEST, 0, (uint64_t)t);
    for (int32_t i = 0; i < N; i++)
      for (int64_t p = 0; p < f.model.parameters; p++)
        owed[p] += (double)(rows[i * stride + p] = (float)rh_rng_normal(&rng)) / N;
    rh_aggregate_begin(a, t);
    rh_aggregate_give(a, 0, N, rows);
    rh_aggregate_end(a, mean);
    double lost = 0;
    for (int64_t p = 0; p < f.model.parameters; p++) {
      double kept = 0;
      owed[p] -= mean[p];
      for (int32_t i = 0; i < N; i++)
        kept += (double)rh_aggregate_error(a, i)[p] / N;
      lost = fmax(lost, fabs(kept));
      RH_ASSERT(fabs(owed[p] - kept) < 1e-5); /* values of size 1 in f32, five rounds */
    }
    RH_ASSERT(lost > 1e-3);
  }
  free(rows);
  free(mean);
  free(owed);
  rh_aggregate_free(a);
  fixture_clear(&f);
}

/* Step-ahead around 3-bit qsgd: worker i stands at y_i = x - e_i, and whatever is lost or averaged, the mean of the y_i
 * moves by the mean of lr u_i. Every second round all errors, hence all y_i, become the same. */
static void step_ahead_moves_the_mean_by_exact_steps_body(void)
{
  choice c = {.method = "allreduce", .compressor = "qsgd", .bits = "3", .momentum = 0.9, .decay = 1e-3};
  c.feedback = RH_FEEDBACK_STEP_AHEAD;
  c.average_every = 2;
  fixture f;
  fixture_init(&f, &c);
  const int64_t count = f.model.parameters;
  double *expected = calloc((size_t)count, sizeof *expected);
  for (int64_t p = 0; p < count; p++)
    expected[p] = rh_replicas_parameters(f.world.replicas, 0)[p];
  for (int64_t t = 0; t < 4; t++) {
    double apart = 0;
    rounds(&f, t, 1, 0.1);
    for (int64_t p = 0; p < count; p++) {
      double mean = 0;
      for (int32_t i = 0; i < N; i++) {
        const double y = rh_replicas_parameters(f.world.replicas, i)[p];
        expected[p] -= 0.1 * rh_replicas_moment(f.world.replicas, i, 0)[p] / N;
        apart = fmax(apart, fabs(y - rh_replicas_parameters(f.world.replicas, 0)[p]));
        mean += y / N;
      }
      RH_ASSERT(fabs(mean - expected[p]) < 1e-5); /* values of size 1 in f32, four rounds */
    }
    RH_ASSERT(t % 2 == 1 ? apart == 0 : apart > 1e-3);
  }
  free(expected);
  fixture_clear(&f);
}

/* dgc sends one value of each tensor and worker. All others move by the decay alone, whose momentum is not lost. */
static void dgc_keeps_the_momentum_of_the_decay_body(void)
{
  enum { ROUNDS = 3 };
  choice c = {.method = "allreduce", .compressor = "dgc", .momentum = 0.9, .decay = 0.1};
  fixture f;
  fixture_init(&f, &c);
  const float *x = rh_replicas_parameters(f.world.replicas, 0);
  const int64_t count = f.model.parameters, tensors = f.model.segment_count;
  double *y = calloc((size_t)count, sizeof *y), *u = calloc((size_t)count, sizeof *u);
  for (int64_t p = 0; p < count; p++)
    y[p] = x[p];
  rounds(&f, 0, ROUNDS, 0.5);
  int64_t alone = 0;
  for (int64_t p = 0; p < count; p++) {
    for (int t = 0; t < ROUNDS; t++) {
      u[p] = 0.9 * u[p] + 0.1 * y[p];
      y[p] -= 0.5 * u[p];
    }
    alone += fabs(y[p] - (double)x[p]) <= 1e-6 * fabs(y[p]) + 1e-9;
  }
  RH_ASSERT(alone >= count - ROUNDS * N * tensors && alone < count);
  free(y);
  free(u);
  fixture_clear(&f);
}

/* A gradient is clipped where it is stepped with: the mean of all with allreduce, each worker's own with dpsgd, whose
 * average on a complete graph is then that of N clipped steps. Without momentum. */
static void gradients_are_clipped_where_they_are_stepped_body(void)
{
  const rh_optimiser clipped = {.clip = 0.125};
  choice all = {.method = "allreduce", .optimiser = &clipped};
  choice gossip = {.method = "dpsgd", .graph = "complete", .optimiser = &clipped};
  fixture a, b;
  fixture_init(&a, &all);
  fixture_init(&b, &gossip);
  const int64_t count = a.model.parameters, stride = a.model.stride;
  float *start = malloc((size_t)stride * sizeof *start), *g;
  memcpy(start, rh_replicas_parameters(a.world.replicas, 0), (size_t)stride * sizeof *start);
  RH_ASSERT(rh_replicas_gradients(a.world.replicas, 0, 0, N, &g, NULL) == RH_OK);
  double *mean = calloc((size_t)count, sizeof *mean), *each = calloc((size_t)count, sizeof *each), squares = 0;
  for (int i = 0; i < N; i++) {
    const double norm = sqrt(rh_squared_norm(stride, g + i * stride));
    RH_ASSERT(norm > 0.125);
    for (int64_t p = 0; p < count; p++) {
      mean[p] += (double)g[i * stride + p] / N;
      each[p] += (double)g[i * stride + p] / N * 0.125 / norm;
    }
  }
  for (int64_t p = 0; p < count; p++)
    squares += mean[p] * mean[p];
  RH_ASSERT(sqrt(squares) > 0.125);
  rounds(&a, 0, 1, 0.5);
  rounds(&b, 0, 1, 0.5);
  const float *x = rh_replicas_parameters(a.world.replicas, 0), *y = rh_replicas_parameters(b.world.replicas, 0);
  double apart = 0;
  for (int64_t p = 0; p < count; p++) { /* values below 2 in f32: a few ulp */
    RH_ASSERT(fabs(x[p] - (start[p] - 0.5 * mean[p] * 0.125 / sqrt(squares))) < 1e-6);
    RH_ASSERT(fabs(y[p] - (start[p] - 0.5 * each[p])) < 1e-6);
    apart = fmax(apart, fabs((double)x[p] - y[p]));
  }
  RH_ASSERT(apart > 1e-4);
  free(start);
  free(mean);
  free(each);
  fixture_clear(&a);
  fixture_clear(&b);
}

/* Combine-then-adapt with adamw and clipping, worker 4 of a ring after three rounds: moments gather the clipped
 * gradient, the decay is that of x_4, and the step is applied to the average. */
static void combine_then_adapt_steps_with_adamw_body(void)
{
  const rh_optimiser o = {
      .kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-3, .decay = 0.1, .clip = 0.25};
  choice c = {.method = "dpsgd", .graph = "ring", .order = "combine-then-adapt", .optimiser = &o};
  fixture f;
  fixture_init(&f, &c);
  rounds(&f, 0, 3, 0.01);
  rh_replicas *r = f.world.replicas;
  const int64_t count = f.model.parameters, stride = f.model.stride;
  float *rows = malloc(5 * (size_t)stride * sizeof *rows), *g;
  const float *const kept[] = {rh_replicas_parameters(r, 3), rh_replicas_parameters(r, 4), rh_replicas_parameters(r, 5),
                               rh_replicas_moment(r, 4, 0), rh_replicas_moment(r, 4, 1)};
  for (int k = 0; k < 5; k++)
    memcpy(rows + k * stride, kept[k], (size_t)stride * sizeof *rows);
  RH_ASSERT(rh_replicas_gradients(r, 3, 4, 1, &g, NULL) == RH_OK);
  const double norm = sqrt(rh_squared_norm(stride, g)), clip = 0.25 / norm;
  RH_ASSERT(norm > 0.25);
  float *gradient = malloc((size_t)stride * sizeof *gradient);
  memcpy(gradient, g, (size_t)stride * sizeof *g);
  rounds(&f, 3, 1, 0.01);
  const float *after = rh_replicas_parameters(r, 4);
  for (int64_t p = 0; p < count; p++) {
    const double x = rows[stride + p], mixed = ((double)rows[p] + x + rows[2 * stride + p]) / 3;
    const double m = 0.9 * rows[3 * stride + p] + 0.1 * clip * gradient[p];
    const double v = 0.99 * rows[4 * stride + p] + 0.01 * clip * clip * gradient[p] * gradient[p];
    const double move = m / (1 - pow(0.9, 4)) / (sqrt(v / (1 - pow(0.99, 4))) + 1e-3);
    RH_ASSERT(fabs(mixed - 0.01 * (0.1 * x + move) - after[p]) < 1e-6); /* values below 2: a few f32 ulp */
  }
  free(rows);
  free(gradient);
  fixture_clear(&f);
}

VALUES_TEST(dpsgd_on_a_complete_graph_is_allreduce)
VALUES_TEST(combine_then_adapt_takes_the_gradient_before_mixing)
VALUES_TEST(gossip_keeps_the_mean_and_contracts)
VALUES_TEST(averaging_quantised_models_stalls)
VALUES_TEST(allreduce_steps_on_decoded_messages)
VALUES_TEST(feedback_without_loss_changes_nothing)
VALUES_TEST(feedback_keeps_what_is_lost)
VALUES_TEST(step_ahead_moves_the_mean_by_exact_steps)
VALUES_TEST(dgc_keeps_the_momentum_of_the_decay)
VALUES_TEST(gradients_are_clipped_where_they_are_stepped)
VALUES_TEST(combine_then_adapt_steps_with_adamw)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dpsgd_on_a_complete_graph_is_allreduce),
      cmocka_unit_test(combine_then_adapt_takes_the_gradient_before_mixing),
      cmocka_unit_test(gossip_keeps_the_mean_and_contracts),
      cmocka_unit_test(averaging_quantised_models_stalls),
      cmocka_unit_test(allreduce_steps_on_decoded_messages),
      cmocka_unit_test(feedback_without_loss_changes_nothing),
      cmocka_unit_test(feedback_keeps_what_is_lost),
      cmocka_unit_test(step_ahead_moves_the_mean_by_exact_steps),
      cmocka_unit_test(dgc_keeps_the_momentum_of_the_decay),
      cmocka_unit_test(gradients_are_clipped_where_they_are_stepped),
      cmocka_unit_test(combine_then_adapt_steps_with_adamw),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
