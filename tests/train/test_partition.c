/* Partitions: who holds which sample. */
#include <gsl/gsl_randist.h>
#include <math.h>
#include <string.h>

#include "cmocka_all.h"
#include "dataset.h"
#include "rng_gsl.h"

static rh_dataset labels_only(int32_t *labels, int64_t n, int64_t classes)
{
  for (int64_t i = 0; i < n; i++) {
    labels[i] = (int32_t)(i % classes);
  }
  return (rh_dataset){.name = "labels", .classes = classes, .train = {n, NULL, labels}};
}

/* `parameter`: the kind's, skew or alpha. */
static rh_partition partition(const rh_dataset *dataset, int kind, double parameter, int32_t workers)
{
  rh_partition_def def = {.kind = kind, .skew = parameter, .alpha = parameter};
  rh_partition p;
  assert_int_equal(rh_partition_new(&def, dataset, workers, 42, &p), RH_OK);
  return p;
}

/* Number of different labels that a worker holds. */
static int classes_held(const rh_partition *p, const rh_dataset *dataset, int32_t worker)
{
  int held = 0;
  bool seen[256] = {false};
  for (int64_t i = p->offset[worker]; i < p->offset[worker + 1]; i++) {
    int32_t label = dataset->train.labels[p->indices[i]];
    held += !seen[label];
    seen[label] = true;
  }
  return held;
}

static void every_sample_is_held_once_in_equal_shares(void **state)
{
  (void)state;
  static int32_t labels[1003];
  rh_dataset dataset = labels_only(labels, 1003, 7);
  const double skews[] = {0, 0.3, 0.8, 1};
  for (int s = 0; s < 4; s++) {
    for (int32_t workers = 1; workers <= 1003; workers += workers < 20 ? 1 : 89) {
      rh_partition p = partition(&dataset, RH_PARTITION_SKEW, skews[s], workers);
      bool held[1003] = {false};
      assert_int_equal(p.offset[0], 0);
      assert_int_equal(p.offset[workers], 1003);
      for (int32_t w = 0; w < workers; w++) {
        assert_in_range(p.offset[w + 1] - p.offset[w], 1003 / workers, (1003 + workers - 1) / workers);
      }
      for (int i = 0; i < 1003; i++) {
        assert_false(held[p.indices[i]]);
        held[p.indices[i]] = true;
      }
      rh_partition_clear(&p);
    }
  }
}

static void skew_0_is_iid_and_shuffled(void **state)
{
  (void)state;
  static int32_t labels[1000];
  rh_dataset dataset = labels_only(labels, 1000, 10);
  rh_partition iid = partition(&dataset, RH_PARTITION_IID, 0.9, 8);
  rh_partition skew = partition(&dataset, RH_PARTITION_SKEW, 0, 8);
  assert_memory_equal(iid.indices, skew.indices, 1000 * sizeof(int32_t));
  int64_t ascents = 0;
  for (int i = 0; i + 1 < 1000; i++) {
    ascents += iid.indices[i] < iid.indices[i + 1];
  }
  assert_in_range(ascents, 450, 550); /* of a random order: 499.5, deviation 9.1 */
  for (int32_t w = 0; w < 8; w++) {
    assert_int_equal(classes_held(&iid, &dataset, w), 10);
  }
  rh_partition_clear(&iid);
  rh_partition_clear(&skew);
}

static void skew_1_is_sorted_by_class(void **state)
{
  (void)state;
  static int32_t labels[1000];
  rh_dataset dataset = labels_only(labels, 1000, 10);
  rh_partition p = partition(&dataset, RH_PARTITION_SKEW, 1, 8);
  for (int i = 0; i + 1 < 1000; i++) {
    assert_true(labels[p.indices[i]] <= labels[p.indices[i + 1]]);
  }
  for (int32_t w = 0; w < 8; w++) { /* slices of 125 out of classes of 100 */
    assert_in_range(classes_held(&p, &dataset, w), 2, 3);
  }
  rh_partition_clear(&p);
}

/* Two classes of 5, skew 0.6: 3 of each class are sorted (0 0 0 1 1 1), 2 of each mixed. Two workers: the first holds
 * three sorted 0s and two mixed ones, the second three sorted 1s and two mixed ones. Three workers: sorted 0 0, 0 1,
 * 1 1; of the 4 mixed ones the last worker takes the odd one. */
static void a_small_skew_by_hand(void **state)
{
  (void)state;
  int32_t labels[10];
  rh_dataset dataset = labels_only(labels, 10, 2);
  rh_partition p = partition(&dataset, RH_PARTITION_SKEW, 0.6, 2);
  assert_int_equal(p.offset[1], 5);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(labels[p.indices[i]], 0);
    assert_int_equal(labels[p.indices[5 + i]], 1);
  }
  rh_partition_clear(&p);
  p = partition(&dataset, RH_PARTITION_SKEW, 0.6, 3);
  assert_int_equal(p.offset[1], 3);
  assert_int_equal(p.offset[2], 6);
  assert_int_equal(p.offset[3], 10);
  const int32_t sorted[6] = {0, 0, 0, 1, 1, 1}, at[6] = {0, 1, 3, 4, 6, 7};
  for (int i = 0; i < 6; i++) {
    assert_int_equal(labels[p.indices[at[i]]], sorted[i]);
  }
  rh_partition_clear(&p);
  /* .95 of 5 is 4.75: the nearest whole number of each class, all 5, is sorted */
  p = partition(&dataset, RH_PARTITION_SKEW, 0.95, 10);
  for (int w = 0; w < 10; w++) {
    assert_int_equal(p.offset[w], w);
    assert_int_equal(labels[p.indices[w]], w / 5);
  }
  rh_partition_clear(&p);
}

static void the_seed_decides_the_partition(void **state)
{
  (void)state;
  static int32_t labels[500];
  rh_dataset dataset = labels_only(labels, 500, 5);
  rh_partition_def def = {.kind = RH_PARTITION_IID};
  rh_partition a, b, c;
  assert_int_equal(rh_partition_new(&def, &dataset, 4, 1, &a), RH_OK);
  assert_int_equal(rh_partition_new(&def, &dataset, 4, 1, &b), RH_OK);
  assert_int_equal(rh_partition_new(&def, &dataset, 4, 2, &c), RH_OK);
  assert_memory_equal(a.indices, b.indices, 500 * sizeof(int32_t));
  assert_memory_not_equal(a.indices, c.indices, 500 * sizeof(int32_t));
  rh_partition_clear(&a);
  rh_partition_clear(&b);
  rh_partition_clear(&c);
}

static void fewer_samples_than_workers_are_refused(void **state)
{
  (void)state;
  int32_t labels[10];
  rh_dataset dataset = labels_only(labels, 10, 2);
  rh_partition_def def = {.kind = RH_PARTITION_IID};
  rh_partition p;
  assert_int_equal(rh_partition_new(&def, &dataset, 11, 1, &p), RH_EINVAL);
  assert_non_null(
      strstr(rh_error_message(), "10 train samples, fewer than the 11 workers; take more samples or fewer workers"));
  assert_null(p.indices);
  assert_int_equal(rh_partition_new(&def, &dataset, 0, 1, &p), RH_EINVAL);
}

/* Drawn partitions ------------------------------------------------------------------------------------------------- */

static const int drawn_kinds[] = {RH_PARTITION_DIRICHLET, RH_PARTITION_QUANTITY};

static void drawn_partitions_hold_every_sample_once(void **state)
{
  (void)state;
  static int32_t labels[2003];
  rh_dataset dataset = labels_only(labels, 2003, 7);
  const double alphas[] = {0.2, 1, 100};
  for (int k = 0; k < 2; k++) {
    for (int a = 0; a < 3; a++) {
      for (int32_t workers = 1; workers <= 16; workers += 3) {
        rh_partition p = partition(&dataset, drawn_kinds[k], alphas[a], workers);
        bool held[2003] = {false};
        assert_int_equal(p.offset[0], 0);
        assert_int_equal(p.offset[workers], 2003);
        for (int32_t w = 0; w < workers; w++) {
          assert_true(p.offset[w] < p.offset[w + 1]);
        }
        for (int i = 0; i < 2003; i++) {
          assert_false(held[p.indices[i]]);
          held[p.indices[i]] = true;
        }
        rh_partition_clear(&p);
      }
    }
  }
}

static void the_seed_decides_what_is_drawn(void **state)
{
  (void)state;
  static int32_t labels[500];
  rh_dataset dataset = labels_only(labels, 500, 5);
  for (int k = 0; k < 2; k++) {
    rh_partition_def def = {.kind = drawn_kinds[k], .alpha = 1};
    rh_partition a, b, c;
    assert_int_equal(rh_partition_new(&def, &dataset, 4, 1, &a), RH_OK);
    assert_int_equal(rh_partition_new(&def, &dataset, 4, 1, &b), RH_OK);
    assert_int_equal(rh_partition_new(&def, &dataset, 4, 2, &c), RH_OK);
    assert_memory_equal(a.indices, b.indices, 500 * sizeof(int32_t));
    assert_memory_equal(a.offset, b.offset, 5 * sizeof(int64_t));
    assert_memory_not_equal(a.offset, c.offset, 5 * sizeof(int64_t));
    rh_partition_clear(&a);
    rh_partition_clear(&b);
    rh_partition_clear(&c);
  }
}

/* Variance of a share of N workers: (1/N)(1 - 1/N) / (N alpha + 1). Of 4000 shares in 1000 classes it is estimated with
 * a relative deviation of about 3 %; five of them. The parts are whole samples of 100, which adds 1/6 / 100^2 of
 * variance. */
static void dirichlet_shares_have_their_variance(void **state)
{
  (void)state;
  enum { N = 4, C = 1000, EACH = 100 };
  static int32_t labels[C * EACH];
  static int64_t counts[N * C];
  rh_dataset dataset = labels_only(labels, C * EACH, C);
  const double alphas[] = {0.5, 2};
  for (int a = 0; a < 2; a++) {
    rh_partition p = partition(&dataset, RH_PARTITION_DIRICHLET, alphas[a], N);
    double sum = 0;
    rh_partition_class_counts(&p, &dataset, counts);
    for (int i = 0; i < N * C; i++) {
      sum += pow((double)counts[i] / EACH - 1.0 / N, 2);
    }
    const double expected = (1.0 / N) * (1 - 1.0 / N) / (N * alphas[a] + 1);
    assert_true(fabs(sum / (N * C) - expected) < 0.15 * expected);
    rh_partition_clear(&p);
  }
}

/* alpha 1e6: a share's deviation is 1e-4; of 1000 samples 100 +- .1, and a part is whole. */
static void a_large_alpha_is_even(void **state)
{
  (void)state;
  static int32_t labels[10000];
  int64_t counts[100];
  rh_dataset dataset = labels_only(labels, 10000, 10);
  rh_partition p = partition(&dataset, RH_PARTITION_DIRICHLET, 1e6, 10);
  rh_partition_class_counts(&p, &dataset, counts);
  for (int i = 0; i < 100; i++) {
    assert_in_range(counts[i], 98, 102);
  }
  rh_partition_clear(&p);
}

/* alpha .01 of 4 workers: nearly every class has one holder. */
static void a_small_alpha_gives_classes_to_single_workers(void **state)
{
  (void)state;
  static int32_t labels[10000];
  int64_t counts[4 * 100];
  rh_dataset dataset = labels_only(labels, 10000, 100);
  rh_partition p = partition(&dataset, RH_PARTITION_DIRICHLET, 0.01, 4);
  rh_partition_class_counts(&p, &dataset, counts);
  int single = 0;
  for (int c = 0; c < 100; c++) {
    for (int w = 0; w < 4; w++) {
      single += counts[100 * w + c] == 100;
    }
  }
  assert_in_range(single, 75, 100); /* a share between 1 and 99 % is drawn with a chance of about 3 x .01 ln 99 = .14 */
  rh_partition_clear(&p);
}

/* Equally large classes: no worker has two samples more of one than of another, and its size is what was drawn, cut at
 * whole numbers of the running sum. */
static void quantity_keeps_classes_balanced_and_sizes_as_drawn(void **state)
{
  (void)state;
  enum { N = 8, C = 10, SAMPLES = 5000 };
  static int32_t labels[SAMPLES];
  int64_t counts[N * C];
  double alpha[N], share[N], sum = 0;
  rh_dataset dataset = labels_only(labels, SAMPLES, C);
  rh_partition p = partition(&dataset, RH_PARTITION_QUANTITY, 2, N);
  gsl_rng *rng = rh_rng_gsl(rh_rng_stream(42, RH_PURPOSE_PARTITION, 1, 0));
  for (int w = 0; w < N; w++) {
    alpha[w] = 2;
  }
  gsl_ran_dirichlet(rng, N, alpha, share);
  rh_partition_class_counts(&p, &dataset, counts);
  int64_t smallest = SAMPLES, largest = 0;
  for (int w = 0; w < N; w++) {
    int64_t low = SAMPLES, high = 0, size = p.offset[w + 1] - p.offset[w];
    for (int c = 0; c < C; c++) {
      low = counts[C * w + c] < low ? counts[C * w + c] : low;
      high = counts[C * w + c] > high ? counts[C * w + c] : high;
    }
    assert_true(high - low <= 1);
    sum += share[w];
    assert_int_equal(p.offset[w + 1], w == N - 1 ? SAMPLES : (int64_t)floor(sum * SAMPLES));
    smallest = size < smallest ? size : smallest;
    largest = size > largest ? size : largest;
  }
  assert_true(largest > 2 * smallest); /* sizes of 625 with a deviation of 401 */
  gsl_rng_free(rng);
  rh_partition_clear(&p);
}

/* Ten samples over ten workers: all shares would have to be within a sample of a tenth. */
static void draws_that_leave_workers_without_samples_are_refused(void **state)
{
  (void)state;
  int32_t labels[10];
  rh_dataset dataset = labels_only(labels, 10, 2);
  for (int k = 0; k < 2; k++) {
    rh_partition_def def = {.kind = drawn_kinds[k], .alpha = 0.01};
    rh_partition p;
    assert_int_equal(rh_partition_new(&def, &dataset, 10, 1, &p), RH_EINVAL);
    assert_non_null(strstr(rh_error_message(), k ? "partition quantity with 0.01" : "partition dirichlet with 0.01"));
    assert_non_null(strstr(rh_error_message(), "raise data.alpha, take more samples or fewer workers"));
    assert_null(p.indices);
  }
}

static void class_counts_by_hand(void **state)
{
  (void)state;
  const int32_t offset[] = {0, 2, 6};
  int32_t labels[] = {2, 0, 0, 1, 2, 2}, indices[] = {4, 1, 0, 5, 2, 3};
  rh_dataset dataset = {.name = "labels", .classes = 4, .train = {6, NULL, labels}};
  int64_t offsets[3], counts[8];
  for (int i = 0; i < 3; i++) {
    offsets[i] = offset[i];
  }
  const rh_partition p = {2, offsets, indices};
  const int64_t expected[] = {1, 0, 1, 0, 1, 1, 2, 0};
  memset(counts, 0xA5, sizeof counts);
  rh_partition_class_counts(&p, &dataset, counts);
  assert_memory_equal(counts, expected, sizeof expected);
}

static void names_are_the_choices(void **state)
{
  (void)state;
  char names[128];
  snprintf(names, sizeof names, "%s %s %s %s", rh_partition_name(RH_PARTITION_IID),
           rh_partition_name(RH_PARTITION_SKEW), rh_partition_name(RH_PARTITION_DIRICHLET),
           rh_partition_name(RH_PARTITION_QUANTITY));
  assert_string_equal(rh_partition_options[0].choices, names);
}

/* GSL draws the numbers of the stream, from where it stands. */
static void gsl_draws_from_our_streams(void **state)
{
  (void)state;
  rh_rng stream = rh_rng_stream(9, RH_PURPOSE_TEST, 3, 5);
  rh_rng_u32(&stream);
  gsl_rng *rng = rh_rng_gsl(stream);
  for (int i = 0; i < 10; i++) {
    assert_int_equal(gsl_rng_get(rng), rh_rng_u32(&stream));
    assert_true(gsl_rng_uniform(rng) == rh_rng_f64(&stream));
  }
  assert_int_equal(gsl_rng_min(rng), 0);
  assert_int_equal(gsl_rng_max(rng), UINT32_MAX);
  gsl_rng_free(rng);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_sample_is_held_once_in_equal_shares),
      cmocka_unit_test(skew_0_is_iid_and_shuffled),
      cmocka_unit_test(skew_1_is_sorted_by_class),
      cmocka_unit_test(a_small_skew_by_hand),
      cmocka_unit_test(the_seed_decides_the_partition),
      cmocka_unit_test(fewer_samples_than_workers_are_refused),
      cmocka_unit_test(drawn_partitions_hold_every_sample_once),
      cmocka_unit_test(the_seed_decides_what_is_drawn),
      cmocka_unit_test(dirichlet_shares_have_their_variance),
      cmocka_unit_test(a_large_alpha_is_even),
      cmocka_unit_test(a_small_alpha_gives_classes_to_single_workers),
      cmocka_unit_test(quantity_keeps_classes_balanced_and_sizes_as_drawn),
      cmocka_unit_test(draws_that_leave_workers_without_samples_are_refused),
      cmocka_unit_test(class_counts_by_hand),
      cmocka_unit_test(names_are_the_choices),
      cmocka_unit_test(gsl_draws_from_our_streams),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
