/* AB-training against a literal version of the paper: every rank has its own weights, factors and moments here, and
 * computes its own factor gradients; averages are taken over ranks one by one, in double.
 *
 * The model is two dense layers without anything between, both factorised: 4 x 9 and 3 x 4, so that the first matrix is
 * transposed and the second is, too. Eight ranks in four groups of two; Tw 3, Ts 5, Td 2, a cut of .6, so that ranks fall.
 */
#include <lapacke.h>
#include <math.h>
#include <stdio.h>

#include "ab_fixture.h"
#include "batches.h"

/* --- the literal version: everything per rank ------------------------------------------------------------------- */

enum { W1 = 0, B1 = HIDDEN * INPUTS, W2 = B1 + HIDDEN, B2 = W2 + CLASSES * HIDDEN };

/* A weight's working matrix: m x n, tall; both weights are wide as stored, so both are transposed. */
typedef struct matrix {
  int offset, m, n;
} matrix;
static const matrix matrices[2] = {{W1, INPUTS, HIDDEN}, {W2, HIDDEN, CLASSES}};

typedef struct literal_rank {
  double x[P], u[P];
  double a[2][INPUTS * HIDDEN], b[2][HIDDEN * HIDDEN]; /* m x r and r x n, in rows of INPUTS .. HIDDEN at most */
  double ua[2][INPUTS * HIDDEN], ub[2][HIDDEN * HIDDEN];
  bool trains_a;
} literal_rank;

typedef struct literal {
  literal_rank rank[N];
  int r[2];
  bool in_ab;
  int64_t ramp_start;
} literal;

static double *entry(double *x, const matrix *w, int i, int j) /* of the tall matrix; stored transposed */
{
  return &x[w->offset + j * w->m + i];
}

static void literal_compose(const literal *l, literal_rank *k)
{
  for (int w = 0; w < 2; w++)
    for (int i = 0; i < matrices[w].m; i++)
      for (int j = 0; j < matrices[w].n; j++) {
        double sum = 0;
        for (int q = 0; q < l->r[w]; q++)
          sum += k->a[w][i * l->r[w] + q] * k->b[w][q * matrices[w].n + j];
        *entry(k->x, &matrices[w], i, j) = sum;
      }
}

/* Keeps the first `to` columns (or rows) and pads with zeros. */
static void resize_columns(double *a, int rows, int from, int to)
{
  double old[INPUTS * HIDDEN];
  memcpy(old, a, sizeof old);
  for (int i = 0; i < rows; i++)
    for (int q = 0; q < to; q++)
      a[i * to + q] = q < from ? old[i * from + q] : 0;
}

static void literal_enter(literal *l, double cut)
{
  for (int i = 1; i < N; i++)
    memcpy(l->rank[i].x, l->rank[0].x, sizeof l->rank[0].x);
  for (int w = 0; w < 2; w++) {
    const matrix *mat = &matrices[w];
    double full[INPUTS * HIDDEN], s[HIDDEN], u[INPUTS * HIDDEN], vt[HIDDEN * HIDDEN];
    for (int i = 0; i < mat->m; i++)
      for (int j = 0; j < mat->n; j++)
        full[i * mat->n + j] = *entry(l->rank[0].x, mat, i, j);
    assert_int_equal(LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'S', mat->m, mat->n, full, mat->n, s, u, mat->n, vt, mat->n), 0);
    int r = cut > 0 ? 0 : mat->n;
    for (int q = 0; cut > 0 && q < mat->n; q++)
      r += s[q] > cut * s[0];
    for (int q = 0; q < mat->n; q++) { /* the entry of largest modulus in a column of U is positive */
      int top = 0;
      for (int i = 1; i < mat->m; i++)
        if (fabs(u[i * mat->n + q]) > fabs(u[top * mat->n + q])) top = i;
      if (u[top * mat->n + q] > 0) continue;
      for (int i = 0; i < mat->m; i++)
        u[i * mat->n + q] = -u[i * mat->n + q];
      for (int j = 0; j < mat->n; j++)
        vt[q * mat->n + j] = -vt[q * mat->n + j];
    }
    for (int k = 0; k < N; k++) {
      literal_rank *rank = &l->rank[k];
      resize_columns(rank->ua[w], mat->m, l->r[w], r);
      for (int q = l->r[w]; q < r; q++)
        for (int j = 0; j < mat->n; j++)
          rank->ub[w][q * mat->n + j] = 0;
      for (int q = 0; q < r; q++) {
        for (int i = 0; i < mat->m; i++)
          rank->a[w][i * r + q] = u[i * mat->n + q] * sqrt(s[q]);
        for (int j = 0; j < mat->n; j++)
          rank->b[w][q * mat->n + j] = sqrt(s[q]) * vt[q * mat->n + j];
      }
    }
    l->r[w] = r;
  }
  l->in_ab = true;
  for (int k = 0; k < N; k++)
    literal_compose(l, &l->rank[k]);
}

/* Mean of one array over the ranks in [first, last), given to all ranks. */
static void literal_mean(literal *l, size_t at, int count, int first, int last)
{
  for (int p = 0; p < count; p++) {
    double sum = 0;
    for (int k = first; k < last; k++)
      sum += ((double *)((char *)&l->rank[k] + at))[p];
    for (int k = 0; k < N; k++)
      ((double *)((char *)&l->rank[k] + at))[p] = sum / (last - first);
  }
}

static void literal_leave(literal *l, int sync)
{
  const bool learned = sync == AB_SYNC_ONLY_LEARNED;
  if (sync != AB_SYNC_ONLY_B) {
    literal_mean(l, offsetof(literal_rank, x), P, 0, N);
    if (sync != AB_SYNC_FULL) {
      for (int w = 0; w < 2; w++) {
        literal_mean(l, offsetof(literal_rank, a) + (size_t)w * sizeof l->rank[0].a[0], INPUTS * HIDDEN, 0,
                     learned ? N / 2 : N);
        literal_mean(l, offsetof(literal_rank, b) + (size_t)w * sizeof l->rank[0].b[0], HIDDEN * HIDDEN,
                     learned ? N / 2 : 0, N);
      }
      for (int k = 0; k < N; k++)
        literal_compose(l, &l->rank[k]);
    }
  }
  l->in_ab = false;
}

/* Gradient of one rank on its batch, by the model's own passes (their tests are elsewhere). */
static void literal_gradient(fixture *f, rh_batches *batches, rh_workspace *ws, const literal_rank *k, int rank,
                             int64_t t, double *g)
{
  float *x = aligned_alloc(64, (size_t)f->model.stride * sizeof *x),
        *out = aligned_alloc(64, (size_t)f->model.stride * sizeof *out);
  double loss;
  int64_t correct;
  memset(x, 0, (size_t)f->model.stride * sizeof *x);
  for (int p = 0; p < P; p++)
    x[p] = (float)k->x[p];
  rh_batches_gather(batches, rank, t, BATCH, rh_workspace_input(ws), rh_workspace_labels(ws));
  rh_model_gradient(&f->model, ws, 1, (rh_tensor){x, 0}, (rh_tensor){out, 0}, &loss, &correct);
  for (int p = 0; p < P; p++)
    g[p] = out[p];
  free(x);
  free(out);
}

/* u = momentum u + g; x = x - rate u. */
static void literal_sgd(double *x, double *u, const double *g, int count, double rate)
{
  for (int p = 0; p < count; p++) {
    u[p] = momentum * u[p] + g[p];
    x[p] -= rate * u[p];
  }
}

static const int dense[2][2] = {{B1, HIDDEN}, {B2, CLASSES}}; /* offset, count: the biases */

/* Sums over some ranks' gradients -> their mean. */
static void mean_gradient(const double g[N][P], int first, int last, double *mean)
{
  for (int p = 0; p < P; p++) {
    mean[p] = 0;
    for (int k = first; k < last; k++)
      mean[p] += g[k][p] / (last - first);
  }
}

static double clip_to_one(double squared)
{
  return squared > 1 ? 1 / sqrt(squared) : 1;
}

static void literal_full_step(literal *l, const double g[N][P], double rate)
{
  double mean[P], squared = 0;
  mean_gradient(g, 0, N, mean);
  for (int p = 0; p < P; p++)
    squared += mean[p] * mean[p];
  for (int p = 0; p < P; p++)
    mean[p] *= clip_to_one(squared);
  for (int k = 0; k < N; k++)
    literal_sgd(l->rank[k].x, l->rank[k].u, mean, P, rate);
}

/* dA = dW B^T, or dB = A^T dW, of one weight. Returns how many values. */
static int factor_gradient(const literal *l, const literal_rank *k, const double *g, int w, double *d)
{
  const matrix *mat = &matrices[w];
  const int r = l->r[w];
  double tall[P];
  memcpy(tall, g, sizeof tall);
  if (k->trains_a) {
    for (int i = 0; i < mat->m; i++)
      for (int q = 0; q < r; q++) {
        d[i * r + q] = 0;
        for (int j = 0; j < mat->n; j++)
          d[i * r + q] += *entry(tall, mat, i, j) * k->b[w][q * mat->n + j];
      }
    return mat->m * r;
  }
  for (int q = 0; q < r; q++)
    for (int j = 0; j < mat->n; j++) {
      d[q * mat->n + j] = 0;
      for (int i = 0; i < mat->m; i++)
        d[q * mat->n + j] += k->a[w][i * r + q] * *entry(tall, mat, i, j);
    }
  return r * mat->n;
}

/* Each rank's own factor gradients are averaged over its group, then clipped with those of the biases. */
static void literal_factor_step(literal *l, const double g[N][P], int group_size, double rate)
{
  for (int first = 0; first < N; first += group_size) {
    double mean[P], d[2][INPUTS * HIDDEN] = {0}, one[INPUTS * HIDDEN], squared = 0;
    int count[2] = {0};
    mean_gradient(g, first, first + group_size, mean);
    for (int w = 0; w < 2; w++)
      for (int k = first; k < first + group_size; k++) {
        count[w] = factor_gradient(l, &l->rank[k], g[k], w, one);
        for (int p = 0; p < count[w]; p++)
          d[w][p] += one[p] / group_size;
      }
    for (int w = 0; w < 2; w++)
      for (int p = 0; p < count[w]; p++)
        squared += d[w][p] * d[w][p];
    for (int s = 0; s < 2; s++)
      for (int p = 0; p < dense[s][1]; p++)
        squared += mean[dense[s][0] + p] * mean[dense[s][0] + p];
    for (int w = 0; w < 2; w++)
      for (int p = 0; p < count[w]; p++)
        d[w][p] *= clip_to_one(squared);
    for (int p = 0; p < P; p++)
      mean[p] *= clip_to_one(squared);
    for (int k = first; k < first + group_size; k++) {
      literal_rank *rank = &l->rank[k];
      for (int w = 0; w < 2; w++)
        literal_sgd(rank->trains_a ? rank->a[w] : rank->b[w], rank->trains_a ? rank->ua[w] : rank->ub[w], d[w],
                    count[w], rate);
      for (int s = 0; s < 2; s++)
        literal_sgd(rank->x + dense[s][0], rank->u + dense[s][0], mean + dense[s][0], dense[s][1], rate);
      literal_compose(l, rank);
    }
  }
}

/* Both versions side by side; the phases by hand (Tw 3, Ts 5, Td 2). */
static void follow(int sync, const char *name)
{
  static const char phases[ROUNDS + 1] = "FFFAAFFAAAFFAAAFF";
  const char *const settings[] = {"train.ab_warmup",
                                  "3",
                                  "train.ab_period",
                                  "5",
                                  "train.ab_rebound",
                                  "2",
                                  "train.ab_ramp",
                                  "2",
                                  "train.rank_cut",
                                  ".6",
                                  "train.dense_ends",
                                  "off",
                                  "train.groups",
                                  "blocks",
                                  "train.group_size",
                                  "2",
                                  "train.ab_sync",
                                  name,
                                  NULL};
  static fixture f; /* what is appended borrows from it until the schedule has run */
  fixture_init(&f, "ab", settings);
  to_clear[0] = &f;
  literal *l = calloc(1, sizeof *l);
  rh_batches batches;
  rh_workspace *ws;
  RH_ASSERT(rh_batches_init(&f.dataset, &f.partition, 1, &batches) == RH_OK);
  RH_ASSERT(rh_workspace_new(&f.model, rh_backend_find("ref"), BATCH, 1, &ws) == RH_OK);
  const int group_size = sync == AB_SYNC_ONLY_B ? N : G;
  for (int k = 0; k < N; k++) {
    for (int p = 0; p < P; p++)
      l->rank[k].x[p] = rh_replicas_parameters(f.world.replicas, k)[p];
    l->rank[k].trains_a = sync != AB_SYNC_ONLY_B && k < N / 2;
  }
  bool fell = false;
  l->ramp_start = -100;
  for (int64_t t = 0; t < ROUNDS; t++) {
    const bool wanted = phases[t] == 'A';
    if (wanted != l->in_ab) {
      if (wanted)
        literal_enter(l, t == 3 ? 0 : .6);
      else
        literal_leave(l, sync);
      l->ramp_start = t;
    }
    const int64_t ramp = t - l->ramp_start;
    const double rate = ramp == 0 ? lr / 2 : lr; /* k lr / R, R = 2 */
    double g[N][P];
    for (int k = 0; k < N; k++)
      literal_gradient(&f, &batches, ws, &l->rank[k], k, t, g[k]);
    if (l->in_ab)
      literal_factor_step(l, g, group_size, rate);
    else
      literal_full_step(l, g, rate);
    RH_ASSERT(f.method->round(&f.world, f.state, t, lr) == RH_OK);
    assert_string_equal(f.world.phase, wanted ? "AB" : "FULL");
    assert_true(fabs(f.world.learning_rate - rate) < 1e-12);
    for (int w = 0; wanted && w < 2; w++)
      assert_int_equal(f.world.ranks[w], l->r[w]);
    fell = fell || (wanted && l->r[0] < HIDDEN);
    for (int k = 0; k < N; k++) { /* f32 against double over 17 rounds: some 1e-6 each round */
      const float *x = rh_replicas_parameters(f.world.replicas, k);
      for (int p = 0; p < P; p++)
        if (fabs(x[p] - l->rank[k].x[p]) > 2e-5)
          fail_msg("%s, round %d, rank %d, value %d: %g, literally %g", name, (int)t, k, p, (double)x[p],
                   l->rank[k].x[p]);
    }
  }
  assert_true(fell); /* the cut did something */
  rh_workspace_free(ws);
  rh_batches_clear(&batches);
  free(l);
}

/* Values need a schedule to append to, and that needs a platform: rounds run inside one schedule's production. */
static int chosen_sync;

static rh_status produce_follow(void *context, int64_t round, bool *more)
{
  static const char *const names[] = {"with-stale", "only-learned", "full", "only-b"};
  (void)context, (void)round;
  follow(chosen_sync, names[chosen_sync]);
  *more = false;
  return RH_OK;
}

#define FOLLOWS(mode, sync)                                                                                            \
  static void test_##mode##_follows_the_paper_rank_by_rank(void **state)                                               \
  {                                                                                                                    \
    (void)state;                                                                                                       \
    IN_PROCESS();                                                                                                      \
    chosen_sync = sync;                                                                                                \
    run(produce_follow, NULL, NULL);                                                                                   \
  }
FOLLOWS(with_stale, AB_SYNC_WITH_STALE)
FOLLOWS(only_learned, AB_SYNC_ONLY_LEARNED)
FOLLOWS(full, AB_SYNC_FULL)
FOLLOWS(only_b, AB_SYNC_ONLY_B)

/* A warm-up longer than the training: the very bits of `allreduce`, moments included. */
static rh_status produce_warm_up(void *context, int64_t round, bool *more)
{
  (void)context, (void)round;
  const char *const settings[] = {"train.ab_warmup", "100", "train.dense_ends", "off", NULL};
  static fixture ab, plain;
  fixture_init(&ab, "ab", settings);
  fixture_init(&plain, "allreduce", NULL);
  for (int64_t t = 0; t < ROUNDS; t++) {
    RH_ASSERT(ab.method->round(&ab.world, ab.state, t, lr) == RH_OK);
    RH_ASSERT(plain.method->round(&plain.world, plain.state, t, lr) == RH_OK);
    assert_true(ab.world.train_loss == plain.world.train_loss);
  }
  assert_true(rh_replicas_hash(ab.world.replicas) == rh_replicas_hash(plain.world.replicas));
  to_clear[0] = &ab;
  to_clear[1] = &plain;
  *more = false;
  return RH_OK;
}

static void test_endless_warm_up_is_allreduce_bit_for_bit(void **state)
{
  (void)state;
  IN_PROCESS();
  run(produce_warm_up, NULL, NULL);
}

/* What `check` refuses, and what of the reason must be said. */
static void refuse(const char *const *settings, int32_t zones, const char *compressor, const char *said)
{
  fixture f;
  const char *const good[] = {"train.dense_ends", "off", NULL};
  fixture_init(&f, "ab", good);
  rh_settings given = {0};
  for (; settings[0]; settings += 2)
    rh_settings_set(&given, settings[0], settings[1], "test", NULL);
  RH_ASSERT(rh_option_read(f.method->options, f.method->option_count, "train", &given, f.options) == RH_OK);
  rh_settings_clear(&given);
  f.world.zone_count = zones;
  f.world.compressor = rh_compressor_find(compressor);
  rh_status status = f.method->check_settings(&f.world);
  if (status == RH_OK) status = f.method->check(&f.world);
  assert_int_equal(status, RH_EINVAL);
  if (!strstr(rh_error_message(), said)) fail_msg("\"%s\" is not in: %s", said, rh_error_message());
  fixture_clear(&f);
}

static void test_what_cannot_work_is_refused_with_its_reason(void **state)
{
  (void)state;
  refuse((const char *const[]){"train.groups", "blocks", "train.group_size", "3", "train.dense_ends", "off", NULL}, 4,
         "none", "does not divide");
  refuse((const char *const[]){"train.dense_ends", "off", NULL}, 1, "none", "one group only");
  refuse((const char *const[]){"train.groups", "blocks", "train.group_size", "8", "train.dense_ends", "off", NULL}, 4,
         "none", "one group only");
  refuse((const char *const[]){"train.ab_period", "5", "train.ab_rebound", "5", "train.dense_ends", "off", NULL}, 4,
         "none", "must be at least 1 and less than");
  refuse((const char *const[]){"train.dense_ends", "on", NULL}, 4, "none", "nothing to factorise");
  refuse((const char *const[]){"train.dense_ends", "off", NULL}, 4, "topk", "must be none");
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_with_stale_follows_the_paper_rank_by_rank),
      cmocka_unit_test(test_only_learned_follows_the_paper_rank_by_rank),
      cmocka_unit_test(test_full_follows_the_paper_rank_by_rank),
      cmocka_unit_test(test_only_b_follows_the_paper_rank_by_rank),
      cmocka_unit_test(test_endless_warm_up_is_allreduce_bit_for_bit),
      cmocka_unit_test(test_what_cannot_work_is_refused_with_its_reason),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
