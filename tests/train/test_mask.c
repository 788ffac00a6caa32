/* Masks by hand: which weights they keep, in which rounds they are made, what they save. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "mask.h"

enum { A = 0, A_BIAS = 10, B = 12, B_BIAS = 16, P = 18 };

/* Two dense layers: weights 2 x 5 at A and 2 x 2 at B, each followed by its biases. */
static rh_model small_model(void)
{
  rh_model model;
  assert_int_equal(rh_model_begin(&model, "small", (rh_shape){1, 1, 5}, 2), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "a", 2), RH_OK);
  assert_int_equal(rh_model_add_relu(&model), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "b", 2), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  assert_int_equal(model.parameters, P);
  return model;
}

/* Biases are tiny: kept nevertheless. */
static const float values[P] = {1, -5, 2, 0.5F, -2, 3, 2, 0, -4, 2, 1e-6F, 0, 0.1F, -2, 6, 0.2F, 0, 1e-6F};

static rh_mask_options options_of(int kind, double sparsity)
{
  return (rh_mask_options){.kind = kind, .sparsity = sparsity, .n = 2, .m = 4, .ends = true, .every = 1};
}

/* Makes the mask of one sparse round and compares it with '1' for kept values; "|" and " " are for the reader. */
static void check_mask(const rh_mask_options *o, const char *expected)
{
  const rh_model model = small_model();
  rh_mask *mask;
  float row[32] = {0};
  const rh_mask_turn turn = {.number = 1, .sparse = true, .sparsity = o->sparsity};
  assert_int_equal(rh_mask_new(&model, &mask), RH_OK);
  rh_mask_make(mask, o, &turn, 7, values);
  for (int p = 0; p < P; p++)
    row[p] = 1;
  rh_mask_apply(mask, row);
  int p = 0;
  for (const char *e = expected; *e; e++) {
    if (*e != '0' && *e != '1') continue;
    if ((row[p] == 1) != (*e == '1')) fail_msg("value %d: %g, expected %c", p, (double)row[p], *e);
    p++;
  }
  assert_int_equal(p, P);
  rh_mask_free(mask);
}

/* 14 weights, 7 zeros: 6, 5, 4, 3 are kept and, of the five of size 2, the first three. */
static void magnitude_keeps_the_largest_of_all_and_of_equal_ones_the_first(void **state)
{
  (void)state;
  const rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.5);
  check_mask(&o, "01101 11010 | 11 | 00 10 | 11");
}

/* Of 10 weights 6 zeros ([.6 10 + .5]): 5, 4, 3 and the first 2; of 4 weights 2 ([2.4 + .5]): 6 and 2. */
static void magnitude_within_layers_gives_each_its_share(void **state)
{
  (void)state;
  rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.6);
  o.scope = RH_MASK_LAYER;
  check_mask(&o, "01100 10010 | 11 | 01 10 | 11");
}

/* Rows of 5: a group of 4, then one alone, which is kept; of 2: all. In row 0 of `a` (1 5 2 .5) keeps 5 and 2, in row 1
 * (3 2 0 4) keeps 3 and 4. */
static void nm_keeps_n_of_each_group_and_of_a_rows_end(void **state)
{
  (void)state;
  rh_mask_options o = options_of(RH_MASK_NM, 0);
  check_mask(&o, "01101 10011 | 11 | 11 11 | 11");
  /* 1 of 3: (1 5 2)(.5 2), (3 2 0)(4 2), (.1 2), (6 .2) */
  o.n = 1;
  o.m = 3;
  check_mask(&o, "01001 10010 | 11 | 01 10 | 11");
}

static void equal_values_of_a_group_are_kept_in_order(void **state)
{
  (void)state;
  const rh_model model = small_model();
  const rh_mask_options o = options_of(RH_MASK_NM, 0);
  const rh_mask_turn turn = {.number = 1, .sparse = true};
  rh_mask *mask;
  float row[32] = {0}, equal[P];
  for (int p = 0; p < P; p++)
    equal[p] = row[p] = p % 2 ? 1 : -1;
  assert_int_equal(rh_mask_new(&model, &mask), RH_OK);
  rh_mask_make(mask, &o, &turn, 7, equal);
  rh_mask_apply(mask, row);
  const float first_row[5] = {-1, 1, 0, 0, -1};
  assert_memory_equal(row, first_row, sizeof first_row);
  rh_mask_free(mask);
}

static void ends_that_stay_leave_the_weights_between(void **state)
{
  (void)state;
  rh_model model;
  rh_mask *mask;
  assert_int_equal(rh_model_begin(&model, "three", (rh_shape){1, 1, 4}, 2), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "a", 4), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "b", 4), RH_OK);
  assert_int_equal(rh_model_add_norm(&model, "norm", RH_NORM_EVO_S0, 1), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "c", 2), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  float *x = calloc((size_t)model.stride, sizeof *x);
  rh_model_init_parameters(&model, 1, x);
  rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.75);
  const rh_mask_turn turn = {.number = 1, .sparse = true, .sparsity = o.sparsity};
  o.ends = false;
  assert_int_equal(rh_mask_check(&o, &model, 10), RH_OK);
  assert_int_equal(rh_mask_new(&model, &mask), RH_OK);
  rh_mask_make(mask, &o, &turn, 1, x);
  assert_int_equal(rh_mask_kept(mask), model.parameters - 12);
  assert_int_equal(rh_mask_kept_of(mask, model.layers[1].weight_offset, 16), 4);
  rh_mask_free(mask);
  free(x);
}

/* Kept exactly, whatever is drawn; another seed and another sparse turn draw others, a growing mask none. */
static void random_masks_keep_their_share(void **state)
{
  (void)state;
  rh_model model;
  rh_mask *mask;
  assert_int_equal(rh_model_begin(&model, "wide", (rh_shape){1, 1, 1000}, 10), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "a", 10), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  assert_int_equal(rh_mask_new(&model, &mask), RH_OK);
  const size_t bytes = (size_t)model.stride * sizeof(float);
  float *x = calloc(1, bytes), *rows[4];
  rh_mask_options o = options_of(RH_MASK_RANDOM, 0.9);
  for (int k = 0; k < 4; k++) {
    const rh_mask_turn turn = {.number = k == 2 ? 3 : 1, .sparse = true, .sparsity = k == 3 ? 0.5 : 0.9};
    o.schedule = k == 2 ? RH_MASK_ACDC : RH_MASK_FIXED;
    rh_mask_make(mask, &o, &turn, k == 1 ? 2 : 1, x);
    assert_int_equal(rh_mask_kept(mask), 10 + (k == 3 ? 5000 : 1000));
    assert_int_equal(rh_mask_kept_of(mask, 0, 10000), k == 3 ? 5000 : 1000);
    rows[k] = malloc(bytes);
    for (int64_t p = 0; p < model.stride; p++)
      rows[k][p] = 1;
    rh_mask_apply(mask, rows[k]);
  }
  assert_memory_not_equal(rows[0], rows[1], bytes);
  assert_memory_not_equal(rows[0], rows[2], bytes);
  for (int64_t p = 0; p < model.stride; p++)
    assert_true(rows[0][p] <= rows[3][p]); /* what is kept of a tenth is kept of a half */
  for (int k = 0; k < 4; k++)
    free(rows[k]);
  free(x);
  rh_mask_free(mask);
}

static void sparsity_0_and_dense_turns_keep_everything(void **state)
{
  (void)state;
  const rh_model model = small_model();
  const rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.9);
  rh_mask *mask;
  assert_int_equal(rh_mask_new(&model, &mask), RH_OK);
  assert_int_equal(rh_mask_kept(mask), P);
  rh_mask_make(mask, &o, &(rh_mask_turn){.number = 1, .sparse = true, .sparsity = 0.9}, 7, values);
  assert_int_equal(rh_mask_kept(mask), P - 13);
  rh_mask_make(mask, &o, &(rh_mask_turn){.number = 1, .sparse = true, .sparsity = 0}, 7, values);
  assert_int_equal(rh_mask_kept(mask), P);
  rh_mask_make(mask, &o, &(rh_mask_turn){.number = 2}, 7, values);
  assert_int_equal(rh_mask_kept(mask), P);
  rh_mask_free(mask);
}

static void packed_values_come_back(void **state)
{
  (void)state;
  const rh_model model = small_model();
  const rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.5);
  rh_mask *mask;
  float row[32] = {0}, applied[32] = {0};
  const float front[] = {-5, 2, -2, 3, 2, -4, 1e-6F, 0, 6, 0, 1e-6F};
  memcpy(row, values, sizeof values);
  memcpy(applied, values, sizeof values);
  row[P + 3] = 9; /* beyond the parameters: must not survive */
  assert_int_equal(rh_mask_new(&model, &mask), RH_OK);
  rh_mask_make(mask, &o, &(rh_mask_turn){1, true, 0.5}, 7, values);
  assert_int_equal(rh_mask_kept(mask), 11);
  assert_int_equal(rh_mask_kept_of(mask, A, 10), 6);
  assert_int_equal(rh_mask_kept_of(mask, A_BIAS, 2), 2);
  assert_int_equal(rh_mask_kept_of(mask, B, 4), 1);
  rh_mask_pack(mask, row);
  assert_memory_equal(row, front, sizeof front);
  for (int64_t p = 11; p < model.stride; p++)
    assert_true(row[p] == 0);
  row[20] = 5; /* stale values behind the packed ones are not taken */
  rh_mask_unpack(mask, row);
  rh_mask_apply(mask, applied);
  assert_memory_equal(row, applied, (size_t)model.stride * sizeof *row);
  rh_mask_free(mask);
}

/* Round, number of the mask, sparsity. */
typedef struct expected_turn {
  int64_t t, number;
  double sparsity;
} expected_turn;

static void check_turns(const rh_mask_options *o, int64_t rounds, const expected_turn *expected, size_t count)
{
  const rh_model model = small_model();
  if (rh_mask_check(o, &model, rounds) != RH_OK) fail_msg("%s", rh_error_message());
  for (size_t k = 0; k < count; k++) {
    const rh_mask_turn turn = rh_mask_turn_at(o, expected[k].t, rounds);
    if (turn.number != expected[k].number || turn.sparse != (expected[k].sparsity > 0))
      fail_msg("round %d: mask %d, %s", (int)expected[k].t, (int)turn.number, turn.sparse ? "sparse" : "dense");
    assert_true(fabs(turn.sparsity - expected[k].sparsity) < 1e-15); /* a few roundings of numbers below 1 */
  }
}

static void fixed_masks_begin_once(void **state)
{
  (void)state;
  rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.7);
  o.start = 4;
  check_turns(&o, 10, (const expected_turn[]){{0, 0, 0}, {3, 0, 0}, {4, 1, 0.7}, {9, 1, 0.7}}, 4);
}

/* Zhu and Gupta's cubic by hand: thirds of the way leave 8/27 and 1/27 of the sparsity. With a span that is no multiple
 * of the steps the last mask comes at the first step after it: of 10 rounds .9 are over after three steps of 3. */
static void gradual_follows_the_cubic(void **state)
{
  (void)state;
  rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.8);
  o.schedule = RH_MASK_GRADUAL;
  o.start = 2;
  o.every = 3;
  o.end = 11;
  const expected_turn thirds[] = {
      {0, 0, 0},    {2, 0, 0},   {4, 0, 0}, {5, 1, 0.8 * 19 / 27}, {7, 1, 0.8 * 19 / 27}, {8, 2, 0.8 * 26 / 27},
      {11, 3, 0.8}, {19, 3, 0.8}};
  check_turns(&o, 20, thirds, 8);
  o.end = 12;
  check_turns(&o, 20, (const expected_turn[]){{11, 3, 0.8 * 0.999}, {13, 3, 0.8 * 0.999}, {14, 4, 0.8}}, 3);
  o.end = 0; /* 15 of 20: the span of 13 takes five steps */
  check_turns(&o, 20, (const expected_turn[]){{16, 4, 0.8 * (1 - 1.0 / 2197)}, {17, 5, 0.8}}, 2);
}

static void ac_dc_takes_turns_and_ends_sparse(void **state)
{
  (void)state;
  rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.9);
  o.schedule = RH_MASK_ACDC;
  o.start = 3;
  o.sparse_rounds = 2;
  o.dense_rounds = 4;
  o.end = 12;
  const expected_turn cut[] = {{0, 0, 0},   {2, 0, 0},    {3, 1, 0.9}, {4, 1, 0.9},  {5, 2, 0},   {8, 2, 0},
                               {9, 3, 0.9}, {10, 3, 0.9}, {11, 4, 0},  {12, 5, 0.9}, {14, 5, 0.9}};
  check_turns(&o, 15, cut, 11);
  o.end = 10; /* within a sparse turn, which goes on */
  check_turns(&o, 15, (const expected_turn[]){{8, 2, 0}, {9, 3, 0.9}, {11, 3, 0.9}, {14, 3, 0.9}}, 4);
}

/* Batch 3: 2 x 3 operations for each masked weight of a product. `a` has nothing below, `b` passes its gradient on. */
static void savings_count_the_masked_products(void **state)
{
  (void)state;
  const rh_model model = small_model();
  const rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.5);
  rh_mask *mask;
  assert_int_equal(rh_mask_new(&model, &mask), RH_OK);
  assert_true(rh_mask_forward_saving(mask, 0, 3).flop == 0);
  rh_mask_make(mask, &o, &(rh_mask_turn){1, true, 0.5}, 7, values); /* 4 of a's and 3 of b's are masked */
  assert_true(rh_mask_forward_saving(mask, 0, 3).flop == 24);
  assert_true(rh_mask_backward_saving(mask, 0, 3).flop == 24);
  assert_true(rh_mask_forward_saving(mask, 1, 3).flop == 0);
  assert_true(rh_mask_forward_saving(mask, 2, 3).flop == 18);
  assert_true(rh_mask_backward_saving(mask, 2, 3).flop == 36);
  rh_mask_free(mask);
}

/* In 8 bits: the forward product and its part of the gradient below; what stays in f32 is the weights' gradient, and
 * quantising them, 9 operations each. */
static void savings_in_int8_have_two_widths(void **state)
{
  (void)state;
  rh_model model = small_model();
  model.arithmetic = RH_INT8;
  const rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.5);
  rh_mask *mask;
  assert_int_equal(rh_mask_new(&model, &mask), RH_OK);
  rh_mask_make(mask, &o, &(rh_mask_turn){1, true, 0.5}, 7, values); /* 4 of a's and 3 of b's are masked */
  const rh_work a = rh_mask_forward_saving(mask, 0, 3), a_back = rh_mask_backward_saving(mask, 0, 3);
  const rh_work b = rh_mask_forward_saving(mask, 2, 3), b_back = rh_mask_backward_saving(mask, 2, 3);
  assert_true(a.int8_op == 24 && a.flop == 9 * 4 && a_back.int8_op == 0 && a_back.flop == 24);
  assert_true(b.int8_op == 18 && b.flop == 9 * 3 && b_back.int8_op == 18 && b_back.flop == 18);
  rh_mask_free(mask);
}

/* 14 weights, 2 bytes; without the ends none. */
static void bitmaps_have_a_bit_for_each_weight(void **state)
{
  (void)state;
  const rh_model model = small_model();
  rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 0.5);
  assert_int_equal(rh_mask_bitmap_bytes(&o, &model), 2);
  o.ends = false;
  assert_int_equal(rh_mask_bitmap_bytes(&o, &model), 0);
}

/* A convolution's weight is used at each of its 3 x 3 output places. */
static void savings_of_a_convolution_count_its_places(void **state)
{
  (void)state;
  rh_model model;
  rh_mask *mask;
  assert_int_equal(rh_model_begin(&model, "conv", (rh_shape){2, 4, 4}, 2), RH_OK);
  assert_int_equal(rh_model_add_conv(&model, "c", 3, 2), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "d", 2), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  float *x = calloc((size_t)model.stride, sizeof *x);
  const rh_mask_options o = options_of(RH_MASK_NM, 0); /* rows of 8: 12 of 24 are masked */
  assert_int_equal(rh_mask_new(&model, &mask), RH_OK);
  rh_mask_make(mask, &o, &(rh_mask_turn){1, true, 0}, 1, x);
  assert_int_equal(rh_mask_kept_of(mask, 0, 24), 12);
  assert_true(rh_mask_forward_saving(mask, 0, 5).flop == 2.0 * 12 * 5 * 9);
  rh_mask_free(mask);
  free(x);
}

static void check_refused(rh_status code, const rh_mask_options *o, const rh_model *model, const char *part)
{
  assert_int_equal(rh_mask_check(o, model, 20), code);
  if (!strstr(rh_error_message(), part)) fail_msg("said: %s", rh_error_message());
}

static void what_cannot_work_is_refused(void **state)
{
  (void)state;
  const rh_model model = small_model();
  rh_mask_options o = options_of(RH_MASK_MAGNITUDE, 1);
  check_refused(RH_EINVAL, &o, &model, "sparsity 1 leaves no weight of model small");
  o.sparsity = 0.97; /* 13.58 of 14 weights */
  check_refused(RH_EINVAL, &o, &model, "sparsity 0.97 leaves no weight of model small");
  o.sparsity = 0.96; /* 13.44 of 14, but 3.84 of the 4 of `b` */
  assert_int_equal(rh_mask_check(&o, &model, 20), RH_OK);
  o.scope = RH_MASK_LAYER;
  check_refused(RH_EINVAL, &o, &model, "sparsity 0.96 leaves no weight of the smallest layer of model small");
  o.scope = RH_MASK_GLOBAL;
  o.sparsity = 0.5;
  o.ends = false;
  check_refused(RH_EINVAL, &o, &model, "use mask_ends: on");
  o.ends = true;
  o.start = 20;
  check_refused(RH_EINVAL, &o, &model, "mask_start 20 leaves no round");
  o.start = 0;
  o.schedule = RH_MASK_ACDC;
  o.end = 20;
  check_refused(RH_EINVAL, &o, &model, "mask_end 20 must come after");
  o.end = 12;
  o.sparse_rounds = 12;
  check_refused(RH_EINVAL, &o, &model, "no dense turn follows");
  o.sparse_rounds = 11; /* and a dense round */
  o.dense_rounds = 1;
  assert_int_equal(rh_mask_check(&o, &model, 20), RH_OK);
  o.schedule = RH_MASK_GRADUAL;
  o.end = 18;
  o.every = 7;
  check_refused(RH_EINVAL, &o, &model, "would come after the last of 20 rounds");
  o.kind = RH_MASK_NM;
  check_refused(RH_EUNSUPPORTED, &o, &model, "which cannot grow");
  o.n = 5;
  check_refused(RH_EINVAL, &o, &model, "mask_n 5 is more than train.mask_m 4");
  o.kind = RH_MASK_NONE;
  assert_int_equal(rh_mask_check(&o, &model, 20), RH_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(magnitude_keeps_the_largest_of_all_and_of_equal_ones_the_first),
      cmocka_unit_test(magnitude_within_layers_gives_each_its_share),
      cmocka_unit_test(nm_keeps_n_of_each_group_and_of_a_rows_end),
      cmocka_unit_test(equal_values_of_a_group_are_kept_in_order),
      cmocka_unit_test(ends_that_stay_leave_the_weights_between),
      cmocka_unit_test(random_masks_keep_their_share),
      cmocka_unit_test(sparsity_0_and_dense_turns_keep_everything),
      cmocka_unit_test(packed_values_come_back),
      cmocka_unit_test(fixed_masks_begin_once),
      cmocka_unit_test(gradual_follows_the_cubic),
      cmocka_unit_test(ac_dc_takes_turns_and_ends_sparse),
      cmocka_unit_test(savings_count_the_masked_products),
      cmocka_unit_test(savings_of_a_convolution_count_its_places),
      cmocka_unit_test(savings_in_int8_have_two_widths),
      cmocka_unit_test(bitmaps_have_a_bit_for_each_weight),
      cmocka_unit_test(what_cannot_work_is_refused),
  };
  return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
