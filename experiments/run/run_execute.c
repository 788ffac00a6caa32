#include "run_execute.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint.h"
#include "children.h"
#include "output_file.h"
#include "profile_file.h"
#include "run_merge.h"
#include "run_profiles.h"
#include "task.h"

/* What the callbacks of running children share. */
typedef struct session {
  rh_execution *e;
  size_t *pending; /* [count] indices of the plan's entries; owned */
  size_t count;
  rh_progress_state *state; /* [count]; owned */
  bool *active;             /* [count]; owned */
  int *lock;                /* [count] of the active ones; owned */
  bool *left;               /* [count] somebody else is at it; owned */
  size_t latest;            /* who spoke last */
  bool stopped;             /* by a failure, since that was asked for */
  rh_progress progress;
} session;

static const rh_plan_entry *entry_of(const session *s, size_t task)
{
  return &s->e->plan->list[s->pending[task]];
}

/* Where a run's checkpoints are, without what follows the dot; owned by the caller. */
static char *checkpoint_base(const rh_execution *e, const char *id)
{
  rh_text base = {0};
  rh_text_append(&base, "%s%s", e->scratch->path, id);
  return base.data;
}

static rh_status add_checkpoint(session *s, size_t task, const char *path)
{
  const rh_plan_entry *entry = entry_of(s, task);
  char *base = checkpoint_base(s->e, entry->run.id);
  const bool exists = rh_checkpoint_exists(base);
  if (exists && !s->e->resume) {
    rh_text label = {0};
    rh_plan_label(entry, &label);
    rh_progress_say(&s->progress, "%s: starts again, though it left a checkpoint; --resume goes on from there",
                    label.data);
    rh_text_clear(&label);
  }
  rh_status status = rh_task_add_checkpoint(path, base, s->e->checkpoint_s, s->e->resume && exists);
  free(base);
  return status;
}

/* Starts the process of a run under its lock. */
static rh_status start_locked(session *s, size_t task, rh_process *process)
{
  rh_status status = RH_OK;
  const rh_plan_entry *entry = entry_of(s, task);
  const char *id = entry->run.id;
  char *path = rh_scratch_path(s->e->scratch, id, "task"), *store = rh_scratch_path(s->e->scratch, id, "db");
  rh_profile charged;
  rh_plan_charged(entry, s->e->profile, &charged);
  char *profile = charged.count > 0 ? rh_scratch_path(s->e->scratch, id, "json") : NULL;
  const char *argv[] = {"rehearse", "_execute", path, NULL};
  if (profile) RH_TRY(rh_profile_write_file(&charged, profile));
  RH_TRY(rh_task_write(&entry->run, store, profile, entry->command, path));
  RH_TRY(add_checkpoint(s, task, path));
  RH_TRY(rh_process_start(argv, s->lock[task], process));
  rh_scratch_set_holder(s->lock[task], process->pid);
  s->active[task] = true;
  s->latest = task;
  s->state[task] = (rh_progress_state){.rounds = entry->run.train.rounds, .accuracy = NAN};
  s->e->recorded = s->e->ran = true;
done:
  rh_profile_clear(&charged);
  free(path);
  free(store);
  free(profile);
  return status;
}

/* A run that is not executed after all. */
static void skip(session *s, size_t task)
{
  s->progress.total--;
  s->progress.work -= entry_of(s, task)->wall_s;
}

static void leave_to(session *s, size_t task, pid_t holder)
{
  rh_text label = {0};
  rh_plan_label(entry_of(s, task), &label);
  rh_progress_say(&s->progress, "%s: process %ld is at this run and it is left to that one", label.data, (long)holder);
  rh_text_clear(&label);
  s->left[task] = true;
  skip(s, task);
}

/* Whether a run is done even if the database holds it as done: what it saves is not in there. */
static bool is_repeated(const rh_execution *e, const rh_plan_entry *entry)
{
  return e->force || entry->run.run.save[0];
}

/* Takes the run's lock, unless somebody else is at it. Under it: has somebody else finished the run in the meantime? */
static rh_status start_run(void *context, size_t task, rh_process *process)
{
  rh_status status = RH_OK;
  session *s = context;
  rh_execution *e = s->e;
  const char *id = entry_of(s, task)->run.id;
  pid_t holder;
  char state[RH_RUN_STATUS_SIZE];
  bool done = false;
  RH_TRY(rh_scratch_lock(e->scratch, id, &s->lock[task], &holder));
  if (s->lock[task] < 0) {
    leave_to(s, task, holder);
    return RH_OK;
  }
  RH_TRY(rh_merge_leftover(e->store, e->scratch, id));
  RH_TRY(rh_store_run_status(e->store, id, state, sizeof state));
  done = strcmp(state, "done") == 0 && !is_repeated(e, entry_of(s, task));
  if (done) {
    e->skipped++;
    skip(s, task);
  } else {
    status = start_locked(s, task, process);
  }
done:
  if ((status != RH_OK || done) && s->lock[task] >= 0) rh_scratch_unlock(e->scratch, id, s->lock[task]);
  return status;
}

static void take_progress(void *context, size_t task, const char *line)
{
  static const char full[] = "full ";
  session *s = context;
  rh_progress_state state;
  if (strncmp(line, full, sizeof full - 1) == 0)
    rh_progress_say(&s->progress, "%s: no space is left on its disk; waiting until there is some",
                    line + sizeof full - 1);
  if (sscanf(line, "progress %" SCNd64 " %" SCNd64 " %lf %lf", &state.round, &state.rounds, &state.accuracy,
             &state.simulated_s) != 4)
    return;
  s->state[task] = state;
  s->latest = task;
}

/* Predicted seconds that are done of the runs at work. */
static double active_work(const session *s)
{
  double work = 0;
  for (size_t i = 0; i < s->count; i++)
    if (s->active[i] && s->state[i].rounds > 0)
      work += entry_of(s, i)->wall_s * (double)s->state[i].round / (double)s->state[i].rounds;
  return work;
}

static void show_progress(void *context)
{
  session *s = context;
  if (!s->active[s->latest] || s->state[s->latest].round == 0) return;
  rh_text label = {0};
  rh_plan_label(entry_of(s, s->latest), &label);
  rh_progress_show(&s->progress, label.data, &s->state[s->latest], active_work(s));
  rh_text_clear(&label);
}

static void say_done(session *s, const rh_plan_entry *entry, const char *label)
{
  rh_run_list list = {0};
  rh_text left = {0};
  char seconds[32];
  rh_progress_append_left(&s->progress, active_work(s), &left);
  if (rh_store_list(s->e->store, NULL, entry->run.id, &list) == RH_OK && list.count == 1) {
    char accuracy[64] = "";
    if (rh_run_diverged(&list.list[0]))
      snprintf(accuracy, sizeof accuracy, ", diverged in round %" PRId64, list.list[0].rounds);
    else if (!list.list[0].timing_only)
      snprintf(accuracy, sizeof accuracy, ", accuracy %.1f %%", 100 * list.list[0].accuracy);
    rh_progress_say(&s->progress, "[%zu/%zu] %s: done%s, %s simulated, %.1f s%s", s->progress.finished,
                    s->progress.total, label, accuracy,
                    rh_unit_format(list.list[0].simulated_s, RH_UNIT_SECOND, seconds, sizeof seconds),
                    list.list[0].wall_s, s->progress.finished < s->progress.total ? rh_text_get(&left) : "");
  }
  rh_text_clear(&left);
  rh_run_list_clear(&list);
}

/* Why a run that ended did not succeed; NULL if it did. Owned by the caller. state: what its own file said. */
static char *failure_of(int exit_code, const char *err, const char *state)
{
  if (exit_code != 0)
    (void)rh_children_error(RH_EINVAL, exit_code, err, "the run's process");
  else if (strcmp(state, "done") != 0)
    (void)rh_error(RH_EIO, "the run's process ended well, but its rows are %s",
                   state[0] ? state : "not there or cannot be read");
  else
    return NULL;
  return rh_text_duplicate(rh_error_message());
}

/* Says, and records if it failed, how a run ended. reason: why it failed; NULL: it did not. */
static rh_status take_end(session *s, const rh_plan_entry *entry, const char *reason, bool interrupted)
{
  rh_status status = RH_OK;
  rh_text label = {0};
  rh_plan_label(entry, &label);
  if (reason) {
    RH_TRY(rh_merge_failure(s->e->store, entry, reason));
    s->progress.failed = ++s->e->failed;
    s->progress.work -= entry->wall_s;
    rh_progress_say(&s->progress, "[%zu/%zu] %s: failed: %s", s->progress.finished, s->progress.total, label.data,
                    reason);
  } else if (interrupted) {
    rh_progress_say(&s->progress, "[%zu/%zu] %s: interrupted, its rows are kept", s->progress.finished,
                    s->progress.total, label.data);
  } else {
    s->e->done++;
    s->progress.done += entry->wall_s;
    say_done(s, entry, label.data);
  }
done:
  rh_text_clear(&label);
  return status;
}

/* What a run that did not fail had to say: of checkpoints that could not be written or read, for example. */
static void pass_on(session *s, const char *err)
{
  static const char prefix[] = "rehearse: ", end[] = "rehearse: interrupted";
  for (const char *line = err, *next; line && *line; line = next) {
    const size_t length = strcspn(line, "\n");
    next = line[length] ? line + length + 1 : NULL;
    if (strncmp(line, prefix, sizeof prefix - 1) == 0 && strncmp(line, end, sizeof end - 1) != 0)
      rh_progress_say(&s->progress, "%.*s", (int)length, line);
  }
}

static rh_status end_run(void *context, size_t task, int exit_code, const char *err)
{
  rh_status status = RH_OK;
  session *s = context;
  const rh_plan_entry *entry = entry_of(s, task);
  char *reason = NULL, state[RH_RUN_STATUS_SIZE];
  const bool interrupted = exit_code == 3 || (exit_code != 0 && rh_children_interrupted());
  s->active[task] = false;
  s->progress.finished++;
  RH_TRY(rh_merge_run(s->e->store, s->e->scratch, entry, is_repeated(s->e, entry), state));
  if (!interrupted) reason = failure_of(exit_code, err, state);
  if (!reason) pass_on(s, err);
  RH_TRY(take_end(s, entry, reason, interrupted));
done:
  /* where merging failed the files stay, and the lock's with them, for the next time */
  if (status == RH_OK)
    rh_scratch_unlock(s->e->scratch, entry->run.id, s->lock[task]);
  else
    close(s->lock[task]);
  if (status == RH_OK && reason && s->e->fail_fast) {
    s->stopped = true;
    status = rh_error(RH_EINTERRUPTED, "a run failed");
  }
  free(reason);
  return status;
}

static int compare_longest(const void *a, const void *b, void *context)
{
  const rh_plan_entry *list = context;
  const size_t x = *(const size_t *)a, y = *(const size_t *)b;
  const double first = list[x].wall_s, second = list[y].wall_s;
  return first != second ? (first < second) - (first > second) : (x > y) - (x < y);
}

static rh_status find_pending(session *s)
{
  rh_execution *e = s->e;
  for (size_t i = 0; i < e->plan->count; i++) {
    char state[16];
    rh_status status = rh_store_run_status(e->store, e->plan->list[i].run.id, state, sizeof state);
    if (status != RH_OK) return status;
    if (strcmp(state, "done") == 0 && !is_repeated(e, &e->plan->list[i]))
      e->skipped++;
    else
      s->pending[s->count++] = i;
  }
  /* the longest first, lest it begins when all others are done */
  qsort_r(s->pending, s->count, sizeof *s->pending, compare_longest, e->plan->list);
  return RH_OK;
}

static double work_of(const session *s)
{
  double work = 0;
  for (size_t i = 0; i < s->count; i++)
    work += entry_of(s, i)->wall_s;
  return work;
}

/* The line below all others. */
static void say_total(session *s)
{
  const rh_execution *e = s->e;
  rh_progress_end(&s->progress);
  fprintf(stderr, "%zu run%s: %zu done", s->progress.total, s->progress.total == 1 ? "" : "s", e->done);
  if (e->failed > 0) fprintf(stderr, ", %zu failed", e->failed);
  fprintf(stderr, ", in %.1f s\n", rh_progress_elapsed_s(&s->progress));
}

/* What was left to others: they may have ended since, well or not. */
static rh_status look_after_others(session *s)
{
  bool any = false;
  for (size_t i = 0; i < s->count; i++)
    any = any || s->left[i];
  if (!any) return RH_OK;
  rh_status status = rh_merge_leftovers(s->e->store, s->e->scratch);
  for (size_t i = 0; i < s->count && status == RH_OK; i++) {
    char state[RH_RUN_STATUS_SIZE];
    if (!s->left[i]) continue;
    status = rh_store_run_status(s->e->store, entry_of(s, i)->run.id, state, sizeof state);
    if (strcmp(state, "done") != 0) s->e->left++;
  }
  return status;
}

/* The same for what this process writes. */
static bool wait_for_space(const char *path, double waited_s)
{
  if (rh_children_interrupted()) return false;
  if (waited_s == 0) fprintf(stderr, "%s: no space is left on its disk; waiting until there is some\n", path);
  return true;
}

rh_status rh_execution_run(rh_execution *e)
{
  rh_status status = RH_OK;
  size_t count = e->plan->count;
  session s = {.e = e,
               .pending = calloc(count, sizeof *s.pending),
               .state = calloc(count, sizeof *s.state),
               .active = calloc(count, sizeof *s.active),
               .lock = calloc(count, sizeof *s.lock),
               .left = calloc(count, sizeof *s.left)};
  rh_children_def def = {
      .context = &s, .start = start_run, .line = take_progress, .done = end_run, .tick = show_progress};
  RH_ASSERT(s.pending && s.state && s.active && s.lock && s.left && "memory is exhausted");
  RH_TRY(find_pending(&s));
  if (e->skipped > 0)
    fprintf(stderr, "%zu of %zu runs are in %s already (--force repeats them)\n", e->skipped, count, e->db);
  if (s.count > 0) {
    def.jobs = e->jobs > 0 ? e->jobs : e->plan->jobs;
    if ((size_t)def.jobs > s.count) def.jobs = (int)s.count;
    rh_plan_share_cores(e->plan, def.jobs);
    s.progress = rh_progress_begin(s.count, work_of(&s));
    rh_store_on_full_disk(wait_for_space);
    rh_output_file_on_full_disk(wait_for_space);
    status = rh_children_run(&def, s.count);
    rh_output_file_on_full_disk(NULL);
    rh_store_on_full_disk(NULL);
    if (s.stopped && !rh_children_interrupted()) status = RH_OK;
    if (status == RH_OK) say_total(&s);
    rh_progress_end(&s.progress);
  }
  if (status == RH_OK) status = look_after_others(&s);
done:
  free(s.pending);
  free(s.state);
  free(s.active);
  free(s.lock);
  free(s.left);
  return status;
}
