#include "calibrate.h"

#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "registry.h"

/* Runs in the making. */
typedef struct list {
  rh_settings *runs;
  size_t count, size;
} list;

static rh_settings *append(list *l)
{
  if (l->count == l->size) {
    l->size = l->size ? 2 * l->size : 16;
    l->runs = realloc(l->runs, l->size * sizeof *l->runs);
    RH_ASSERT(l->runs && "memory is exhausted");
  }
  l->runs[l->count] = (rh_settings){0};
  return &l->runs[l->count++];
}

static void set(rh_settings *settings, const char *key, const char *value)
{
  rh_text where = {0};
  rh_text_append(&where, "%s %s", key, value);
  rh_settings_set(settings, key, value, where.data, "");
  rh_text_clear(&where);
}

/* A run of one model, batch and arithmetic. The platform is any: nothing is simulated. */
static rh_settings *append_run(list *l, const char *model, const char *batch, const char *arithmetic)
{
  rh_settings *run = append(l);
  set(run, "platform.file", "ideal.xml");
  set(run, "platform.workers", "2");
  set(run, "data.train", "2000");
  set(run, "data.test", "10");
  set(run, "model.name", model);
  set(run, "train.batch", batch);
  set(run, "train.arithmetic", arithmetic);
  return run;
}

/* Passes, all updates, mixing and error feedback. */
static void append_steps(list *l, const char *model, const char *batch, const char *arithmetic)
{
  static const char *const updates[][3] = {/* optimiser, nesterov, clip */
                                           {"sgd", "off", "0"}, {"sgd", "off", "1"},   {"sgd", "on", "0"},
                                           {"sgd", "on", "1"},  {"adamw", "off", "0"}, {"adamw", "off", "1"}};
  for (size_t i = 0; i < RH_COUNT(updates); i++) {
    rh_settings *run = append_run(l, model, batch, arithmetic);
    set(run, "train.optimiser", updates[i][0]);
    set(run, "train.nesterov", updates[i][1]);
    set(run, "train.clip", updates[i][2]);
    set(run, "train.method", "dpsgd");
  }
  rh_settings *run = append_run(l, model, batch, arithmetic);
  set(run, "compress.name", "topk");
  set(run, "compress.error_feedback", "classic");
}

static rh_status check_names(const char *const *names, const rh_registry *registry)
{
  rh_component found;
  for (; *names; names++) {
    if (rh_registry_find(registry, *names, &found)) continue;
    const char *near = rh_text_nearest(*names, rh_registry_name, registry);
    return near ? rh_error(RH_EINVAL, "no %s '%s'; did you mean '%s'?", registry->singular, *names, near)
                : rh_error(RH_EINVAL, "no %s '%s'; `rehearse %s` lists them", registry->singular, *names,
                           registry->plural);
  }
  return RH_OK;
}

rh_status rh_calibration_expand(const rh_calibration_grid *grid, rh_settings **runs, size_t *count)
{
  list l = {*runs, *count, *count};
  rh_status status = RH_OK;
  RH_TRY(check_names(grid->models, &rh_registry_models));
  RH_TRY(check_names(grid->compressors, &rh_registry_compressors));
  for (const char *const *model = grid->models; *model; model++)
    for (const char *const *batch = grid->batches; *batch; batch++)
      for (const char *const *arithmetic = grid->arithmetics; *arithmetic; arithmetic++) {
        append_steps(&l, *model, *batch, *arithmetic);
        for (const char *const *compressor = grid->compressors; *compressor; compressor++)
          set(append_run(&l, *model, *batch, *arithmetic), "compress.name", *compressor);
      }
done:
  *runs = l.runs;
  *count = l.count;
  return status;
}

/* The setup of the run before, which many runs share, with what it depends on. */
typedef struct shared_setup {
  rh_setup setup;
  char *key; /* NULL: none yet */
} shared_setup;

static rh_status fit_setup(shared_setup *shared, const rh_run *run)
{
  char *key = rh_setup_key(run);
  if (shared->key && strcmp(shared->key, key) == 0) {
    free(key);
    return rh_setup_adapt(&shared->setup, run);
  }
  free(shared->key);
  shared->key = NULL;
  rh_setup_clear(&shared->setup);
  rh_status status = rh_setup_init(run, &shared->setup);
  if (status == RH_OK)
    shared->key = key;
  else
    free(key);
  return status;
}

/* One file holds the steps of one device. */
static rh_status check_device(const rh_profile *profile, const rh_setup *setup)
{
  char *here = rh_measure_device(setup->backend);
  rh_status status = RH_OK;
  if (profile->device && strcmp(profile->device, here) != 0)
    status = rh_error(RH_EINVAL,
                      "the profile is of another device, '%s'; this one is '%s': measure there, or write another file",
                      profile->device, here);
  else if (profile->backend && strcmp(profile->backend, setup->backend->name) != 0)
    status = rh_error(RH_EINVAL, "the profile is of backend '%s'; a run here has '%s': write another file",
                      profile->backend, setup->backend->name);
  free(here);
  return status;
}

/* Whether the profile holds what the run charges. */
static bool is_timed(const rh_run *run, const rh_setup *setup, const rh_profile *profile)
{
  rh_names names;
  bool timed = true;
  rh_measure_names(run, setup, NULL, &names);
  for (int i = 0; i < names.count && timed; i++)
    timed = rh_profile_find(profile, names.list[i]) != NULL;
  rh_names_clear(&names);
  return timed;
}

static void say(const rh_run *run, void (*progress)(const char *run))
{
  rh_text text = {0};
  rh_text_append(&text, "%s, batch %lld%s, %s", run->model_kind->name, (long long)run->train.batch,
                 run->train.arithmetic == RH_INT8 ? ", int8" : "", run->compressor->name);
  progress(text.data);
  rh_text_clear(&text);
}

static rh_status calibrate_run(const rh_settings *settings, const char *directory, int samples,
                               void (*progress)(const char *run), shared_setup *shared, rh_profile *profile)
{
  rh_status status = RH_OK;
  rh_settings measured = {0};
  rh_run run = {0};
  rh_settings_copy(&measured, settings);
  set(&measured, "time.source",
      "measured"); /* of a study that names the very file that is to be written, for example */
  set(&measured, "time.profile", "");
  set(&measured, "run.compute", "real");
  RH_TRY(rh_run_resolve(&measured, "calibration", "", directory, &run));
  RH_TRY(fit_setup(shared, &run));
  RH_TRY(check_device(profile, &shared->setup));
  if (!profile->backend) profile->backend = rh_text_duplicate(shared->setup.backend->name);
  if (!is_timed(&run, &shared->setup, profile)) {
    if (progress) say(&run, progress);
    status = rh_measure(&run, &shared->setup, samples, profile);
  }
done:
  rh_run_clear(&run);
  rh_settings_clear(&measured);
  return status;
}

/* Moves disturbed timings out of the profile. */
static void put_aside(rh_profile *profile, rh_profile *aside)
{
  rh_profile kept = {0};
  for (int32_t i = 0; i < profile->count; i++)
    rh_profile_put(rh_duration_disturbed(&profile->list[i]) ? aside : &kept, &profile->list[i]);
  rh_profile_take_list(profile, &kept);
}

/* ... and those back that nobody timed again. */
static void put_back(rh_profile *profile, const rh_profile *aside)
{
  for (int32_t i = 0; i < aside->count; i++)
    if (!rh_profile_find(profile, aside->list[i].name)) rh_profile_put(profile, &aside->list[i]);
}

rh_status rh_calibrate(const rh_settings *runs, size_t count, const char *directory, int samples,
                       void (*progress)(const char *run), rh_profile *profile)
{
  rh_status status = RH_OK;
  shared_setup shared = {.key = NULL};
  rh_profile aside = {0};
  put_aside(profile, &aside);
  for (size_t i = 0; i < count && status == RH_OK; i++)
    status = calibrate_run(&runs[i], directory, samples, progress, &shared, profile);
  put_back(profile, &aside);
  rh_profile_clear(&aside);
  if (shared.key) rh_setup_clear(&shared.setup);
  free(shared.key);
  return status;
}
