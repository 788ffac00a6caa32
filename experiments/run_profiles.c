#include "run_profiles.h"

#include <stdlib.h>
#include <string.h>

#include "profile_file.h"

static const rh_plan_profile *find_profile(const rh_plan *plan, const char *path)
{
  for (size_t i = 0; i < plan->profile_count; i++)
    if (strcmp(plan->profiles[i]->path, path) == 0) return plan->profiles[i];
  return NULL;
}

static rh_status add_profile(rh_plan *plan, const char *path, const rh_plan_profile **added)
{
  rh_plan_profile *new = calloc(1, sizeof *new);
  rh_plan_profile **list = realloc(plan->profiles, (plan->profile_count + 1) * sizeof *list);
  RH_ASSERT(new &&list && "memory is exhausted");
  plan->profiles = list;
  plan->profiles[plan->profile_count++] = new;
  new->path = rh_text_duplicate(path);
  *added = new;
  return rh_profile_read_file(path, &new->profile);
}

rh_status rh_plan_read_profiles(rh_plan *plan)
{
  rh_status status = RH_OK;
  for (size_t i = 0; i < plan->count && status == RH_OK; i++) {
    rh_plan_entry *entry = &plan->list[i];
    const char *path = entry->run.profile_path;
    if (!path) continue;
    const rh_plan_profile *found = find_profile(plan, path);
    if (!found) status = add_profile(plan, path, &found);
    entry->profile = &found->profile;
  }
  return status;
}

/* "rehearse run STUDY --set ..." becomes "rehearse calibrate STUDY --set ... -o FILE". */
static void append_calibration(const rh_plan_entry *entry, rh_text *out)
{
  static const char run[] = "rehearse run";
  RH_ASSERT(strncmp(entry->command, run, sizeof run - 1) == 0);
  rh_text_append(out, "rehearse calibrate%s -o %s", entry->command + sizeof run - 1, entry->run.profile_path);
}

rh_status rh_plan_check_profiles(const rh_plan *plan)
{
  for (size_t i = 0; i < plan->count; i++) {
    const rh_plan_entry *entry = &plan->list[i];
    const char *missing = NULL;
    int count = 0;
    for (int k = 0; k < entry->names.count && entry->profile; k++) {
      if (rh_profile_find(entry->profile, entry->names.list[k])) continue;
      if (count++ == 0) missing = entry->names.list[k];
    }
    if (!missing) continue;
    rh_text command = {0};
    append_calibration(entry, &command);
    rh_status status = rh_error(RH_EINVAL,
                                "%s: no timing for '%s', which a run of this study charges (%d missing); on the device "
                                "of the profile, `%s` adds what is missing",
                                entry->run.profile_path, missing, count, command.data);
    rh_text_clear(&command);
    return status;
  }
  return RH_OK;
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
