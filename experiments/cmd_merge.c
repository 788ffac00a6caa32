/* rehearse merge FILE... -o FILE [--json] */
#include <argp.h>
#include <stdio.h>

#include "commands.h"
#include "store.h"

typedef struct arguments {
  const char *into;
  char **from; /* [count] of argv */
  int count;
  bool json;
} arguments;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 'o':
    a->into = arg;
    return 0;
  case RH_KEY_JSON:
    a->json = true;
    return 0;
  case ARGP_KEY_ARGS:
    a->from = state->argv + state->next;
    a->count = state->argc - state->next;
    return 0;
  case ARGP_KEY_NO_ARGS:
    argp_error(state, "no database given");
    return 0;
  case ARGP_KEY_END:
    if (!a->into) argp_error(state, "no database to merge into; name it with -o FILE");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* All files are looked at before the first is merged: a wrong name among many changes nothing. */
static rh_status check_all(const arguments *a)
{
  for (int i = 0; i < a->count; i++) {
    rh_store *store;
    rh_status status = rh_store_open(a->from[i], RH_STORE_READ, &store);
    if (status != RH_OK) return status;
    rh_store_close(store);
  }
  return RH_OK;
}

static void report(const arguments *a, int i, int merged, int skipped, rh_text *out)
{
  if (a->json) {
    rh_text_append(out, "%s{\"file\": ", i ? ", " : "");
    rh_text_append_json(out, a->from[i]);
    rh_text_append(out, ", \"merged\": %d, \"skipped\": %d}", merged, skipped);
  } else {
    rh_text_append(out, "%s: %d run%s merged, %d there already\n", a->from[i], merged, merged == 1 ? "" : "s", skipped);
  }
}

static rh_status merge(const arguments *a, rh_text *out)
{
  rh_store *store = NULL;
  rh_status status;
  RH_TRY(check_all(a));
  RH_TRY(rh_store_open(a->into, RH_STORE_WRITE, &store));
  if (a->json) {
    rh_text_append(out, "{\"into\": ");
    rh_text_append_json(out, a->into);
    rh_text_append(out, ", \"files\": [");
  }
  for (int i = 0; i < a->count; i++) {
    int merged, skipped;
    RH_TRY(rh_store_merge(store, a->from[i], &merged, &skipped));
    report(a, i, merged, skipped, out);
  }
  if (a->json) rh_text_append(out, "]}\n");
  status = rh_store_close(store);
  store = NULL;
done:
  rh_store_close(store);
  return status;
}

int rh_cmd_merge(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"output", 'o', "FILE", 0, "database to merge into; made if it is not there", 0},
      {"json", RH_KEY_JSON, 0, 0, "print a JSON object", 0},
      {0}};
  static const struct argp parser = {options,
                                     parse_option,
                                     "FILE... -o FILE",
                                     "Copies the runs of databases into one. A run that is there and done is left "
                                     "alone, so merging twice does no harm.",
                                     NULL,
                                     NULL,
                                     NULL};
  arguments a = {0};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_text out = {0};
  rh_status status = merge(&a, &out);
  if (status == RH_OK || !a.json) fputs(rh_text_get(&out), stdout); /* half a JSON object helps nobody */
  rh_text_clear(&out);
  if (status == RH_OK) return 0;
  fprintf(stderr, "rehearse merge: %s\n", rh_error_message());
  return 2;
}
