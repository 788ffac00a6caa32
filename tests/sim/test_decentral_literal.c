/* Decentralised methods against their papers' formulas, worker by worker, with a dense mixing matrix: messages of a tenth of
 * the values (topk draws nothing) or of all, and models that start far apart while the estimates know only where all began.
 */
#include "method_fixture.h"

enum { P = SIDE * SIDE * 16 + 16 + 16 * CLASSES + CLASSES };
static const double eta = 0.2;
static const char *const settings[] = {"compress.ratio=.1", "train.consensus_step=.2", NULL};
static const char *const settings_behind[] = {"compress.ratio=.1", "train.consensus_step=.2",
                                              "train.exchange=background", NULL};

typedef struct literal {
  fixture f;
  double w[N][N]; /* W */
  float x[N][P], known[N][P], error[N][P];
  double moment[N][P];
} literal;

static void fill_matrix(literal *l)
{
  const rh_graph *g = &l->f.graphs.graphs[0];
  for (int32_t i = 0; i < N; i++) {
    l->w[i][i] = g->own[i];
    for (int32_t k = g->neighbours.in_offset[i]; k < g->neighbours.in_offset[i + 1]; k++)
      l->w[i][g->neighbours.in[k]] = g->weight[k];
  }
}

/* Too large for an actor's stack. */
static literal *literal_new(const choice *c)
{
  literal *l = calloc(1, sizeof *l);
  RH_ASSERT(l);
  fixture_init(&l->f, c);
  RH_ASSERT(l->f.model.parameters == P);
  fill_matrix(l);
  for (int32_t i = 0; i < N; i++) {
    float *x = rh_replicas_parameters(l->f.world.replicas, i);
    rh_rng rng = rh_rng_stream(9, RH_PURPOSE_TEST, (uint32_t)i, 0);
    memcpy(l->known[i], x, sizeof l->known[i]);
    for (int p = 0; p < P; p++)
      x[p] += (float)rh_rng_normal(&rng);
    memcpy(l->x[i], x, sizeof l->x[i]);
  }
  return l;
}

static void literal_free(literal *l)
{
  fixture_clear(&l->f);
  free(l);
}

/* Q(v), through the compressor itself. */
static void squeeze(literal *l, const float *v, float *q)
{
  const rh_compressor *c = l->f.world.compressor;
  const rh_layout *layout = &l->f.buckets[0].layout;
  uint8_t *wire = malloc((size_t)c->bound_bytes(l->f.compressor_options, layout));
  const int64_t bytes_needed = c->scratch_bytes ? c->scratch_bytes(l->f.compressor_options, layout) : 0;
  void *scratch = aligned_alloc(64, ((size_t)bytes_needed + 127) / 64 * 64);
  rh_coding coding = {.options = l->f.compressor_options, .layout = layout, .scratch = scratch};
  const int64_t bytes = c->encode(&coding, v, NULL, wire);
  c->decode(&coding, wire, bytes, q);
  free(wire);
  free(scratch);
}

/* x_i += eta sum_j W_ij (known_j - known_i) */
static void literal_mix(literal *l)
{
  for (int32_t i = 0; i < N; i++)
    for (int p = 0; p < P; p++) {
      double sum = 0;
      for (int32_t j = 0; j < N; j++)
        sum += l->w[i][j] * ((double)l->known[j][p] - l->known[i][p]);
      l->x[i][p] = (float)(l->x[i][p] + eta * sum);
    }
}

/* known_i += Q(x_i - known_i) */
static void literal_send_differences(literal *l)
{
  float v[P], q[P];
  for (int32_t i = 0; i < N; i++) {
    for (int p = 0; p < P; p++)
      v[p] = l->x[i][p] - l->known[i][p];
    squeeze(l, v, q);
    for (int p = 0; p < P; p++)
      l->known[i][p] += q[p];
  }
}

static void literal_choco(literal *l)
{
  literal_send_differences(l);
  literal_mix(l);
}

static void literal_choco_behind(literal *l)
{
  literal_mix(l);
  literal_send_differences(l);
}

static void literal_deepsqueeze(literal *l)
{
  float v[P];
  for (int32_t i = 0; i < N; i++) {
    for (int p = 0; p < P; p++)
      v[p] = l->x[i][p] + l->error[i][p];
    squeeze(l, v, l->known[i]);
    for (int p = 0; p < P; p++)
      l->error[i][p] = v[p] - l->known[i][p];
  }
  literal_mix(l);
}

static void literal_dcd(literal *l)
{
  float v[P], q[P];
  memcpy(l->known, l->x, sizeof l->known);
  for (int32_t i = 0; i < N; i++) {
    for (int p = 0; p < P; p++) {
      double y = 0;
      for (int32_t j = 0; j < N; j++)
        y += l->w[i][j] * l->known[j][p];
      v[p] = (float)(y - l->x[i][p]);
    }
    squeeze(l, v, q);
    for (int p = 0; p < P; p++)
      l->x[i][p] += q[p];
  }
}

static double literal_apart(literal *l)
{
  double apart = 0;
  for (int32_t i = 0; i < N; i++)
    for (int p = 0; p < P; p++)
      apart = fmax(apart, fabs((double)l->x[i][p] - rh_replicas_parameters(l->f.world.replicas, i)[p]));
  return apart;
}

/* Six exchanges at learning rate 0. Values below 5 in f32: an ulp (5e-7) each. */
static void check_literal(const char *method, const char *compressor, const char *const *options,
                          void (*exchange)(literal *l))
{
  const choice c = {.method = method, .graph = "torus", .compressor = compressor, .settings = options};
  literal *l = literal_new(&c);
  for (int64_t t = 0; t < 6; t++) {
    exchange(l);
    rounds(&l->f, t, 1, 0);
    RH_ASSERT(literal_apart(l) < 5e-6);
  }
  exchange(l);
  RH_ASSERT(literal_apart(l) > 1e-2); /* an exchange more is another model */
  literal_free(l);
}

static void exchanges_are_their_formulas_body(void)
{
  static const char *const plain[] = {"train.consensus_step=.2", NULL};
  static const char *const plain_behind[] = {"train.consensus_step=.2", "train.exchange=background", NULL};
  static const char *const tenth[] = {"compress.ratio=.1", NULL};
  check_literal("choco", "topk", settings, literal_choco);
  check_literal("choco", "topk", settings_behind, literal_choco_behind);
  check_literal("deepsqueeze", "topk", settings, literal_deepsqueeze);
  check_literal("dcd", "topk", tenth, literal_dcd);
  check_literal("qg-dsgdm", "topk", settings, literal_choco);
  check_literal("choco", "none", plain, literal_choco);
  check_literal("choco", "none", plain_behind, literal_choco_behind);
  check_literal("deepsqueeze", "none", plain, literal_deepsqueeze);
  check_literal("qg-dsgdm", "none", plain, literal_choco);
}

/* One round of the paper's algorithm 1 from the gradients [N][P] at the replicas; x and moment move on. */
static void literal_quasi_global(literal *l, const rh_optimiser *o, const float *gradient, double lr)
{
  double(*half)[P] = calloc(N, sizeof *half);
  RH_ASSERT(half);
  for (int32_t i = 0; i < N; i++)
    for (int p = 0; p < P; p++) {
      const double g = gradient[i * P + p] + o->decay * l->x[i][p], m = o->momentum * l->moment[i][p] + g;
      half[i][p] = l->x[i][p] - lr * (o->nesterov ? g + o->momentum * m : m);
    }
  for (int32_t i = 0; i < N; i++)
    for (int p = 0; p < P; p++) {
      double mixed = 0;
      for (int32_t j = 0; j < N; j++)
        mixed += l->w[i][j] * half[j][p];
      l->moment[i][p] = o->momentum * l->moment[i][p] + (1 - o->momentum) * (l->x[i][p] - mixed) / lr;
      l->x[i][p] = (float)mixed;
    }
  free(half);
}

static void check_quasi_global(const rh_optimiser *o)
{
  const choice c = {.method = "qg-dsgdm", .graph = "star", .optimiser = o};
  literal *l = literal_new(&c);
  rh_replicas *replicas = l->f.world.replicas;
  float *gradient = calloc(N * P, sizeof *gradient), *g;
  double moved = 0;
  for (int64_t t = 0; t < 4; t++) {
    for (int32_t i = 0; i < N; i++) {
      RH_ASSERT(rh_replicas_gradients(replicas, t, i, 1, &g, NULL) == RH_OK);
      memcpy(gradient + i * P, g, P * sizeof *g);
      memcpy(l->x[i], rh_replicas_parameters(replicas, i), sizeof l->x[i]);
    }
    literal_quasi_global(l, o, gradient, 0.1);
    rounds(&l->f, t, 1, 0.1);
    RH_ASSERT(literal_apart(l) < 2e-6); /* values below 5 in f32, some ulp */
    for (int32_t i = 0; i < N; i++)
      for (int p = 0; p < P; p++) {
        /* the same, divided by lr .1 */
        RH_ASSERT(fabs(rh_replicas_moment(replicas, i, 0)[p] - l->moment[i][p]) < 2e-5);
        moved = fmax(moved, fabs(l->moment[i][p]));
      }
  }
  RH_ASSERT(moved > 0.1);
  free(gradient);
  literal_free(l);
}

static void quasi_global_momentum_is_that_of_the_displacement_body(void)
{
  check_quasi_global(&(rh_optimiser){.momentum = 0.9, .decay = 1e-2});
  check_quasi_global(&(rh_optimiser){.momentum = 0.9, .decay = 1e-2, .nesterov = true});
}

VALUES_TEST(exchanges_are_their_formulas)
VALUES_TEST(quasi_global_momentum_is_that_of_the_displacement)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exchanges_are_their_formulas),
      cmocka_unit_test(quasi_global_momentum_is_that_of_the_displacement),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
