/* rehearse merge FILE... -o FILE [--json] */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "plan_folder.h"

typedef struct arguments {
  const char *into;
  char **given; /* [given_count] of argv */
  int given_count;
  char **from; /* [count] databases: those given, and the results in folders that are; owned */
  int count;
  int refused; /* that are no database of ours, or a damaged one */
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
    a->given = state->argv + state->next;
    a->given_count = state->argc - state->next;
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

static void add_file(arguments *a, const char *path)
{
  a->from = realloc(a->from, ((size_t)a->count + 1) * sizeof *a->from);
  RH_ASSERT(a->from && "memory is exhausted");
  a->from[a->count++] = rh_text_duplicate(path);
}

/* The results of a planned study that are there. */
static rh_status add_folder(arguments *a, const char *path)
{
  rh_folder folder;
  rh_status status = rh_folder_open(path, &folder);
  const int before = a->count;
  if (status != RH_OK) return status;
  for (int64_t index = 1; index <= folder.count; index++) {
    char *result = rh_folder_file(&folder, "results", index, "db");
    if (access(result, F_OK) == 0) add_file(a, result);
    free(result);
  }
  if (a->count == before)
    status = rh_error(RH_EINVAL, "%s: none of its %lld tasks has run", path, (long long)folder.count);
  rh_folder_clear(&folder);
  return status;
}

static rh_status find_files(arguments *a)
{
  rh_status status = RH_OK;
  for (int i = 0; i < a->given_count && status == RH_OK; i++) {
    if (rh_folder_is(a->given[i]))
      status = add_folder(a, a->given[i]);
    else
      add_file(a, a->given[i]);
  }
  return status;
}

/* All names are looked at before the first is merged: a wrong one among many changes nothing. */
static rh_status check_all(const arguments *a)
{
  for (int i = 0; i < a->count; i++)
    if (access(a->from[i], R_OK) != 0) return rh_error(RH_EIO, "%s: %s", a->from[i], strerror(errno));
  return RH_OK;
}

static void report(const arguments *a, int i, int merged, int skipped, rh_text *out)
{
  if (a->json) {
    rh_text_append(out, "%s{\"file\": ", i ? ", " : "");
    rh_text_append_json(out, a->from[i]);
    rh_text_append(out, ", \"merged\": %d, \"skipped\": %d, \"reason\": null}", merged, skipped);
  } else {
    rh_text_append(out, "%s: %d run%s merged, %d there already\n", a->from[i], merged, merged == 1 ? "" : "s", skipped);
  }
}

/* A file that is not merged, and why. */
static void report_refused(arguments *a, int i, rh_text *out)
{
  a->refused++;
  fprintf(stderr, "rehearse merge: not merged: %s\n", rh_error_message());
  if (!a->json) return;
  rh_text_append(out, "%s{\"file\": ", i ? ", " : "");
  rh_text_append_json(out, a->from[i]);
  rh_text_append(out, ", \"merged\": 0, \"skipped\": 0, \"reason\": ");
  rh_text_append_json(out, rh_error_message());
  rh_text_append(out, "}");
}

/* Whether a file is a database of ours, before there is one to merge it into. */
static rh_status check_source(const char *from)
{
  rh_store *source;
  const rh_status status = rh_store_open(from, RH_STORE_READ, &source);
  if (status == RH_OK) rh_store_close(source);
  return status;
}

static rh_status merge(arguments *a, rh_text *out)
{
  rh_store *store = NULL;
  rh_status status;
  RH_TRY(check_all(a));
  if (a->json) {
    rh_text_append(out, "{\"into\": ");
    rh_text_append_json(out, a->into);
    rh_text_append(out, ", \"files\": [");
  }
  for (int i = 0; i < a->count; i++) {
    int merged, skipped;
    status = check_source(a->from[i]);
    if (status == RH_OK && !store) RH_TRY(rh_store_open(a->into, RH_STORE_WRITE, &store));
    if (status == RH_OK) status = rh_store_merge(store, a->from[i], &merged, &skipped);
    if (status == RH_OK)
      report(a, i, merged, skipped, out);
    else if (status == RH_EFORMAT || status == RH_EINVAL)
      report_refused(a, i, out); /* nothing of it was taken */
    else
      goto done;
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
                                     "FILE|DIR... -o FILE",
                                     "Copies the runs of databases, and of folders that `rehearse plan` made, into "
                                     "one. A run that is there and done is left "
                                     "alone, so merging twice does no harm.\vA file that is damaged, or none of "
                                     "ours, is named with the reason, nothing of it is taken, and the others are "
                                     "merged. Exit status: 0, 1 if there was such a file, 2 bad usage or input.",
                                     NULL,
                                     NULL,
                                     NULL};
  arguments a = {0};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_text out = {0};
  rh_status status = find_files(&a);
  if (status == RH_OK) status = merge(&a, &out);
  for (int i = 0; i < a.count; i++)
    free(a.from[i]);
  free(a.from);
  if (status == RH_OK || !a.json) fputs(rh_text_get(&out), stdout); /* half a JSON object helps nobody */
  rh_text_clear(&out);
  if (status == RH_OK) return a.refused > 0 ? 1 : 0;
  fprintf(stderr, "rehearse merge: %s\n", rh_error_message());
  return 2;
}
