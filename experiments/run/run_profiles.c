#include "run_profiles.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "profile_file.h"

static const rh_plan_profile *find_profile(const rh_plan *plan, const char *path)
{
  for (size_t i = 0; i < plan->profile_count; i++)
    if (strcmp(plan->profiles[i]->path, path) == 0) return plan->profiles[i];
  return NULL;
}

static rh_status get_profile(rh_plan *plan, const char *path, const rh_plan_profile **got)
{
  *got = find_profile(plan, path);
  if (*got) return RH_OK;
  rh_plan_profile *new = calloc(1, sizeof *new);
  rh_plan_profile **list = realloc(plan->profiles, (plan->profile_count + 1) * sizeof *list);
  RH_ASSERT(new &&list && "memory is exhausted");
  plan->profiles = list;
  plan->profiles[plan->profile_count++] = new;
  new->path = rh_text_duplicate(path);
  *got = new;
  return rh_profile_read_file(path, &new->profile);
}

/* The device on one line of the probe's list. */
static char *device_on(const char *line)
{
  rh_text name = {0};
  rh_text_append_bytes(&name, line, strcspn(line, "\n"));
  return name.data ? name.data : rh_text_duplicate("");
}

static rh_status find_device(rh_plan *plan, const rh_plan_entry *entry, const char *device, char **path)
{
  const rh_plan_profile *got;
  char *directory = rh_text_directory(entry->run.platform_path);
  rh_status status = rh_profile_find_file(device, directory, path);
  if (status != RH_OK)
    status = rh_error(RH_EINVAL, "%s: a host's property device: no profile of that name: %s", entry->run.platform_path,
                      rh_error_message());
  else
    status = get_profile(plan, *path, &got);
  free(directory);
  return status;
}

/* The files of an entry's hosts' devices, in the probe's order. */
static rh_status read_devices(rh_plan *plan, rh_plan_entry *entry)
{
  rh_text paths = {0};
  rh_status status = RH_OK;
  for (const char *line = entry->probe.devices; *line && status == RH_OK; line += strcspn(line, "\n") + 1) {
    char *device = device_on(line), *path = NULL;
    status = find_device(plan, entry, device, &path);
    if (status == RH_OK) rh_text_append(&paths, "%s\n", path);
    free(device);
    free(path);
  }
  entry->device_paths = paths.data; /* the buffer changes hands */
  return status;
}

rh_status rh_plan_read_profiles(rh_plan *plan)
{
  rh_status status = RH_OK;
  bool counted = false;
  for (size_t i = 0; i < plan->count; i++) {
    rh_plan_entry *entry = &plan->list[i];
    const rh_plan_profile *found;
    if (entry->run.profile_path) {
      RH_TRY(get_profile(plan, entry->run.profile_path, &found));
      entry->profile = &found->profile;
    }
    if (entry->run.time.source != RH_TIME_FLOPS) RH_TRY(read_devices(plan, entry));
    counted = counted || (entry->run.time.source == RH_TIME_FLOPS && *entry->probe.devices);
  }
  if (counted)
    rh_text_append(&plan->warnings,
                   "time.source: flops counts operations at each host's speed; the profiles that hosts "
                   "name (their property device) are not read\n");
done:
  return status;
}

/* Whether this is enough for the run. */
static bool suffices(const rh_run *run, const rh_duration *d)
{
  return d && (run->time.jitter_kind != RH_JITTER_MEASURED || d->fit.kind != RH_FIT_NONE);
}

/* "rehearse run STUDY --set ..." becomes "rehearse calibrate STUDY --set ... -o FILE". */
static rh_status missing(const rh_plan_entry *entry, const char *path, const char *name, const rh_duration *d)
{
  static const char run[] = "rehearse run";
  RH_ASSERT(strncmp(entry->command, run, sizeof run - 1) == 0);
  const char *rest = entry->command + sizeof run - 1;
  rh_text file = {0};
  rh_text_append_quoted(&file, path);
  if (d)
    rh_error(RH_EINVAL,
             "%s: '%s' was timed %d times, without a fit, and time.jitter: measured draws from one; on the device "
             "of the profile, `rehearse calibrate%s --force -o %s` times it %d times",
             path, name, (int)d->samples, rest, rh_text_get(&file), (int)RH_FIT_SAMPLES);
  else
    rh_error(RH_EINVAL,
             "%s: no timing for '%s', which a run of this study charges; on the device of the profile, `rehearse "
             "calibrate%s -o %s` adds what is missing",
             path, name, rest, rh_text_get(&file));
  rh_text_clear(&file);
  return RH_EINVAL;
}

/* What one device's hosts charge, under its name. */
static rh_status take_device(rh_plan_entry *entry, const char *device, const rh_plan_profile *file,
                             const rh_setup *setup)
{
  rh_status status = RH_OK;
  rh_names names;
  rh_text about = {0};
  rh_measure_names(&entry->run, setup, file->profile.backend, &names);
  for (int i = 0; i < names.count && status == RH_OK; i++) {
    const rh_duration *d = rh_profile_find(&file->profile, names.list[i]);
    rh_text name = {0};
    if (!suffices(&entry->run, d)) {
      status = missing(entry, file->path, names.list[i], d);
      break;
    }
    rh_text_append(&name, "%s: %s", device, names.list[i]);
    rh_duration renamed = *d;
    renamed.name = name.data;
    rh_profile_put(&entry->devices, &renamed);
    rh_text_clear(&name);
  }
  if (entry->devices.device) rh_text_append(&about, "%s; ", entry->devices.device);
  rh_text_append(&about, "%s: %s", device, file->profile.device ? file->profile.device : "");
  free(entry->devices.device);
  entry->devices.device = about.data; /* the buffer changes hands */
  rh_names_clear(&names);
  return status;
}

rh_status rh_plan_take_names(rh_plan_entry *entry, const rh_plan *plan, const rh_setup *setup)
{
  rh_status status = RH_OK;
  rh_names_clear(&entry->names);
  rh_profile_clear(&entry->devices);
  if (entry->probe.plain > 0 || entry->run.time.source == RH_TIME_FLOPS)
    rh_measure_names(&entry->run, setup, entry->profile ? entry->profile->backend : NULL, &entry->names);
  const char *line = entry->probe.devices;
  for (const char *path = entry->device_paths ? entry->device_paths : ""; *path && status == RH_OK;) {
    char *device = device_on(line), *file = device_on(path);
    status = take_device(entry, device, find_profile(plan, file), setup);
    line += strlen(device) + 1;
    path += strlen(file) + 1;
    free(device);
    free(file);
  }
  return status;
}

rh_status rh_plan_check_profiles(const rh_plan *plan)
{
  for (size_t i = 0; i < plan->count; i++) {
    const rh_plan_entry *entry = &plan->list[i];
    for (int k = 0; k < entry->names.count && entry->profile; k++) {
      const rh_duration *d = rh_profile_find(entry->profile, entry->names.list[k]);
      if (!suffices(&entry->run, d)) return missing(entry, entry->run.profile_path, entry->names.list[k], d);
    }
  }
  return RH_OK;
}

rh_status rh_plan_check_fits(const rh_plan *plan, const rh_profile *study)
{
  for (size_t i = 0; i < plan->count; i++) {
    const rh_plan_entry *entry = &plan->list[i];
    for (int k = 0; k < entry->names.count && !entry->profile; k++) {
      const rh_duration *d = rh_profile_find(study, entry->names.list[k]);
      if (d && !suffices(&entry->run, d))
        return rh_error(
            RH_EINVAL,
            "time.jitter: measured: '%s' was timed %d times for study '%s', without a fit, and its durations "
            "stay as they are; take another name or database, or `rehearse calibrate` and time.source: "
            "profile",
            d->name, (int)d->samples, entry->run.study);
    }
  }
  return RH_OK;
}

bool rh_plan_is_timed(const rh_plan_entry *entry, const rh_profile *study)
{
  const rh_profile *profile = entry->profile ? entry->profile : study;
  for (int i = 0; i < entry->names.count; i++)
    if (!suffices(&entry->run, rh_profile_find(profile, entry->names.list[i]))) return false;
  return true;
}

void rh_plan_charged(const rh_plan_entry *entry, const rh_profile *study, rh_profile *charged)
{
  const rh_profile *profile = entry->profile ? entry->profile : study;
  rh_text device = {0};
  *charged = (rh_profile){.backend = profile->backend ? rh_text_duplicate(profile->backend) : NULL};
  for (int i = 0; i < entry->names.count; i++)
    rh_profile_put(charged, rh_profile_find(profile, entry->names.list[i]));
  for (int32_t i = 0; i < entry->devices.count; i++)
    rh_profile_put(charged, &entry->devices.list[i]);
  if (entry->names.count > 0 && profile->device) rh_text_append(&device, "%s", profile->device);
  if (entry->devices.device) rh_text_append(&device, "%s%s", device.length ? "; " : "", entry->devices.device);
  charged->device = device.data ? device.data : rh_text_duplicate("");
}

void rh_plan_identify(rh_plan *plan, const rh_profile *study)
{
  for (size_t i = 0; i < plan->count; i++) {
    rh_plan_entry *entry = &plan->list[i];
    rh_profile charged;
    entry->run.id[0] = '\0';
    if (!rh_plan_is_timed(entry, study)) continue;
    rh_plan_charged(entry, study, &charged);
    entry->profile_hash = charged.count > 0 ? rh_profile_hash(&charged, NULL) : 0;
    rh_profile_clear(&charged);
    uint64_t hash = rh_hash_bytes(&entry->files_hash, sizeof entry->files_hash, entry->name_hash);
    hash = rh_hash_bytes(&entry->profile_hash, sizeof entry->profile_hash, hash);
    hash = rh_hash_text(entry->run.study, hash);
    hash = rh_hash_text(entry->kernel, hash); /* another library or processor rounds otherwise: another training */
    snprintf(entry->run.id, sizeof entry->run.id, "%016" PRIx64, hash);
  }
}

void rh_plan_clear_profiles(rh_plan *plan)
{
  for (size_t i = 0; i < plan->profile_count; i++) {
    rh_profile_clear(&plan->profiles[i]->profile);
    free(plan->profiles[i]->path);
    free(plan->profiles[i]);
  }
  free(plan->profiles);
  plan->profiles = NULL;
  plan->profile_count = 0;
}
