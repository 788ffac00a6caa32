/* Decentralised methods against their papers' formulas, worker by worker, with a dense mixing matrix: messages of a
 * tenth of the values (topk draws nothing) or of all, and models that start far apart while the estimates know only
 * where all began.
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

static void fill_matrix(literal *l, const rh_graph *g)
{
  memset(l->w, 0, sizeof l->w);
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
  fill_matrix(l, &l->f.graphs.graphs[0]);
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

/* gradient [N][P] = those of round t at the replicas. */
static void take_gradients(literal *l, int64_t t, float *gradient)
{
  float *g;
  for (int32_t i = 0; i < N; i++) {
    RH_ASSERT(rh_replicas_gradients(l->f.world.replicas, t, i, 1, &g, NULL) == RH_OK);
    memcpy(gradient + i * P, g, P * sizeof *g);
  }
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
  float *gradient = calloc(N * P, sizeof *gradient);
  double moved = 0;
  for (int64_t t = 0; t < 4; t++) {
    take_gradients(l, t, gradient);
    for (int32_t i = 0; i < N; i++)
      memcpy(l->x[i], rh_replicas_parameters(replicas, i), sizeof l->x[i]);
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

typedef struct push {
  double x[N][P], weight[N]; /* numerators */
} push;

/* One round of stochastic gradient push, columns of W summing to 1, from the gradients at z = x / weight. */
static void literal_push(literal *l, push *s, const rh_optimiser *o, const float *gradient, double lr)
{
  push *next = calloc(1, sizeof *next);
  RH_ASSERT(next);
  for (int32_t i = 0; i < N; i++)
    for (int p = 0; p < P; p++) {
      l->moment[i][p] = o->momentum * l->moment[i][p] + gradient[i * P + p] + o->decay * s->x[i][p] / s->weight[i];
      s->x[i][p] -= lr * l->moment[i][p];
    }
  for (int32_t i = 0; i < N; i++)
    for (int32_t j = 0; j < N; j++) {
      next->weight[i] += l->w[i][j] * s->weight[j];
      for (int p = 0; p < P; p++)
        next->x[i][p] += l->w[i][j] * s->x[j][p];
    }
  *s = *next;
  free(next);
  for (int32_t i = 0; i < N; i++)
    for (int p = 0; p < P; p++)
      l->x[i][p] = (float)(s->x[i][p] / s->weight[i]);
}

/* Two directed irregular graphs by turns, so that weights are not 1 and every round has another matrix; decay large
 * enough to tell z from x. */
static void push_sum_is_its_formula_on_graphs_that_change_body(void)
{
  const rh_optimiser o = {.momentum = 0.9, .decay = 0.1};
  choice c = {.method = "sgp", .graph = "file", .directed = true, .weights = RH_WEIGHTS_PUSH, .optimiser = &o};
  c.edges = "0 7\n7 6\n6 5\n5 4\n4 3\n3 2\n2 1\n1 0\n1 4\n1 6\n3 0\n";
  fixture other;
  fixture_init(&other, &c);
  c.edges = "0 1\n1 2\n2 3\n3 4\n4 5\n5 6\n6 7\n7 0\n0 3\n0 4\n0 5\n2 5\n";
  literal *l = literal_new(&c);
  push *s = calloc(1, sizeof *s);
  float *gradient = calloc(N * P, sizeof *gradient);
  RH_ASSERT(s && gradient);
  rh_graph turns[2] = {l->f.graphs.graphs[0], other.graphs.graphs[0]};
  const rh_graph_sequence two = {.period = 2, .graphs = turns, .lambda2 = -1};
  l->f.world.graphs = &two;
  l->f.method->free_state(l->f.state); /* made for one graph, and for models that are not far apart */
  RH_ASSERT(l->f.method->new_state(&l->f.world, &l->f.state) == RH_OK);
  for (int32_t i = 0; i < N; i++) {
    s->weight[i] = 1;
    for (int p = 0; p < P; p++)
      s->x[i][p] = l->x[i][p];
  }
  for (int64_t t = 0; t < 5; t++) {
    fill_matrix(l, &turns[t % 2]);
    take_gradients(l, t, gradient);
    literal_push(l, s, &o, gradient, 0.1);
    rounds(&l->f, t, 1, 0.1);
    RH_ASSERT(literal_apart(l) < 5e-6); /* values below 5 in f32, divided by weights above .2 */
  }
  RH_ASSERT(fabs(s->weight[0] - 1) > 0.1);
  free(gradient);
  free(s);
  literal_free(l);
  fixture_clear(&other);
}

VALUES_TEST(exchanges_are_their_formulas)
VALUES_TEST(quasi_global_momentum_is_that_of_the_displacement)
VALUES_TEST(push_sum_is_its_formula_on_graphs_that_change)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exchanges_are_their_formulas),
      cmocka_unit_test(quasi_global_momentum_is_that_of_the_displacement),
      cmocka_unit_test(push_sum_is_its_formula_on_graphs_that_change),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
