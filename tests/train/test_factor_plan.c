/* Which weights of a model are factorised and how many values that leaves, against numbers worked out by hand. */
#include "cmocka_all.h"

#include <math.h>

#include "factor.h"
#include "model_build.h"
#include "vgg16.h"

/* cnn: weights 8 x 25, 16 x 200, 64 x 256, 10 x 64. Both middle ones are wide. */
static void test_plan(void **state)
{
  (void)state;
  rh_model model;
  rh_factors f;
  build(&model, "cnn", (rh_shape){1, 28, 28}, NULL);
  rh_factors_plan(&model, true, &f);
  assert_int_equal(f.count, 2);
  assert_string_equal(model.segments[f.list[0].segment].name, "conv2.weight");
  assert_string_equal(model.segments[f.list[1].segment].name, "dense1.weight");
  assert_true(f.list[0].transposed && f.list[0].m == 200 && f.list[0].n == 16 && f.list[0].rank == 16);
  assert_true(f.list[1].transposed && f.list[1].m == 256 && f.list[1].n == 64 && f.list[1].rank == 64);
  assert_int_equal(f.full_values, 3200 + 16384);
  assert_int_equal(f.dense_values, 20522 - 19584);
  rh_factors_plan(&model, false, &f);
  assert_int_equal(f.count, 4);
  assert_int_equal(f.dense_values, 8 + 16 + 64 + 10);
  build(&model, "cnn", (rh_shape){1, 28, 28}, (const char *const[]){"model.norm", "evonorm-s0", NULL});
  rh_factors_plan(&model, true, &f);
  assert_int_equal(f.count, 2); /* gains, biases and slopes are 1-D */
  assert_int_equal(f.full_values + f.dense_values, model.parameters);
  build(&model, "logreg", (rh_shape){1, 28, 28}, NULL);
  rh_factors_plan(&model, true, &f);
  assert_int_equal(f.count, 0);
  assert_int_equal(f.dense_values, 7850);
  assert_true(rh_factors_ratio(&f) == 1 && rh_factors_a_room(&f) == 0 && rh_factors_b_room(&f) == 0);
}

/* cnn with ranks 3 and 5: matrices stand behind each other. */
static void test_offsets_and_ratio(void **state)
{
  (void)state;
  rh_model model;
  rh_factors f;
  build(&model, "cnn", (rh_shape){1, 28, 28}, NULL);
  rh_factors_plan(&model, true, &f);
  assert_int_equal(f.list[1].a_offset, 3200);
  assert_int_equal(f.list[1].b_offset, 256);
  assert_int_equal(rh_factors_a_room(&f), 3200 + 16384);
  assert_int_equal(rh_factors_b_room(&f), 16 * 16 + 64 * 64);
  assert_true(f.a_values == rh_factors_a_room(&f) && f.b_values == rh_factors_b_room(&f));
  rh_factors_set_ranks(&f, (const int64_t[]){3, 5});
  assert_true(f.list[0].a_offset == 0 && f.list[0].b_offset == 0);
  assert_int_equal(f.list[1].a_offset, 600);
  assert_int_equal(f.list[1].b_offset, 48);
  assert_int_equal(f.a_values, 600 + 1280);
  assert_int_equal(f.b_values, 48 + 320);
  assert_int_equal(rh_factors_a_room(&f), 3200 + 16384);
  assert_true(fabs(rh_factors_ratio(&f) - (1880.0 + 368 + 938) / 20522) < 1e-15);
  assert_true(rh_factors_product_flop(&f) == 2.0 * (200 * 3 * 16 + 256 * 5 * 64));
  assert_true(rh_factors_split_flop(&f) == 14.0 * (200 * 256 + 256 * 4096) + 8.0 * (4096 + 262144));
}

/* VGG16: 16 weights, of which 14 are factorised; D is the first (64 x 27) and last (10 x 4096) and 12,426 biases. */
static void test_vgg16(void **state)
{
  (void)state;
  rh_segment segments[VGG16_SEGMENTS];
  rh_factors f;
  vgg16_segments(segments);
  rh_factors_plan_segments(segments, VGG16_SEGMENTS, true, &f);
  assert_int_equal(f.count, 14);
  assert_int_equal(f.full_values + f.dense_values, 134301514);
  assert_int_equal(f.full_values, 134246400);
  assert_int_equal(f.dense_values, 1728 + 40960 + 12426);
  assert_int_equal(f.a_values, f.full_values);
  for (int k = 0; k < f.count; k++)
    assert_true(f.list[k].m == segments[f.list[k].segment].columns && f.list[k].n == segments[f.list[k].segment].rows);
}

/* The paper's 44.14 : 1 with the same share of each n: 72 / 4096 = 1.76 % of the singular values. By hand: of
 * 134,301,514 values 72 (25088 + 4096) + 72 (4096 + 4096) + 5 x 9 (4608 + 512) + 9 (2304 + 512) + 2 x 4 (2304 + 256) +
 * 4 (1152 + 256) + 2 (1152 + 128) + 2 (576 + 128) + (576 + 64) + 55,114 = 3,032,650 are left; 73 leaves 1 in 43.75. */
static void test_vgg16_compressed(void **state)
{
  (void)state;
  static const int64_t ranks[14] = {1, 2, 2, 4, 4, 4, 9, 9, 9, 9, 9, 9, 72, 72};
  rh_segment segments[VGG16_SEGMENTS];
  rh_factors f;
  vgg16_segments(segments);
  rh_factors_plan_segments(segments, VGG16_SEGMENTS, true, &f);
  assert_int_equal(vgg16_compress(&f, 44.14), 72);
  for (int k = 0; k < f.count; k++)
    assert_int_equal(f.list[k].rank, ranks[k]);
  assert_int_equal(f.a_values + f.b_values + f.dense_values, 3032650);
  assert_true(fabs(1 / rh_factors_ratio(&f) - 44.2852) < 1e-4);
  vgg16_set_share(&f, 73);
  assert_true(fabs(1 / rh_factors_ratio(&f) - 43.7461) < 1e-4);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plan),
      cmocka_unit_test(test_offsets_and_ratio),
      cmocka_unit_test(test_vgg16),
      cmocka_unit_test(test_vgg16_compressed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
