/* Graphs: neighbours, weights, |lambda_2|. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "graph.h"

static rh_graph build(const char *name, int32_t workers, bool directed, int weights, const char *rows)
{
  const rh_graph_kind *kind = rh_graph_find(name);
  assert_non_null(kind);
  rh_settings settings = {0};
  if (rows) rh_settings_set(&settings, "graph.rows", rows, "test", NULL);
  void *options = calloc(1, kind->options_size + 1);
  assert_int_equal(rh_option_read(kind->options, kind->option_count, "graph", &settings, options), RH_OK);
  rh_graph graph;
  assert_int_equal(rh_graph_new(kind, options, workers, directed, weights, &graph), RH_OK);
  free(options);
  rh_settings_clear(&settings);
  return graph;
}

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
    rh_graph g = build(cases[i].name, cases[i].workers, cases[i].directed, RH_WEIGHTS_UNIFORM, NULL);
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
      rh_graph g = build("ring", n, directed, RH_WEIGHTS_UNIFORM, NULL);
      double numeric;
      assert_int_equal(rh_graph_lambda2_numeric(&g, &numeric), RH_OK);
      assert_true(fabs(numeric - g.lambda2) < 2e-6);
      rh_graph_clear(&g);
    }
  }
  static const char *const rows[] = {"3", "4", "5"};
  for (size_t r = 0; r < RH_COUNT(rows); r++) {
    for (int directed = 0; directed < 2; directed++) {
      rh_graph g = build("torus", (int32_t)(7 * atol(rows[r])), directed, RH_WEIGHTS_UNIFORM, rows[r]);
      double numeric;
      assert_int_equal(rh_graph_lambda2_numeric(&g, &numeric), RH_OK);
      assert_true(g.lambda2 > 0 && fabs(numeric - g.lambda2) < 2e-6);
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
    rh_graph g = build(cases[i].name, cases[i].workers, false, RH_WEIGHTS_METROPOLIS, cases[i].rows);
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
  rh_graph g = build("torus", 12, false, RH_WEIGHTS_METROPOLIS, "3"); /* 3 x 4; worker 0 in the corner */
  const int32_t expected[] = {1, 3, 4, 8};
  assert_int_equal(g.neighbours.out_offset[1], 4);
  assert_memory_equal(g.neighbours.out, expected, sizeof expected);
  assert_memory_equal(g.neighbours.in, expected, sizeof expected);
  rh_graph_clear(&g);
}

static void impossible_graphs_are_refused(void **state)
{
  (void)state;
  rh_graph g;
  int64_t rows = 5; /* of torus: its options are one int64_t */
  assert_int_equal(rh_graph_new(rh_graph_find("ring"), NULL, 1, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_int_equal(rh_graph_new(rh_graph_find("ring"), NULL, 4, true, RH_WEIGHTS_METROPOLIS, &g), RH_EINVAL);
  assert_int_equal(rh_graph_new(rh_graph_find("torus"), &rows, 16, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_string_equal(rh_error_message(), "graph.rows: 5 rows do not divide 16 workers");
  rows = 0;
  assert_int_equal(rh_graph_new(rh_graph_find("torus"), &rows, 7, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
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
static rh_status split_edges(const void *options, int32_t workers, bool directed,
                             void (*edge)(void *context, int32_t from, int32_t to), void *context)
{
  (void)options;
  (void)directed;
  for (int32_t i = 0; i < workers; i++)
    edge(context, i, i ^ 1);
  return RH_OK;
}

static void disconnected_graphs_are_refused(void **state)
{
  (void)state;
  rh_graph_kind kind = {.name = "pairs", .edges = split_edges};
  rh_graph g;
  assert_int_equal(rh_graph_new(&kind, NULL, 4, false, RH_WEIGHTS_UNIFORM, &g), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "not connected"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lambda2_equals_known_values),
      cmocka_unit_test(closed_forms_hold_for_many_sizes),
      cmocka_unit_test(weights_are_stochastic),
      cmocka_unit_test(torus_neighbours_by_hand),
      cmocka_unit_test(impossible_graphs_are_refused),
      cmocka_unit_test(disconnected_graphs_are_refused),
      cmocka_unit_test(a_complete_graph_beyond_memory_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
