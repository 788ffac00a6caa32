/* rehearse report [RUN...] [--db FILE] [--study NAME] [--target-accuracy A] -o FILE.html */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "output_file.h"
#include "report.h"

typedef struct arguments {
  const char *db, *output;
  const char **runs; /* [count] owned list of borrowed texts */
  rh_report_def def;
} arguments;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  char *end;
  switch (key) {
  case 'd':
    a->db = arg;
    return 0;
  case 's':
    a->def.study = arg;
    return 0;
  case 'o':
    a->output = arg;
    return 0;
  case 't':
    a->def.target_accuracy = strtod(arg, &end);
    if (end == arg || *end || !(a->def.target_accuracy > 0 && a->def.target_accuracy <= 1))
      argp_error(state, "--target-accuracy %s: a number from 0 to 1 is needed, such as 0.9", arg);
    return 0;
  case ARGP_KEY_ARG:
    a->runs[a->def.run_count++] = arg;
    return 0;
  case ARGP_KEY_END:
    if (!a->output) argp_error(state, "-o FILE.html is missing: where the page goes");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static rh_status report(const arguments *a, rh_text *page)
{
  rh_store *store = NULL;
  rh_status status;
  RH_TRY(rh_store_open(a->db, RH_STORE_READ, &store));
  RH_TRY(rh_report_write(store, &a->def, page));
  status = rh_output_file_write(a->output, rh_text_get(page), page->length);
done:
  rh_store_close(store);
  return status;
}

/* How the page is made again, for a shell. */
static void write_command(int argc, char **argv, rh_text *out)
{
  rh_text_append(out, "rehearse report");
  for (int i = 1; i < argc; i++) {
    const bool plain = argv[i][0] && strspn(argv[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                     "-_./=:,+%@") == strlen(argv[i]);
    rh_text_append(out, plain ? " " : " '");
    for (const char *at = argv[i]; *at; at++)
      rh_text_append(out, *at == '\'' ? "'\\''" : "%c", *at);
    rh_text_append(out, plain ? "" : "'");
  }
}

int rh_cmd_report(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"output", 'o', "FILE", 0, "the page, one HTML file that needs nothing beside it", 0},
      {"db", 'd', "FILE", 0, "database (default rehearse.db)", 0},
      {"study", 's', "NAME", 0, "runs of this study only", 0},
      {"target-accuracy", 't', "A", 0, "time and bytes until this test accuracy, 0..1 (default: the runs' own target)",
       0},
      {0}};
  static const struct argp parser = {
      options,
      parse_option,
      "[RUN...]",
      "Writes a page on a study, or on some of its runs (beginnings of their ids, as 'rehearse list' shows them): the "
      "answer in words, curves, time and bytes to the target, where the time went, the network, how to repeat it.",
      NULL,
      NULL,
      NULL};
  rh_text command = {0}, page = {0};
  arguments a = {.db = "rehearse.db", .def = {.target_accuracy = NAN}};
  a.runs = calloc((size_t)argc + 1, sizeof *a.runs);
  RH_ASSERT(a.runs && "memory is exhausted");
  a.def.runs = a.runs;
  write_command(argc, argv, &command); /* argp puts the arguments into another order */
  a.def.command = rh_text_get(&command);
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_status status = report(&a, &page);
  if (status == RH_OK) printf("%s: %.1f MB\n", a.output, (double)page.length / 1e6);
  rh_text_clear(&page);
  rh_text_clear(&command);
  free(a.runs);
  if (status == RH_OK) return 0;
  fprintf(stderr, "rehearse report: %s\n", rh_error_message());
  return 2;
}
