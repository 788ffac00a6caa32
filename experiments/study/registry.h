/* The registries seen alike: methods, models, compressors, data sets, graphs, collectives. One view drives the lookup
 * of names in studies and the listings of the command line. */
#ifndef RH_REGISTRY_H
#define RH_REGISTRY_H

#include "option.h"

/* What all kinds of components have. Everything is borrowed from the component's descriptor. */
typedef struct rh_component {
  const char *name, *summary, *source;
  const rh_option *options; /* NULL for collectives */
  size_t option_count, options_size;
  const void *descriptor; /* const rh_method *, const rh_model_kind *, ... */
} rh_component;

typedef struct rh_registry {
  const char *plural;   /* the listing's command: "compressors" */
  const char *singular; /* "compressor" */
  const char *key;      /* where a study chooses: "compress.name"; NULL for collectives */
  const char *section;  /* of its options: "compress"; NULL for collectives */
  const char *fallback; /* the component taken when the study chooses none; NULL for collectives */
  bool (*get)(size_t i, rh_component *component);
  /* Appends "label: text" lines that only this kind has (claims, wire formula, closed form), or JSON members. NULL:
   * none */
  void (*details)(const rh_component *component, bool json, rh_text *out);
} rh_registry;

extern const rh_registry rh_registry_methods, rh_registry_models, rh_registry_compressors, rh_registry_datasets,
    rh_registry_graphs, rh_registry_collectives;
extern const rh_registry *const rh_registries[]; /* NULL-terminated */

/* The component of that name; false if there is none. */
bool rh_registry_find(const rh_registry *registry, const char *name, rh_component *component);

/* For rh_text_nearest: context is a const rh_registry *. */
const char *rh_registry_name(const void *context, size_t i);

#endif
