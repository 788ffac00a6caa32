#include "run_merge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "hash.h"

/* What a run's own file says of it. A file that cannot be read says nothing. */
static void read_state(const char *path, const char *id, char *state)
{
  rh_store *store;
  state[0] = '\0';
  if (access(path, F_OK) != 0 || rh_store_open(path, RH_STORE_READ, &store) != RH_OK) return;
  if (rh_store_run_status(store, id, state, RH_RUN_STATUS_SIZE) != RH_OK) state[0] = '\0';
  rh_store_close(store);
}

static void remove_checkpoints(const rh_scratch *scratch, const char *name)
{
  rh_text base = {0};
  rh_text_append(&base, "%s%s", scratch->path, name);
  rh_checkpoint_remove(base.data);
  rh_text_clear(&base);
}

rh_status rh_merge_leftover(rh_store *store, const rh_scratch *scratch, const char *name)
{
  rh_status status = RH_OK;
  char *path = rh_scratch_path(scratch, name, "db"), state[RH_RUN_STATUS_SIZE];
  read_state(path, name, state);
  if (access(path, F_OK) == 0) status = rh_store_merge(store, path, NULL, NULL);
  if (status == RH_EFORMAT) {
    fprintf(stderr, "rehearse: left by a process that was killed, and removed: %s\n", rh_error_message());
    status = RH_OK;
  }
  if (status == RH_OK) { /* checkpoints stay, unless there is nothing left to do */
    if (strcmp(state, "done") == 0) remove_checkpoints(scratch, name);
    rh_scratch_remove_all(scratch, name, "db");
    rh_scratch_remove_all(scratch, name, "task");
    rh_scratch_remove_all(scratch, name, "json");
  }
  free(path);
  return status;
}

rh_status rh_merge_leftovers(rh_store *store, const rh_scratch *scratch)
{
  rh_status status = RH_OK;
  char **names = NULL;
  size_t count = 0;
  RH_TRY(rh_scratch_names(scratch, &names, &count));
  for (size_t i = 0; i < count; i++) {
    int fd;
    pid_t holder;
    RH_TRY(rh_scratch_lock(scratch, names[i], &fd, &holder));
    if (fd < 0) continue;
    status = rh_merge_leftover(store, scratch, names[i]);
    if (status != RH_OK) close(fd); /* the lock's file stays with the others */
    if (status != RH_OK) goto done;
    rh_scratch_unlock(scratch, names[i], fd);
  }
done:
  for (size_t i = 0; i < count; i++)
    free(names[i]);
  free(names);
  return status;
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
                          .timing_only = rh_run_is_timing_only(run),
                          .dataset = rh_run_is_timing_only(run) ? "none" : run->dataset_kind->name,
                          .partition = rh_run_is_timing_only(run) ? "none" : rh_partition_name(run->partition.kind),
                          .graph = run->graph_kind ? run->graph_kind->name : "",
                          .lambda2 = NAN,
                          .parameters = entry->parameters,
                          .batch = run->train.batch,
                          .seed = run->run.seed,
                          .rounds_planned = run->train.rounds,
                          .backend = entry->backend,
                          .kernel = entry->kernel,
                          .threads = (int32_t)run->run.threads,
                          .time_source = rh_run_time_source(run),
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

static rh_status replace_run(rh_store *store, const rh_run_header *header, const char *reason)
{
  (void)reason;
  return rh_store_begin_run(store, header);
}

rh_status rh_merge_failure(rh_store *store, const rh_plan_entry *entry, const char *reason)
{
  return with_header(entry, store, reason, fail_run);
}

rh_status rh_merge_run(rh_store *store, const rh_scratch *scratch, const rh_plan_entry *entry, bool replace,
                       char *state)
{
  rh_status status = RH_OK;
  char *path = rh_scratch_path(scratch, entry->run.id, "db");
  read_state(path, entry->run.id, state);
  /* only a run that is there in full takes the place of another */
  if (replace && strcmp(state, "done") == 0) RH_TRY(with_header(entry, store, "", replace_run));
  RH_TRY(rh_merge_leftover(store, scratch, entry->run.id));
done:
  if (status != RH_OK) /* the message is built aside: it may quote itself */
    (void)rh_error(status,
                   "%s. The run's rows are safe in %s: the next `rehearse run` of the study takes them over, or "
                   "`rehearse merge`",
                   rh_error_message(), path);
  free(path);
  return status;
}
