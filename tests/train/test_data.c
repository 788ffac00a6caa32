/* Generated glyphs, normalising, and partitions: who holds which sample. */
#include <math.h>
#include <string.h>

#include "data_load.h"
#include "hash.h"

/* Normalising ------------------------------------------------------------------------------------------------------ */

static void gather_normalises_to_mean_0_and_variance_1(void **state)
{
  (void)state;
  uint8_t pixels[] = {0, 255, 255, 0, 0, 0, 255, 255}; /* 4 images of 1x2 */
  int32_t labels[] = {3, 1, 2, 0};
  rh_dataset dataset = {.shape = {1, 1, 2}, .classes = 4, .train = {4, pixels, labels}};
  rh_dataset_normalise(&dataset);
  assert_float_equal(dataset.mean, 0.5, 0);
  assert_float_equal(dataset.deviation, 0.5, 0);
  float x[6];
  int32_t y[3];
  rh_samples_gather(&dataset, &dataset.train, (const int32_t[]){3, 0, 3}, 3, x, y);
  const float expected[6] = {1, 1, -1, 1, 1, 1};
  assert_memory_equal(x, expected, sizeof expected);
  assert_int_equal(y[0], 0);
  assert_int_equal(y[1], 3);
  memset(pixels, 51, sizeof pixels); /* one single grey: 0.2 */
  rh_dataset_normalise(&dataset);
  rh_samples_gather(&dataset, &dataset.train, (const int32_t[]){1}, 1, x, y);
  assert_float_equal(x[0], 0, 1e-7);
}

/* Glyphs ----------------------------------------------------------------------------------------------------------- */

static uint64_t hash_samples(const rh_samples *samples, int64_t count)
{
  uint64_t hash = rh_hash_bytes(samples->pixels, (size_t)count * 784, 0);
  return rh_hash_bytes(samples->labels, (size_t)count * sizeof(int32_t), hash);
}

static void glyphs_are_the_same_everywhere(void **state)
{
  (void)state;
  rh_dataset dataset;
  assert_int_equal(LOAD("glyphs", "", &dataset, "data.train", "300", "data.test", "100"), RH_OK);
  assert_int_equal(dataset.train.count, 300);
  assert_int_equal(dataset.test.count, 100);
  assert_int_equal(dataset.classes, 10);
  /* Golden: a change of these is a change of every result that was ever had with glyphs. */
  assert_int_equal(hash_samples(&dataset.train, 300), UINT64_C(0x013827b2369468bd));
  assert_int_equal(hash_samples(&dataset.test, 100), UINT64_C(0x1a57ff56a561072d));
  rh_dataset_clear(&dataset);
}

static void glyphs_do_not_depend_on_their_number(void **state)
{
  (void)state;
  rh_dataset few, many, other;
  assert_int_equal(LOAD("glyphs", "", &few, "data.train", "50", "data.test", "20"), RH_OK);
  assert_int_equal(LOAD("glyphs", "", &many, "data.train", "130", "data.test", "60"), RH_OK);
  assert_int_equal(LOAD("glyphs", "", &other, "data.train", "50", "data.test", "50", "data.seed", "2"), RH_OK);
  assert_int_equal(hash_samples(&few.train, 50), hash_samples(&many.train, 50));
  assert_int_equal(hash_samples(&few.test, 20), hash_samples(&many.test, 20));
  assert_int_not_equal(hash_samples(&few.train, 50), hash_samples(&other.train, 50));
  assert_int_not_equal(hash_samples(&other.test, 50), hash_samples(&other.train, 50));
  rh_dataset_clear(&few);
  rh_dataset_clear(&many);
  rh_dataset_clear(&other);
}

static void glyph_classes_are_balanced(void **state)
{
  (void)state;
  rh_dataset dataset;
  assert_int_equal(LOAD("glyphs", "", &dataset, "data.train", "200", "data.test", "40"), RH_OK);
  int64_t count[10] = {0};
  for (int64_t i = 0; i < dataset.train.count; i++) {
    count[dataset.train.labels[i]]++;
  }
  for (int c = 0; c < 10; c++) {
    assert_int_equal(count[c], 20);
  }
  rh_dataset_clear(&dataset);
}

/* Correlation of two test images: contrast and background cancel out. */
static double correlation(const rh_dataset *dataset, int64_t a, int64_t b)
{
  const uint8_t *x = dataset->test.pixels + a * 784, *y = dataset->test.pixels + b * 784;
  double sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
  for (int k = 0; k < 784; k++) {
    sx += x[k], sy += y[k];
    sxx += x[k] * x[k], sxy += x[k] * y[k], syy += y[k] * y[k];
  }
  return (sxy - sx * sy / 784) / sqrt((sxx - sx * sx / 784) * (syy - sy * sy / 784));
}

/* Without difficulty and noise only thickness and contrast differ: a nearest neighbour then makes no mistake, while two
 * classes drawn with the same strokes would. */
static void upright_glyphs_are_told_apart(void **state)
{
  (void)state;
  rh_dataset dataset;
  assert_int_equal(
      LOAD("glyphs", "", &dataset, "data.train", "10", "data.test", "600", "data.difficulty", "0", "data.noise", "0"),
      RH_OK);
  for (int64_t i = 0; i < 100; i++) {
    int64_t nearest = -1;
    double most = -1;
    for (int64_t j = 100; j < 600; j++) {
      double likeness = correlation(&dataset, i, j);
      if (likeness > most) most = likeness, nearest = j;
    }
    assert_int_equal(dataset.test.labels[nearest], dataset.test.labels[i]);
  }
  rh_dataset_clear(&dataset);
}

static void glyph_options_out_of_range_are_refused(void **state)
{
  (void)state;
  rh_dataset dataset;
  assert_int_equal(LOAD("glyphs", "", &dataset, "data.train", "5"), RH_EINVAL);
  assert_int_equal(LOAD("glyphs", "", &dataset, "data.difficulty", "2.5"), RH_EINVAL);
  assert_int_equal(LOAD("glyphs", "", &dataset, "data.noise", "-1"), RH_EINVAL);
}

/* Partitions ------------------------------------------------------------------------------------------------------- */

/* A data set of labels alone: n samples, label i mod classes. */
static rh_dataset labels_only(int32_t *labels, int64_t n, int64_t classes)
{
  for (int64_t i = 0; i < n; i++) {
    labels[i] = (int32_t)(i % classes);
  }
  return (rh_dataset){.name = "labels", .classes = classes, .train = {n, NULL, labels}};
}

static rh_partition partition(const rh_dataset *dataset, int kind, double skew, int32_t workers)
{
  rh_partition_def def = {kind, skew};
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
}

static void the_seed_decides_the_partition(void **state)
{
  (void)state;
  static int32_t labels[500];
  rh_dataset dataset = labels_only(labels, 500, 5);
  rh_partition_def def = {RH_PARTITION_IID, 0};
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
  rh_partition_def def = {RH_PARTITION_IID, 0};
  rh_partition p;
  assert_int_equal(rh_partition_new(&def, &dataset, 11, 1, &p), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "10 train samples, fewer than the 11 workers"));
  assert_null(p.indices);
  assert_int_equal(rh_partition_new(&def, &dataset, 0, 1, &p), RH_EINVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gather_normalises_to_mean_0_and_variance_1),
      cmocka_unit_test(glyphs_are_the_same_everywhere),
      cmocka_unit_test(glyphs_do_not_depend_on_their_number),
      cmocka_unit_test(glyph_classes_are_balanced),
      cmocka_unit_test(upright_glyphs_are_told_apart),
      cmocka_unit_test(glyph_options_out_of_range_are_refused),
      cmocka_unit_test(every_sample_is_held_once_in_equal_shares),
      cmocka_unit_test(skew_0_is_iid_and_shuffled),
      cmocka_unit_test(skew_1_is_sorted_by_class),
      cmocka_unit_test(a_small_skew_by_hand),
      cmocka_unit_test(the_seed_decides_the_partition),
      cmocka_unit_test(fewer_samples_than_workers_are_refused),
  };
  return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
