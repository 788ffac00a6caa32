/* rehearse export [RUN...] --format csv|jsonl|chrome-trace|npz [--table NAME] [-o FILE] [--db FILE] */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "export.h"
#include "output_file.h"

static const char *const formats[] = {"csv", "jsonl", "chrome-trace", "npz"};
enum { CSV, JSONL, CHROME_TRACE, NPZ, FORMATS };

typedef struct arguments {
  const char *db, *table, *file; /* file NULL: the standard output */
  int format;
  char **runs; /* as given; borrowed */
  int run_count;
} arguments;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 'd':
    a->db = arg;
    return 0;
  case 't':
    a->table = arg;
    return 0;
  case 'o':
    a->file = strcmp(arg, "-") == 0 ? NULL : arg;
    return 0;
  case 'f':
    for (a->format = 0; a->format < FORMATS && strcmp(formats[a->format], arg) != 0;)
      a->format++;
    if (a->format == FORMATS) argp_error(state, "no format '%s'; one of: csv, jsonl, chrome-trace, npz", arg);
    return 0;
  case ARGP_KEY_ARGS:
    a->runs = state->argv + state->next;
    a->run_count = state->argc - state->next;
    return 0;
  case ARGP_KEY_END:
    if (a->table && a->format >= CHROME_TRACE)
      argp_error(state, "--table is for csv and jsonl: %s has no tables", formats[a->format]);
    if (a->format == NPZ && !a->file) argp_error(state, "npz is binary: name a file with -o FILE.npz");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static rh_status write_export(const arguments *a, rh_store *store, const rh_export_runs *runs, FILE *out,
                              rh_text *notes)
{
  if (a->format == CHROME_TRACE) return rh_export_trace(store, runs, out, notes);
  if (a->format == NPZ) return rh_export_arrays(store, runs, out);
  return rh_export_table(store, a->table ? a->table : "rounds", runs,
                         a->format == CSV ? RH_EXPORT_CSV : RH_EXPORT_JSONL, isatty(fileno(out)) == 1, out);
}

/* Into a file beside the one named, which takes its place when it is complete. */
static rh_status write_file(const arguments *a, rh_store *store, const rh_export_runs *runs, rh_text *notes)
{
  rh_output_file output;
  rh_status status = rh_output_file_begin(a->file, &output);
  if (status != RH_OK) return status;
  return rh_output_file_end(&output, write_export(a, store, runs, output.file, notes));
}

static rh_status export(const arguments *a, rh_text *notes)
{
  rh_store *store = NULL;
  char **ids = calloc((size_t)a->run_count + 1, sizeof *ids);
  RH_ASSERT(ids != NULL);
  rh_status status;
  RH_TRY(rh_store_open(a->db, RH_STORE_READ, &store));
  for (int i = 0; i < a->run_count; i++)
    RH_TRY(rh_store_find_run(store, a->runs[i], &ids[i]));
  const rh_export_runs runs = {.ids = (const char *const *)ids, .count = a->run_count};
  status = a->file ? write_file(a, store, &runs, notes) : write_export(a, store, &runs, stdout, notes);
done:
  for (int i = 0; i < a->run_count; i++)
    free(ids[i]);
  free(ids);
  rh_store_close(store);
  return status;
}

int rh_cmd_export(int argc, char **argv)
{
  static const struct argp_option options[] = {
      {"db", 'd', "FILE", 0, "database (default rehearse.db)", 0},
      {"format", 'f', "FORMAT", 0,
       "csv (default) or jsonl: the rows of a table; chrome-trace: what happened when, for ui.perfetto.dev; npz: "
       "curves "
       "and matrices for numpy.load",
       0},
      {"table", 't', "NAME", 0,
       "of csv and jsonl: a table or view (default rounds); analysis/README.md describes them, and a wrong name lists "
       "them",
       0},
      {"output", 'o', "FILE", 0, "write to this file (default: standard output)", 0},
      {0}};
  static const struct argp parser = {options,
                                     parse_option,
                                     "[RUN...]",
                                     "Writes what is known of runs for other tools. RUN is an id or the beginning of "
                                     "one; without any, all runs.\v"
                                     "A trace has tracks of ranks and arrows for messages only of the rounds that "
                                     "the study's run.trace names.",
                                     NULL,
                                     NULL,
                                     NULL};
  arguments a = {.db = "rehearse.db"};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_text notes = {0};
  const rh_status status = export(&a, &notes);
  fputs(rh_text_get(&notes), stderr);
  rh_text_clear(&notes);
  if (status == RH_OK) return 0;
  fprintf(stderr, "rehearse export: %s\n", rh_error_message());
  return 2;
}
