#include "query.h"

#include <stdio.h>
#include <unistd.h>

enum { KEY_JSON = 0x10000, KEY_CSV }; /* above the keys of the commands; -j is --jobs */

static error_t parse_any(int key, char *arg, struct argp_state *state)
{
  rh_query *query = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    *query = (rh_query){.db = "rehearse.db"};
    return 0;
  case 'd':
    query->db = arg;
    return 0;
  case 's':
    query->study = arg;
    return 0;
  case KEY_JSON:
    query->json = true;
    return 0;
  case KEY_CSV:
    query->csv = true;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
  rh_query *query = state->input;
  if (key == ARGP_KEY_ARG) {
    if (query->run) argp_error(state, "one run at a time, not '%s' as well", arg);
    query->run = arg;
    return 0;
  }
  if (key == ARGP_KEY_NO_ARGS) argp_error(state, "no run given; 'rehearse list' lists them");
  return parse_any(key, arg, state);
}

static error_t parse_runs(int key, char *arg, struct argp_state *state)
{
  if (key == ARGP_KEY_ARG)
    argp_error(state, "'%s' is too much: a database is named with --db, a study with --study", arg);
  return parse_any(key, arg, state);
}

/* Each kind of query begins with its first option. */
static const struct argp_option options[] = {{"csv", KEY_CSV, 0, 0, "print comma-separated values", 0},
                                             {"study", 's', "NAME", 0, "runs of this study only", 0},
                                             {"db", 'd', "FILE", 0, "database (default rehearse.db); only read", 0},
                                             {"json", KEY_JSON, 0, 0, "print JSON", 0},
                                             {0}};
static const struct argp run = {.options = options + 2, .parser = parse_run};
static const struct argp runs = {.options = options + 1, .parser = parse_runs};
static const struct argp figures = {.options = options, .parser = parse_runs};
const struct argp_child rh_query_run[] = {{&run, 0, NULL, 0}, {0}};
const struct argp_child rh_query_runs[] = {{&runs, 0, NULL, 0}, {0}};
const struct argp_child rh_query_figures[] = {{&figures, 0, NULL, 0}, {0}};

int rh_query_answer(const char *command, const rh_query *query,
                    rh_status (*write)(void *context, rh_store *store, rh_text *out), void *context)
{
  rh_store *store = NULL;
  rh_text out = {0};
  rh_status status = rh_store_open(query->db, RH_STORE_READ, &store);
  if (status == RH_OK) status = write(context, store, &out);
  rh_store_close(store);
  fputs(rh_text_get(&out), stdout);
  rh_text_clear(&out);
  if (status == RH_OK) return 0;
  fprintf(stderr, "rehearse %s: %s%s\n", command, rh_error_message(),
          access(query->db, F_OK) == 0 ? "" : "; --db FILE names another");
  return 2;
}
