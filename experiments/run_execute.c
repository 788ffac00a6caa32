#include "run_execute.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "children.h"
#include "hash.h"
#include "task.h"

/* "DB.runs/NAME"; owned by the caller. */
static char *path_of(const rh_execution *e, const char *name, const char *suffix)
{
  rh_text path = {0};
  rh_text_append(&path, "%s.runs/%s%s", e->db, name, suffix);
  return path.data;
}

static rh_status make_directory(const rh_execution *e)
{
  rh_status status = RH_OK;
  char *path = path_of(e, "", "");
  if (mkdir(path, 0777) != 0 && errno != EEXIST)
    status = rh_error(RH_EIO, "%s: cannot be created: %s", path, strerror(errno));
  free(path);
  return status;
}

void rh_execution_tidy(const rh_execution *e)
{
  char *path = path_of(e, "", "");
  rmdir(path); /* fails, as it should, while something is in it */
  free(path);
}

static void remove_file(const rh_execution *e, const char *name, const char *suffix)
{
  char *path = path_of(e, name, suffix);
  unlink(path);
  free(path);
}

/* The durations known so far, for children. The name holds our process, since others may work on the same database. */
static char *profile_path(const rh_execution *e)
{
  char name[64];
  snprintf(name, sizeof name, "profile-%ld", (long)getpid());
  return path_of(e, name, ".json");
}

static rh_status write_profile(const rh_execution *e, const char *path)
{
  rh_text json = {0};
  rh_profile_write(e->profile, &json);
  FILE *file = fopen(path, "w");
  bool ok = file && fputs(rh_text_get(&json), file) >= 0;
  if (file && fclose(file) != 0) ok = false;
  rh_text_clear(&json);
  return ok ? RH_OK : rh_error(RH_EIO, "%s: cannot be written: %s", path, strerror(errno));
}

/* One `_measure` child. */
typedef struct measurement {
  const char *task, *where;
  rh_text json;
} measurement;

static rh_status start_measure(void *context, size_t task, rh_process *process)
{
  (void)task;
  const measurement *m = context;
  const char *argv[] = {"rehearse", "_measure", m->task, NULL};
  return rh_process_start(argv, process);
}

static void take_measure(void *context, size_t task, const char *line)
{
  (void)task;
  measurement *m = context;
  rh_text_append(&m->json, "%s\n", line);
}

/* What a child said last on stderr without the program's name, or how it ended. */
static rh_status child_error(rh_status code, int exit_code, const char *err, const char *what)
{
  static const char prefix[] = "rehearse: ";
  if (strncmp(err, prefix, sizeof prefix - 1) == 0) err += sizeof prefix - 1;
  size_t length = strlen(err);
  while (length > 0 && err[length - 1] == '\n')
    length--;
  if (length > 0) return rh_error(code, "%.*s", (int)length, err);
  if (exit_code > 128)
    return rh_error(code, "%s was ended by signal %d (%s)", what, exit_code - 128, strsignal(exit_code - 128));
  return rh_error(code, "%s ended with status %d and no word", what, exit_code);
}

static rh_status end_measure(void *context, size_t task, int exit_code, const char *err)
{
  (void)context, (void)task;
  if (exit_code == 0 || rh_children_interrupted()) return RH_OK;
  return child_error(RH_EINVAL, exit_code, err, "measuring");
}

static rh_status merge_profile(rh_execution *e, const char *json)
{
  rh_profile fresh = {0};
  rh_status status = rh_profile_read(json, "measured durations", &fresh);
  if (status == RH_OK) {
    if (!e->profile->device) e->profile->device = rh_text_duplicate(fresh.device ? fresh.device : "");
    for (int32_t i = 0; i < fresh.count; i++) {
      const rh_duration *d = &fresh.list[i];
      rh_profile_set(e->profile, d->name, d->samples, d->median_s, d->low_s, d->high_s);
    }
  }
  rh_profile_clear(&fresh);
  return status;
}

static rh_status measure_entry(rh_execution *e, const rh_plan_entry *entry, const char *known, const char *task)
{
  rh_status status = RH_OK;
  measurement m = {.task = task};
  rh_children_def def = {.jobs = 1, .context = &m, .start = start_measure, .line = take_measure, .done = end_measure};
  RH_TRY(write_profile(e, known));
  RH_TRY(rh_task_write(&entry->run, NULL, known, NULL, task));
  RH_TRY(rh_children_run(&def, 1));
  RH_TRY(merge_profile(e, rh_text_get(&m.json)));
  if (!rh_plan_is_timed(entry, e->profile))
    status = rh_error(RH_EFORMAT, "measuring did not time all steps of %s", entry->command);
done:
  rh_text_clear(&m.json);
  return status;
}

rh_status rh_execution_measure(rh_execution *e)
{
  rh_status status = RH_OK;
  bool measured = false;
  rh_text json = {0};
  char *known = profile_path(e), *task = path_of(e, "measure", ".task");
  for (size_t i = 0; i < e->plan->count; i++) {
    const rh_plan_entry *entry = &e->plan->list[i];
    if (rh_plan_is_timed(entry, e->profile)) continue;
    if (!measured) {
      fprintf(stderr, "timing the steps of %s (once per study, everything else idle)\n", entry->run.study);
      RH_TRY(make_directory(e));
    }
    measured = true;
    RH_TRY(measure_entry(e, entry, known, task));
  }
  if (measured) {
    const rh_run *run = &e->plan->list[0].run;
    rh_profile_write(e->profile, &json);
    RH_TRY(rh_store_save_profile(e->store, run->study, run->question, rh_text_get(&json)));
  }
  rh_plan_identify(e->plan, e->profile);
done:
  unlink(known);
  unlink(task);
  free(known);
  free(task);
  rh_text_clear(&json);
  return status;
}

/* What the callbacks of running children share. */
typedef struct session {
  rh_execution *e;
  size_t *pending; /* [count] indices of the plan's entries; owned */
  size_t count;
  rh_progress_state *state; /* [count]; owned */
  bool *active;             /* [count]; owned */
  size_t latest;            /* who spoke last */
  char *profile;            /* path for children; owned */
  rh_progress progress;
} session;

static const rh_plan_entry *entry_of(const session *s, size_t task)
{
  return &s->e->plan->list[s->pending[task]];
}

static rh_status start_run(void *context, size_t task, rh_process *process)
{
  rh_status status = RH_OK;
  session *s = context;
  const rh_plan_entry *entry = entry_of(s, task);
  char *path = path_of(s->e, entry->run.id, ".task"), *store = path_of(s->e, entry->run.id, ".db");
  const char *argv[] = {"rehearse", "_execute", path, NULL};
  RH_TRY(rh_task_write(&entry->run, store, entry->names.count > 0 ? s->profile : NULL, entry->command, path));
  RH_TRY(rh_process_start(argv, process));
  s->active[task] = true;
  s->latest = task;
  s->state[task] = (rh_progress_state){.rounds = entry->run.train.rounds, .accuracy = NAN};
done:
  free(path);
  free(store);
  return status;
}

static void take_progress(void *context, size_t task, const char *line)
{
  session *s = context;
  rh_progress_state state;
  if (sscanf(line, "progress %" SCNd64 " %" SCNd64 " %lf %lf", &state.round, &state.rounds, &state.accuracy,
             &state.simulated_s) != 4)
    return;
  s->state[task] = state;
  s->latest = task;
}

static void show_progress(void *context)
{
  session *s = context;
  double share = 0;
  if (!s->active[s->latest] || s->state[s->latest].round == 0) return;
  for (size_t i = 0; i < s->count; i++)
    if (s->active[i] && s->state[i].rounds > 0) share += (double)s->state[i].round / (double)s->state[i].rounds;
  rh_text label = {0};
  rh_plan_label(entry_of(s, s->latest), &label);
  rh_progress_show(&s->progress, label.data, &s->state[s->latest], share);
  rh_text_clear(&label);
}

/* Calls `use` with what the parent knows of a run. */
static rh_status with_header(const rh_plan_entry *entry, rh_store *store, const char *reason,
                             rh_status (*use)(rh_store *, const rh_run_header *, const char *))
{
  const rh_run *run = &entry->run;
  const char *slash = strrchr(run->platform.file, '/'), *name = slash ? slash + 1 : run->platform.file;
  size_t length = strlen(name);
  char *platform = rh_text_duplicate(name);
  if (length > 4 && strcmp(name + length - 4, ".xml") == 0) platform[length - 4] = '\0';
  rh_run_header header = {.id = run->id,
                          .study = run->study,
                          .question = run->question,
                          .configuration = entry->lines,
                          .platform = platform,
                          .platform_file = run->platform.file,
                          .network_model = entry->probe.model,
                          .protocol = run->network.protocol == RH_PROTOCOL_EAGER ? "eager" : "rendezvous",
                          .precision_s = NAN,
                          .workers = (int32_t)run->platform.workers,
                          .method = run->method->name,
                          .compressor = run->compressor->name,
                          .model = run->model_kind->name,
                          .dataset = run->dataset_kind->name,
                          .partition = run->partition.kind == RH_PARTITION_SKEW ? "skew" : "iid",
                          .graph = run->graph_kind ? run->graph_kind->name : "",
                          .lambda2 = NAN,
                          .parameters = entry->parameters,
                          .batch = run->train.batch,
                          .seed = run->run.seed,
                          .rounds_planned = run->train.rounds,
                          .backend = entry->backend,
                          .kernel = entry->kernel,
                          .threads = (int32_t)run->run.threads,
                          .time_source = run->time.source == RH_TIME_FLOPS ? "flops" : "measured",
                          .profile_json = "",
                          .target_accuracy = run->stop.accuracy > 0 ? run->stop.accuracy : NAN,
                          .versions = entry->probe.version,
                          .command = entry->command};
  rh_status status = rh_hash_file(run->platform_path, &header.platform_hash);
  if (status == RH_OK) status = use(store, &header, reason);
  free(platform);
  return status;
}

static rh_status fail_run(rh_store *store, const rh_run_header *header, const char *reason)
{
  return rh_store_fail_run(store, header, reason);
}

/* A repeated run replaces the one that is done, which a merge by itself would keep. */
static rh_status replace_run(rh_store *store, const rh_run_header *header, const char *reason)
{
  (void)reason;
  return rh_store_begin_run(store, header);
}

/* Takes over what the child recorded and removes its files. */
static rh_status merge_run(session *s, const rh_plan_entry *entry, bool finished)
{
  rh_status status = RH_OK;
  char *path = path_of(s->e, entry->run.id, ".db");
  if (access(path, F_OK) == 0) {
    if (s->e->force && finished) RH_TRY(with_header(entry, s->e->store, "", replace_run));
    RH_TRY(rh_store_merge(s->e->store, path, NULL, NULL));
    unlink(path);
    remove_file(s->e, entry->run.id, ".db-wal");
    remove_file(s->e, entry->run.id, ".db-shm");
  }
  remove_file(s->e, entry->run.id, ".task");
done:
  free(path);
  return status;
}

static void say_done(session *s, const rh_plan_entry *entry, const char *label)
{
  rh_run_list list = {0};
  char seconds[32];
  if (rh_store_list(s->e->store, NULL, entry->run.id, &list) == RH_OK && list.count == 1)
    rh_progress_say(&s->progress, "[%zu/%zu] %s: done, accuracy %.1f %%, %s simulated, %.1f s", s->progress.finished,
                    s->progress.total, label, 100 * list.list[0].accuracy,
                    rh_unit_format(list.list[0].simulated_s, RH_UNIT_SECOND, seconds, sizeof seconds),
                    list.list[0].wall_s);
  rh_run_list_clear(&list);
}

static rh_status end_run(void *context, size_t task, int exit_code, const char *err)
{
  rh_status status = RH_OK;
  session *s = context;
  const rh_plan_entry *entry = entry_of(s, task);
  rh_text label = {0};
  char *reason = NULL;
  bool interrupted = exit_code == 3 || rh_children_interrupted();
  s->active[task] = false;
  s->progress.finished++;
  if (exit_code != 0 && !interrupted) {
    (void)child_error(RH_EINVAL, exit_code, err, "the run's process");
    reason = rh_text_duplicate(rh_error_message()); /* what follows may replace the message */
  }
  rh_plan_label(entry, &label);
  RH_TRY(merge_run(s, entry, exit_code == 0));
  if (reason) {
    RH_TRY(with_header(entry, s->e->store, reason, fail_run));
    s->progress.failed = ++s->e->failed;
    rh_progress_say(&s->progress, "[%zu/%zu] %s: failed: %s", s->progress.finished, s->progress.total, label.data,
                    reason);
  } else if (exit_code == 0) {
    say_done(s, entry, label.data);
  } else {
    rh_progress_say(&s->progress, "[%zu/%zu] %s: interrupted, its rows are kept", s->progress.finished,
                    s->progress.total, label.data);
  }
done:
  free(reason);
  rh_text_clear(&label);
  return status;
}

static rh_status find_pending(session *s)
{
  rh_execution *e = s->e;
  for (size_t i = 0; i < e->plan->count; i++) {
    char state[16];
    rh_status status = rh_store_run_status(e->store, e->plan->list[i].run.id, state, sizeof state);
    if (status != RH_OK) return status;
    if (strcmp(state, "done") == 0 && !e->force)
      e->skipped++;
    else
      s->pending[s->count++] = i;
  }
  return RH_OK;
}

rh_status rh_execution_run(rh_execution *e)
{
  rh_status status = RH_OK;
  size_t count = e->plan->count;
  session s = {.e = e,
               .pending = calloc(count, sizeof *s.pending),
               .state = calloc(count, sizeof *s.state),
               .active = calloc(count, sizeof *s.active),
               .profile = profile_path(e)};
  rh_children_def def = {.jobs = e->jobs,
                         .context = &s,
                         .start = start_run,
                         .line = take_progress,
                         .done = end_run,
                         .tick = show_progress};
  RH_ASSERT(s.pending && s.state && s.active && "memory is exhausted");
  RH_TRY(find_pending(&s));
  if (e->skipped > 0)
    fprintf(stderr, "%zu of %zu runs are in %s already (--force repeats them)\n", e->skipped, count, e->db);
  if (s.count > 0) {
    RH_TRY(make_directory(e));
    RH_TRY(write_profile(e, s.profile));
    s.progress = rh_progress_begin(s.count);
    status = rh_children_run(&def, s.count);
    rh_progress_end(&s.progress);
  }
done:
  unlink(s.profile);
  free(s.profile);
  free(s.pending);
  free(s.state);
  free(s.active);
  return status;
}
