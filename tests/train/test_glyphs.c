/* The difficulty of the embedded data set: a linear model stays below what a small convolutional network reaches. */
#include <stdlib.h>

#include "cmocka_all.h"
#include "data_load.h"
#include "replicas.h"

enum { WORKERS = 16, BATCH = 32 };

/* One round of synchronous data parallel SGD: the mean of all workers' gradients moves the one copy. */
static void train_round(rh_replicas *replicas, rh_tree_sum *sum, int64_t t, double lr, float *mean)
{
  int64_t stride = rh_replicas_get_def(replicas)->model->stride;
  int32_t chunk = (int32_t)rh_replicas_chunk(replicas);
  rh_tree_sum_begin(sum);
  for (int32_t first = 0; first < WORKERS; first += chunk) {
    int32_t count = WORKERS - first < chunk ? WORKERS - first : chunk;
    float *grads;
    assert_int_equal(rh_replicas_gradients(replicas, t, first, count, &grads, NULL), RH_OK);
    for (int32_t i = 0; i < count; i++) {
      rh_tree_sum_add(sum, grads + i * stride);
    }
  }
  rh_tree_sum_end(sum, 1.0 / WORKERS, mean);
  rh_replicas_step(replicas, 0, 1, mean, lr, t);
}

/* Test accuracy of a model with its default options after `rounds` rounds of 512 samples of the default data set. */
static double train(const char *model_name, rh_arithmetic arithmetic, int64_t rounds, double lr)
{
  rh_dataset dataset;
  assert_int_equal(LOAD("glyphs", "", &dataset, NULL), RH_OK);
  const rh_model_kind *kind = rh_model_find(model_name);
  assert_non_null(kind);
  void *options = calloc(1, kind->options_size + 1);
  rh_settings none = {0};
  rh_model model;
  assert_int_equal(rh_option_read(kind->options, kind->option_count, "model", &none, options), RH_OK);
  assert_int_equal(kind->build(options, dataset.shape, dataset.classes, &model), RH_OK);
  model.arithmetic = arithmetic;
  rh_partition_def iid = {.kind = RH_PARTITION_IID};
  rh_partition partition;
  assert_int_equal(rh_partition_new(&iid, &dataset, WORKERS, 1, &partition), RH_OK);
  rh_replicas_def def = {.backend = &rh_backend_cpu,
                         .model = &model,
                         .dataset = &dataset,
                         .partition = &partition,
                         .workers = WORKERS,
                         .copies = 1,
                         .batch = BATCH,
                         .seed = 1,
                         .threads = 2,
                         .optimiser = {.momentum = 0.9}};
  rh_replicas *replicas;
  rh_tree_sum *sum;
  rh_score score;
  assert_int_equal(rh_replicas_new(&def, &replicas), RH_OK);
  assert_int_equal(rh_tree_sum_new(def.backend, model.stride, &sum), RH_OK);
  float *mean = def.backend->alloc((size_t)model.stride * sizeof(float));
  assert_non_null(mean);
  for (int64_t t = 0; t < rounds; t++) {
    train_round(replicas, sum, t, lr, mean);
  }
  assert_int_equal(rh_replicas_score(replicas, rh_replicas_parameters(replicas, 0), &dataset.test, 0, &score), RH_OK);
  print_message("%s%s: test accuracy %.4f after %d rounds\n", model_name, arithmetic == RH_INT8 ? " in int8" : "",
                score.accuracy, (int)rounds);
  def.backend->release(mean);
  rh_tree_sum_free(sum);
  rh_replicas_free(replicas);
  rh_partition_clear(&partition);
  free(options);
  rh_dataset_clear(&dataset);
  return score.accuracy;
}

/* Both bounds are the data set's promise; .9010 and .983 were seen, and .979 to .989 for other seeds of cnn. */
static void logreg_ends_between_85_and_92_percent(void **state)
{
  (void)state;
  double accuracy = train("logreg", RH_FP32, 600, 0.01);
  assert_true(accuracy > 0.85 && accuracy < 0.92);
}

static void cnn_ends_above_97_percent(void **state)
{
  (void)state;
  assert_true(train("cnn", RH_FP32, 400, 0.02) > 0.97);
}

/* Aketi et al. report less than a point of difference; seeds alone differ by one here. */
static void cnn_in_int8_ends_above_97_percent(void **state)
{
  (void)state;
  assert_true(train("cnn", RH_INT8, 400, 0.02) > 0.97);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(logreg_ends_between_85_and_92_percent),
      cmocka_unit_test(cnn_ends_above_97_percent),
      cmocka_unit_test(cnn_in_int8_ends_above_97_percent),
  };
  return cmocka_run_group_tests_name("glyphs", tests, NULL, NULL);
}
