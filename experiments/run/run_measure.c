/* Measuring what the runs of a study lack, before the first of them; see run_execute.h. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "children.h"
#include "profile_file.h"
#include "run_execute.h"
#include "run_profiles.h"
#include "task.h"

static const char measure_name[] = "measure"; /* of its files in the scratch folder; ids are hexadecimal */

/* One `_measure` child. */
typedef struct measurement {
  const char *task;
  int lock; /* of measuring; the child holds it, too */
  rh_text json;
} measurement;

static rh_status start_measure(void *context, size_t task, rh_process *process)
{
  (void)task;
  const measurement *m = context;
  const char *argv[] = {"rehearse", "_measure", m->task, NULL};
  return rh_process_start(argv, m->lock, process);
}

static void take_measure(void *context, size_t task, const char *line)
{
  (void)task;
  measurement *m = context;
  rh_text_append(&m->json, "%s\n", line);
}

static rh_status end_measure(void *context, size_t task, int exit_code, const char *err)
{
  (void)context, (void)task;
  if (exit_code == 0 || rh_children_interrupted()) return RH_OK;
  return rh_children_error(RH_EINVAL, exit_code, err, "measuring");
}

static rh_status merge_profile(rh_execution *e, const char *json)
{
  rh_profile fresh = {0};
  rh_status status = rh_profile_read(json, "measured durations", &fresh);
  if (status == RH_OK) {
    if (!e->profile->device) e->profile->device = rh_text_duplicate(fresh.device ? fresh.device : "");
    for (int32_t i = 0; i < fresh.count; i++) {
      const rh_duration *d = &fresh.list[i];
      rh_profile_put(e->profile, d);
    }
    rh_profile_warn_disturbed(&fresh, "measuring");
  }
  rh_profile_clear(&fresh);
  return status;
}

static rh_status measure_entry(rh_execution *e, const rh_plan_entry *entry, int lock)
{
  rh_status status = RH_OK;
  char *known = rh_scratch_path(e->scratch, measure_name, "json");
  char *task = rh_scratch_path(e->scratch, measure_name, "task");
  measurement m = {.task = task, .lock = lock};
  rh_children_def def = {.jobs = 1, .context = &m, .start = start_measure, .line = take_measure, .done = end_measure};
  RH_TRY(rh_profile_write_file(e->profile, known));
  RH_TRY(rh_task_write(&entry->run, NULL, known, NULL, task));
  RH_TRY(rh_children_run(&def, 1));
  RH_TRY(merge_profile(e, rh_text_get(&m.json)));
  if (!rh_plan_is_timed(entry, e->profile))
    status = rh_error(RH_EFORMAT, "measuring did not time all steps of %s", entry->command);
done:
  rh_text_clear(&m.json);
  free(known);
  free(task);
  return status;
}

/* Those that need fits come first: their timings serve the others as well. */
static const rh_plan_entry *first_untimed(const rh_execution *e)
{
  for (size_t i = 0; i < e->plan->count; i++)
    if (e->plan->list[i].run.time.jitter_kind == RH_JITTER_MEASURED && !rh_plan_is_timed(&e->plan->list[i], e->profile))
      return &e->plan->list[i];
  for (size_t i = 0; i < e->plan->count; i++)
    if (!rh_plan_is_timed(&e->plan->list[i], e->profile)) return &e->plan->list[i];
  return NULL;
}

/* Two that measure at once would disturb each other, and give one study two durations for one step. */
static rh_status wait_to_measure(const rh_execution *e, int *lock)
{
  const struct timespec moment = {.tv_nsec = 200 * 1000 * 1000};
  for (bool said = false;; said = true) {
    pid_t holder;
    rh_status status = rh_scratch_lock(e->scratch, measure_name, lock, &holder);
    if (status != RH_OK || *lock >= 0) return status;
    if (rh_children_interrupted()) return rh_error(RH_EINTERRUPTED, "interrupted");
    if (!said) fprintf(stderr, "waiting for process %ld, which is timing steps for %s\n", (long)holder, e->db);
    nanosleep(&moment, NULL);
  }
}

/* What others have measured for this study in the meantime. */
static rh_status read_again(rh_execution *e, const rh_run *run)
{
  rh_text json = {0};
  rh_status status = rh_store_profile(e->store, run->study, &json);
  if (status == RH_OK && json.length > 0) {
    rh_profile_clear(e->profile);
    status = rh_profile_read(json.data, e->db, e->profile);
  }
  rh_text_clear(&json);
  return status;
}

static rh_status measure_all(rh_execution *e, int lock)
{
  rh_status status = RH_OK;
  rh_text json = {0};
  const rh_plan_entry *entry = first_untimed(e);
  const rh_run *run = &e->plan->list[0].run;
  if (!entry) return RH_OK;
  fprintf(stderr, "timing the steps of %s (once per study, everything else idle)\n", run->study);
  for (; entry; entry = first_untimed(e))
    RH_TRY(measure_entry(e, entry, lock));
  rh_profile_write(e->profile, &json);
  RH_TRY(rh_store_save_profile(e->store, run->study, run->question, rh_text_get(&json)));
  e->recorded = true;
done:
  rh_text_clear(&json);
  return status;
}

rh_status rh_execution_measure(rh_execution *e)
{
  rh_status status = RH_OK;
  int lock = -1;
  if (first_untimed(e)) {
    RH_TRY(wait_to_measure(e, &lock));
    RH_TRY(read_again(e, &e->plan->list[0].run));
    RH_TRY(rh_plan_check_fits(e->plan, e->profile));
    RH_TRY(measure_all(e, lock));
  }
  rh_plan_identify(e->plan, e->profile);
done:
  if (lock >= 0) {
    rh_scratch_remove(e->scratch, measure_name, "json");
    rh_scratch_remove(e->scratch, measure_name, "task");
    rh_scratch_unlock(e->scratch, measure_name, lock);
  }
  return status;
}
