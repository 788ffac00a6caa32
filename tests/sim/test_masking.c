/* Masked training under all-reduce: what stays zero, what it equals, what is sent and charged. Checked with RH_ASSERT,
 * as in test_method.c. */
#include "masking.h"
#include "method_allreduce.h"
#include "method_fixture.h"

/* The fixture's mlp: weights 16 x 36 and 3 x 16, of which 4/5 are 499.2 zeros. */
enum { FIRST = 576, SECOND_FROM = 592, WEIGHTS = 624, P = 643, KEPT = 125, INSIDE = P - WEIGHTS + KEPT };

static rh_mask_options mask_of(int kind, double sparsity)
{
  return (rh_mask_options){.kind = kind, .sparsity = sparsity, .n = 2, .m = 4, .ends = true, .every = 1};
}

/* A fixture whose state is made again with a mask. */
static void masked_init(fixture *f, const choice *c, const rh_mask_options *mask)
{
  fixture_init(f, c);
  f->method->free_state(f->state);
  f->world.mask = *mask;
  RH_ASSERT(f->model.parameters == P && f->model.segments[2].offset == SECOND_FROM);
  RH_ASSERT(f->method->new_state(&f->world, &f->state) == RH_OK);
}

static bool is_weight(int64_t p)
{
  return p < FIRST || (p >= SECOND_FROM && p < SECOND_FROM + WEIGHTS - FIRST);
}

/* Weights that are not zero; moments are zero wherever the parameter is a masked weight. */
static int count_weights(fixture *f)
{
  rh_replicas *r = f->world.replicas;
  const float *x = rh_replicas_parameters(r, 0);
  int count = 0;
  for (int64_t p = 0; p < P; p++) {
    if (!is_weight(p)) continue;
    count += x[p] != 0;
    for (int k = 0; x[p] == 0 && k < rh_optimiser_moments(f->world.optimiser); k++)
      RH_ASSERT(rh_replicas_moment(r, 0, k)[p] == 0);
  }
  return count;
}

static bool same_state(fixture *a, fixture *b)
{
  return rh_replicas_hash(a->world.replicas) == rh_replicas_hash(b->world.replicas);
}

static void masked_weights_and_moments_stay_zero_body(void)
{
  const rh_optimiser optimisers[] = {
      {.momentum = 0.9, .decay = 1e-3},
      {.momentum = 0.9, .nesterov = true, .clip = 0.5},
      {.kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .decay = 0.1, .clip = 1}};
  for (int k = 0; k < 3; k++) {
    for (int kind = RH_MASK_MAGNITUDE; kind <= RH_MASK_RANDOM; kind++) {
      const rh_mask_options mask = mask_of(kind, 0.8);
      fixture f;
      masked_init(&f, &(choice){.method = "allreduce", .optimiser = &optimisers[k], .rounds = 12}, &mask);
      rounds(&f, 0, 1, 0.01);
      const double first_loss = f.world.train_loss;
      rounds(&f, 1, 11, 0.01);
      RH_ASSERT(count_weights(&f) == (kind == RH_MASK_NM ? WEIGHTS / 2 : KEPT));
      RH_ASSERT(f.world.train_loss < first_loss);
      fixture_clear(&f);
    }
  }
}
VALUES_TEST(masked_weights_and_moments_stay_zero)

/* Whatever decides about zeros, the others must be stepped as without a mask. */
static void masked_steps_are_dense_steps_with_zeros_put_back_body(void)
{
  const choice c = {.method = "allreduce", .momentum = 0.9, .decay = 1e-3, .rounds = 8};
  const rh_mask_options mask = mask_of(RH_MASK_MAGNITUDE, 0.8);
  fixture sparse, dense;
  bool inside[P];
  masked_init(&sparse, &c, &mask);
  fixture_init(&dense, &c);
  float *x = rh_replicas_parameters(dense.world.replicas, 0), *u = rh_replicas_moment(dense.world.replicas, 0, 0);
  for (int64_t p = 0; p < P; p++) { /* kept: fewer than KEPT weights are larger; no two are equal here */
    int larger = 0;
    for (int64_t q = 0; q < P; q++)
      larger += is_weight(q) && fabsf(x[q]) > fabsf(x[p]);
    inside[p] = !is_weight(p) || larger < KEPT;
  }
  for (int64_t t = 0; t < 8; t++) {
    for (int64_t p = 0; p < P; p++)
      if (!inside[p]) x[p] = u[p] = 0;
    rounds(&dense, t, 1, 0.02);
    rounds(&sparse, t, 1, 0.02);
    RH_ASSERT(dense.world.train_loss == sparse.world.train_loss);
  }
  for (int64_t p = 0; p < P; p++)
    if (!inside[p]) x[p] = u[p] = 0;
  RH_ASSERT(same_state(&sparse, &dense));
  fixture_clear(&sparse);
  fixture_clear(&dense);
}
VALUES_TEST(masked_steps_are_dense_steps_with_zeros_put_back)

/* Mask, then quantise: what a batch's gradients are taken at, and scores too, must not know what was masked. */
static void masked_weights_count_nothing_in_int8_body(void)
{
  const rh_mask_options mask = mask_of(RH_MASK_MAGNITUDE, 0.8);
  fixture f;
  masked_init(&f, &(choice){.method = "allreduce", .momentum = 0.9, .rounds = 12, .int8 = true}, &mask);
  rounds(&f, 0, 1, 0.02);
  const double first_loss = f.world.train_loss;
  rounds(&f, 1, 11, 0.02);
  RH_ASSERT(count_weights(&f) == KEPT && f.world.train_loss < first_loss);

  /* A column of the first weight without values inside: then pixels of that column change nothing. In a grid without an
   * exact zero they would. */
  rh_replicas *r = f.world.replicas;
  float *x = rh_replicas_parameters(r, 0);
  const int pixel = 7, inputs = SIDE * SIDE;
  rh_score before, after;
  for (int row = 0; row < FIRST / inputs; row++)
    x[row * inputs + pixel] = 0;
  rh_samples changed = f.dataset.test;
  changed.pixels = malloc((size_t)changed.count * (size_t)inputs);
  RH_ASSERT(changed.pixels);
  memcpy(changed.pixels, f.dataset.test.pixels, (size_t)changed.count * (size_t)inputs);
  for (int64_t s = 0; s < changed.count; s++)
    changed.pixels[s * inputs + pixel] ^= 0x15; /* within the other pixels' range: the inputs' grid stays */
  for (int sparse = 0; sparse < 2; sparse++) {
    rh_replicas_set_sparse(r, sparse);
    RH_ASSERT(rh_replicas_score(r, x, &f.dataset.test, 0, &before) == RH_OK);
    RH_ASSERT(rh_replicas_score(r, x, &changed, 0, &after) == RH_OK);
    RH_ASSERT((before.loss == after.loss) == (sparse == 1));
  }
  free(changed.pixels);
  fixture_clear(&f);
}
VALUES_TEST(masked_weights_count_nothing_in_int8)

static void sparsity_0_is_no_mask_body(void)
{
  for (int k = RH_MASK_FIXED; k <= 2 * RH_MASK_ACDC + 1; k++) {
    const int schedule = k % (RH_MASK_ACDC + 1);
    const choice c = {.method = "allreduce", .momentum = 0.9, .rounds = 6, .int8 = k > RH_MASK_ACDC};
    rh_mask_options mask = mask_of(RH_MASK_MAGNITUDE, 0);
    mask.schedule = schedule;
    mask.sparse_rounds = 100; /* a dense turn would begin without momentum */
    mask.dense_rounds = 1;
    fixture with, without;
    masked_init(&with, &c, &mask);
    fixture_init(&without, &c);
    rounds(&with, 0, 6, 0.02);
    rounds(&without, 0, 6, 0.02);
    RH_ASSERT(same_state(&with, &without));
    RH_ASSERT(!without.world.phase && strcmp(with.world.phase, "dense") == 0 && with.world.compression_ratio == 1);
    fixture_clear(&with);
    fixture_clear(&without);
  }
}
VALUES_TEST(sparsity_0_is_no_mask)

/* Rounds 0-1 dense, 2-3 sparse, 4-6 dense, 7-8 sparse, 9 dense, 10-11 sparse. */
static void ac_dc_takes_turns_body(void)
{
  rh_mask_options mask = mask_of(RH_MASK_MAGNITUDE, 0.8);
  mask.schedule = RH_MASK_ACDC;
  mask.start = 2;
  mask.sparse_rounds = 2;
  mask.dense_rounds = 3;
  mask.end = 10;
  fixture f;
  masked_init(&f, &(choice){.method = "allreduce", .momentum = 0.9, .rounds = 12}, &mask);
  for (int64_t t = 0; t < 12; t++) {
    const bool sparse = "001100011011"[t] == '1', reopens = t == 4 || t == 9;
    float before[P], *x = rh_replicas_parameters(f.world.replicas, 0), *u = rh_replicas_moment(f.world.replicas, 0, 0);
    memcpy(before, x, sizeof before);
    rounds(&f, t, 1, 0.02);
    RH_ASSERT(strcmp(f.world.phase, sparse ? "sparse" : "dense") == 0);
    RH_ASSERT(f.world.compression_ratio == (sparse ? INSIDE / (double)P : 1));
    RH_ASSERT(sparse ? count_weights(&f) == KEPT : count_weights(&f) > KEPT);
    /* SGD's first step after a sparse turn has no momentum: u = g, so x = x - lr u exactly */
    for (int64_t p = 0; reopens && p < P; p++)
      RH_ASSERT(x[p] == before[p] - 0.02F * u[p]);
  }
  fixture_clear(&f);
}
VALUES_TEST(ac_dc_takes_turns)

static void gradual_masks_grow_body(void)
{
  rh_mask_options mask = mask_of(RH_MASK_MAGNITUDE, 0.8);
  mask.schedule = RH_MASK_GRADUAL;
  mask.every = 2;
  mask.end = 6;
  fixture f;
  masked_init(&f, &(choice){.method = "allreduce", .momentum = 0.9, .rounds = 9}, &mask);
  /* [624 .8 19/27 + .5] = 351, [624 .8 26/27 + .5] = 481 and 499 zeros */
  const int expected[] = {624, 624, 273, 273, 143, 143, 125, 125, 125};
  bool zero[P] = {false};
  for (int64_t t = 0; t < 9; t++) {
    rounds(&f, t, 1, 0.02);
    RH_ASSERT(count_weights(&f) == expected[t]);
    const float *x = rh_replicas_parameters(f.world.replicas, 0);
    for (int64_t p = 0; p < P; p++) {
      RH_ASSERT(!zero[p] || x[p] == 0); /* what was masked stays so */
      zero[p] = is_weight(p) && x[p] == 0;
    }
  }
  fixture_clear(&f);
}
VALUES_TEST(gradual_masks_grow)

/* Messages that must be decoded to be added, and buckets, are other ways of the same values. */
static void other_ways_of_the_kept_values_change_nothing_body(void)
{
  rh_mask_options mask = mask_of(RH_MASK_MAGNITUDE, 0.8);
  mask.schedule = RH_MASK_ACDC;
  mask.sparse_rounds = 3;
  mask.dense_rounds = 2;
  mask.end = 8;
  const choice ways[] = {
      {.method = "allreduce", .momentum = 0.9, .rounds = 10},
      {.method = "allreduce", .momentum = 0.9, .rounds = 10, .buckets = 3, .overlap = "on"},
      {.method = "allreduce",
       .momentum = 0.9,
       .rounds = 10,
       .compressor = "topk",
       .settings = (const char *const[]){"compress.ratio=1", NULL}},
      {.method = "allreduce",
       .momentum = 0.9,
       .rounds = 10,
       .compressor = "topk",
       .buckets = 2,
       .feedback = RH_FEEDBACK_CLASSIC,
       .settings = (const char *const[]){"compress.ratio=1", NULL}},
  };
  fixture plain;
  masked_init(&plain, &ways[0], &mask);
  rounds(&plain, 0, 10, 0.02);
  for (size_t k = 1; k < RH_COUNT(ways); k++) {
    fixture other;
    masked_init(&other, &ways[k], &mask);
    rounds(&other, 0, 10, 0.02);
    RH_ASSERT(same_state(&plain, &other));
    fixture_clear(&other);
  }
  fixture_clear(&plain);
}
VALUES_TEST(other_ways_of_the_kept_values_change_nothing)

/* The values of round t's mask. */
static void read_inside(fixture *f, bool *inside)
{
  float row[P + 16];
  for (int p = 0; p < P + 16; p++)
    row[p] = 1;
  RH_ASSERT(f->model.stride <= P + 16);
  rh_masking_unpack(((allreduce_state *)f->state)->masking, 1, (rh_tensor){row, 0});
  for (int p = 0; p < P; p++)
    inside[p] = row[p] == 1;
}

/* Adds the workers' errors to sum [P]. */
static void add_errors(fixture *f, double *sum)
{
  const allreduce_state *s = f->state;
  float row[P + 16];
  for (int32_t i = 0; i < N; i++) {
    memcpy(row, rh_aggregate_error(s->aggregate, i), (size_t)f->model.stride * sizeof *row);
    rh_masking_unpack(s->masking, 1, (rh_tensor){row, 0});
    for (int p = 0; p < P; p++)
      sum[p] += (double)row[p];
  }
}

/* Nothing gets lost but what falls outside a new mask: in every round gradients and errors before it are the step (of
 * lr .1, without momentum: a tenth of the mean) and the errors after it. */
static void errors_move_with_the_mask_body(void)
{
  rh_mask_options mask = mask_of(RH_MASK_RANDOM, 0.8);
  mask.schedule = RH_MASK_ACDC;
  mask.start = 2;
  mask.sparse_rounds = 2;
  mask.dense_rounds = 2;
  mask.end = 8;
  const choice lossy = {.method = "allreduce",
                        .rounds = 10,
                        .compressor = "topk",
                        .feedback = RH_FEEDBACK_CLASSIC,
                        .settings = (const char *const[]){"compress.ratio=0.1", NULL}};
  fixture f;
  masked_init(&f, &lossy, &mask);
  RH_ASSERT(rh_replicas_chunk(f.world.replicas) == N);
  for (int64_t t = 0; t < 10; t++) {
    double before[P] = {0}, after[P] = {0};
    float *x = rh_replicas_parameters(f.world.replicas, 0), start[P], end[P], *g;
    bool inside[P];
    memcpy(start, x, sizeof start);
    add_errors(&f, before);
    rounds(&f, t, 1, 0.1);
    memcpy(end, x, sizeof end);
    add_errors(&f, after);
    read_inside(&f, inside);
    for (int p = 0; p < P; p++)
      x[p] = inside[p] ? start[p] : 0;
    RH_ASSERT(rh_replicas_gradients(f.world.replicas, t, 0, N, &g, NULL) == RH_OK);
    for (int p = 0; p < P; p++) {
      for (int32_t i = 0; i < N; i++)
        before[p] += (double)g[i * f.model.stride + p];
      if (inside[p]) after[p] += N / 0.1 * ((double)x[p] - (double)end[p]);
      RH_ASSERT(inside[p] || (end[p] == 0 && after[p] == 0));
      RH_ASSERT(!inside[p] || fabs(after[p] - before[p]) < 1e-4); /* an ulp of x near 1, 6e-8, times N / lr = 80 */
    }
    memcpy(x, end, sizeof end);
  }
  fixture_clear(&f);
}
VALUES_TEST(errors_move_with_the_mask)

/* 5 samples: 10 operations for each masked weight forward; backward 10 in the first layer, 20 in the second. */
static void sparse_rounds_are_charged_what_is_known_body(void)
{
  const rh_mask_options mask = mask_of(RH_MASK_NM, 0); /* 288 and 24 are masked */
  for (int counted = 0; counted < 2; counted++) {
    fixture f;
    masked_init(&f, &(choice){.method = "allreduce", .rounds = 2, .buckets = 2, .compressor = "int8"}, &mask);
    f.world.seconds.flop_s = counted ? 1e-9 : 0;
    rounds(&f, 0, 1, 0.01);
    const rh_world *w = rh_masking_world(((allreduce_state *)f.state)->masking);
    const rh_step_seconds *dense = &f.world.seconds, *s = &w->seconds;
    const double kept = counted ? (P - 312) / (double)P : 1, saved = counted ? 1e-9 : 0;
    RH_ASSERT(fabs(s->forward_s - (dense->forward_s - saved * 10 * 312)) < 1e-15);
    RH_ASSERT(fabs(s->backward_s[0] - (dense->backward_s[0] - saved * 10 * 288)) < 1e-15);
    RH_ASSERT(fabs(s->backward_s[2] - (dense->backward_s[2] - saved * 20 * 24)) < 1e-15);
    RH_ASSERT(fabs(s->update_s - kept * dense->update_s) < 1e-15);
    RH_ASSERT(fabs(s->mix_s - kept * dense->mix_s) < 1e-15);
    const rh_flop flop = rh_compressor_flop(w->compressor, w->compressor_options,
                                            &(rh_layout){2, (const int64_t[]){24, 3}, (const int64_t[]){24, 3}, 27});
    RH_ASSERT(fabs(s->encode_s[0][0] - (counted ? 1e-9 * flop.encode[0] : dense->encode_s[0][0])) < 1e-15);
    RH_ASSERT(w->buckets[0].offset == 288 + 16 && w->buckets[0].layout.values == 27);
    RH_ASSERT(w->buckets[1].offset == 0 && w->buckets[1].layout.values == 288 + 16);
    fixture_clear(&f);
  }
}
VALUES_TEST(sparse_rounds_are_charged_what_is_known)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(masked_weights_and_moments_stay_zero),
      cmocka_unit_test(masked_steps_are_dense_steps_with_zeros_put_back),
      cmocka_unit_test(masked_weights_count_nothing_in_int8),
      cmocka_unit_test(sparsity_0_is_no_mask),
      cmocka_unit_test(ac_dc_takes_turns),
      cmocka_unit_test(gradual_masks_grow),
      cmocka_unit_test(other_ways_of_the_kept_values_change_nothing),
      cmocka_unit_test(errors_move_with_the_mask),
      cmocka_unit_test(sparse_rounds_are_charged_what_is_known),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
