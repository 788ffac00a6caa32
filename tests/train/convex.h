/* Convex problems, and data parallel training on them through any compressor, with and without error feedback.
 *
 * Symbols     N workers with losses f_i, f their mean, g_i gradient of f_i at x, gamma step, C compressor, e_i what is
 *             fed back
 * Round       p_i = g_i + e_i, m_i = C(p_i), e_i' = p_i - m_i, x' = x - gamma mean of m_i
 * Values only: what a run does between its replicas and its optimiser, without a clock. f64 but for the messages.
 */
#ifndef RH_CONVEX_H
#define RH_CONVEX_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "compressor.h"

enum { WORKERS_MAX = 4, VALUES_MAX = 66 };

typedef struct problem problem;
struct problem {
  int32_t workers;
  rh_layout layout;
  double (*loss)(const problem *p, const double *x);
  void (*gradient)(const problem *p, int32_t worker, const double *x, float *g);
  double smoothness;
  const double *start;          /* [d] */
  double minimum[VALUES_MAX];   /* of the loss */
  double least;                 /* loss there */
  const double (*direction)[3]; /* of worker i's quadratic form */
  double curvature;
};

/* Softmax regression of 6 classes on 10 features with bias, 30 samples a worker, sorted by class: a worker knows one or
 * two. f_i = mean of -log softmax(W z + b)_label + 0.1 / 2 |x|^2; L = 1/2 (|z|^2 + 1) + 0.1 with |z| = 1 (Boehning,
 * Ann. Inst. Stat. Math. 44, 1992: diag(p) - p p^T <= 1/2). */
enum { CLASSES = 6, FEATURES = 10, SAMPLES = 30, BIAS = CLASSES * FEATURES, D = BIAS + CLASSES };
static const double decay = 0.1;
static double sample[WORKERS_MAX][SAMPLES][FEATURES];

static int label_of(int32_t worker, int s)
{
  return (worker * SAMPLES + s) * CLASSES / (WORKERS_MAX * SAMPLES);
}

/* Loss of one sample; probability[k] becomes its softmax. */
static double softmax(const double *x, int32_t worker, int s, double probability[CLASSES])
{
  double sum = 0, top = -INFINITY;
  for (int k = 0; k < CLASSES; k++) {
    probability[k] = x[BIAS + k];
    for (int f = 0; f < FEATURES; f++)
      probability[k] += x[k * FEATURES + f] * sample[worker][s][f];
    top = fmax(top, probability[k]);
  }
  const double own = probability[label_of(worker, s)] - top;
  for (int k = 0; k < CLASSES; k++)
    sum += probability[k] = exp(probability[k] - top);
  for (int k = 0; k < CLASSES; k++)
    probability[k] /= sum;
  return log(sum) - own;
}

static double softmax_loss(const problem *p, const double *x)
{
  double sum = 0, squares = 0, probability[CLASSES];
  for (int32_t i = 0; i < p->workers; i++)
    for (int s = 0; s < SAMPLES; s++)
      sum += softmax(x, i, s, probability);
  for (int v = 0; v < D; v++)
    squares += x[v] * x[v];
  return sum / (p->workers * SAMPLES) + decay / 2 * squares;
}

static void softmax_gradient(const problem *p, int32_t worker, const double *x, float *g)
{
  (void)p;
  double sum[D] = {0}, probability[CLASSES];
  for (int s = 0; s < SAMPLES; s++) {
    softmax(x, worker, s, probability);
    for (int k = 0; k < CLASSES; k++) {
      const double miss = probability[k] - (k == label_of(worker, s));
      for (int f = 0; f < FEATURES; f++)
        sum[k * FEATURES + f] += miss * sample[worker][s][f];
      sum[BIAS + k] += miss;
    }
  }
  for (int v = 0; v < D; v++)
    g[v] = (float)(sum[v] / SAMPLES + decay * x[v]);
}

/* f_i = <a_i, x>^2 + c / 2 |x|^2; the minimum is 0 */
static double quadratic_loss(const problem *p, const double *x)
{
  double sum = 0;
  for (int32_t i = 0; i < p->workers; i++) {
    double along = 0;
    for (int64_t v = 0; v < p->layout.values; v++) {
      along += p->direction[i][v] * x[v];
      sum += p->curvature / 2 * x[v] * x[v];
    }
    sum += along * along;
  }
  return sum / p->workers;
}

static void quadratic_gradient(const problem *p, int32_t worker, const double *x, float *g)
{
  double along = 0;
  for (int64_t v = 0; v < p->layout.values; v++)
    along += p->direction[worker][v] * x[v];
  for (int64_t v = 0; v < p->layout.values; v++)
    g[v] = (float)(2 * along * p->direction[worker][v] + p->curvature * x[v]);
}

/* A training under way. */
typedef struct training {
  const problem *problem;
  const rh_compressor *compressor;
  void *options, *scratch;
  float *common, *state[WORKERS_MAX];
  uint8_t *wire, *sum;
  bool feeds;
  float p[WORKERS_MAX][VALUES_MAX], sent[WORKERS_MAX][VALUES_MAX], e[WORKERS_MAX][VALUES_MAX], mean[VALUES_MAX];
  double x[VALUES_MAX];
  /* what the theory speaks of */
  double longest;     /* G */
  double contraction; /* the smallest delta seen */
  double mean_loss, loss;
} training;

static void *zeros(int64_t bytes)
{
  void *memory = aligned_alloc(64, (size_t)(bytes / 64 + 1) * 64);
  assert_non_null(memory);
  memset(memory, 0, (size_t)(bytes / 64 + 1) * 64);
  return memory;
}

static void *options_new(const rh_compressor *c, const char *key, const char *value)
{
  RH_ASSERT(c);
  rh_settings settings = {0};
  if (key) rh_settings_set(&settings, key, value, "test", NULL);
  void *options = zeros((int64_t)c->options_size);
  if (rh_option_read(c->options, c->option_count, "compress", &settings, options) != RH_OK)
    fail_msg("%s", rh_error_message());
  rh_settings_clear(&settings);
  return options;
}

static rh_coding coding_of(const training *t, int32_t worker, int64_t round)
{
  return (rh_coding){.options = t->options,
                     .layout = &t->problem->layout,
                     .rng = rh_rng_stream(1, RH_PURPOSE_COMPRESS, (uint32_t)worker, (uint64_t)round),
                     .shared = rh_rng_stream(1, RH_PURPOSE_SHARED, 0, (uint64_t)round),
                     .step = round,
                     .scratch = t->scratch};
}

static void training_start(training *t, const problem *problem, const char *name, const char *key, const char *value,
                           bool feeds)
{
  const rh_compressor *c = rh_compressor_find(name);
  if (!c) fail_msg("no compressor '%s'", name);
  const rh_layout *layout = &problem->layout;
  void *o = options_new(c, key, value);
  *t = (training){.problem = problem, .compressor = c, .options = o, .feeds = feeds, .contraction = 1};
  t->scratch = zeros(c->scratch_bytes ? c->scratch_bytes(o, layout) : 0);
  for (int i = 0; i < WORKERS_MAX; i++)
    t->state[i] = zeros(c->state_values ? 4 * c->state_values(o, layout) : 0);
  int64_t bytes = c->bound_bytes(o, layout);
  t->wire = zeros(bytes);
  t->sum = zeros(bytes);
  t->common = zeros(c->sum && c->sum->common_values ? 4 * c->sum->common_values(o, layout) : 0);
  rh_coding coding = coding_of(t, -1, 0);
  if (c->sum && c->sum->start) c->sum->start(&coding, t->common);
  memcpy(t->x, problem->start, (size_t)layout->values * sizeof(double));
}

static void training_end(training *t)
{
  free(t->options);
  free(t->scratch);
  free(t->common);
  free(t->wire);
  free(t->sum);
  for (int i = 0; i < WORKERS_MAX; i++)
    free(t->state[i]);
}

/* Messages are added as they are, and their sum is decoded once. */
static void mean_of_sums(training *t, int64_t round)
{
  const rh_summable *s = t->compressor->sum;
  const int32_t N = t->problem->workers;
  for (int phase = 0; phase < s->phases; phase++) {
    const int64_t elements = s->elements(t->options, &t->problem->layout, phase);
    memset(t->sum, 0, (size_t)(elements * s->element_bytes));
    for (int32_t i = 0; i < N; i++) {
      rh_coding coding = coding_of(t, i, round);
      s->contribute(&coding, t->common, phase, t->p[i], t->wire);
      s->add(elements, t->wire, t->sum);
      if (phase == s->phases - 1) s->decode(&coding, t->common, t->wire, 1, t->sent[i]);
    }
    rh_coding coding = coding_of(t, -1, round);
    if (s->take) s->take(&coding, t->common, phase, t->sum, N);
  }
  rh_coding coding = coding_of(t, -1, round);
  s->decode(&coding, t->common, t->sum, 1.0 / N, t->mean);
}

/* Messages are decoded, then added. */
static void mean_of_messages(training *t, int64_t round)
{
  const rh_compressor *c = t->compressor;
  double sum[VALUES_MAX] = {0};
  for (int32_t i = 0; i < t->problem->workers; i++) {
    rh_coding coding = coding_of(t, i, round);
    const int64_t bytes = c->encode(&coding, t->p[i], t->state[i], t->wire);
    c->decode(&coding, t->wire, bytes, t->sent[i]);
    for (int64_t v = 0; v < t->problem->layout.values; v++)
      sum[v] += (double)t->sent[i][v];
  }
  for (int64_t v = 0; v < t->problem->layout.values; v++)
    t->mean[v] = (float)(sum[v] / t->problem->workers);
  rh_coding coding = coding_of(t, -1, round);
  if (c->combine) c->combine(&coding, t->mean);
}

/* delta of this round: of each message, or of the mean where C is linear, since then only the mean counts. */
static void observe(training *t)
{
  double given[VALUES_MAX] = {0};
  const int32_t N = t->problem->workers;
  const int64_t d = t->problem->layout.values;
  double lost = 0, length = 0;
  for (int32_t i = 0; i < N; i++) {
    double own_lost = 0, own_length = 0;
    for (int64_t v = 0; v < d; v++) {
      const double p = (double)t->p[i][v], loss = p - (double)t->sent[i][v];
      own_length += p * p;
      own_lost += loss * loss;
      given[v] += p / N;
    }
    if (!t->compressor->sum && own_length > 0) t->contraction = fmin(t->contraction, 1 - own_lost / own_length);
  }
  for (int64_t v = 0; v < d && t->compressor->sum; v++) {
    length += given[v] * given[v];
    lost += (given[v] - (double)t->mean[v]) * (given[v] - (double)t->mean[v]);
  }
  if (length > 0) t->contraction = fmin(t->contraction, 1 - lost / length);
}

static void one_round(training *t, int64_t round, double rate)
{
  const int64_t d = t->problem->layout.values;
  for (int32_t i = 0; i < t->problem->workers; i++) {
    double squares = 0;
    t->problem->gradient(t->problem, i, t->x, t->p[i]);
    for (int64_t v = 0; v < d; v++) {
      squares += (double)t->p[i][v] * (double)t->p[i][v];
      if (t->feeds) t->p[i][v] += t->e[i][v];
    }
    t->longest = fmax(t->longest, sqrt(squares));
  }
  if (t->compressor->sum)
    mean_of_sums(t, round);
  else
    mean_of_messages(t, round);
  observe(t);
  for (int32_t i = 0; i < t->problem->workers; i++)
    for (int64_t v = 0; v < d; v++)
      t->e[i][v] = t->p[i][v] - t->sent[i][v];
  for (int64_t v = 0; v < d; v++)
    t->x[v] -= rate * (double)t->mean[v];
}

/* T rounds of compressor `name`, with `key` set to `value` unless NULL. */
static training train(const problem *p, const char *name, const char *key, const char *value, bool feeds, double rate,
                      int64_t rounds)
{
  training t;
  training_start(&t, p, name, key, value, feeds);
  for (int64_t round = 0; round < rounds; round++) {
    t.mean_loss += p->loss(p, t.x) / (double)rounds;
    one_round(&t, round, rate);
  }
  t.loss = p->loss(p, t.x);
  training_end(&t);
  return t;
}

static int64_t lengths[] = {BIAS, CLASSES}, rows[] = {CLASSES, CLASSES};

/* The minimum by 2000 exact steps of 1 / L: errors shrink by 1 - 0.1 / 1.1 each. */
static problem softmax_problem(void)
{
  static const double origin[D];
  problem p = {.workers = WORKERS_MAX,
               .layout = {2, lengths, rows, D},
               .loss = softmax_loss,
               .gradient = softmax_gradient,
               .smoothness = 1 + decay,
               .start = origin};
  rh_rng rng = rh_rng_stream(5, RH_PURPOSE_TEST, 0, 0);
  double centre[CLASSES][FEATURES];
  for (int k = 0; k < CLASSES; k++)
    for (int f = 0; f < FEATURES; f++)
      centre[k][f] = rh_rng_normal(&rng);
  for (int i = 0; i < WORKERS_MAX; i++)
    for (int s = 0; s < SAMPLES; s++) {
      double squares = 0, *z = sample[i][s];
      for (int f = 0; f < FEATURES; f++) {
        z[f] = centre[label_of(i, s)][f] + 0.5 * rh_rng_normal(&rng);
        squares += z[f] * z[f];
      }
      for (int f = 0; f < FEATURES; f++)
        z[f] /= sqrt(squares);
    }
  training exact = train(&p, "none", NULL, NULL, false, 1 / p.smoothness, 2000);
  memcpy(p.minimum, exact.x, sizeof p.minimum);
  p.least = exact.loss;
  return p;
}

#endif
