/* rehearse list [--db FILE] [--study NAME] [--json] */
#include <argp.h>
#include <stdio.h>

#include "commands.h"
#include "store.h"

typedef struct arguments {
  const char *db, *study; /* study NULL: all */
  bool json;
} arguments;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 'd':
    a->db = arg;
    return 0;
  case 's':
    a->study = arg;
    return 0;
  case RH_KEY_JSON:
    a->json = true;
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "'%s' is too much: a database is named with --db, a study with --study", arg);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static rh_status list(const arguments *a, rh_text *out)
{
  rh_store *store = NULL;
  rh_run_list runs = {0};
  rh_status status;
  RH_TRY(rh_store_open(a->db, RH_STORE_READ, &store));
  RH_TRY(rh_store_list(store, a->study, NULL, &runs));
  if (a->json)
    rh_list_write_json(&runs, out);
  else
    rh_list_write(&runs, out);
done:
  rh_run_list_clear(&runs);
  rh_store_close(store);
  return status;
}

int rh_cmd_list(int argc, char **argv)
{
  static const struct argp_option options[] = {{"db", 'd', "FILE", 0, "database (default rehearse.db)", 0},
                                               {"study", 's', "NAME", 0, "runs of this study only", 0},
                                               {"json", RH_KEY_JSON, 0, 0, "print a JSON array", 0},
                                               {0}};
  static const struct argp parser = {options, parse_option, "",  "Lists the runs of a database, oldest first.",
                                     NULL,    NULL,         NULL};
  arguments a = {.db = "rehearse.db"};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_text out = {0};
  rh_status status = list(&a, &out);
  fputs(rh_text_get(&out), stdout);
  rh_text_clear(&out);
  if (status == RH_OK) return 0;
  fprintf(stderr, "rehearse list: %s\n", rh_error_message());
  return 2;
}
