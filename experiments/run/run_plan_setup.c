#include "run_plan_setup.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "machine.h"
#include "predict.h"
#include "run_profiles.h"

/* What "all cores" and "half of the memory" mean when several runs share the machine. */
static void share_machine(rh_plan_entry *entry, int jobs)
{
  rh_run *run = &entry->run;
  const int threads = rh_machine_cores() / jobs;
  if (entry->any_threads) run->run.threads = threads > 0 ? threads : 1;
  const int64_t share_bytes = rh_machine_memory_bytes() / 2 / jobs;
  if (entry->any_memory) run->run.memory = (double)share_bytes;
}

static void write_lines(rh_plan_entry *entry)
{
  rh_text lines = {0};
  rh_run_write(&entry->run, &lines);
  free(entry->lines);
  entry->lines = lines.data; /* the buffer changes hands */
}

void rh_plan_share_cores(rh_plan *plan, int jobs)
{
  for (size_t i = 0; i < plan->count; i++) {
    rh_plan_entry *entry = &plan->list[i];
    const double memory = entry->run.run.memory;
    share_machine(entry, jobs);
    entry->run.run.memory = memory;
    write_lines(entry);
  }
}

/* Too little memory is told before anything is created. */
static rh_status check_memory(const rh_plan_entry *entry)
{
  char need[32], limit[32];
  const int64_t limit_bytes = (int64_t)ceil(entry->run.run.memory);
  if (entry->least_bytes <= limit_bytes) return RH_OK;
  const rh_setting *setting = rh_settings_find(&entry->run.settings, "run.memory");
  rh_unit_format((double)entry->least_bytes, RH_UNIT_BYTE, need, sizeof need);
  rh_unit_format((double)limit_bytes, RH_UNIT_BYTE, limit, sizeof limit);
  if (setting)
    return rh_settings_error(RH_ENOMEM, setting, "%s is too little: this run needs at least %s", limit, need);
  return rh_error(RH_ENOMEM,
                  "run.memory: a run needs at least %s; allowed is a job's share of half of the machine's memory, %s",
                  need, limit);
}

/* Makes a partition for its checks alone. */
static rh_status check_partition(const rh_run *run, const rh_setup *setup)
{
  rh_partition partition;
  if (rh_run_is_timing_only(run)) return RH_OK;
  rh_status status = rh_partition_new(&run->partition, &setup->dataset, (int32_t)run->platform.workers,
                                      (uint64_t)run->run.seed, &partition);
  if (status == RH_OK) rh_partition_clear(&partition);
  return status;
}

static rh_status take_setup(const rh_plan *plan, rh_plan_entry *entry, rh_setup *setup)
{
  const rh_run *run = &entry->run;
  rh_status status = check_partition(run, setup);
  if (status == RH_OK) status = rh_setup_adapt(setup, run);
  if (status != RH_OK) return status;
  status = rh_plan_take_names(entry, plan, setup);
  if (status != RH_OK) return status;
  rh_setup_predict(setup, &entry->run, &entry->least_bytes, &entry->most_bytes);
  entry->parameters = setup->model.parameters;
  entry->warning = rh_setup_warning(setup, &entry->run);
  entry->backend = rh_setup_backend(setup, run);
  entry->kernel = rh_setup_kernel(setup, run);
  entry->wall_s = rh_predict_wall_s(run, setup, entry->edges);
  return RH_OK;
}

/* Loads every data set once, whatever the order of the runs, and keeps none. */
static rh_status set_up_all(rh_plan *plan)
{
  rh_status status = RH_OK;
  char **keys = calloc(plan->count + 1, sizeof *keys);
  RH_ASSERT(keys && "memory is exhausted");
  for (size_t i = 0; i < plan->count; i++)
    keys[i] = rh_setup_key(&plan->list[i].run);
  for (size_t i = 0; i < plan->count && status == RH_OK; i++) {
    rh_setup setup;
    if (plan->list[i].kernel) continue; /* done with an earlier one */
    if (rh_children_interrupted()) status = rh_error(RH_EINTERRUPTED, "interrupted");
    if (status == RH_OK)
      status = rh_settings_locate_error(rh_setup_init(&plan->list[i].run, &setup), &plan->list[i].run.settings);
    if (status != RH_OK) break;
    for (size_t k = i; k < plan->count && status == RH_OK; k++)
      if (strcmp(keys[i], keys[k]) == 0)
        status = rh_settings_locate_error(take_setup(plan, &plan->list[k], &setup), &plan->list[k].run.settings);
    rh_setup_clear(&setup);
  }
  for (size_t i = 0; i < plan->count; i++)
    free(keys[i]);
  free(keys);
  return status;
}

/* As many as there are cores, runs, and shares of half of the memory that hold the largest run. A run whose memory the
 * study gives takes that, or all that it can use. */
static int choose_jobs(const rh_plan *plan)
{
  int64_t most_bytes = 1;
  for (size_t i = 0; i < plan->count; i++) {
    const rh_plan_entry *entry = &plan->list[i];
    const int64_t given_bytes = entry->any_memory ? 0 : (int64_t)fmin(entry->run.run.memory, (double)entry->most_bytes);
    const int64_t need_bytes = given_bytes > entry->least_bytes ? given_bytes : entry->least_bytes;
    if (need_bytes > most_bytes) most_bytes = need_bytes;
  }
  RH_ASSERT(most_bytes > 0);
  const int64_t room = rh_machine_memory_bytes() / 2 / most_bytes;
  int64_t jobs = rh_machine_cores();
  if (jobs > (int64_t)plan->count) jobs = (int64_t)plan->count;
  if (jobs > room) jobs = room;
  return jobs > 1 ? (int)jobs : 1;
}

static rh_status set_up_shared(rh_plan *plan, int jobs)
{
  plan->jobs = jobs;
  for (size_t i = 0; i < plan->count; i++) {
    rh_plan_entry *entry = &plan->list[i];
    rh_names_clear(&entry->names);
    entry->kernel = NULL;
    share_machine(entry, jobs);
    write_lines(entry);
  }
  return set_up_all(plan);
}

rh_status plan_set_up(rh_plan *plan, int jobs)
{
  rh_status status = RH_OK;
  const int cores = rh_machine_cores();
  RH_TRY(set_up_shared(plan, jobs > 0 ? jobs : (size_t)cores < plan->count ? cores : (int)plan->count));
  /* fewer at a time have more threads each, which need more memory */
  for (int fewer; jobs == 0 && (fewer = choose_jobs(plan)) < plan->jobs;)
    RH_TRY(set_up_shared(plan, fewer));
  for (size_t i = 0; i < plan->count; i++)
    RH_TRY(check_memory(&plan->list[i]));
done:
  return status;
}
