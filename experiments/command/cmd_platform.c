/* `rehearse platform FILE`: describes and draws a platform file. SimGrid runs in a child, so no file can bring the
 * command down. With -g it writes one instead. */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "output_file.h"
#include "platform_command.h"
#include "probe_private.h"
#include "run.h"

#define WORDS 32 /* most arguments without a dash */

typedef struct platform_arguments {
  const char *file, *model, *svg, *kind, *output;
  const char *words[WORDS]; /* the FILE, or key=value with -g */
  size_t count;
  bool json;
} platform_arguments;

enum { KEY_MODEL = RH_KEY_JSON + 1, KEY_SVG };

static void check_arguments(platform_arguments *a, struct argp_state *state)
{
  if (a->kind) {
    if (a->json || a->model || a->svg) argp_error(state, "-g writes a file: --json, --model and --svg describe one");
    return;
  }
  if (a->output) argp_error(state, "-o is for -g KIND; a drawing goes to --svg FILE");
  if (a->count == 0) argp_error(state, "which FILE?");
  if (a->count > 1) argp_error(state, "one FILE at a time; '%s' is too many", a->words[1]);
  a->file = a->words[0];
}

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
  case KEY_SVG:
    a->svg = argument;
    return 0;
  case 'g':
    a->kind = argument;
    return 0;
  case 'o':
    a->output = argument;
    return 0;
  case ARGP_KEY_ARG:
    if (a->count == WORDS) argp_error(state, "'%s' is too many", argument);
    a->words[a->count++] = argument;
    return 0;
  case ARGP_KEY_END:
    check_arguments(a, state);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* Runs the child; with no_routes it leaves routes out and says why. */
static rh_status describe(const char *path, const platform_arguments *a, const char *how, const char *no_routes,
                          rh_text *out, bool *at_pair)
{
  const char *argv[12] = {"rehearse", "_probe", "--describe", how};
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

/* As text, JSON or SVG. A pair without a route ends the child: then all but the routes is still told. */
static rh_status describe_file(const char *path, const platform_arguments *a, const char *how, rh_text *out)
{
  bool at_pair;
  rh_status status = describe(path, a, how, NULL, out, &at_pair);
  if (status == RH_OK || !at_pair) return status;
  const char *message = rh_error_message();
  size_t prefix = strlen(path);
  if (strncmp(message, path, prefix) == 0 && strncmp(message + prefix, ": ", 2) == 0) message += prefix + 2;
  char *reason = rh_text_duplicate(message);
  rh_text_clear(out);
  status = describe(path, a, how, reason, out, &at_pair);
  free(reason);
  return status;
}

static rh_status draw_file(const char *path, const platform_arguments *a)
{
  rh_text svg = {0};
  rh_status status = RH_OK;
  RH_TRY(describe_file(path, a, "svg", &svg));
  status = rh_output_file_write(a->svg, rh_text_get(&svg), svg.length);
done:
  rh_text_clear(&svg);
  return status;
}

static rh_status describe_and_draw(const platform_arguments *a, rh_text *out)
{
  rh_status status = RH_OK;
  char *path = NULL;
  RH_TRY(rh_find_file(a->file, "", "platforms", &path));
  RH_TRY(describe_file(path, a, a->json ? "json" : "text", out));
  if (a->svg) RH_TRY(draw_file(path, a));
done:
  free(path);
  return status;
}

/* The kinds of -g go below the options. */
static char *add_help(int key, const char *text, void *input)
{
  (void)input;
  return key == ARGP_KEY_HELP_EXTRA ? rh_platform_generate_help() : (char *)text;
}

int rh_cmd_platform(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"json", RH_KEY_JSON, NULL, 0, "print JSON", 0},
      {"model", KEY_MODEL, "NAME", 0, "the network model, in place of the file's: CM02, LV08 or SMPI", 0},
      {"svg", KEY_SVG, "FILE", 0, "draw it, too", 0},
      {"generate", 'g', "KIND", 0, "write a platform file of this kind; KEY=VALUE change what is below", 1},
      {"output", 'o', "FILE.xml", 0, "where -g writes; - prints", 1},
      {0}};
  static const struct argp parser = {
      .options = options,
      .parser = parse_argument,
      .args_doc = "FILE\n-g KIND [KEY=VALUE...] -o FILE.xml",
      .doc =
          "Describe a platform file: its network model, hosts, speeds, zones, links, routes, bisection and the closed "
          "form of an all-reduce. Or write one.\v"
          "FILE is looked for here and in the platforms that come with rehearse. Exit status: 0, or 2 with the reason "
          "why the file cannot be used or written.",
      .help_filter = add_help};
  platform_arguments arguments = {0};
  rh_text out = {0};
  argp_parse(&parser, argc, argv, 0, NULL, &arguments);
  rh_status status = arguments.kind
                         ? rh_platform_generate(arguments.kind, arguments.count, arguments.words, arguments.output)
                         : describe_and_draw(&arguments, &out);
  if (status == RH_OK)
    fputs(rh_text_get(&out), stdout);
  else
    fprintf(stderr, "rehearse platform: %s\n", rh_error_message());
  rh_text_clear(&out);
  return status == RH_OK ? 0 : 2;
}
