/* Generated glyphs, and normalising. */
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

/* Whichever way the values are made: all bytes, images whose sides fill no vector, many means and deviations. */
static void gather_rounds_as_divisions_do(void **state)
{
  (void)state;
  enum { SIZE = 259 };
  uint8_t pixels[2 * SIZE];
  int32_t labels[] = {7, 8}, y[2];
  float x[2 * SIZE];
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  for (int i = 0; i < 2 * SIZE; i++)
    pixels[i] = (uint8_t)i;
  for (int k = 0; k < 200; k++) {
    const int64_t size = k % 2 ? SIZE : 1 + rh_rng_below(&rng, SIZE);
    const rh_dataset dataset = {.shape = {1, 1, size},
                                .classes = 9,
                                .train = {2, pixels, labels},
                                .mean = (float)rh_rng_f64(&rng),
                                .deviation = k == 0 ? 1.0f : (float)(0.01 + 0.5 * rh_rng_f64(&rng))};
    rh_samples_gather(&dataset, &dataset.train, (const int32_t[]){1, 0}, 2, x, y);
    for (int64_t i = 0; i < 2 * size; i++) {
      const float pixel = (float)pixels[(i + size) % (2 * size)] / 255.0f;
      assert_true(x[i] == (pixel - dataset.mean) / dataset.deviation);
    }
    assert_true(y[0] == 8 && y[1] == 7);
  }
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

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gather_normalises_to_mean_0_and_variance_1),
      cmocka_unit_test(gather_rounds_as_divisions_do),
      cmocka_unit_test(glyphs_are_the_same_everywhere),
      cmocka_unit_test(glyphs_do_not_depend_on_their_number),
      cmocka_unit_test(glyph_classes_are_balanced),
      cmocka_unit_test(upright_glyphs_are_told_apart),
      cmocka_unit_test(glyph_options_out_of_range_are_refused),
  };
  return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
