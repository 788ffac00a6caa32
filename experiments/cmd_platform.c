/* `rehearse platform FILE`: describes a platform file. SimGrid runs in a child, so no file can bring the command down.
 */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "probe_private.h"
#include "run.h"

typedef struct platform_arguments {
  const char *file, *model;
  bool json;
} platform_arguments;

enum { KEY_MODEL = RH_KEY_JSON + 1 };

static error_t parse_argument(int key, char *argument, struct argp_state *state)
{
  platform_arguments *a = state->input;
  switch (key) {
  case RH_KEY_JSON:
    a->json = true;
    return 0;
  case KEY_MODEL:
    a->model = argument;
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num > 0) argp_error(state, "one FILE at a time; '%s' is too many", argument);
    a->file = argument;
    return 0;
  case ARGP_KEY_NO_ARGS:
    argp_error(state, "which FILE?");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* Runs the child; with no_routes it leaves routes out and says why. */
static rh_status describe(const char *path, const platform_arguments *a, const char *no_routes, rh_text *out,
                          bool *at_pair)
{
  const char *argv[12] = {"rehearse", "_probe", "--describe", a->json ? "json" : "text"};
  int argc = 4;
  if (a->model) {
    argv[argc++] = "--model";
    argv[argc++] = a->model;
  }
  if (no_routes) {
    argv[argc++] = "--no-routes";
    argv[argc++] = no_routes;
  }
  argv[argc++] = "--";
  argv[argc] = path;
  return rh_probe_run(path, argv, out, at_pair);
}

static rh_status describe_file(const platform_arguments *a, rh_text *out)
{
  rh_status status = RH_OK;
  char *path = NULL, *reason = NULL;
  bool at_pair;
  RH_TRY(rh_find_file(a->file, "", "platforms", &path));
  status = describe(path, a, NULL, out, &at_pair);
  if (status != RH_OK && at_pair) {
    /* SimGrid ended the child at a pair without a route: all the rest can still be told */
    const char *message = rh_error_message();
    size_t prefix = strlen(path);
    if (strncmp(message, path, prefix) == 0 && strncmp(message + prefix, ": ", 2) == 0) message += prefix + 2;
    reason = rh_text_duplicate(message);
    rh_text_clear(out);
    status = describe(path, a, reason, out, &at_pair);
  }
done:
  free(reason);
  free(path);
  return status;
}

int rh_cmd_platform(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"json", RH_KEY_JSON, NULL, 0, "print JSON", 0},
      {"model", KEY_MODEL, "NAME", 0, "the network model, in place of the file's: CM02, LV08 or SMPI", 0},
      {0}};
  static const struct argp parser = {
      .options = options,
      .parser = parse_argument,
      .args_doc = "FILE",
      .doc =
          "Describe a platform file: its network model, hosts, speeds, zones, links and routes.\v"
          "FILE is looked for here and in the platforms that come with rehearse. Exit status: 0, or 2 with the reason "
          "why the file cannot be used."};
  platform_arguments arguments = {0};
  rh_text out = {0};
  argp_parse(&parser, argc, argv, 0, NULL, &arguments);
  rh_status status = describe_file(&arguments, &out);
  if (status == RH_OK)
    fputs(rh_text_get(&out), stdout);
  else
    fprintf(stderr, "rehearse platform: %s\n", rh_error_message());
  rh_text_clear(&out);
  return status == RH_OK ? 0 : 2;
}
