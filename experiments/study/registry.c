#include "registry.h"

#include <string.h>

#include "choice.h"
#include "compressor.h"
#include "dataset.h"
#include "graph.h"
#include "world.h"

/* The common fields have the same names in every descriptor. */
#define RH_COMPONENT(d)                                                                                                \
  ((rh_component){(d)->name, (d)->summary, (d)->source, (d)->options, (d)->option_count, (d)->options_size, (d)})

static bool get_method(size_t i, rh_component *component)
{
  if (rh_methods[i]) *component = RH_COMPONENT(rh_methods[i]);
  return rh_methods[i] != NULL;
}

static bool get_model(size_t i, rh_component *component)
{
  if (rh_model_kinds[i]) *component = RH_COMPONENT(rh_model_kinds[i]);
  return rh_model_kinds[i] != NULL;
}

static bool get_compressor(size_t i, rh_component *component)
{
  if (rh_compressors[i]) *component = RH_COMPONENT(rh_compressors[i]);
  return rh_compressors[i] != NULL;
}

static bool get_dataset(size_t i, rh_component *component)
{
  if (rh_dataset_kinds[i]) *component = RH_COMPONENT(rh_dataset_kinds[i]);
  return rh_dataset_kinds[i] != NULL;
}

static bool get_graph(size_t i, rh_component *component)
{
  if (rh_graph_kinds[i]) *component = RH_COMPONENT(rh_graph_kinds[i]);
  return rh_graph_kinds[i] != NULL;
}

static bool get_collective(size_t i, rh_component *component)
{
  const rh_collective_kind *kind = rh_collective_kinds[i];
  if (kind)
    *component =
        (rh_component){.name = kind->name, .summary = kind->summary, .source = kind->source, .descriptor = kind};
  return kind != NULL;
}

static void append_text(const char *label, const char *value, bool json, rh_text *out)
{
  if (!json) {
    rh_text_append(out, "%-12s %s\n", label, value);
    return;
  }
  rh_text_append(out, ", \"%s\": ", label);
  rh_text_append_json(out, value);
}

static void append_switch(const char *label, bool value, bool json, rh_text *out)
{
  if (json)
    rh_text_append(out, ", \"%s\": %s", label, value ? "true" : "false");
  else
    rh_text_append(out, "%-12s %s\n", label, value ? "yes" : "no");
}

static void method_details(const rh_component *component, bool json, rh_text *out)
{
  static const char *const copies[] = {[RH_COPIES_ONE] = "one for all workers",
                                       [RH_COPIES_GROUPS] = "one per group of workers",
                                       [RH_COPIES_EACH] = "one per worker"};
  static const char *const weights[] = {[RH_MIXING_DOUBLY] = "rows and columns must sum to 1",
                                        [RH_MIXING_ROWS] = "rows must sum to 1",
                                        [RH_MIXING_COLUMNS] = "columns must sum to 1"};
  const rh_method *method = component->descriptor;
  append_switch("graph", method->needs_graph, json, out);
  if (method->needs_graph) {
    append_text("weights", weights[method->mixing], json, out);
    append_switch("changing", method->time_varying, json, out);
  }
  const bool ahead = method->copies == RH_COPIES_ONE && method->takes_feedback;
  append_text("copies",
              ahead ? "one for all workers; with error_feedback: step-ahead one per worker" : copies[method->copies],
              json, out);
}

static void compressor_details(const rh_component *component, bool json, rh_text *out)
{
  const rh_compressor *compressor = component->descriptor;
  append_text("wire", compressor->wire, json, out);
  append_text("claims", compressor->claim, json, out);
  append_switch("lossless", compressor->lossless, json, out);
  append_switch("all-reducible", compressor->sum != NULL, json, out);
  append_switch("gradients-only", compressor->gradients_only, json, out);
}

static void graph_details(const rh_component *component, bool json, rh_text *out)
{
  static const char *const direction[] = {[RH_GRAPH_EITHER] = "undirected or directed",
                                          [RH_GRAPH_UNDIRECTED] = "undirected",
                                          [RH_GRAPH_DIRECTED] = "directed"};
  const rh_graph_kind *kind = component->descriptor;
  append_text("direction", direction[kind->direction], json, out);
  append_text("rounds", kind->period ? "one graph after another, then anew" : "the same graph in every round", json,
              out);
  append_switch("random", kind->random, json, out);
}

static void collective_details(const rh_component *component, bool json, rh_text *out)
{
  const rh_collective_kind *kind = component->descriptor;
  append_text("operation", kind->operation, json, out);
  append_text("closed_form", kind->formula, json, out);
  for (int choice = 0; choice < RH_ALLREDUCE_COUNT; choice++) {
    if (rh_allreduce_kind(choice) != kind) continue;
    rh_text setting = {0};
    rh_text_append(&setting, "network.collective=%s", kind->name + strlen("allreduce-"));
    append_text("chosen_by", rh_text_get(&setting), json, out);
    rh_text_clear(&setting);
  }
}

const rh_registry rh_registry_methods = {.plural = "methods",
                                         .singular = "method",
                                         .key = "train.method",
                                         .section = "train",
                                         .fallback = "allreduce",
                                         .get = get_method,
                                         .details = method_details};
const rh_registry rh_registry_models = {.plural = "models",
                                        .singular = "model",
                                        .key = "model.name",
                                        .section = "model",
                                        .fallback = "cnn",
                                        .get = get_model};
const rh_registry rh_registry_compressors = {.plural = "compressors",
                                             .singular = "compressor",
                                             .key = "compress.name",
                                             .section = "compress",
                                             .fallback = "none",
                                             .get = get_compressor,
                                             .details = compressor_details};
const rh_registry rh_registry_datasets = {.plural = "datasets",
                                          .singular = "data set",
                                          .key = "data.name",
                                          .section = "data",
                                          .fallback = "glyphs",
                                          .get = get_dataset};
const rh_registry rh_registry_graphs = {.plural = "graphs",
                                        .singular = "graph",
                                        .key = "graph.name",
                                        .section = "graph",
                                        .fallback = "ring",
                                        .get = get_graph,
                                        .details = graph_details};
const rh_registry rh_registry_collectives = {
    .plural = "collectives", .singular = "collective", .get = get_collective, .details = collective_details};

const rh_registry *const rh_registries[] = {&rh_registry_methods,
                                            &rh_registry_models,
                                            &rh_registry_compressors,
                                            &rh_registry_datasets,
                                            &rh_registry_graphs,
                                            &rh_registry_collectives,
                                            NULL};

bool rh_registry_find(const rh_registry *registry, const char *name, rh_component *component)
{
  for (size_t i = 0; registry->get(i, component); i++)
    if (strcmp(component->name, name) == 0) return true;
  return false;
}

const char *rh_registry_name(const void *context, size_t i)
{
  const rh_registry *registry = context;
  rh_component component;
  return registry->get(i, &component) ? component.name : NULL;
}
