/* rehearse scaling [--db FILE] [--study NAME] [--free KEY,...] [--json | --csv] */
#include "commands.h"
#include "query.h"
#include "scaling.h"

typedef struct arguments {
  rh_query query;
  rh_scaling_def def;
} arguments;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &a->query;
    return 0;
  case 'F':
    a->def.free = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static rh_status scale(void *context, rh_store *store, rh_text *out)
{
  arguments *a = context;
  rh_scaling scaling = {0};
  a->def.study = a->query.study;
  const rh_status status = rh_scaling_find(store, &a->def, &scaling);
  if (status == RH_OK && a->query.json)
    rh_scaling_write_json(&scaling, out);
  else if (status == RH_OK && a->query.csv)
    rh_scaling_write_csv(&scaling, out);
  else if (status == RH_OK)
    rh_scaling_write(&scaling, out);
  rh_scaling_clear(&scaling);
  return status;
}

int rh_cmd_scaling(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"free", 'F', "KEYS", 0,
       "option names, separated by commas, in which runs of a series may differ besides workers, batch and seed, such "
       "as platform.file",
       0},
      {0}};
  static const struct argp parser = {
      .options = options,
      .parser = parse_option,
      .doc =
          "What more workers bring: weak scaling of runs with the same batch a worker, strong scaling of runs with the "
          "same batch in all; speed-up and efficiency, serial and communication shares fitted by the universal "
          "scalability law, and the number of workers beyond which more do not help.",
      .children = rh_query_figures};
  arguments a = {.def = {.level = 0.95}};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  return rh_query_answer("scaling", &a.query, scale, &a);
}
