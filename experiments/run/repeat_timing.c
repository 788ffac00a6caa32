#include "repeat_timing.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "profile_file.h"
#include "replay.h"
#include "task.h"

/* A run of the plan, and what came of its draws. */
typedef struct subject {
  const rh_plan_entry *entry;
  double target;      /* accuracy; 0: none, or never reached */
  int64_t round;      /* whose time is drawn */
  double seconds;     /* as the run has it */
  int64_t wire_bytes; /* up to that round */
  char *why;          /* the mathematics is done again; owned; NULL: it is not */
  double *drawn_s;    /* [draws] owned */
} subject;

typedef struct session {
  rh_execution *e;
  int draws;
  char folder[256];
  subject *list; /* [count] owned */
  size_t count;
} session;

rh_status rh_repeat_timing_check(const rh_plan *plan)
{
  for (size_t i = 0; i < plan->count; i++)
    if (plan->list[i].run.time.jitter_kind != RH_JITTER_OFF) return RH_OK;
  return rh_error(RH_EINVAL,
                  "--repeat-timing draws durations anew, and time.jitter is off in all runs: set it to measured, "
                  "or to a coefficient of variation such as 0.1");
}

static char *path_of(const session *s, size_t task, const char *suffix)
{
  rh_text path = {0};
  rh_text_append(&path, "%s/%zu.%s", s->folder, task, suffix);
  return path.data;
}

/* The runs that are done, and the round that counts. */
static rh_status collect(session *s)
{
  rh_status status = RH_OK;
  s->list = calloc(s->e->plan->count, sizeof *s->list);
  RH_ASSERT(s->list && "memory is exhausted");
  for (size_t i = 0; i < s->e->plan->count; i++) {
    const rh_plan_entry *entry = &s->e->plan->list[i];
    char state[16];
    if (entry->run.time.jitter_kind == RH_JITTER_OFF) continue;
    RH_TRY(rh_store_run_status(s->e->store, entry->run.id, state, sizeof state));
    if (strcmp(state, "done") != 0) continue;
    subject *u = &s->list[s->count++];
    *u = (subject){.entry = entry, .drawn_s = calloc((size_t)s->draws, sizeof *u->drawn_s)};
    RH_ASSERT(u->drawn_s && "memory is exhausted");
    rh_reached reached = {INFINITY, INFINITY, INFINITY};
    if (entry->run.stop.accuracy > 0)
      RH_TRY(rh_store_reached(s->e->store, entry->run.id, entry->run.stop.accuracy, &reached));
    const bool there = isfinite(reached.rounds);
    u->target = there ? entry->run.stop.accuracy : 0;
    u->round = there ? (int64_t)reached.rounds : 0; /* 0: the last */
    RH_TRY(rh_store_round_end(s->e->store, entry->run.id, &u->round, &u->seconds, &u->wire_bytes));
  }
done:
  return status;
}

/* The run's settings with another drawing, from durations that are known. */
static rh_status resolve(const rh_run *run, const char *lines, const char *profile, int draw, bool values,
                         rh_run *again)
{
  rh_settings settings = {0};
  char number[24];
  rh_task_read_lines(lines, "repeated", &settings);
  snprintf(number, sizeof number, "%" PRId64, (run->time.draw + draw) % 65536);
  rh_settings_set(&settings, "time.draw", number, "--repeat-timing", "");
  rh_settings_set(&settings, "run.save", "", "--repeat-timing", "");
  rh_settings_set(&settings, "run.trace", "", "--repeat-timing", "");
  if (profile) {
    rh_settings_set(&settings, "time.source", "profile", "--repeat-timing", "");
    rh_settings_set(&settings, "time.profile", profile, "--repeat-timing", "");
  }
  if (!values) {
    rh_settings_set(&settings, "run.compute", "none", "--repeat-timing", "");
    rh_settings_set(&settings, "stop.accuracy", "0", "--repeat-timing", "");
  }
  rh_status status = rh_run_resolve(&settings, run->study, run->question, run->directory, again);
  rh_settings_clear(&settings);
  if (status == RH_OK) snprintf(again->id, sizeof again->id, "%s", run->id);
  return status;
}

/* Why it needs values again, without its place. */
static char *reason(void)
{
  const char *message = rh_error_message(), *colon = strstr(message, ": ");
  rh_text why = {0};
  if (colon) message = colon + 2;
  rh_text_append_bytes(&why, message, strcspn(message, "\n"));
  return why.data;
}

static rh_status start(void *context, size_t task, rh_process *process)
{
  session *s = context;
  subject *u = &s->list[task / (size_t)s->draws];
  rh_status status = RH_OK;
  rh_run again = {0};
  rh_profile charged;
  char *path = path_of(s, task, "task"), *store = path_of(s, task, "db"), *profile = NULL;
  const char *argv[] = {"rehearse", "_execute", path, NULL};
  const int draw = (int)(task % (size_t)s->draws) + 1;
  rh_plan_charged(u->entry, s->e->profile, &charged);
  rh_profile_set_backend(&charged);
  if (charged.count > 0) {
    profile = path_of(s, task, "json");
    RH_TRY(rh_profile_write_file(&charged, profile));
  }
  if (!u->why && resolve(&u->entry->run, u->entry->lines, profile, draw, false, &again) != RH_OK) u->why = reason();
  if (u->why) RH_TRY(resolve(&u->entry->run, u->entry->lines, profile, draw, true, &again));
  RH_TRY(rh_task_write(&again, store, profile, "rehearse run --repeat-timing", path));
  RH_TRY(rh_process_start(argv, -1, process));
done:
  rh_profile_clear(&charged);
  rh_run_clear(&again);
  free(path);
  free(store);
  free(profile);
  return status;
}

static void ignore_line(void *context, size_t task, const char *line)
{
  (void)context, (void)task, (void)line;
}

static void remove_files(const session *s, size_t task)
{
  static const char *const suffixes[] = {"task", "json", "db", "db-wal", "db-shm"};
  for (size_t i = 0; i < RH_COUNT(suffixes); i++) {
    char *path = path_of(s, task, suffixes[i]);
    unlink(path);
    free(path);
  }
}

static rh_status end(void *context, size_t task, int exit_code, const char *err)
{
  session *s = context;
  subject *u = &s->list[task / (size_t)s->draws];
  rh_status status = RH_OK;
  rh_store *store = NULL;
  char *path = path_of(s, task, "db");
  int64_t wire_bytes = 0;
  if (rh_children_interrupted()) goto done;
  if (exit_code != 0) {
    status = rh_error(RH_EINVAL, "a repetition of run %s failed: %s", u->entry->run.id, err);
    goto done;
  }
  RH_TRY(rh_store_open(path, RH_STORE_READ, &store));
  RH_TRY(rh_store_round_end(store, u->entry->run.id, &u->round, &u->drawn_s[task % (size_t)s->draws], &wire_bytes));
  if (wire_bytes != u->wire_bytes)
    status =
        rh_error(RH_EINVAL, "a repetition of run %s sent %" PRId64 " bytes in %" PRId64 " rounds, and the run %" PRId64,
                 u->entry->run.id, wire_bytes, u->round, u->wire_bytes);
done:
  rh_store_close(store);
  remove_files(s, task);
  free(path);
  return status;
}

static void write_one(const session *s, const subject *u, bool json, rh_text *out)
{
  static const double shares[] = {0, 0.05, 0.5, 0.95, 1};
  static const char *const keys[] = {"least_s", "low_s", "median_s", "high_s", "largest_s"};
  double q[RH_COUNT(shares)];
  char text[RH_COUNT(shares) + 1][32];
  rh_text label = {0};
  gsl_sort(u->drawn_s, 1, (size_t)s->draws);
  for (size_t i = 0; i < RH_COUNT(shares); i++) {
    q[i] = gsl_stats_quantile_from_sorted_data(u->drawn_s, 1, (size_t)s->draws, shares[i]);
    rh_unit_format(q[i], RH_UNIT_SECOND, text[i], sizeof text[i]);
  }
  rh_unit_format(u->seconds, RH_UNIT_SECOND, text[RH_COUNT(shares)], sizeof text[0]);
  rh_plan_label(u->entry, &label);
  if (json) {
    rh_text_append(out,
                   "{\"id\": \"%s\", \"draws\": %d, \"round\": %" PRId64 ", \"target_accuracy\": ", u->entry->run.id,
                   s->draws, u->round);
    rh_text_append_json_number(out, u->target > 0 ? u->target : (double)NAN);
    rh_text_append(out, ", \"seconds\": ");
    rh_text_append_json_number(out, u->seconds);
    for (size_t i = 0; i < RH_COUNT(shares); i++) {
      rh_text_append(out, ", \"%s\": ", keys[i]);
      rh_text_append_json_number(out, q[i]);
    }
    rh_text_append(out, ", \"mathematics_again\": ");
    rh_text_append_json(out, u->why);
    rh_text_append(out, "}");
  } else {
    rh_text_append(out, "  %s: %s in round %" PRId64 ": %s; nine draws in ten %s .. %s, median %s, all %s .. %s\n",
                   label.data, u->target > 0 ? "target" : "no target, last", u->round, text[RH_COUNT(shares)], text[1],
                   text[3], text[2], text[0], text[4]);
    if (u->why) rh_text_append(out, "    the mathematics was done again: %s\n", u->why);
  }
  rh_text_clear(&label);
}

static void write_all(const session *s, bool json, rh_text *out)
{
  if (json)
    rh_text_append(out, "[");
  else
    rh_text_append(out, "\ntime to the target accuracy with durations drawn %d times (time.jitter), values %s:\n",
                   s->draws, "as they are");
  for (size_t i = 0; i < s->count; i++) {
    if (json && i > 0) rh_text_append(out, ",\n ");
    write_one(s, &s->list[i], json, out);
  }
  if (json) rh_text_append(out, "]");
}

/* In the order of the draws: before they are sorted. */
static rh_status store_all(const session *s)
{
  rh_status status = RH_OK;
  for (size_t i = 0; i < s->count; i++) {
    const subject *u = &s->list[i];
    const rh_timing_draws draws = {u->round, s->draws, u->drawn_s, u->why};
    RH_TRY(rh_store_put_timing_draws(s->e->store, u->entry->run.id, &draws));
  }
done:
  return status;
}

static rh_status make_folder(session *s)
{
  const char *directory = getenv("TMPDIR");
  snprintf(s->folder, sizeof s->folder, "%.200s/rehearse-timing-XXXXXX", directory && *directory ? directory : "/tmp");
  if (mkdtemp(s->folder)) return RH_OK;
  rh_status status = rh_error(RH_EIO, "cannot make a temporary folder '%s'", s->folder);
  s->folder[0] = '\0';
  return status;
}

rh_status rh_repeat_timing(rh_execution *e, int draws, bool json, rh_text *out)
{
  rh_status status = RH_OK;
  session s = {.e = e, .draws = draws};
  rh_children_def def = {.jobs = e->plan->jobs, .context = &s, .start = start, .line = ignore_line, .done = end};
  RH_TRY(collect(&s));
  RH_TRY(make_folder(&s));
  fprintf(stderr, "drawing the durations of %zu run%s %d times\n", s.count, s.count == 1 ? "" : "s", draws);
  if (s.count > 0) RH_TRY(rh_children_run(&def, s.count * (size_t)draws));
  RH_TRY(store_all(&s));
  write_all(&s, json, out);
done:
  for (size_t task = 0; s.folder[0] && status != RH_OK && task < s.count * (size_t)draws; task++)
    remove_files(&s, task);
  if (s.folder[0]) rmdir(s.folder);
  for (size_t i = 0; i < s.count; i++) {
    free(s.list[i].why);
    free(s.list[i].drawn_s);
  }
  free(s.list);
  return status;
}
