/* `rehearse _measure TASK`: times the steps of one run that the task's profile lacks, and prints them as a profile. */
#include <stdio.h>

#include "commands.h"
#include "measure.h"
#include "profile_file.h"
#include "task.h"

/* The entries of `all` that `known` lacks. */
static void write_new(const rh_profile *all, const rh_profile *known, rh_text *out)
{
  rh_profile fresh = {.device = all->device};
  for (int32_t i = 0; i < all->count; i++) {
    const rh_duration *d = &all->list[i];
    if (!rh_profile_find(known, d->name)) rh_profile_put(&fresh, d);
  }
  rh_profile_write(&fresh, out);
  fresh.device = NULL; /* borrowed */
  rh_profile_clear(&fresh);
}

int rh_cmd_measure(int argc, char **argv)
{
  rh_status status = RH_OK;
  rh_task task = {0};
  rh_setup setup = {0};
  rh_profile known = {0}, all = {0};
  rh_text out = {0};
  if (argc != 2) {
    status = rh_error(RH_EINVAL, "usage: rehearse _measure TASK");
    goto done;
  }
  RH_TRY(rh_task_read(argv[1], &task));
  RH_TRY(rh_setup_init(&task.run, &setup));
  if (task.profile) {
    RH_TRY(rh_profile_read_file(task.profile, &known));
    RH_TRY(rh_profile_read_file(task.profile, &all));
  }
  const int samples = task.run.time.jitter_kind == RH_JITTER_MEASURED ? RH_FIT_SAMPLES : RH_SAMPLES_MEDIAN;
  RH_TRY(rh_measure(&task.run, &setup, samples, &all));
  write_new(&all, &known, &out);
  fputs(rh_text_get(&out), stdout);
done:
  if (status != RH_OK) fprintf(stderr, "rehearse: %s\n", rh_error_message());
  rh_text_clear(&out);
  rh_profile_clear(&all);
  rh_profile_clear(&known);
  rh_setup_clear(&setup);
  rh_task_clear(&task);
  return status == RH_OK ? 0 : 2;
}
