#include "plan_folder.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output_file.h"
#include "profile_file.h"
#include "scratch.h"
#include "slurm.h"

static const int format_version = 1;
static const char format_name[] = "rehearse-plan";

static char *joined(const char *folder, const char *name)
{
  rh_text path = {0};
  rh_text_append(&path, "%s%s", folder, name);
  return path.data;
}

static rh_status write_file(const char *folder, const char *name, const rh_text *text)
{
  char *path = joined(folder, name);
  rh_status status = rh_output_file_write(path, rh_text_get(text), text->length);
  free(path);
  return status;
}

static rh_status make_folder(const char *folder, const char *name)
{
  char *path = joined(folder, name);
  rh_status status = RH_OK;
  if (mkdir(path, 0777) != 0) status = rh_error(RH_EIO, "%s: cannot be created: %s", path, strerror(errno));
  free(path);
  return status;
}

char *rh_folder_file(const rh_folder *folder, const char *kind, int64_t index, const char *suffix)
{
  rh_text path = {0};
  rh_text_append(&path, "%s%s/%" PRId64 ".%s", folder->path, kind, index, suffix);
  return path.data;
}

static rh_status write_tasks(const rh_folder *folder, rh_plan *plan)
{
  for (size_t i = 0; i < plan->count; i++) {
    rh_plan_entry *entry = &plan->list[i];
    /* a task has one core and what it can use of the memory: a queue has many small places rather than one large */
    if (entry->any_threads) entry->run.run.threads = 1;
    if (entry->any_memory) entry->run.run.memory = fmin(entry->run.run.memory, (double)entry->most_bytes);
    char *path = rh_folder_file(folder, "tasks", (int64_t)i + 1, "task");
    rh_status status = rh_task_write(&entry->run, NULL, NULL, entry->command, path);
    free(path);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

static rh_status fill(const rh_folder *folder, rh_plan *plan, const rh_profile *profile)
{
  rh_status status = RH_OK;
  rh_text text = {0}, json = {0};
  RH_TRY(make_folder(folder->path, "tasks"));
  RH_TRY(make_folder(folder->path, "results"));
  RH_TRY(make_folder(folder->path, "logs"));
  RH_TRY(write_tasks(folder, plan));
  rh_profile_write(profile, &json);
  RH_TRY(write_file(folder->path, "profile.json", &json));
  rh_text_append(&text, "%s %d\nversion %s\nstudy %s\ntasks %" PRId64 "\n", format_name, format_version, RH_VERSION,
                 folder->study, folder->count);
  status = write_file(folder->path, "plan", &text);
done:
  rh_text_clear(&json);
  rh_text_clear(&text);
  return status;
}

/* Removes what a failed attempt has written. */
static void remove_tree(const rh_folder *folder)
{
  static const char *const names[] = {"plan", "profile.json", "slurm.sh", "tasks", "results", "logs", ""};
  for (int64_t i = 1; i <= folder->count; i++) {
    char *path = rh_folder_file(folder, "tasks", i, "task");
    unlink(path);
    free(path);
  }
  for (size_t i = 0; i < RH_COUNT(names); i++) {
    char *path = joined(folder->path, names[i]);
    if (unlink(path) != 0) rmdir(path);
    free(path);
  }
}

rh_status rh_folder_create(const char *path, const rh_study *study, rh_plan *plan, const rh_profile *profile,
                           bool slurm)
{
  rh_status status = RH_OK;
  rh_text temporary = {0};
  char absolute[PATH_MAX];
  rh_folder folder = {.study = study->name, .count = (int64_t)plan->count};
  if (access(path, F_OK) == 0)
    return rh_error(RH_EINVAL, "%s: is there already; name a new folder, or remove it", path);
  rh_text_append(&temporary, "%s.new-%ld/", path, (long)getpid());
  folder.path = temporary.data;
  RH_TRY(make_folder(folder.path, ""));
  RH_TRY(fill(&folder, plan, profile));
  if (slurm) {
    rh_text script = {0};
    if (!realpath(folder.path, absolute)) absolute[0] = '\0';
    *strrchr(absolute, '.') = '\0'; /* of ".new-PID" */
    status = rh_slurm_script(absolute, study->name, plan, &script);
    if (status == RH_OK) status = write_file(folder.path, "slurm.sh", &script);
    rh_text_clear(&script);
    if (status != RH_OK) goto done;
  }
  temporary.data[temporary.length - 1] = '\0';
  if (rename(temporary.data, path) != 0) status = rh_error(RH_EIO, "%s: cannot be created: %s", path, strerror(errno));
  temporary.data[temporary.length - 1] = '/';
done:
  if (status != RH_OK) remove_tree(&folder);
  rh_text_clear(&temporary);
  return status;
}

bool rh_folder_is(const char *path)
{
  struct stat info;
  rh_text plan = {0};
  rh_text_append(&plan, "%s/plan", path);
  bool is = stat(path, &info) == 0 && S_ISDIR(info.st_mode) && access(plan.data, F_OK) == 0;
  rh_text_clear(&plan);
  return is;
}

/* The value of "NAME VALUE" at the head of *text, which moves on by a line; NULL if the line is another. */
static char *take_line(char **text, const char *name)
{
  const size_t length = strlen(name);
  char *line = *text, *end = strchr(line, '\n');
  if (strncmp(line, name, length) != 0 || line[length] != ' ' || !end) return NULL;
  *end = '\0';
  *text = end + 1;
  return line + length + 1;
}

static rh_status parse(const char *path, char *text, rh_folder *folder)
{
  const char *format = take_line(&text, format_name), *version, *study, *tasks;
  char *end = NULL;
  if (!format) return rh_error(RH_EFORMAT, "%s: no plan of `rehearse plan`", path);
  if (strtol(format, &end, 10) != format_version || *end)
    return rh_error(RH_EUNSUPPORTED, "%s: a plan of format %s, and this program knows %d; plan the study again", path,
                    format, format_version);
  version = take_line(&text, "version");
  study = take_line(&text, "study");
  tasks = take_line(&text, "tasks");
  errno = 0;
  folder->count = tasks ? strtoll(tasks, &end, 10) : 0;
  if (!version || !study || !tasks || *end || errno || folder->count < 1)
    return rh_error(RH_EFORMAT, "%s: a damaged plan; plan the study again", path);
  if (strcmp(version, RH_VERSION) != 0)
    return rh_error(RH_EUNSUPPORTED, "%s: planned by rehearse %s, and this is %s; plan the study again", path, version,
                    RH_VERSION);
  folder->study = rh_text_duplicate(study);
  return RH_OK;
}

rh_status rh_folder_open(const char *path, rh_folder *folder)
{
  rh_status status = RH_OK;
  rh_text text = {0};
  *folder = (rh_folder){0};
  char *slashed = joined(path, path[0] && path[strlen(path) - 1] == '/' ? "" : "/");
  char *plan = joined(slashed, "plan");
  folder->path = slashed;
  RH_TRY(rh_text_read_file(&text, plan));
  status = text.data ? parse(plan, text.data, folder) : rh_error(RH_EFORMAT, "%s: is empty", plan);
done:
  if (status != RH_OK) rh_folder_clear(folder);
  rh_text_clear(&text);
  free(plan);
  return status;
}

void rh_folder_clear(rh_folder *folder)
{
  free(folder->path);
  free(folder->study);
  *folder = (rh_folder){0};
}

rh_status rh_folder_task(const rh_folder *folder, int64_t index, rh_task *task)
{
  *task = (rh_task){0};
  if (index < 1 || index > folder->count)
    return rh_error(RH_EINVAL, "%s: has no task %" PRId64 "; they are 1 to %" PRId64, folder->path, index,
                    folder->count);
  char *path = rh_folder_file(folder, "tasks", index, "task");
  rh_status status = rh_task_read(path, task);
  free(path);
  return status;
}

void rh_study_of_run(const rh_run *run, rh_study *study)
{
  *study = (rh_study){.name = rh_text_duplicate(run->study),
                      .question = rh_text_duplicate(run->question),
                      .file = rh_text_duplicate(""),
                      .directory = rh_text_duplicate(run->directory),
                      .runs = calloc(1, sizeof *study->runs),
                      .count = 1};
  RH_ASSERT(study->runs && "memory is exhausted");
  rh_settings_copy(study->runs, &run->settings);
}

rh_status rh_folder_profile(const rh_folder *folder, rh_profile *profile)
{
  rh_text text = {0};
  char *path = joined(folder->path, "profile.json");
  rh_status status = rh_text_read_file(&text, path);
  if (status == RH_OK) status = rh_profile_read(rh_text_get(&text), path, profile);
  rh_text_clear(&text);
  free(path);
  return status;
}

/* What the task's file says of its run. */
static rh_status read_state(const char *path, const char *id, char *state, size_t size, char **reason)
{
  rh_store *store = NULL;
  rh_run_list list = {0};
  rh_status status = rh_store_open(path, RH_STORE_READ, &store);
  if (status == RH_OK) status = rh_store_list(store, NULL, id, &list);
  if (status == RH_OK && list.count == 1) {
    snprintf(state, size, "%s", list.list[0].status);
    if (reason) *reason = rh_text_duplicate(list.list[0].reason);
  }
  rh_run_list_clear(&list);
  rh_store_close(store);
  return status;
}

rh_status rh_folder_state(const rh_folder *folder, int64_t index, const char *id, const char **state, char **reason)
{
  rh_status status = RH_OK;
  char stored[16] = "";
  char *path = rh_folder_file(folder, "results", index, "db");
  if (reason) *reason = NULL;
  const bool running = rh_scratch_is_locked(path, id);
  if (!running && access(path, F_OK) == 0) status = read_state(path, id, stored, sizeof stored, reason);
  *state = running                         ? "running"
           : strcmp(stored, "done") == 0   ? "done"
           : strcmp(stored, "failed") == 0 ? "failed"
                                           : "missing";
  free(path);
  return status;
}
