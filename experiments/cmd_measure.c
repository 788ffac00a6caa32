/* `rehearse _measure TASK`: times the steps of one run that the task's profile lacks, and prints them as a profile. */
#include <stdio.h>

#include "commands.h"
#include "measure.h"
#include "task.h"

/* The entries of `all` that `known` lacks. */
static void write_new(const rh_profile *all, const rh_profile *known, rh_text *out)
{
  rh_profile fresh = {.device = all->device};
  for (int32_t i = 0; i < all->count; i++) {
    const rh_duration *d = &all->list[i];
    if (!rh_profile_find(known, d->name)) rh_profile_set(&fresh, d->name, d->samples, d->median_s, d->low_s, d->high_s);
  }
  rh_profile_write(&fresh, out);
  fresh.device = NULL; /* borrowed */
  rh_profile_clear(&fresh);
}

static rh_status read_known(const char *path, rh_profile *known)
{
  rh_text text = {0};
  rh_status status = rh_text_read_file(&text, path);
  if (status == RH_OK) status = rh_profile_read(rh_text_get(&text), path, known);
  rh_text_clear(&text);
  return status;
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
    RH_TRY(read_known(task.profile, &known));
    RH_TRY(read_known(task.profile, &all));
  }
  RH_TRY(rh_measure(&task.run, &setup, &all));
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
