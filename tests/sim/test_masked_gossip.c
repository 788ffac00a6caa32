/* Masked training of workers that each have a model: one mask for all, what stays zero, what is sent, what exchanges
 * keep, what it equals. Checked with RH_ASSERT, as in test_method.c. */
#include "agents.h"
#include "method_fixture.h"
#include "method_sgp.h"

/* The fixture's mlp: weights 16 x 36 and 3 x 16, of which 4/5 are 499.2 zeros; 19 biases. */
enum { FIRST = 576, SECOND_FROM = 592, WEIGHTS = 624, P = 643, KEPT = 125, TENSORS = 4, METHODS = 6 };

static const char *const methods[METHODS] = {"dpsgd", "choco", "deepsqueeze", "dcd", "qg-dsgdm", "sgp"};
static const char *const fifth[] = {"compress.ratio=.2", NULL};
static const char *const gentle[] = {"compress.ratio=.2", "train.consensus_step=.2", NULL};

static rh_mask_options mask_of(int kind, double sparsity)
{
  return (rh_mask_options){.kind = kind, .sparsity = sparsity, .n = 2, .m = 4, .ends = true, .every = 1};
}

/* Rounds 0-1 dense, 2-3 sparse, 4-6 dense, 7-8 sparse, 9 dense, 10-11 sparse. */
static rh_mask_options ac_dc_of(int kind)
{
  rh_mask_options mask = mask_of(kind, 0.8);
  mask.schedule = RH_MASK_ACDC;
  mask.start = 2;
  mask.sparse_rounds = 2;
  mask.dense_rounds = 3;
  mask.end = 10;
  return mask;
}

static choice choice_of(int method, const char *compressor)
{
  choice c = {.method = methods[method], .graph = "ring", .momentum = 0.9, .compressor = compressor, .rounds = 12};
  if (strcmp(methods[method], "sgp") == 0) c.weights = RH_WEIGHTS_PUSH;
  if (compressor && strcmp(compressor, "topk") == 0) c.settings = strcmp(methods[method], "dcd") == 0 ? fifth : gentle;
  return c;
}

static void masked_init(fixture *f, const choice *c, const rh_mask_options *mask)
{
  fixture_init(f, c);
  f->method->free_state(f->state);
  f->world.mask = *mask;
  RH_ASSERT(f->model.parameters == P && f->model.segments[2].offset == SECOND_FROM);
  RH_ASSERT(f->method->new_state(&f->world, &f->state) == RH_OK);
}

static rh_agents *agents_of(fixture *f)
{
  return f->state;
}

static bool is_weight(int64_t p)
{
  return p < FIRST || (p >= SECOND_FROM && p < SECOND_FROM + WEIGHTS - FIRST);
}

/* The weights inside, which must be the same ones at all agents, with moments zero elsewhere; returns how many. */
static int count_inside(fixture *f)
{
  float ones[P + 16], *x;
  int count = 0;
  RH_ASSERT(f->model.stride <= P + 16);
  for (int p = 0; p < P + 16; p++)
    ones[p] = 1;
  rh_masking_apply(agents_of(f)->masking, 1, (rh_tensor){ones, 0});
  for (int64_t p = 0; p < P; p++) {
    count += is_weight(p) && ones[p] == 1;
    RH_ASSERT(is_weight(p) || ones[p] == 1);
    for (int32_t i = 0; i < N; i++) {
      x = rh_replicas_parameters(f->world.replicas, i);
      RH_ASSERT(ones[p] == 1 || (x[p] == 0 && rh_replicas_moment(f->world.replicas, i, 0)[p] == 0));
      RH_ASSERT(f->world.mask.schedule != RH_MASK_FIXED || !is_weight(p) || ones[p] == 0 || x[p] != 0);
    }
  }
  return count;
}

/* What `inside` of P values of which weights of both layers are kept take on the wire. */
static int64_t message_bytes(fixture *f, int64_t inside)
{
  const char *q = f->world.compressor->name;
  const int64_t weight = strcmp(f->method->name, "sgp") == 0 ? 4 : 0;
  if (strcmp(q, "int8") == 0) return inside + TENSORS * 8 + weight;
  RH_ASSERT(f->world.compressor->lossless);
  return 4 * inside + weight;
}

static void all_agents_have_one_mask_body(void)
{
  for (int m = 0; m < METHODS; m++) {
    for (int lossy = 0; lossy < 2; lossy++) {
      for (int kind = RH_MASK_MAGNITUDE; kind <= RH_MASK_RANDOM; kind++) {
        const rh_mask_options mask = mask_of(kind, 0.8);
        const choice c = choice_of(m, lossy ? "int8" : NULL);
        const int kept = kind == RH_MASK_NM ? WEIGHTS / 2 : KEPT;
        fixture f;
        masked_init(&f, &c, &mask);
        rounds(&f, 0, 1, 0.02);
        const double first_loss = f.world.train_loss;
        rounds(&f, 1, 9, 0.02);
        RH_ASSERT(count_inside(&f) == kept);
        RH_ASSERT(f.world.train_loss < first_loss);
        RH_ASSERT(consensus(&f) > 1e-5); /* agents do differ inside */
        for (int32_t i = 0; i < N; i++)
          RH_ASSERT(rh_gossip_message_bytes(agents_of(&f)->gossip)[i] == message_bytes(&f, P - WEIGHTS + kept));
        fixture_clear(&f);
      }
    }
  }
}
VALUES_TEST(all_agents_have_one_mask)

static bool same_state(fixture *a, fixture *b)
{
  return rh_replicas_hash(a->world.replicas) == rh_replicas_hash(b->world.replicas);
}

static void density_1_is_no_mask_body(void)
{
  static const char *const compressors[] = {NULL, "int8", "topk"};
  for (int m = 0; m < METHODS; m++) {
    for (int k = 0; k < 3; k++) {
      const rh_mask_options mask = mask_of(RH_MASK_MAGNITUDE, 0);
      const choice c = choice_of(m, compressors[k]);
      fixture with, without;
      masked_init(&with, &c, &mask);
      fixture_init(&without, &c);
      rounds(&with, 0, 6, 0.02);
      rounds(&without, 0, 6, 0.02);
      RH_ASSERT(same_state(&with, &without));
      RH_ASSERT(with.world.train_loss == without.world.train_loss && with.world.compression_ratio == 1);
      fixture_clear(&with);
      fixture_clear(&without);
    }
  }
}
VALUES_TEST(density_1_is_no_mask)

/* Lossless mixing of models that are zero at the same places is mixing, and then zeros put back: so is the
 * whole round. */
static void masked_rounds_are_dense_rounds_with_zeros_put_back_body(void)
{
  for (int m = 0; m < METHODS; m++) {
    if (strcmp(methods[m], "sgp") == 0) continue; /* its numerators are not to be reached from here */
    const rh_mask_options mask = mask_of(RH_MASK_RANDOM, 0.8);
    const choice c = choice_of(m, NULL);
    fixture sparse, dense;
    masked_init(&sparse, &c, &mask);
    fixture_init(&dense, &c);
    for (int64_t t = 0; t < 6; t++) {
      rounds(&sparse, t, 1, 0.02);
      for (int32_t i = 0; i < N; i++) {
        float *x = rh_replicas_parameters(dense.world.replicas, i), *u = rh_replicas_moment(dense.world.replicas, i, 0);
        rh_masking_apply(agents_of(&sparse)->masking, 1, (rh_tensor){x, 0});
        rh_masking_apply(agents_of(&sparse)->masking, 1, (rh_tensor){u, 0});
      }
      rounds(&dense, t, 1, 0.02);
      RH_ASSERT(dense.world.train_loss == sparse.world.train_loss);
    }
    for (int32_t i = 0; i < N; i++) {
      float *x = rh_replicas_parameters(dense.world.replicas, i);
      rh_masking_apply(agents_of(&sparse)->masking, 1, (rh_tensor){x, 0});
      const void *masked = x, *own = rh_replicas_parameters(sparse.world.replicas, i);
      RH_ASSERT(memcmp(masked, own, P * sizeof *x) == 0); /* the same bits */
    }
    fixture_clear(&sparse);
    fixture_clear(&dense);
  }
}
VALUES_TEST(masked_rounds_are_dense_rounds_with_zeros_put_back)

/* sum_i w_i x_i / N, [P]; w 1 but for sgp. */
static void mean_model(fixture *f, double *mean)
{
  const bool pushes = strcmp(f->method->name, "sgp") == 0;
  for (int64_t p = 0; p < P; p++) {
    mean[p] = 0;
    for (int32_t i = 0; i < N; i++)
      mean[p] += (pushes ? rh_sgp_weights(f->state)[i] : 1.0) * rh_replicas_parameters(f->world.replicas, i)[p] / N;
  }
}

/* All but dcd, whose lossy messages move the mean without a mask, too. */
static void masked_exchanges_keep_the_mean_body(void)
{
  static const char *const compressors[] = {NULL, "int8", "topk"};
  for (int m = 0; m < METHODS; m++) {
    for (int k = 0; k < 3; k++) {
      if (k > 0 && strcmp(methods[m], "dcd") == 0) continue;
      const rh_mask_options mask = mask_of(RH_MASK_MAGNITUDE, 0.8);
      const choice c = choice_of(m, compressors[k]);
      double before[P], after[P];
      fixture f;
      masked_init(&f, &c, &mask);
      rounds(&f, 0, 3, 0.1);
      const double apart = consensus(&f);
      mean_model(&f, before);
      /* without learning dcd and what goes on in the background still take momentum's steps of size 0 */
      rounds(&f, 3, 20, 0);
      mean_model(&f, after);
      for (int64_t p = 0; p < P; p++)
        RH_ASSERT(fabs(after[p] - before[p]) < 2e-6); /* 20 exchanges of values below 2, an ulp (1.2e-7) off each */
      RH_ASSERT(apart > 1e-3 && fabs(consensus(&f) - apart) > 1e-6);
      fixture_clear(&f);
    }
  }
}
VALUES_TEST(masked_exchanges_keep_the_mean)

/* Rank 0's largest weights when the mask is made. */
static bool are_its_largest(fixture *f, const float *x)
{
  float row[P + 16];
  float least = INFINITY, most = 0;
  for (int p = 0; p < P + 16; p++)
    row[p] = 1;
  rh_masking_apply(agents_of(f)->masking, 1, (rh_tensor){row, 0});
  for (int p = 0; p < P; p++) {
    if (is_weight(p) && row[p] == 1) least = fminf(least, fabsf(x[p]));
    if (is_weight(p) && row[p] == 0) most = fmaxf(most, fabsf(x[p]));
  }
  return least >= most;
}

/* Masks of models that differ are rank 0's; every turn has another; momentum starts again after a sparse one. */
static void ac_dc_takes_rank_0s_masks_body(void)
{
  static const char *const compressors[] = {NULL, "int8"};
  for (int m = 0; m < METHODS; m++) {
    for (int k = 0; k < 2; k++) {
      const rh_mask_options mask = ac_dc_of(RH_MASK_MAGNITUDE);
      const choice c = choice_of(m, compressors[k]);
      fixture f;
      masked_init(&f, &c, &mask);
      for (int64_t t = 0; t < 12; t++) {
        const bool sparse = "001100011011"[t] == '1', made = t == 2 || t == 7 || t == 10;
        float before[P];
        memcpy(before, rh_replicas_parameters(f.world.replicas, 0), sizeof before);
        rounds(&f, t, 1, 0.02);
        RH_ASSERT(strcmp(f.world.phase, sparse ? "sparse" : "dense") == 0);
        RH_ASSERT(f.world.compression_ratio == (sparse ? (P - WEIGHTS + KEPT) / (double)P : 1));
        RH_ASSERT(count_inside(&f) == (sparse ? KEPT : WEIGHTS));
        RH_ASSERT(!made || are_its_largest(&f, before));
        RH_ASSERT(rh_gossip_message_bytes(agents_of(&f)->gossip)[N - 1] ==
                  message_bytes(&f, sparse ? P - WEIGHTS + KEPT : P));
      }
      fixture_clear(&f);
    }
  }
}
VALUES_TEST(ac_dc_takes_rank_0s_masks)

/* Rounds of gossip alone keep the mask; the phase says what they are. */
static void gossip_alone_stays_sparse_body(void)
{
  static const char *const alone[] = {"train.gossip_rounds=4", NULL};
  const rh_mask_options mask = mask_of(RH_MASK_NM, 0);
  fixture f;
  masked_init(&f, &(choice){.method = "choco", .graph = "torus", .rounds = 8, .settings = alone}, &mask);
  rounds(&f, 0, 4, 0.05);
  RH_ASSERT(strcmp(f.world.phase, "sparse") == 0);
  const double apart = consensus(&f);
  rounds(&f, 4, 4, 0.05);
  const int kept = WEIGHTS / 2;
  RH_ASSERT(strcmp(f.world.phase, "gossip") == 0 && f.world.compression_ratio == (P - WEIGHTS + kept) / (double)P);
  RH_ASSERT(count_inside(&f) == kept && consensus(&f) < apart / 2);
  fixture_clear(&f);
}
VALUES_TEST(gossip_alone_stays_sparse)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_agents_have_one_mask),
      cmocka_unit_test(density_1_is_no_mask),
      cmocka_unit_test(masked_rounds_are_dense_rounds_with_zeros_put_back),
      cmocka_unit_test(masked_exchanges_keep_the_mean),
      cmocka_unit_test(ac_dc_takes_rank_0s_masks),
      cmocka_unit_test(gossip_alone_stays_sparse),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
