#include "execute_header.h"

#include <gsl/gsl_version.h>
#include <inttypes.h>
#include <libfyaml.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "process.h"

char *rh_execute_versions(void)
{
  rh_text text = {0};
  char *self = NULL;
  uint64_t build = 0;
  if (rh_process_self(&self) != RH_OK || rh_hash_file(self, &build) != RH_OK) build = 0; /* 0: not known */
  free(self);
  rh_text_append(&text, "rehearse %s (build %08" PRIx64 "), %s, %s, SQLite %s, GSL %s, libfyaml %s", RH_VERSION,
                 build & 0xffffffff, rh_platform_version(), rh_backend_cpu.kernel(), sqlite3_libversion(), gsl_version,
                 fy_library_version());
  return text.data;
}

/* "platforms/edge-wifi-16.xml" -> "edge-wifi-16" */
static char *platform_name(const char *path)
{
  const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  char *name = rh_text_duplicate(base);
  size_t length = strlen(name);
  if (length > 4 && strcmp(name + length - 4, ".xml") == 0) name[length - 4] = '\0';
  return name;
}

/* Whether an entry is of a host's own device, "DEVICE: NAME". */
static bool of_device(const char *name)
{
  const char *colon = strstr(name, ": ");
  return colon && strcspn(name, "/") > (size_t)(colon - name);
}

/* The durations that the run uses, and their hash. Of hosts' devices no others are handed over. */
static void used_durations(const rh_run *run, const rh_setup *setup, const rh_profile *profile, rh_text *json,
                           uint64_t *hash)
{
  rh_names names;
  rh_measure_names(run, setup, profile->backend, &names);
  rh_profile used = {.device = profile->device, .backend = profile->backend};
  for (int i = 0; i < names.count; i++) {
    const rh_duration *d = rh_profile_find(profile, names.list[i]);
    if (d) rh_profile_put(&used, d);
  }
  for (int32_t i = 0; i < profile->count && names.count > 0; i++)
    if (of_device(profile->list[i].name)) rh_profile_put(&used, &profile->list[i]);
  *hash = used.count ? rh_profile_hash(&used, NULL) : 0;
  if (used.count) rh_profile_write(&used, json);
  used.device = used.backend = NULL; /* borrowed */
  rh_profile_clear(&used);
  rh_names_clear(&names);
}

/* |lambda_2| of the graphs; NaN, with a warning, where it cannot be had. */
static double graph_lambda2(const rh_graph_sequence *graphs, rh_text *warnings)
{
  double lambda2;
  if (!graphs) return NAN;
  if (rh_graph_sequence_lambda2(graphs, &lambda2) == RH_OK) return lambda2;
  rh_text_append(warnings, "%s", rh_error_message());
  return NAN;
}

rh_status rh_execute_begin(rh_store *store, const rh_task *task, const rh_setup *setup, const rh_graph_sequence *graphs,
                           const rh_platform *platform, const rh_profile *profile, rh_text *warnings)
{
  rh_status status = RH_OK;
  const rh_run *run = &task->run;
  const rh_work work = rh_model_step_work(&setup->model, run->train.batch);
  rh_text configuration = {0}, profile_json = {0};
  uint64_t platform_hash = 0, profile_hash = 0;
  char *name = platform_name(run->platform_path), *versions = rh_execute_versions();
  rh_run_write(run, &configuration);
  used_durations(run, setup, profile, &profile_json, &profile_hash);
  RH_TRY(rh_hash_file(run->platform_path, &platform_hash));
  rh_run_header header = {
      .id = run->id,
      .study = run->study,
      .question = run->question,
      .configuration = rh_text_get(&configuration),
      .platform = name,
      .platform_file = run->platform.file,
      .platform_hash = platform_hash,
      .network_model = rh_platform_model(platform),
      .protocol = run->network.protocol == RH_PROTOCOL_EAGER ? "eager" : "rendezvous",
      .precision_s = rh_platform_precision(platform),
      .workers = (int32_t)run->platform.workers,
      .zones = rh_platform_zone_count(platform),
      .method = run->method->name,
      .compressor = run->compressor->name,
      .model = setup->model.name,
      .timing_only = rh_run_is_timing_only(run),
      .dataset = rh_run_is_timing_only(run) ? "none" : setup->dataset.name,
      .partition = rh_run_is_timing_only(run) ? "none" : rh_partition_name(run->partition.kind),
      .graph = graphs ? graphs->graphs[0].name : "",
      .lambda2 = rh_run_is_timing_only(run) ? (double)NAN : graph_lambda2(graphs, warnings), /* it is of learning */
      .parameters = setup->model.parameters,
      .step_flop = work.flop,
      .step_int8_op = work.int8_op,
      .weight_bytes = rh_model_weight_bytes(&setup->model),
      .activation_bytes = rh_model_activation_bytes(&setup->model, run->train.batch),
      .batch = run->train.batch,
      .seed = run->run.seed,
      .rounds_planned = run->train.rounds,
      .backend = rh_setup_backend(setup, run),
      .kernel = rh_setup_kernel(setup, run),
      .threads = setup->threads,
      .time_source = rh_run_time_source(run),
      .profile_json = rh_text_get(&profile_json),
      .profile_hash = profile_hash,
      .target_accuracy = run->stop.accuracy > 0 ? run->stop.accuracy : NAN,
      .versions = versions,
      .command = task->command ? task->command : "",
  };
  RH_TRY(rh_store_begin_run(store, &header));
done:
  free(name);
  free(versions);
  rh_text_clear(&configuration);
  rh_text_clear(&profile_json);
  return status;
}
