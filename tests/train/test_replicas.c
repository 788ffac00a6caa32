/* Replicas: the same bits for any number of threads, chunk and tile; sums, means, scores and limits. */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "replicas_rig.h"

/* Local SGD on all copies, or one SGD on the mean gradient when there is one copy. Returns the last mean loss. */
static double train(rh_replicas *replicas, int64_t from, int64_t to)
{
  const rh_replicas_def *def = rh_replicas_get_def(replicas);
  const int32_t chunk = (int32_t)rh_replicas_chunk(replicas);
  double loss[WORKERS], sum = 0;
  rh_tree_sum *tree = NULL;
  float *mean = calloc((size_t)def->model->stride, sizeof *mean), *grads;
  assert_non_null(mean);
  assert_int_equal(rh_tree_sum_new(def->backend, def->model->stride, &tree), RH_OK);
  for (int64_t t = from; t < to; t++) {
    rh_tree_sum_begin(tree);
    for (int32_t first = 0; first < def->workers; first += chunk) {
      const int32_t count = def->workers - first < chunk ? def->workers - first : chunk;
      assert_int_equal(rh_replicas_gradients(replicas, t, first, count, &grads, loss + first), RH_OK);
      if (def->copies > 1) rh_replicas_step(replicas, first, count, grads, 0.02, t);
      for (int32_t i = 0; i < count; i++)
        rh_tree_sum_add(tree, grads + i * def->model->stride);
    }
    rh_tree_sum_end(tree, 1.0 / def->workers, mean);
    if (def->copies == 1) rh_replicas_step(replicas, 0, 1, mean, 0.02, t);
  }
  for (int32_t i = 0; i < def->workers; i++)
    sum += loss[i] / def->workers;
  rh_tree_sum_free(tree);
  free(mean);
  return sum;
}

/* Trains STEPS steps; the hash of the state, and of the distance and the score of the mean model. */
static uint64_t trained_hash(const rh_replicas_def *def)
{
  rh_replicas *replicas = new_replicas(def);
  rh_score score;
  const double loss = train(replicas, 0, STEPS);
  float *mean = calloc((size_t)def->model->stride, sizeof *mean);
  assert_non_null(mean);
  assert_true(loss < 0.7); /* ln 3 = 1.1 at the start: it has learned */
  assert_int_equal(rh_replicas_mean(replicas, mean), RH_OK);
  assert_int_equal(rh_replicas_score(replicas, mean, &dataset.test, 0, &score), RH_OK);
  const double parts[] = {rh_replicas_consensus_distance(replicas, mean), score.loss, score.accuracy};
  const uint64_t hash = rh_hash_bytes(parts, sizeof parts, rh_replicas_hash(replicas));
  free(mean);
  rh_replicas_free(replicas);
  return hash;
}

static void check_same_bits(const char *name, rh_arithmetic arithmetic, int32_t copies)
{
  rh_model model = build(name, dataset.shape, CLASSES);
  model.arithmetic = arithmetic;
  rh_replicas_def def = default_def(&model);
  def.copies = copies;
  const uint64_t expected = trained_hash(&def);
  def.threads = 2;
  assert_true(trained_hash(&def) == expected);
  for (int64_t rows = 1; rows <= 4; rows += 3) {
    def.memory_bytes = memory_for(&def, rows);
    rh_replicas *replicas = new_replicas(&def);
    assert_int_equal(rh_replicas_chunk(replicas), rows);
    assert_true(rh_replicas_bytes(replicas) <= def.memory_bytes);
    rh_replicas_free(replicas);
    assert_true(trained_hash(&def) == expected);
  }
  rh_backend wide = rh_backend_cpu; /* several replicas in one call, as on a GPU */
  wide.tile = 4;
  def.backend = &wide;
  def.memory_bytes = 0;
  assert_true(trained_hash(&def) == expected);
  def.seed++;
  assert_true(trained_hash(&def) != expected);
}

/* Steps by rh_replicas_train: the state after them and the last losses. */
static uint64_t hash_of_training(const rh_replicas_def *def, bool at_once)
{
  rh_replicas *replicas = new_replicas(def);
  double loss[WORKERS];
  const int32_t chunk = (int32_t)rh_replicas_chunk(replicas);
  for (int64_t t = 0; t < STEPS; t++) {
    if (at_once) assert_int_equal(rh_replicas_train(replicas, t, 0.02, loss), RH_OK);
    for (int32_t first = 0, count; first < WORKERS && !at_once; first += count) {
      float *grads;
      count = WORKERS - first < chunk ? WORKERS - first : chunk;
      assert_int_equal(rh_replicas_gradients(replicas, t, first, count, &grads, loss + first), RH_OK);
      rh_replicas_step(replicas, first, count, grads, 0.02, t);
    }
  }
  const uint64_t hash = rh_hash_bytes(loss, sizeof loss, rh_replicas_hash(replicas));
  rh_replicas_free(replicas);
  return hash;
}

/* Whatever the threads, the room for gradients and the replicas of a call: rows for half of a call are too few
 * for it. */
static void training_is_gradients_and_steps(void **state)
{
  (void)state;
  rh_model model = build("mlp", dataset.shape, CLASSES);
  rh_backend wide = rh_backend_cpu;
  wide.tile = 4;
  for (int kind = 0; kind < 2; kind++) {
    rh_replicas_def def = default_def(&model);
    def.copies = WORKERS;
    if (kind == 1)
      def.optimiser = (rh_optimiser){
          .kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .decay = 0.01, .clip = 0.5};
    const uint64_t expected = hash_of_training(&def, false);
    assert_true(hash_of_training(&def, true) == expected);
    def.threads = 2;
    assert_true(hash_of_training(&def, true) == expected);
    def.memory_bytes = memory_for(&def, 1);
    assert_true(hash_of_training(&def, true) == expected);
    def.memory_bytes = 0;
    def.backend = &wide;
    assert_true(hash_of_training(&def, true) == expected);
    def.memory_bytes = memory_for(&def, 2);
    assert_true(hash_of_training(&def, true) == expected);
  }
}

static void test_same_bits_mlp(void **state)
{
  (void)state;
  check_same_bits("mlp", RH_FP32, WORKERS);
  check_same_bits("mlp", RH_FP32, 1);
}

static void test_same_bits_cnn(void **state)
{
  (void)state;
  check_same_bits("cnn", RH_FP32, WORKERS);
  check_same_bits("cnn", RH_FP32, 1);
}

static void test_same_bits_int8(void **state)
{
  (void)state;
  check_same_bits("cnn", RH_INT8, WORKERS);
  check_same_bits("mlp", RH_INT8, 1);
}

/* In int8 worker 1's model is scored with the ranges that its batches had, and the same parameters as a row with the
 * mean of all workers'; in fp32 both are one. Ranges count as state: parameters and momenta are equal before and after
 * a gradient that no step uses. */
static void test_ranges_belong_to_workers(void **state)
{
  (void)state;
  rh_model model = build("mlp", dataset.shape, CLASSES);
  for (int arithmetic = RH_FP32; arithmetic <= RH_INT8; arithmetic++) {
    model.arithmetic = (rh_arithmetic)arithmetic;
    const rh_replicas_def def = default_def(&model);
    rh_replicas *replicas = new_replicas(&def);
    rh_score own, row;
    float *grads;
    const uint64_t before = rh_replicas_hash(replicas);
    assert_int_equal(rh_replicas_gradients(replicas, 0, 0, WORKERS, &grads, NULL), RH_OK);
    assert_true((rh_replicas_hash(replicas) != before) == (arithmetic == RH_INT8));
    assert_int_equal(rh_replicas_score_worker(replicas, 1, &dataset.test, 0, &own), RH_OK);
    assert_int_equal(rh_replicas_score(replicas, rh_replicas_parameters(replicas, 1), &dataset.test, 0, &row), RH_OK);
    assert_true((own.loss != row.loss) == (arithmetic == RH_INT8));
    assert_true(fabs(own.loss - row.loss) < 0.05 * row.loss); /* ranges of similar batches */
    rh_replicas_free(replicas);
  }
}

/* Four workers with the same data: the mean of equal gradients is exact, so one copy and four copies stay equal. */
static void test_one_copy_equals_many(void **state)
{
  (void)state;
  enum { N = 4 };
  int64_t starts[N + 1] = {0, 1, 2, 3, 4};
  int32_t same[N] = {7, 7, 7, 7};
  const rh_partition shared = {N, starts, same};
  const rh_model model = build("cnn", dataset.shape, CLASSES);
  rh_replicas_def def = default_def(&model);
  def.partition = &shared;
  def.workers = def.copies = N;
  rh_replicas *many = new_replicas(&def);
  def.copies = 1;
  rh_replicas *one = new_replicas(&def);
  train(many, 0, 20);
  train(one, 0, 20);
  for (int32_t i = 0; i < N; i++) {
    const size_t bytes = (size_t)model.stride * sizeof(float);
    assert_memory_equal(rh_replicas_parameters(many, i), rh_replicas_parameters(one, i), bytes);
    assert_memory_equal(rh_replicas_moment(many, i, 0), rh_replicas_moment(one, i, 0), bytes);
  }
  assert_true(rh_replicas_consensus_distance(one, rh_replicas_parameters(one, 0)) == 0);
  rh_replicas_free(many);
  rh_replicas_free(one);
}

/* Any chunking gives the bits of adding row by row, and these are near the sum in double. */
static void test_tree_sum(void **state)
{
  (void)state;
  enum { STRIDE = 48, MOST = 37 };
  static float rows[MOST][STRIDE], out[STRIDE], again[STRIDE];
  rh_rng rng = rh_rng_stream(12, RH_PURPOSE_TEST, 0, 0);
  for (int i = 0; i < MOST * STRIDE; i++)
    rows[i / STRIDE][i % STRIDE] = (float)rh_rng_normal(&rng);
  rh_tree_sum *tree;
  assert_int_equal(rh_tree_sum_new(&rh_backend_cpu, STRIDE, &tree), RH_OK);
  for (int n = 1; n <= MOST; n++) {
    for (int pass = 0; pass < 2; pass++) { /* a used tree begins anew */
      rh_tree_sum_begin(tree);
      for (int i = 0; i < n; i++)
        rh_tree_sum_add(tree, rows[i]);
      rh_tree_sum_end(tree, 0.5, pass ? again : out);
    }
    assert_memory_equal(out, again, sizeof out);
    for (int k = 0; k < STRIDE; k++) {
      double sum = 0;
      for (int i = 0; i < n; i++)
        sum += rows[i][k];
      assert_true(fabs(out[k] - 0.5 * sum) < 1e-6 * sqrt(n)); /* log2(37) roundings of values of about sqrt(n) */
    }
  }
  /* 2^24 + 1 is no float: in a row 1's added to it are lost, in a tree pairs of them are not. */
  const float lost[4] = {0x1p24F, 1, 1, 1};
  rh_tree_sum_begin(tree);
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < STRIDE; k++)
      out[k] = lost[i];
    rh_tree_sum_add(tree, out);
  }
  rh_tree_sum_end(tree, 1, out);
  assert_true(out[0] == 0x1p24F + 2);
  rh_tree_sum_free(tree);
}

static void test_mean_and_consensus_distance(void **state)
{
  (void)state;
  const rh_model model = build("logreg", dataset.shape, CLASSES);
  rh_replicas_def def = default_def(&model);
  def.threads = 2;
  rh_replicas *replicas = new_replicas(&def);
  float *mean = calloc((size_t)model.stride, sizeof *mean);
  assert_non_null(mean);
  for (int32_t i = 0; i < WORKERS; i++)
    for (int64_t k = 0; k < model.parameters; k++)
      rh_replicas_parameters(replicas, i)[k] = k == 17 ? (float)(2 * i) : k == 700 ? -1 : 0;
  assert_int_equal(rh_replicas_mean(replicas, mean), RH_OK);
  for (int64_t k = 0; k < model.stride; k++)
    assert_true(fabs(mean[k] - (k == 17 ? 5 : k == 700 ? -1 : 0)) < 1e-6);
  /* parameters 0, 2, 4, 6, 8, 10 around 5: the mean square is (25 + 9 + 1 + 1 + 9 + 25) / 6 */
  assert_true(fabs(rh_replicas_consensus_distance(replicas, mean) - sqrt(70.0 / 6)) < 1e-6);
  free(mean);
  rh_replicas_free(replicas);
}

/* With all parameters zero every class is equally likely: loss ln 3, and class 0 is the answer. */
static void test_score(void **state)
{
  (void)state;
  const rh_model model = build("mlp", dataset.shape, CLASSES);
  rh_replicas_def def = default_def(&model);
  rh_replicas *replicas = new_replicas(&def);
  float *zero = calloc((size_t)model.stride, sizeof *zero);
  assert_non_null(zero);
  const int64_t limits[] = {0, 1, 63, 64, 65, 128, TEST, TEST + 1};
  for (size_t i = 0; i < RH_COUNT(limits); i++) {
    const int64_t count = limits[i] == 0 || limits[i] > TEST ? TEST : limits[i];
    int64_t zeros = 0;
    for (int64_t k = 0; k < count; k++)
      zeros += labels[TRAIN + k] == 0;
    rh_score score;
    assert_int_equal(rh_replicas_score(replicas, zero, &dataset.test, limits[i], &score), RH_OK);
    assert_true(fabs(score.loss - 1.0986122886681098) < 1e-7);
    assert_true(fabs(score.accuracy - (double)zeros / (double)count) < 1e-12);
  }
  free(zero);
  rh_replicas_free(replicas);
}

static void test_stop(void **state)
{
  (void)state;
  const rh_model model = build("logreg", dataset.shape, CLASSES);
  volatile sig_atomic_t stop = 0;
  rh_replicas_def def = default_def(&model);
  def.stop = &stop;
  rh_replicas *replicas = new_replicas(&def);
  float *grads;
  float *mean = calloc((size_t)model.stride, sizeof *mean);
  rh_score score;
  assert_non_null(mean);
  assert_int_equal(rh_replicas_gradients(replicas, 0, 0, 2, &grads, NULL), RH_OK);
  stop = 1;
  assert_int_equal(rh_replicas_gradients(replicas, 0, 0, 2, &grads, NULL), RH_EINTERRUPTED);
  assert_int_equal(rh_replicas_score(replicas, mean, &dataset.test, 0, &score), RH_EINTERRUPTED);
  assert_int_equal(rh_replicas_mean(replicas, mean), RH_EINTERRUPTED);
  free(mean);
  rh_replicas_free(replicas);
}

static void test_memory_limit(void **state)
{
  (void)state;
  const rh_model model = build("cnn", dataset.shape, CLASSES);
  rh_replicas_def def = default_def(&model);
  int64_t least, most;
  rh_replicas_predict(&def, &least, &most);
  assert_true(most - least == (WORKERS - 1) * model.stride * 4);
  assert_true(least > (2 * WORKERS + 1) * model.stride * 4);
  rh_replicas *replicas = NULL;
  def.memory_bytes = least - 1;
  assert_int_equal(rh_replicas_new(&def, &replicas), RH_ENOMEM);
  assert_null(replicas);
  assert_non_null(strstr(rh_error_message(), "6 replicas of model cnn need"));
  def.memory_bytes = least;
  replicas = new_replicas(&def);
  assert_int_equal(rh_replicas_chunk(replicas), 1);
  assert_true(rh_replicas_bytes(replicas) == least);
  rh_replicas_free(replicas);
  def.memory_bytes = 0;
  replicas = new_replicas(&def);
  assert_int_equal(rh_replicas_chunk(replicas), WORKERS);
  assert_true(rh_replicas_bytes(replicas) == most);
  rh_replicas_free(replicas);
}

/* Batches run through the shard in epochs: each holds every sample once, in an order of its own, at any batch size. */
static void test_batches(void **state)
{
  (void)state;
  enum { DRAWN = 84 }; /* several epochs of the shards of 3, 17 and 21 */
  for (int32_t worker = 0; worker < 3; worker++)
    for (int64_t batch = 1; batch <= DRAWN; batch = batch * 2 + 1) {
      const int64_t samples = offsets[worker + 1] - offsets[worker];
      static float x[DRAWN * 2 * PIXELS];
      static int32_t got[DRAWN * 2], drawn[DRAWN * 2];
      rh_batches batches;
      int64_t n = 0;
      assert_int_equal(rh_batches_init(&dataset, &partition, 5, &batches), RH_OK);
      for (int64_t t = 0; n < DRAWN; t++, n += batch) {
        rh_batches_gather(&batches, worker, t, batch, x, got);
        for (int64_t k = 0; k < batch && n + k < DRAWN; k++) {
          /* the sample is the one whose pixels are the batch's */
          int32_t sample = -1;
          for (int64_t s = offsets[worker]; s < offsets[worker + 1]; s++) {
            const float first = ((float)pixels[indices[s]][0] / 255 - dataset.mean) / dataset.deviation;
            const float last = ((float)pixels[indices[s]][PIXELS - 1] / 255 - dataset.mean) / dataset.deviation;
            if (fabsf(x[k * PIXELS] - first) < 1e-5F && fabsf(x[(k + 1) * PIXELS - 1] - last) < 1e-5F)
              sample = indices[s];
          }
          assert_true(sample >= 0);
          assert_int_equal(got[k], labels[sample]);
          drawn[n + k] = sample;
        }
      }
      for (int64_t epoch = 0; epoch < DRAWN / samples; epoch++) {
        int times[TRAIN] = {0};
        for (int64_t k = 0; k < samples; k++)
          times[drawn[epoch * samples + k]]++;
        for (int64_t s = offsets[worker]; s < offsets[worker + 1]; s++)
          assert_int_equal(times[indices[s]], 1);
      }
      if (samples > 3) assert_memory_not_equal(drawn, drawn + samples, (size_t)samples * sizeof *drawn);
      /* a batch can be asked for again, after later ones */
      rh_batches_gather(&batches, worker, 0, 1, x, got);
      assert_int_equal(got[0], labels[drawn[0]]);
      /* what is ordered beforehand is what is asked for, and nothing else changes */
      int32_t again;
      rh_batches_prepare(&batches, worker, 3, batch);
      assert_int_equal(batches.epoch[worker], 3 * batch / samples);
      rh_batches_indices(&batches, worker, 0, 1, &again);
      assert_int_equal(again, drawn[0]);
      rh_batches_clear(&batches);
    }
}

static void test_parameter_counts(void **state)
{
  (void)state;
  const rh_shape mnist = {1, 28, 28};
  const rh_model logreg = build("logreg", mnist, 10), mlp = build("mlp", mnist, 10), cnn = build("cnn", mnist, 10);
  assert_int_equal(logreg.parameters, 784 * 10 + 10);
  assert_int_equal(mlp.parameters, 784 * 128 + 128 + 128 * 10 + 10);
  assert_int_equal(cnn.parameters, 8 * 25 + 8 + 16 * 200 + 16 + 256 * 64 + 64 + 64 * 10 + 10);
  assert_int_equal(cnn.parameters, 20522);
  assert_int_equal(cnn.stride, 20528);
  const rh_model *const models[] = {&logreg, &mlp, &cnn};
  for (size_t m = 0; m < RH_COUNT(models); m++) {
    int64_t end = 0; /* segments cover the vector without gaps, each with its matrix view */
    for (int s = 0; s < models[m]->segment_count; s++) {
      const rh_segment *segment = &models[m]->segments[s];
      assert_int_equal(segment->offset, end);
      assert_int_equal(segment->rows * segment->columns, segment->count);
      end += segment->count;
    }
    assert_int_equal(end, models[m]->parameters);
  }
  assert_string_equal(cnn.segments[2].name, "conv2.weight");
  assert_int_equal(cnn.segments[2].rows, 16);
  assert_int_equal(cnn.segments[2].columns, 200);
  /* 2 per weight and place, 1 per bias and place, 5 per class for the loss */
  assert_true(rh_model_forward_flop(&logreg) == 2 * 7840 + 10 + 50);
  /* the input's gradient is not computed */
  assert_true(rh_model_backward_flop(&logreg) == 2 * 7840 + 10 + 10);
}

/* He et al.: normal with variance 2 / inputs; biases and pad zero; the same seed the same values. */
static void test_initial_parameters(void **state)
{
  (void)state;
  const rh_model model = build("mlp", (rh_shape){1, 28, 28}, 10);
  float *row = calloc((size_t)model.stride, sizeof *row), *other = calloc((size_t)model.stride, sizeof *other);
  assert_non_null(row);
  assert_non_null(other);
  for (int64_t i = 0; i < model.stride; i++)
    row[i] = NAN;
  rh_model_init_parameters(&model, 1, row);
  rh_model_init_parameters(&model, 1, other);
  assert_memory_equal(row, other, (size_t)model.stride * sizeof *row);
  rh_model_init_parameters(&model, 2, other);
  assert_memory_not_equal(row, other, (size_t)model.parameters * sizeof *row);
  double squares = 0;
  const rh_segment *weight = &model.segments[0];
  for (int64_t i = 0; i < weight->count; i++)
    squares += (double)row[i] * row[i];
  /* the variance of 1e5 normal numbers has a standard error of sqrt(2 / 1e5) = 0.45 % of itself */
  assert_true(fabs(squares / (double)weight->count / (2.0 / 784) - 1) < 4 * 0.0045);
  for (int64_t i = 0; i < model.segments[1].count; i++)
    assert_true(row[model.segments[1].offset + i] == 0);
  for (int64_t i = model.parameters; i < model.stride; i++)
    assert_true(row[i] == 0);
  free(row);
  free(other);
}

static void test_models_that_do_not_fit(void **state)
{
  (void)state;
  rh_model model;
  const rh_model_kind *cnn = rh_model_find("cnn");
  const rh_settings none = {0};
  int64_t options[8];
  assert_true(cnn->options_size <= sizeof options);
  assert_int_equal(rh_option_read(cnn->options, cnn->option_count, "model", &none, options), RH_OK);
  assert_int_equal(cnn->build(options, (rh_shape){1, 15, 28}, 10, &model), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "squares of 2x2 do not fit")); /* 15 -> 11 -> 5 -> 1 -> no square of 2 */
  assert_int_equal(rh_model_begin(&model, "m", (rh_shape){0, 1, 1}, 10), RH_EINVAL);
  assert_int_equal(rh_model_begin(&model, "m", (rh_shape){1, 1, 1}, 1), RH_EINVAL);
  assert_int_equal(rh_model_begin(&model, "m", (rh_shape){1, 4, 4}, 3), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "d", 0), RH_EINVAL);
  assert_int_equal(rh_model_add_conv(&model, "c", 1, 5), RH_EINVAL);
  assert_int_equal(rh_model_add_pool(&model, 5), RH_EINVAL);
  assert_int_equal(rh_model_add_dense(&model, "d", 1 << 30), RH_EINVAL);
  assert_int_equal(rh_model_begin(&model, "m", (rh_shape){1, 4, 4}, 3), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "d", 4), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_EINVAL);
  assert_null(rh_model_find("transformer"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(training_is_gradients_and_steps),
      cmocka_unit_test(test_same_bits_mlp),
      cmocka_unit_test(test_same_bits_cnn),
      cmocka_unit_test(test_same_bits_int8),
      cmocka_unit_test(test_ranges_belong_to_workers),
      cmocka_unit_test(test_one_copy_equals_many),
      cmocka_unit_test(test_tree_sum),
      cmocka_unit_test(test_mean_and_consensus_distance),
      cmocka_unit_test(test_score),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_memory_limit),
      cmocka_unit_test(test_batches),
      cmocka_unit_test(test_parameter_counts),
      cmocka_unit_test(test_initial_parameters),
      cmocka_unit_test(test_models_that_do_not_fit),
  };
  return cmocka_run_group_tests(tests, make_data, NULL);
}
