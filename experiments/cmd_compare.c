/* rehearse compare [--db FILE] [--study NAME] [--by KEY,...] [--baseline LABEL] [--target-accuracy A] [--margin M]
 *                  [--json | --csv] */
#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "compare.h"

enum { KEY_CSV = RH_KEY_JSON + 1, KEY_MARGIN };

typedef struct arguments {
  const char *db;
  rh_compare_def def;
  bool json, csv;
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
  case 'd':
    a->db = arg;
    return 0;
  case 's':
    a->def.study = arg;
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
  case RH_KEY_JSON:
    a->json = true;
    return 0;
  case KEY_CSV:
    a->csv = true;
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "'%s' is too much: a database is named with --db, a study with --study", arg);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static rh_status compare(const arguments *a, rh_text *out)
{
  rh_store *store = NULL;
  rh_comparison comparison = {0};
  rh_status status;
  RH_TRY(rh_store_open(a->db, RH_STORE_READ, &store));
  RH_TRY(rh_compare(store, &a->def, &comparison));
  if (a->json)
    rh_comparison_write_json(&comparison, out);
  else if (a->csv)
    rh_comparison_write_csv(&comparison, out);
  else
    rh_comparison_write(&comparison, out);
done:
  rh_comparison_clear(&comparison);
  rh_store_close(store);
  return status;
}

int rh_cmd_compare(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"db", 'd', "FILE", 0, "database (default rehearse.db)", 0},
      {"study", 's', "NAME", 0, "runs of this study only", 0},
      {"by", 'b', "KEYS", 0,
       "what makes a configuration: option names separated by commas (default: all that vary, but the seed and those "
       "of "
       "platform and network)",
       0},
      {"baseline", 'B', "LABEL", 0,
       "compare with the first configuration whose label holds this, such as \"train.method=allreduce\"", 0},
      {"target-accuracy", 't', "A", 0, "time and bytes until this test accuracy, 0..1 (default: the runs' own target)",
       0},
      {"margin", KEY_MARGIN, "M", 0, "accuracies that differ by less are equivalent (default 0.01)", 0},
      {"json", RH_KEY_JSON, 0, 0, "print a JSON object", 0},
      {"csv", KEY_CSV, 0, 0, "print comma-separated values", 0},
      {0}};
  static const struct argp parser = {
      options,
      parse_option,
      "",
      "Compares the configurations of a study over seeds: time and bytes to a target accuracy, accuracy at the end, "
      "and how they differ from a baseline, paired by seed.",
      NULL,
      NULL,
      NULL};
  arguments a = {.db = "rehearse.db", .def = {.target_accuracy = NAN, .margin = 0.01, .level = 0.95}};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_text out = {0};
  rh_status status = compare(&a, &out);
  fputs(rh_text_get(&out), stdout);
  rh_text_clear(&out);
  if (status == RH_OK) return 0;
  fprintf(stderr, "rehearse compare: %s\n", rh_error_message());
  return 2;
}
