/* rehearse scaling [--db FILE] [--study NAME] [--free KEY,...] [--json | --csv] */
#include <argp.h>
#include <stdio.h>

#include "commands.h"
#include "scaling.h"

enum { KEY_CSV = RH_KEY_JSON + 1 };

typedef struct arguments {
  const char *db;
  rh_scaling_def def;
  bool json, csv;
} arguments;

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
  case 'F':
    a->def.free = arg;
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

static rh_status scale(const arguments *a, rh_text *out)
{
  rh_store *store = NULL;
  rh_scaling scaling = {0};
  rh_status status;
  RH_TRY(rh_store_open(a->db, RH_STORE_READ, &store));
  RH_TRY(rh_scaling_find(store, &a->def, &scaling));
  if (a->json)
    rh_scaling_write_json(&scaling, out);
  else if (a->csv)
    rh_scaling_write_csv(&scaling, out);
  else
    rh_scaling_write(&scaling, out);
done:
  rh_scaling_clear(&scaling);
  rh_store_close(store);
  return status;
}

int rh_cmd_scaling(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"db", 'd', "FILE", 0, "database (default rehearse.db)", 0},
      {"study", 's', "NAME", 0, "runs of this study only", 0},
      {"free", 'F', "KEYS", 0,
       "option names, separated by commas, in which runs of a series may differ besides workers, batch and seed, such "
       "as platform.file",
       0},
      {"json", RH_KEY_JSON, 0, 0, "print a JSON object", 0},
      {"csv", KEY_CSV, 0, 0, "print comma-separated values", 0},
      {0}};
  static const struct argp parser = {
      options,
      parse_option,
      "",
      "What more workers bring: weak scaling of runs with the same batch a worker, strong scaling of runs with the "
      "same "
      "batch in all; speed-up and efficiency, serial and communication shares fitted by the universal scalability law, "
      "and the number of workers beyond which more do not help.",
      NULL,
      NULL,
      NULL};
  arguments a = {.db = "rehearse.db", .def = {.level = 0.95}};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_text out = {0};
  const rh_status status = scale(&a, &out);
  fputs(rh_text_get(&out), stdout);
  rh_text_clear(&out);
  if (status == RH_OK) return 0;
  fprintf(stderr, "rehearse scaling: %s\n", rh_error_message());
  return 2;
}
