/* rehearse compare [--db FILE] [--study NAME] [--by KEY,...] [--baseline LABEL] [--target-accuracy A] [--margin M]
 *                  [--json | --csv] */
#include <math.h>
#include <stdlib.h>

#include "commands.h"
#include "compare.h"
#include "query.h"

enum { KEY_MARGIN = 0x100 };

typedef struct arguments {
  rh_query query;
  rh_compare_def def;
} arguments;

/* A share within 0..1. */
static double parse_share(struct argp_state *state, const char *option, const char *text)
{
  char *end;
  const double value = strtod(text, &end);
  if (end == text || *end || !(value >= 0 && value <= 1))
    argp_error(state, "--%s %s: a number from 0 to 1 is needed, such as 0.9", option, text);
  return value;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &a->query;
    return 0;
  case 'b':
    a->def.by = arg;
    return 0;
  case 'B':
    a->def.baseline = arg;
    return 0;
  case 't':
    a->def.target_accuracy = parse_share(state, "target-accuracy", arg);
    return 0;
  case KEY_MARGIN:
    a->def.margin = parse_share(state, "margin", arg);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static rh_status compare(void *context, rh_store *store, rh_text *out)
{
  arguments *a = context;
  rh_comparison comparison = {0};
  a->def.study = a->query.study;
  const rh_status status = rh_compare(store, &a->def, &comparison);
  if (status == RH_OK && a->query.json)
    rh_comparison_write_json(&comparison, out);
  else if (status == RH_OK && a->query.csv)
    rh_comparison_write_csv(&comparison, out);
  else if (status == RH_OK)
    rh_comparison_write(&comparison, out);
  rh_comparison_clear(&comparison);
  return status;
}

int rh_cmd_compare(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"by", 'b', "KEYS", 0,
       "what makes a configuration: option names separated by commas (default: all that vary, but the seed and those "
       "of platform and network)",
       0},
      {"baseline", 'B', "LABEL", 0,
       "compare with the first configuration whose label holds this, such as \"train.method=allreduce\"", 0},
      {"target-accuracy", 't', "A", 0, "time and bytes until this test accuracy, 0..1 (default: the runs' own target)",
       0},
      {"margin", KEY_MARGIN, "M", 0, "accuracies that differ by less are equivalent (default 0.01)", 0},
      {0}};
  static const struct argp parser = {
      .options = options,
      .parser = parse_option,
      .doc = "Compares the configurations of a study over seeds: time and bytes to a target accuracy, accuracy at the "
             "end, and how they differ from a baseline, paired by seed.",
      .children = rh_query_figures};
  arguments a = {.def = {.target_accuracy = NAN, .margin = 0.01, .level = 0.95}};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  return rh_query_answer("compare", &a.query, compare, &a);
}
