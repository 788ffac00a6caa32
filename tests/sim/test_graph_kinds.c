/* Every kind of graph: degrees, symmetry, |lambda_2| against known values and against dense singular values. */
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#include "graph_build.h"

static int32_t degree(const rh_graph *g, int32_t i)
{
  return g->neighbours.out_offset[i + 1] - g->neighbours.out_offset[i];
}

static bool has_edge(const rh_graph *g, int32_t from, int32_t to)
{
  for (int32_t k = g->neighbours.out_offset[from]; k < g->neighbours.out_offset[from + 1]; k++)
    if (g->neighbours.out[k] == to) return true;
  return false;
}

static bool is_symmetric(const rh_graph *g)
{
  for (int32_t i = 0; i < g->workers; i++)
    for (int32_t k = g->neighbours.out_offset[i]; k < g->neighbours.out_offset[i + 1]; k++)
      if (!has_edge(g, g->neighbours.out[k], i)) return false;
  return true;
}

/* W as a dense matrix; owned by the caller. */
static gsl_matrix *dense(const rh_graph *g)
{
  gsl_matrix *w = gsl_matrix_calloc((size_t)g->workers, (size_t)g->workers);
  for (int32_t i = 0; i < g->workers; i++) {
    gsl_matrix_set(w, (size_t)i, (size_t)i, g->own[i]);
    for (int32_t k = g->neighbours.in_offset[i]; k < g->neighbours.in_offset[i + 1]; k++)
      gsl_matrix_set(w, (size_t)i, (size_t)g->neighbours.in[k], g->weight[k]);
  }
  return w;
}

/* The largest singular value of W - J, by GSL. */
static double singular_value(const rh_graph *g)
{
  const size_t n = (size_t)g->workers;
  gsl_matrix *w = dense(g), *v = gsl_matrix_alloc(n, n);
  gsl_vector *s = gsl_vector_alloc(n), *work = gsl_vector_alloc(n);
  gsl_matrix_add_constant(w, -1.0 / g->workers);
  gsl_linalg_SV_decomp(w, v, s, work);
  double largest = gsl_vector_get(s, 0);
  gsl_matrix_free(w);
  gsl_matrix_free(v);
  gsl_vector_free(s);
  gsl_vector_free(work);
  return largest;
}

typedef struct kind_case {
  const char *name;
  int32_t workers;
  bool directed;
  const char *key, *value;
  int32_t degree; /* of every worker; 0: they differ */
  double lambda2; /* four digits of the known value; negative: none is known */
} kind_case;

/* Sources of the values: the closed forms of the kinds' files; exponential, directed: (tau - 1) / (tau + 1), Ying et
 * al. 2021, proposition 1; Dyck: (1 + sqrt 5) / 4 from its spectrum; ring and torus: circulant matrices. */
static const kind_case cases[] = {
    {"ring", 8, true, NULL, NULL, 1, .9239},
    {"ring", 16, true, NULL, NULL, 1, .9808},
    {"ring", 32, true, NULL, NULL, 1, .9952},
    {"ring", 8, false, NULL, NULL, 2, .8047},
    {"ring", 16, false, NULL, NULL, 2, .9493},
    {"ring", 32, false, NULL, NULL, 2, .9872},
    {"torus", 16, false, NULL, NULL, 4, .6000},
    {"complete", 9, false, NULL, NULL, 8, 0},
    {"star", 2, false, NULL, NULL, 1, 0},
    {"star", 8, false, NULL, NULL, 0, .8750},
    {"star", 32, false, NULL, NULL, 0, .9688},
    {"hypercube", 2, false, NULL, NULL, 1, 0},
    {"hypercube", 4, false, NULL, NULL, 2, .3333},
    {"hypercube", 16, false, NULL, NULL, 4, .6000},
    {"hypercube", 32, false, NULL, NULL, 5, .6667},
    {"exponential", 8, true, NULL, NULL, 3, .5000},
    {"exponential", 12, true, NULL, NULL, 4, .6000},
    {"exponential", 16, true, NULL, NULL, 4, .6000},
    {"exponential", 32, true, NULL, NULL, 5, .6667},
    {"exponential", 3, true, NULL, NULL, 2, 0},
    {"exponential", 16, false, NULL, NULL, 7, -1},
    {"exponential", 6, false, NULL, NULL, 4, -1}, /* 2 and -4 coincide */
    {"dyck", 32, false, NULL, NULL, 3, .8090},
    {"random-regular", 20, false, "degree", "3", 3, -1},
    {"random-regular", 9, false, "degree", "4", 4, -1},
    {"random-regular", 12, false, "degree", "9", 9, -1}, /* dense: its missing edges are drawn */
    {"random-regular", 12, false, "degree", "11", 11, 0},
    {"random-regular", 8, false, "degree", "2", 2, .8047}, /* connected: the ring */
    {"random-regular", 2, false, "degree", "1", 1, 0},
    {"erdos-renyi", 16, false, "probability", "0.3", 0, -1},
    {"erdos-renyi", 7, false, "probability", "1", 6, 0},
    {"social", 32, false, "network", "southern-women", 0, -1},
    {"social", 15, false, "network", "florentine-families", 0, -1},
};

static void every_kind_has_its_degrees_and_lambda2(void **state)
{
  (void)state;
  for (size_t c = 0; c < RH_COUNT(cases); c++) {
    const kind_case *k = &cases[c];
    double value, numeric;
    rh_graph g = build(k->name, k->workers, k->directed, k->directed ? RH_WEIGHTS_UNIFORM : RH_WEIGHTS_METROPOLIS,
                       k->key, k->value);
    for (int32_t i = 0; i < g.workers && k->degree; i++)
      assert_int_equal(degree(&g, i), k->degree);
    assert_true(is_symmetric(&g) == !k->directed || k->workers < 4);
    assert_true(rh_graph_mixes(&g, RH_MIXING_DOUBLY));
    assert_int_equal(rh_graph_lambda2(&g, &value), RH_OK);
    assert_int_equal(rh_graph_lambda2_numeric(&g, &numeric), RH_OK);
    const double reference = singular_value(&g); /* to 1e-14; the iteration stops at a relative 1e-6 */
    if (fabs(value - reference) > 2e-6 || fabs(numeric - reference) > 2e-6 || value >= 1 ||
        (k->lambda2 >= 0 && fabs(value - k->lambda2) > 5e-5))
      fail_msg("%s of %d: |lambda_2| %.7f, by iteration %.7f, by GSL %.7f, known %.4f", k->name, k->workers, value,
               numeric, reference, k->lambda2);
    rh_graph_clear(&g);
  }
}

static void every_kind_is_in_the_cases_above(void **state)
{
  (void)state;
  for (size_t i = 0; rh_graph_kinds[i]; i++) {
    bool found = strcmp(rh_graph_kinds[i]->name, "file") == 0 || strcmp(rh_graph_kinds[i]->name, "one-peer") == 0;
    for (size_t c = 0; c < RH_COUNT(cases); c++)
      found = found || strcmp(rh_graph_kinds[i]->name, cases[c].name) == 0;
    if (!found) fail_msg("%s", rh_graph_kinds[i]->name);
  }
}

/* With uniform weights a star's leaves hear half of worker 0: not symmetric, no closed form. */
static void a_star_by_hand(void **state)
{
  (void)state;
  rh_graph g = build("star", 5, false, RH_WEIGHTS_UNIFORM, NULL, NULL);
  assert_int_equal(degree(&g, 0), 4);
  assert_int_equal(degree(&g, 3), 1);
  assert_true(fabs(g.own[0] - .2) < 1e-15 && g.own[3] == .5 && g.lambda2 < 0);
  assert_true(rh_graph_mixes(&g, RH_MIXING_ROWS));
  assert_false(rh_graph_mixes(&g, RH_MIXING_COLUMNS));
  rh_graph_clear(&g);
}

static void exponential_neighbours_by_hand(void **state)
{
  (void)state;
  rh_graph g = build("exponential", 10, true, RH_WEIGHTS_UNIFORM, NULL, NULL);
  const int32_t of_3[] = {1, 4, 5, 7}; /* 3 + 8 = 11 = 1, 3 + 1, 3 + 2, 3 + 4 */
  assert_int_equal(degree(&g, 3), 4);
  assert_memory_equal(&g.neighbours.out[g.neighbours.out_offset[3]], of_3, sizeof of_3);
  rh_graph_clear(&g);
}

/* Columns of the women's table sum to 3 3 6 4 8 8 10 14 12 5 4 6 3 3, rows to 8 7 8 7 4 4 4 3 4 4 4 6 7 8 5 2 2 2:
 * Davis, Gardner, Gardner 1941. The Medici have 6 marriages, Guadagni and Strozzi 4: Padgett. */
static void social_graphs_are_the_published_ones(void **state)
{
  (void)state;
  static const int32_t women[] = {8, 7, 8, 7, 4, 4, 4, 3, 4,  4,  4,  6, 7, 8, 5, 2,
                                  2, 2, 3, 3, 6, 4, 8, 8, 10, 14, 12, 5, 4, 6, 3, 3};
  rh_graph g = build("social", 32, false, RH_WEIGHTS_METROPOLIS, "network", "southern-women");
  assert_int_equal(g.neighbours.out_offset[32], 2 * 89);
  for (int32_t i = 0; i < 32; i++) {
    assert_int_equal(degree(&g, i), women[i]);
    for (int32_t j = 0; j < 32; j++) /* women meet at events only */
      if ((i < 18) == (j < 18)) assert_false(has_edge(&g, i, j));
  }
  rh_graph_clear(&g);
  g = build("social", 15, false, RH_WEIGHTS_METROPOLIS, "network", "florentine-families");
  /* Acciaiuoli, Albizzi, Barbadori, Bischeri, Castellani, Ginori, Guadagni, Lamberteschi, Medici, ... */
  static const int32_t families[] = {1, 3, 2, 3, 3, 1, 4, 1, 6, 1, 3, 3, 2, 4, 3};
  assert_int_equal(g.neighbours.out_offset[15], 2 * 20);
  for (int32_t i = 0; i < 15; i++)
    assert_int_equal(degree(&g, i), families[i]);
  rh_graph_clear(&g);
}

static bool same_edges(const rh_graph *a, const rh_graph *b)
{
  const int32_t n = a->workers, edges = a->neighbours.out_offset[n];
  return edges == b->neighbours.out_offset[n] &&
         memcmp(a->neighbours.out_offset, b->neighbours.out_offset, (size_t)(n + 1) * sizeof(int32_t)) == 0 &&
         memcmp(a->neighbours.out, b->neighbours.out, (size_t)edges * sizeof(int32_t)) == 0;
}

static void a_seed_is_a_graph(void **state)
{
  (void)state;
  static const char *const names[] = {"random-regular", "erdos-renyi"};
  for (int k = 0; k < 2; k++) {
    rh_graph a = build(names[k], 40, false, RH_WEIGHTS_METROPOLIS, "seed", "1");
    rh_graph b = build(names[k], 40, false, RH_WEIGHTS_METROPOLIS, "seed", "1");
    rh_graph c = build(names[k], 40, false, RH_WEIGHTS_METROPOLIS, "seed", "2");
    assert_true(same_edges(&a, &b));
    assert_false(same_edges(&a, &c));
    rh_graph_clear(&a);
    rh_graph_clear(&b);
    rh_graph_clear(&c);
  }
}

/* 400 workers, p = .05: 3990 edges on average, deviation 61.6; five of them on either side. */
static void erdos_renyi_has_its_number_of_edges(void **state)
{
  (void)state;
  rh_graph g = build("erdos-renyi", 400, false, RH_WEIGHTS_METROPOLIS, "probability", "0.05");
  assert_in_range(g.neighbours.out_offset[400] / 2, 3990 - 308, 3990 + 308);
  rh_graph_clear(&g);
}

/* Two workers in three are joined in a 4-regular graph of 7, and no pair more often than others: over 300 seeds every
 * pair's count is 200, deviation 8.2; five of them on either side. */
static void regular_graphs_prefer_no_pair(void **state)
{
  (void)state;
  int32_t count[7][7] = {{0}};
  for (int seed = 0; seed < 300; seed++) {
    const struct {
      int64_t degree, seed;
    } options = {4, seed}; /* the kind's own */
    rh_graph g;
    assert_int_equal(rh_graph_new(&rh_graph_random_regular, &options, 7, false, RH_WEIGHTS_METROPOLIS, &g), RH_OK);
    for (int32_t i = 0; i < 7; i++)
      for (int32_t j = 0; j < 7; j++)
        count[i][j] += has_edge(&g, i, j);
    rh_graph_clear(&g);
  }
  for (int i = 0; i < 7; i++)
    for (int j = 0; j < i; j++)
      assert_in_range(count[i][j], 159, 241);
}

/* The product of a period's matrices is J. */
static void one_peer_averages_exactly_in_a_period(void **state)
{
  (void)state;
  for (int32_t n = 2; n <= 64; n *= 2) {
    rh_graph_sequence s;
    assert_int_equal(try_sequence("one-peer", n, true, RH_WEIGHTS_UNIFORM, NULL, NULL, &s), RH_OK);
    assert_int_equal(1 << s.period, n);
    double x[64], y[64];
    for (int32_t column = 0; column < n; column++) {
      for (int32_t i = 0; i < n; i++)
        x[i] = i == column;
      for (int32_t t = 0; t < s.period; t++) {
        const rh_graph *g = rh_graph_at(&s, t);
        for (int32_t i = 0; i < n; i++) {
          assert_int_equal(g->neighbours.in_offset[i + 1] - g->neighbours.in_offset[i], 1);
          const int32_t from = g->neighbours.in[i];
          assert_int_equal((from + (1 << t)) % n, i);
          y[i] = g->own[i] * x[i] + g->weight[i] * x[from];
        }
        memcpy(x, y, sizeof x);
      }
      for (int32_t i = 0; i < n; i++)
        assert_true(x[i] == 1.0 / n); /* halves of powers of two: exact */
    }
    double closed, numeric;
    assert_int_equal(rh_graph_sequence_lambda2(&s, &closed), RH_OK);
    assert_int_equal(rh_graph_sequence_lambda2_numeric(&s, &numeric), RH_OK);
    assert_true(closed == 0 && numeric == 0);
    rh_graph_sequence_clear(&s);
  }
}

/* Of 6 workers: hops 1, 2, 4. The matrices are circulant and commute, so the product's eigenvalues have the moduli
 * prod_k |cos(pi m 2^k / 6)|: m = 1 and 5 cos 30 cos 60 cos 120 = sqrt 3 / 8, m = 2 and 4 1/8, m = 3 none. Per round
 * the cube root of the largest. */
static void one_peer_of_six_has_the_lambda2_of_its_product(void **state)
{
  (void)state;
  rh_graph_sequence s;
  double value;
  assert_int_equal(try_sequence("one-peer", 6, true, RH_WEIGHTS_UNIFORM, NULL, NULL, &s), RH_OK);
  assert_int_equal(s.period, 3);
  assert_int_equal(s.all.out_offset[6], 18);
  const int32_t of_0[] = {1, 2, 4};
  assert_memory_equal(s.all.out, of_0, sizeof of_0);
  assert_true(rh_graph_at(&s, 4) == &s.graphs[1]);
  assert_int_equal(rh_graph_sequence_lambda2(&s, &value), RH_OK);
  assert_true(fabs(value - cbrt(sqrt(3) / 8)) < 1e-6); /* the iteration's relative error */
  rh_graph_sequence_clear(&s);
}

static void impossible_requests_are_refused(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    int32_t workers;
    bool directed;
    const char *key, *value, *message;
  } wrong[] = {
      {"hypercube", 12, false, NULL, NULL, "12 workers are no power of two; use 8, or graph: {name: exponential}"},
      {"dyck", 16, false, NULL, NULL, "graph 'dyck' has 32 vertices, not 16; use platform.workers: 32"},
      {"social", 16, false, NULL, NULL, "southern-women has 32 vertices, not 16; use platform.workers: 32"},
      {"social", 16, false, "network", "florentine-families", "has 15 vertices, not 16; use platform.workers: 15"},
      {"star", 4, true, NULL, NULL, "graph 'star' has no directed form; leave graph.directed out"},
      {"one-peer", 4, false, NULL, NULL, "graph 'one-peer' is directed; use graph.directed: on"},
      {"random-regular", 5, false, "degree", "5", "5 workers cannot have 5 neighbours each; at most 4"},
      {"random-regular", 5, false, "degree", "3", "one of both must be even"},
      {"random-regular", 6, false, "degree", "1",
       "one neighbour each makes pairs, which are not connected; at least 2"},
      {"erdos-renyi", 50, false, "probability", "0.001", "raise it (they are likely connected above ln N / N = 0.078)"},
      {"erdos-renyi", 1000000, false, "probability", "0.3", "1000000 workers would have 3e+11 edges"},
  };
  for (size_t k = 0; k < RH_COUNT(wrong); k++) {
    rh_graph_sequence s;
    assert_int_equal(try_sequence(wrong[k].name, wrong[k].workers, wrong[k].directed, RH_WEIGHTS_UNIFORM, wrong[k].key,
                                  wrong[k].value, &s),
                     RH_EINVAL);
    if (!strstr(rh_error_message(), wrong[k].message)) fail_msg("%s\nlacks: %s", rh_error_message(), wrong[k].message);
  }
  rh_graph g;
  assert_int_equal(rh_graph_new(&rh_graph_one_peer, NULL, 8, true, RH_WEIGHTS_UNIFORM, &g), RH_EUNSUPPORTED);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_has_its_degrees_and_lambda2),
      cmocka_unit_test(every_kind_is_in_the_cases_above),
      cmocka_unit_test(a_star_by_hand),
      cmocka_unit_test(exponential_neighbours_by_hand),
      cmocka_unit_test(social_graphs_are_the_published_ones),
      cmocka_unit_test(a_seed_is_a_graph),
      cmocka_unit_test(erdos_renyi_has_its_number_of_edges),
      cmocka_unit_test(regular_graphs_prefer_no_pair),
      cmocka_unit_test(one_peer_averages_exactly_in_a_period),
      cmocka_unit_test(one_peer_of_six_has_the_lambda2_of_its_product),
      cmocka_unit_test(impossible_requests_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
