/* Graphs: neighbours, weights, |lambda_2|. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "graph_build.h"

/* Known values of |lambda_2| (four digits), and the numerical method against each. */
static void lambda2_equals_known_values(void **state)
{
  (void)state;
  struct {
    const char *name;
    int32_t workers;
    bool directed;
    double lambda2;
  } cases[] = {{"ring", 8, true, .9239},    {"ring", 16, true, .9808},  {"ring", 32, true, .9952},
               {"ring", 8, false, .8047},   {"ring", 16, false, .9493}, {"ring", 32, false, .9872},
               {"torus", 16, false, .6000}, {"complete", 9, false, 0},  {"ring", 2, false, 0},
               {"ring", 3, false, 0}};
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    rh_graph g = build(cases[i].name, cases[i].workers, cases[i].directed, RH_WEIGHTS_UNIFORM, NULL, NULL);
    double closed, numeric;
    assert_int_equal(rh_graph_lambda2(&g, &closed), RH_OK);
    assert_int_equal(rh_graph_lambda2_numeric(&g, &numeric), RH_OK);
    assert_true(fabs(closed - cases[i].lambda2) < 5e-5); /* the known values have four digits */
    assert_true(fabs(numeric - closed) <= 2e-6 * (closed + 1e-6));
    rh_graph_clear(&g);
  }
}

static void closed_forms_hold_for_many_sizes(void **state)
{
  (void)state;
  for (int32_t n = 3; n < 40; n++) {
    for (int directed = 0; directed < 2; directed++) {
      rh_graph g = build("ring", n, directed, RH_WEIGHTS_UNIFORM, NULL, NULL);
      double numeric;
      assert_int_equal(rh_graph_lambda2_numeric(&g, &numeric), RH_OK);
      assert_true(fabs(numeric - g.lambda2) < 2e-6);
      rh_graph_clear(&g);
    }
  }
  static const char *const rows[] = {"3", "4", "5"}, *const sides[] = {"3x4x5", "3x3x3x3", "6x1x5"};
  for (size_t r = 0; r < RH_COUNT(rows); r++) {
    for (int directed = 0; directed < 2; directed++) {
      rh_graph g = build("torus", (int32_t)(7 * atol(rows[r])), directed, RH_WEIGHTS_UNIFORM, "rows", rows[r]);
      double numeric;
      assert_int_equal(rh_graph_lambda2_numeric(&g, &numeric), RH_OK);
      assert_true(g.lambda2 > 0 && fabs(numeric - g.lambda2) < 2e-6);
      rh_graph_clear(&g);
    }
  }
  for (size_t s = 0; s < RH_COUNT(sides); s++) {
    for (int directed = 0; directed < 2; directed++) {
      const int32_t workers[] = {60, 81, 30};
      rh_graph g = build("torus", workers[s], directed, RH_WEIGHTS_UNIFORM, "sides", sides[s]);
      double numeric;
      assert_int_equal(rh_graph_lambda2_numeric(&g, &numeric), RH_OK);
      assert_true(s == 2 ? g.lambda2 < 0 : fabs(numeric - g.lambda2) < 2e-6); /* a side of 1 has no formula */
      rh_graph_clear(&g);
    }
  }
}

/* Rows of W sum to 1; on undirected graphs columns do, too. Torus 2 x 3 has double neighbours that must count once. */
static void weights_are_stochastic(void **state)
{
  (void)state;
  struct {
    const char *name;
    int32_t workers;
    const char *rows;
  } cases[] = {{"ring", 5, NULL}, {"ring", 2, NULL}, {"torus", 6, "2"}, {"torus", 12, NULL}, {"complete", 4, NULL}};
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    rh_graph g = build(cases[i].name, cases[i].workers, false, RH_WEIGHTS_METROPOLIS, "rows", cases[i].rows);
    double column[16] = {0};
    for (int32_t w = 0; w < g.workers; w++) {
      double row = g.own[w];
      column[w] += g.own[w];
      for (int32_t k = g.neighbours.in_offset[w]; k < g.neighbours.in_offset[w + 1]; k++) {
        row += g.weight[k];
        column[g.neighbours.in[k]] += g.weight[k];
        assert_true(k == g.neighbours.in_offset[w] || g.neighbours.in[k - 1] < g.neighbours.in[k]);
        assert_int_not_equal(g.neighbours.in[k], w);
      }
      assert_true(fabs(row - 1) < 1e-14);
    }
    for (int32_t w = 0; w < g.workers; w++)
      assert_true(fabs(column[w] - 1) < 1e-14);
    rh_graph_clear(&g);
  }
}

static void torus_neighbours_by_hand(void **state)
{
  (void)state;
  rh_graph g = build("torus", 12, false, RH_WEIGHTS_METROPOLIS, "rows", "3"); /* 3 x 4; worker 0 in the corner */
  const int32_t expected[] = {1, 3, 4, 8};
  assert_int_equal(g.neighbours.out_offset[1], 4);
  assert_memory_equal(g.neighbours.out, expected, sizeof expected);
  assert_memory_equal(g.neighbours.in, expected, sizeof expected);
  rh_graph_clear(&g);
}

/* 2 x 3 x 4, the first side fastest: worker 0 has one neighbour along the side of two, where both ways meet. */
static void torus_of_three_dimensions_by_hand(void **state)
{
  (void)state;
  rh_graph g = build("torus", 24, false, RH_WEIGHTS_METROPOLIS, "sides", "2x3x4");
  const int32_t expected[] = {1, 2, 4, 6, 18};
  assert_int_equal(g.neighbours.out_offset[1], 5);
  assert_memory_equal(g.neighbours.out, expected, sizeof expected);
  assert_memory_equal(g.neighbours.in, expected, sizeof expected);
  rh_graph_clear(&g);
  g = build("torus", 24, true, RH_WEIGHTS_UNIFORM, "sides", "2x3x4");
  const int32_t onwards[] = {1, 2, 6};
  assert_int_equal(g.neighbours.out_offset[1], 3);
  assert_memory_equal(g.neighbours.out, onwards, sizeof onwards);
  rh_graph_clear(&g);
}

static void sides_of_two_are_rows_and_columns(void **state)
{
  (void)state;
  rh_graph a = build("torus", 12, false, RH_WEIGHTS_METROPOLIS, "rows", "3");
  rh_graph b = build("torus", 12, false, RH_WEIGHTS_METROPOLIS, "sides", "4x3");
  assert_memory_equal(a.neighbours.out_offset, b.neighbours.out_offset, 13 * sizeof(int32_t));
  assert_memory_equal(a.neighbours.out, b.neighbours.out, 48 * sizeof(int32_t));
  rh_graph_clear(&a);
  rh_graph_clear(&b);
}

static void impossible_graphs_are_refused(void **state)
{
  (void)state;
  rh_graph g;
  struct {
    int64_t rows;
    const char *sides;
  } torus = {.rows = 5, .sides = ""}; /* as its options are */
  assert_int_equal(rh_graph_new(rh_graph_find("ring"), NULL, 1, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_int_equal(rh_graph_new(rh_graph_find("ring"), NULL, 4, true, RH_WEIGHTS_METROPOLIS, &g), RH_EINVAL);
  assert_int_equal(rh_graph_new(rh_graph_find("torus"), &torus, 16, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_string_equal(rh_error_message(), "graph.rows: 5 rows do not divide 16 workers");
  torus.sides = "4x4";
  assert_int_equal(rh_graph_new(rh_graph_find("torus"), &torus, 16, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_string_equal(rh_error_message(),
                      "graph.sides: '4x4' and graph.rows: 5 both give the torus its shape; leave one out");
  torus.rows = 0;
  assert_int_equal(rh_graph_new(rh_graph_find("torus"), &torus, 8, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_string_equal(rh_error_message(),
                      "graph.sides: a torus of 4x4 has more than 8 ranks, the workers; the product must be equal");
  torus.sides = "1x8x1";
  assert_int_equal(rh_graph_new(rh_graph_find("torus"), &torus, 8, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_string_equal(rh_error_message(), "graph.sides: a torus of 1x8x1 is a ring; use graph: {name: ring}");
  torus.sides = "";
  assert_int_equal(rh_graph_new(rh_graph_find("torus"), &torus, 7, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_null(rh_graph_find("rinq"));
}

/* A million workers would have 10^12 edges. */
static void a_complete_graph_beyond_memory_is_refused(void **state)
{
  (void)state;
  rh_graph g;
  assert_int_equal(rh_graph_new(&rh_graph_complete, NULL, 1000000, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "1000000 workers would have 1e+12 edges"));
}

/* Two rings that never meet: a kind of this test. */
static rh_status split_edges(const rh_graph_def *def, rh_edges *edges)
{
  for (int32_t i = 0; i < def->workers; i++)
    rh_edges_add(edges, i, i ^ 1);
  return RH_OK;
}

static void disconnected_graphs_are_refused(void **state)
{
  (void)state;
  rh_graph_kind kind = {.name = "pairs", .edges = split_edges};
  rh_graph g;
  assert_int_equal(rh_graph_new(&kind, NULL, 4, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_string_equal(rh_error_message(), "graph 'pairs' of 4 workers is not connected: no path leads from worker 0 to "
                                          "worker 2; add an edge, or choose another graph");
}

/* 0 <-> 1 <-> 2 -> 3 -> 0: strongly connected, with degrees that differ. A kind of this test. */
static rh_status uneven_edges(const rh_graph_def *def, rh_edges *edges)
{
  (void)def;
  rh_edges_add_both(edges, 0, 1);
  rh_edges_add_both(edges, 1, 2);
  rh_edges_add(edges, 2, 3);
  rh_edges_add(edges, 3, 0);
  return RH_OK;
}

static rh_graph_sequence uneven(int weights)
{
  static const rh_graph_kind kind = {.name = "uneven", .edges = uneven_edges};
  const rh_graph_def def = {.kind = &kind, .workers = 4, .directed = true, .weights = weights};
  rh_graph_sequence s;
  assert_int_equal(rh_graph_sequence_new(&def, &s), RH_OK);
  return s;
}

/* Out-degrees 1, 2, 2, 1; worker 0 hears of 1 and 3, worker 3 of 2. */
static void push_weights_by_hand(void **state)
{
  (void)state;
  rh_graph_sequence s = uneven(RH_WEIGHTS_PUSH);
  const rh_graph *g = rh_graph_at(&s, 7);
  assert_int_equal(s.period, 1);
  const double own[] = {1. / 2, 1. / 3, 1. / 3, 1. / 2}, to_0[] = {1. / 3, 1. / 2}, to_3 = 1. / 3;
  assert_memory_equal(g->own, own, sizeof own);
  assert_memory_equal(g->weight, to_0, sizeof to_0);
  assert_memory_equal(&g->weight[g->neighbours.in_offset[3]], &to_3, sizeof to_3);
  assert_true(rh_graph_mixes(g, RH_MIXING_COLUMNS));
  assert_false(rh_graph_mixes(g, RH_MIXING_ROWS));
  assert_false(rh_graph_mixes(g, RH_MIXING_DOUBLY));
  rh_graph_sequence_clear(&s);
}

static void wrong_weights_are_refused_with_their_cure(void **state)
{
  (void)state;
  rh_graph_sequence push = uneven(RH_WEIGHTS_PUSH), uniform = uneven(RH_WEIGHTS_UNIFORM);
  assert_int_equal(rh_graph_sequence_require(&push, RH_MIXING_COLUMNS, "sgp"), RH_OK);
  assert_int_equal(rh_graph_sequence_require(&uniform, RH_MIXING_ROWS, "dpsgd"), RH_OK);
  assert_int_equal(rh_graph_sequence_require(&uniform, RH_MIXING_COLUMNS, "sgp"), RH_EINVAL);
  /* column 0: own 1/3, and 1/3 of worker 1, who hears of 0 and 2 */
  assert_string_equal(rh_error_message(),
                      "'sgp' needs columns of mixing weights that sum to 1; with uniform weights column 0 of graph "
                      "'uneven' sums to 0.666667: use graph.weights: push");
  assert_int_equal(rh_graph_sequence_require(&uniform, RH_MIXING_DOUBLY, "choco"), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "use graph.weights: metropolis on an undirected graph"));
  assert_int_equal(rh_graph_sequence_require(&push, RH_MIXING_ROWS, "x"), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "use graph.weights: uniform"));
  rh_graph_sequence_clear(&push);
  rh_graph_sequence_clear(&uniform);
}

/* On a regular graph the three schemes are one. */
static void a_regular_graph_has_one_set_of_weights(void **state)
{
  (void)state;
  rh_graph a = build("torus", 16, false, RH_WEIGHTS_UNIFORM, NULL, NULL);
  for (int weights = RH_WEIGHTS_METROPOLIS; weights <= RH_WEIGHTS_PUSH; weights++) {
    rh_graph b = build("torus", 16, false, weights, NULL, NULL);
    assert_memory_equal(a.weight, b.weight, 64 * sizeof(double));
    for (int i = 0; i < 16; i++)
      assert_true(fabs(a.own[i] - b.own[i]) < 1e-15);
    assert_true(rh_graph_mixes(&b, RH_MIXING_DOUBLY));
    rh_graph_clear(&b);
  }
  rh_graph_clear(&a);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lambda2_equals_known_values),
      cmocka_unit_test(closed_forms_hold_for_many_sizes),
      cmocka_unit_test(weights_are_stochastic),
      cmocka_unit_test(torus_neighbours_by_hand),
      cmocka_unit_test(torus_of_three_dimensions_by_hand),
      cmocka_unit_test(sides_of_two_are_rows_and_columns),
      cmocka_unit_test(impossible_graphs_are_refused),
      cmocka_unit_test(disconnected_graphs_are_refused),
      cmocka_unit_test(a_complete_graph_beyond_memory_is_refused),
      cmocka_unit_test(push_weights_by_hand),
      cmocka_unit_test(wrong_weights_are_refused_with_their_cure),
      cmocka_unit_test(a_regular_graph_has_one_set_of_weights),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
