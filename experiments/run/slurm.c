#include "slurm.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

/* What a process takes beside its data, model and replicas: libraries and an engine with a small platform, 54 MB in the
 * closing table of such runs; and for each host of the platform, up to 75 kB by bench_network --steady. */
static const double process_bytes = 128 * 1024 * 1024, host_bytes = 128 * 1024;
/* Predictions are an order of magnitude, and nodes differ: a task that ends early gives its place back. */
static const double time_factor = 5, least_time_s = 600;

/* Slurm's own comments are cut at blanks unless quoted, and know no escapes. */
static rh_status check_path(const char *path)
{
  if (*path && !strpbrk(path, "\"'\\%$`\n")) return RH_OK;
  return rh_error(RH_EINVAL, "%s: cannot be written into a script of Slurm's; take a path without quotes and %%", path);
}

/* A job's name: letters, digits and what harms nowhere. */
static void append_name(const char *study, rh_text *out)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  for (; *study; study++)
    rh_text_append_bytes(out, strchr(plain, *study) ? study : "_", 1);
}

typedef struct needs {
  double memory_bytes, wall_s;
  int64_t threads;
} needs;

static needs needs_of(const rh_plan *plan)
{
  needs n = {.threads = 1};
  for (size_t i = 0; i < plan->count; i++) {
    const rh_plan_entry *entry = &plan->list[i];
    const rh_run *run = &entry->run;
    /* wall seconds were predicted with the planning machine's threads */
    const double threads = entry->any_threads ? (double)run->run.threads : 1;
    const double bytes =
        fmin(run->run.memory, (double)entry->most_bytes) + process_bytes + host_bytes * (double)entry->probe.hosts;
    n.memory_bytes = fmax(n.memory_bytes, bytes);
    n.wall_s = fmax(n.wall_s, entry->wall_s * threads);
    if (run->run.threads > n.threads) n.threads = run->run.threads;
  }
  return n;
}

rh_status rh_slurm_script(const char *folder, const char *study, const rh_plan *plan, rh_text *script)
{
  rh_status status = RH_OK;
  char *self = NULL, here[PATH_MAX];
  const needs n = needs_of(plan);
  const double minutes = ceil(fmax(least_time_s, time_factor * n.wall_s) / 60);
  RH_TRY(check_path(folder));
  RH_TRY(rh_process_self(&self));
  RH_TRY(check_path(self));
  if (!getcwd(here, sizeof here)) here[0] = '\0';
  RH_TRY(check_path(here));
  rh_text_append(script,
                 "#!/bin/bash\n# %zu task%s; submit with: sbatch '%s/slurm.sh'\n#SBATCH --job-name=", plan->count,
                 plan->count == 1 ? "" : "s", folder);
  append_name(study, script);
  rh_text_append(script,
                 "\n#SBATCH --array=1-%zu\n#SBATCH --ntasks=1\n#SBATCH --cpus-per-task=%lld\n#SBATCH --mem=%.0fM\n"
                 "#SBATCH --time=%.0f\n",
                 plan->count, (long long)n.threads, ceil(n.memory_bytes / 1048576), minutes);
  rh_text_append(script,
                 "#SBATCH --requeue\n#SBATCH --open-mode=append\n#SBATCH --output=\"%s/logs/%%a.log\"\n"
                 "# told a minute before the time is over, and before a preemption: the run leaves a checkpoint\n"
                 "#SBATCH --signal=B:TERM@60\n",
                 folder);
  /* files that the study names may be relative to where it was planned */
  rh_text_append(script,
                 "cd '%s' && exec '%s' run '%s' --index \"$SLURM_ARRAY_TASK_ID\" --resume --checkpoint every=300s\n",
                 here, self, folder);
done:
  free(self);
  return status;
}
