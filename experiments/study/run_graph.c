/* The graphs of a run, and whether its method can use them. */
#include "run.h"

rh_status rh_run_graphs(const rh_run *run, rh_graph_sequence *graphs)
{
  rh_status status = RH_OK;
  const rh_method *method = run->method;
  const rh_graph_def def = {.kind = run->graph_kind,
                            .options = run->graph_kind_options,
                            .file = run->graph_path,
                            .workers = (int32_t)run->platform.workers,
                            .directed = run->graph.directed,
                            .weights = run->graph.weights};
  *graphs = (rh_graph_sequence){.lambda2 = -1};
  if (!method->needs_graph) return RH_OK;
  RH_TRY(rh_graph_sequence_new(&def, graphs));
  if (graphs->period > 1 && !method->time_varying) {
    status = rh_error(RH_EUNSUPPORTED,
                      "graph '%s' is another one in every round, and '%s' needs one that stays; use graph: {name: "
                      "exponential}, or a method that takes such graphs",
                      def.kind->name, method->name);
    goto done;
  }
  if (graphs->period > 1 && !run->compressor->lossless) {
    status =
        rh_error(RH_EUNSUPPORTED,
                 "compress.name: '%s' travels as differences to what all neighbours know of a model, and graph '%s' "
                 "is another one in every round: neighbours would miss some of them; use compress: {name: none}, "
                 "or graph: {name: exponential}",
                 run->compressor->name, def.kind->name);
    goto done;
  }
  status = rh_graph_sequence_require(graphs, method->mixing, method->name);
done:
  if (status != RH_OK) rh_graph_sequence_clear(graphs);
  return status;
}
