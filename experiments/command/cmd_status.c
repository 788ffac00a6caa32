/* rehearse status DIR: how the tasks of a planned study stand. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "plan_folder.h"

typedef struct arguments {
  const char *folder;
  bool json;
} arguments;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case RH_KEY_JSON:
    a->json = true;
    return 0;
  case ARGP_KEY_ARG:
    if (a->folder) argp_error(state, "one folder at a time, not '%s' as well", arg);
    a->folder = arg;
    return 0;
  case ARGP_KEY_NO_ARGS:
    argp_error(state, "which folder? Give one that `rehearse plan` made");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const char *const states[] = {"done", "running", "failed", "missing", "damaged"};
enum { STATES = 5, FAILED = 2, DAMAGED = 4 };

typedef struct tally {
  int64_t count[STATES];
  rh_text indices[STATES]; /* "3, 7-9" */
  int64_t first[STATES], last[STATES];
  rh_text reasons; /* a line per task that failed, or whose files cannot be read */
} tally;

static void append_span(tally *t, int s)
{
  if (t->last[s] == 0) return;
  rh_text_append(&t->indices[s], "%s%" PRId64, t->indices[s].length ? "," : "", t->first[s]);
  if (t->last[s] > t->first[s]) rh_text_append(&t->indices[s], "-%" PRId64, t->last[s]);
}

static void add(tally *t, int s, int64_t index)
{
  t->count[s]++;
  if (t->last[s] == 0 || index != t->last[s] + 1) {
    append_span(t, s);
    t->first[s] = index;
  }
  t->last[s] = index;
}

static void append_json(const char *id, int64_t index, int s, const char *reason, rh_text *out)
{
  rh_text_append(out, "%s{\"index\": %" PRId64 ", \"id\": ", index > 1 ? ",\n " : "", index);
  rh_text_append_json(out, id);
  rh_text_append(out, ", \"status\": \"%s\", \"reason\": ", states[s]);
  rh_text_append_json(out, reason);
  rh_text_append(out, "}");
}

/* A file that cannot be read is one more state: the others are looked at all the same. */
static void look(const rh_folder *folder, bool json, tally *t, rh_text *out)
{
  for (int64_t index = 1; index <= folder->count; index++) {
    rh_task task;
    const char *state = "";
    char *reason = NULL;
    rh_status status = rh_folder_task(folder, index, &task);
    if (status == RH_OK) status = rh_folder_state(folder, index, task.run.id, &state, &reason);
    if (status != RH_OK) {
      free(reason);
      reason = rh_text_duplicate(rh_error_message());
      state = states[DAMAGED];
    }
    int s = 0;
    while (strcmp(states[s], state) != 0)
      s++;
    const bool has_reason = s == FAILED || s == DAMAGED;
    add(t, s, index);
    if (has_reason) rh_text_append(&t->reasons, "%" PRId64 ": %s\n", index, reason);
    if (json) append_json(task.run.id[0] ? task.run.id : NULL, index, s, has_reason ? reason : NULL, out);
    free(reason);
    rh_task_clear(&task);
  }
}

static void write_tally(tally *t, rh_text *out)
{
  for (int s = 0; s < STATES; s++) {
    append_span(t, s);
    if (s == DAMAGED && t->count[s] == 0) continue; /* rare */
    rh_text_append(out, "%-8s %" PRId64, states[s], t->count[s]);
    if (t->count[s] > 0 && s > 0) rh_text_append(out, "  (%s)", rh_text_get(&t->indices[s]));
    rh_text_append(out, "\n");
  }
  if (t->reasons.length) rh_text_append(out, "\n%s", rh_text_get(&t->reasons));
}

int rh_cmd_status(int argc, char **argv)
{
  static const struct argp_option options[] = {{"json", RH_KEY_JSON, 0, 0, "print a JSON array", 0}, {0}};
  static const struct argp parser = {
      options,
      parse_option,
      "DIR",
      "How the tasks of a planned study stand: done, running, failed, missing (interrupted "
      "ones, too).\vThe numbers in parentheses can be given to sbatch --array. "
      "A result that cannot be read is listed as damaged, with the reason; move it away, and its task runs again. "
      "Exit status: 0, or 1 if a task failed or is damaged.",
      NULL,
      NULL,
      NULL};
  arguments a = {0};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_folder folder;
  rh_text out = {0};
  tally t = {0};
  rh_status status = rh_folder_open(a.folder, &folder);
  if (a.json) rh_text_append(&out, "[");
  if (status == RH_OK) look(&folder, a.json, &t, &out);
  if (a.json) rh_text_append(&out, "]\n");
  if (status == RH_OK && !a.json) write_tally(&t, &out);
  if (status == RH_OK)
    fputs(rh_text_get(&out), stdout);
  else
    fprintf(stderr, "rehearse status: %s\n", rh_error_message());
  for (int s = 0; s < STATES; s++)
    rh_text_clear(&t.indices[s]);
  rh_text_clear(&t.reasons);
  rh_text_clear(&out);
  rh_folder_clear(&folder);
  return status != RH_OK ? 2 : t.count[FAILED] + t.count[DAMAGED] > 0 ? 1 : 0;
}
