/* rehearse show RUN [--db FILE] [--json] */
#include <argp.h>
#include <stdio.h>

#include "commands.h"
#include "store.h"

typedef struct arguments {
  const char *db, *run;
  bool json;
} arguments;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 'd':
    a->db = arg;
    return 0;
  case RH_KEY_JSON:
    a->json = true;
    return 0;
  case ARGP_KEY_ARG:
    if (a->run) argp_error(state, "one run at a time, not '%s' as well", arg);
    a->run = arg;
    return 0;
  case ARGP_KEY_NO_ARGS:
    argp_error(state, "no run given; 'rehearse list' lists them");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static rh_status show(const arguments *a, rh_text *out)
{
  rh_store *store = NULL;
  rh_status status;
  RH_TRY(rh_store_open(a->db, RH_STORE_READ, &store));
  status = rh_show_write(store, a->run, a->json, out);
done:
  rh_store_close(store);
  return status;
}

int rh_cmd_show(int argc, char **argv)
{
  static const struct argp_option options[] = {{"db", 'd', "FILE", 0, "database (default rehearse.db)", 0},
                                               {"json", RH_KEY_JSON, 0, 0, "print a JSON object", 0},
                                               {0}};
  static const struct argp parser = {
      options, parse_option, "RUN", "Shows everything that is known of one run. RUN is its id or the beginning of it.",
      NULL,    NULL,         NULL};
  arguments a = {.db = "rehearse.db"};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_text out = {0};
  rh_status status = show(&a, &out);
  fputs(rh_text_get(&out), stdout);
  rh_text_clear(&out);
  if (status == RH_OK) return 0;
  fprintf(stderr, "rehearse show: %s\n", rh_error_message());
  return 2;
}
