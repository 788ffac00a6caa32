/* Graphs from their names and one option, as a study would ask for them. */
#ifndef RH_GRAPH_BUILD_H
#define RH_GRAPH_BUILD_H

#include <stdio.h>
#include <stdlib.h>

#include "cmocka_all.h"
#include "graph.h"

/* key: of section `graph`; with a NULL value left as it is by default. */
static inline rh_status try_sequence(const char *name, int32_t workers, bool directed, int weights, const char *key,
                                     const char *value, rh_graph_sequence *sequence)
{
  char full[64];
  const rh_graph_kind *kind = rh_graph_find(name);
  assert_non_null(kind);
  rh_settings settings = {0};
  snprintf(full, sizeof full, "graph.%s", key ? key : "");
  if (value) rh_settings_set(&settings, full, value, "test", NULL);
  void *options = calloc(1, kind->options_size + 1);
  assert_int_equal(rh_option_read(kind->options, kind->option_count, "graph", &settings, options), RH_OK);
  const rh_graph_def def = {
      .kind = kind, .options = options, .workers = workers, .directed = directed, .weights = weights};
  rh_status status = rh_graph_sequence_new(&def, sequence);
  free(options);
  rh_settings_clear(&settings);
  return status;
}

/* Of a kind whose graph is the same in every round. */
static inline rh_graph build(const char *name, int32_t workers, bool directed, int weights, const char *key,
                             const char *value)
{
  rh_graph_sequence s;
  assert_int_equal(try_sequence(name, workers, directed, weights, key, value, &s), RH_OK);
  assert_int_equal(s.period, 1);
  rh_graph graph = s.graphs[0];
  free(s.graphs);
  return graph;
}

#endif
