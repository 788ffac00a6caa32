/* From settings to a typed run. A section is read from its common rows and, where the study chooses a component (a
 * method, a model, ...), from that component's rows. */
#include <stdlib.h>
#include <string.h>

#include "profile_file.h"
#include "registry.h"
#include "run.h"

enum { GROUPS_MAX = 64 };

/* Reads a fixed section into `target`. */
static rh_status read_fixed(const char *section, const rh_settings *settings, void *target)
{
  size_t count;
  const rh_option *rows = rh_run_section(section, &count);
  return rh_option_read(rows, count, section, settings, target);
}

/* Refuses keys that nothing knows. Keys of another component of the section than the chosen one are let through, since
 * a study that varies the component gives the keys of all of them; rh_plan_make warns of those that no run of it reads.
 */
static rh_status check_section(const char *section, const rh_registry *registry, const rh_option_group *extra,
                               size_t extra_count, const rh_settings *settings)
{
  rh_option_group groups[GROUPS_MAX];
  rh_option choice = {0};
  rh_component component;
  size_t count = 0;
  groups[count].rows = rh_run_section(section, &groups[count].count);
  if (groups[count].rows) count++;
  for (size_t i = 0; i < extra_count; i++)
    groups[count++] = extra[i];
  if (registry) {
    choice.name = strchr(registry->key, '.') + 1;
    groups[count++] = (rh_option_group){&choice, 1};
    for (size_t i = 0; registry->get(i, &component); i++) {
      RH_ASSERT(count < GROUPS_MAX);
      if (component.option_count) groups[count++] = (rh_option_group){component.options, component.option_count};
    }
  }
  return rh_option_check_known(groups, count, section, settings);
}

static rh_status unknown_component(const rh_registry *registry, const rh_setting *setting)
{
  const char *near = rh_text_nearest(setting->value, rh_registry_name, registry);
  if (near)
    return rh_settings_error(RH_EINVAL, setting, "no %s '%s'; did you mean '%s'?", registry->singular, setting->value,
                             near);
  rh_text names = {0};
  for (size_t i = 0; rh_registry_name(registry, i); i++)
    rh_text_append(&names, " %s", rh_registry_name(registry, i));
  rh_status status = rh_settings_error(RH_EINVAL, setting, "no %s '%s'; one of:%s", registry->singular, setting->value,
                                       rh_text_get(&names));
  rh_text_clear(&names);
  return status;
}

/* Looks up the component that the study chooses and reads its options into memory of their own. */
static rh_status read_component(const rh_registry *registry, const rh_settings *settings, const void **descriptor,
                                void **options)
{
  rh_component component;
  const rh_setting *setting = rh_settings_find(settings, registry->key);
  if (!rh_registry_find(registry, setting ? setting->value : registry->fallback, &component)) {
    RH_ASSERT(setting && "the registry's default exists");
    return unknown_component(registry, setting);
  }
  *descriptor = component.descriptor;
  *options = calloc(1, component.options_size ? component.options_size : 1);
  RH_ASSERT(*options && "memory is exhausted");
  return rh_option_read(component.options, component.option_count, registry->section, settings, *options);
}

/* Finds the file that a key names; "" finds nothing. */
static rh_status find_for(const rh_run *run, const char *key, const char *name, char **path)
{
  if (!name[0]) return RH_OK;
  rh_status status = rh_find_file(name, run->directory, "platforms", path);
  const rh_setting *setting = rh_settings_find(&run->settings, key);
  return status == RH_OK ? RH_OK : rh_settings_error(status, setting, "%s", rh_error_message());
}

/* What the workers must allow. */
static rh_status check_collective(const rh_run *run)
{
  int32_t sides[RH_TORUS_MAX];
  const int64_t workers = run->platform.workers;
  const rh_status status = rh_torus_read(run->network.torus, (int32_t)workers, sides);
  if (status != RH_OK)
    return rh_settings_error(status, rh_settings_find(&run->settings, "network.torus"), "%s", rh_error_message());
  if (run->network.shards > workers)
    return rh_settings_error(RH_EINVAL, rh_settings_find(&run->settings, "network.shards"),
                             "%lld shards on %lld workers; each shard is on a worker of its own",
                             (long long)run->network.shards, (long long)workers);
  return RH_OK;
}

static rh_status read_platform(rh_run *run)
{
  rh_status status = RH_OK;
  const rh_settings *settings = &run->settings;
  RH_TRY(check_section("platform", NULL, NULL, 0, settings));
  RH_TRY(check_section("network", NULL, NULL, 0, settings));
  RH_TRY(read_fixed("platform", settings, &run->platform));
  RH_TRY(read_fixed("network", settings, &run->network));
  RH_TRY(check_collective(run));
  if (!run->platform.file[0])
    return rh_settings_error(RH_EINVAL, rh_settings_find(settings, "platform.file"), "the file's name is empty");
  if (run->platform.hostfile[0] && run->platform.deployment[0])
    return rh_settings_error(RH_EINVAL, rh_settings_find(settings, "platform.deployment"),
                             "ranks come from a hostfile or from a deployment, not from both");
  RH_TRY(find_for(run, "platform.file", run->platform.file, &run->platform_path));
  RH_TRY(find_for(run, "platform.hostfile", run->platform.hostfile, &run->hostfile_path));
  RH_TRY(find_for(run, "platform.deployment", run->platform.deployment, &run->deployment_path));
done:
  return status;
}

/* What the study leaves open follows from the kind of graph and from the method. */
static rh_status read_graph(rh_run *run)
{
  rh_status status = RH_OK;
  const void *found = NULL;
  RH_TRY(check_section("graph", &rh_registry_graphs, NULL, 0, &run->settings));
  RH_TRY(read_fixed("graph", &run->settings, &run->graph));
  RH_TRY(read_component(&rh_registry_graphs, &run->settings, &found, &run->graph_kind_options));
  const rh_graph_kind *kind = found;
  if (kind->direction == RH_GRAPH_DIRECTED && !rh_settings_find(&run->settings, "graph.directed"))
    run->graph.directed = true;
  if (!rh_settings_find(&run->settings, "graph.weights")) {
    if (run->graph.directed) run->graph.weights = RH_WEIGHTS_UNIFORM; /* metropolis weights are of undirected graphs */
    if (run->method->mixing == RH_MIXING_COLUMNS) run->graph.weights = RH_WEIGHTS_PUSH;
  }
  if (!run->method->needs_graph) return RH_OK;
  run->graph_kind = kind;
  if (kind->file) RH_TRY(find_for(run, "graph.file", kind->file(run->graph_kind_options), &run->graph_path));
done:
  return status;
}

static rh_status check_rate(const rh_run *run)
{
  const rh_rate *rate = &run->train.rate;
  rh_status status = rh_rate_check(rate, run->train.rounds);
  if (status == RH_OK) return RH_OK;
  const char *key = rate->lr_min > rate->lr ? "train.lr_min"
                    : rate->lr_warmup       ? "train.lr_warmup"
                                            : "train.lr_cooldown";
  return rh_settings_error(status, rh_settings_find(&run->settings, key), "%s", rh_error_message());
}

static rh_status read_training(rh_run *run)
{
  rh_status status = RH_OK;
  const rh_settings *settings = &run->settings;
  const void *found = NULL;

  const rh_option_group data = {rh_partition_options, rh_partition_option_count};
  RH_TRY(check_section("data", &rh_registry_datasets, &data, 1, settings));
  RH_TRY(rh_option_read(rh_partition_options, rh_partition_option_count, "data", settings, &run->partition));
  RH_TRY(read_component(&rh_registry_datasets, settings, &found, &run->dataset_options));
  run->dataset_kind = found;

  RH_TRY(check_section("model", &rh_registry_models, NULL, 0, settings));
  RH_TRY(read_component(&rh_registry_models, settings, &found, &run->model_options));
  run->model_kind = found;

  const rh_option_group step[] = {{rh_optimiser_rows, rh_optimiser_row_count},
                                  {rh_rate_rows, rh_rate_row_count},
                                  {rh_mask_rows, rh_mask_row_count}};
  RH_TRY(check_section("train", &rh_registry_methods, step, RH_COUNT(step), settings));
  RH_TRY(read_fixed("train", settings, &run->train));
  RH_TRY(rh_option_read(rh_optimiser_rows, rh_optimiser_row_count, "train", settings, &run->train.optimiser));
  RH_TRY(rh_option_read(rh_rate_rows, rh_rate_row_count, "train", settings, &run->train.rate));
  RH_TRY(rh_option_read(rh_mask_rows, rh_mask_row_count, "train", settings, &run->train.mask));
  RH_TRY(check_rate(run));
  RH_TRY(read_component(&rh_registry_methods, settings, &found, &run->method_options));
  run->method = found;

  const rh_option_group feedback = {rh_feedback_rows, rh_feedback_row_count};
  RH_TRY(check_section("compress", &rh_registry_compressors, &feedback, 1, settings));
  RH_TRY(rh_option_read(rh_feedback_rows, rh_feedback_row_count, "compress", settings, &run->feedback));
  RH_TRY(read_component(&rh_registry_compressors, settings, &found, &run->compressor_options));
  run->compressor = found;
done:
  return status;
}

/* "FROM..TO" or one round. */
static rh_status read_trace(const rh_settings *settings, int64_t rounds, rh_run_options *run)
{
  if (!run->trace[0]) return RH_OK;
  const rh_setting *setting = rh_settings_find(settings, "run.trace");
  char *end;
  const long long first = strtoll(run->trace, &end, 10);
  const long long last = strncmp(end, "..", 2) == 0 ? strtoll(end + 2, &end, 10) : first;
  if (end == run->trace || *end != '\0' || first < 1 || last < first)
    return rh_settings_error(RH_EINVAL, setting, "'%s' names no rounds; write FROM..TO, as 1..3, counted from 1",
                             run->trace);
  if (first > rounds)
    return rh_settings_error(RH_EINVAL, setting, "round %lld is to be recorded, but train.rounds is %lld", first,
                             (long long)rounds);
  run->trace_first = first;
  run->trace_last = last;
  return RH_OK;
}

/* A profile is named where it is read, and nowhere else: a name without its source is a mistake, one beside another
 * source belongs to the study's other runs. */
static rh_status read_profile_name(rh_run *run)
{
  const rh_setting *setting = rh_settings_find(&run->settings, "time.profile");
  if (run->time.source != RH_TIME_PROFILE) {
    if (setting && setting->value[0] && !rh_settings_find(&run->settings, "time.source"))
      return rh_settings_error(RH_EINVAL, setting, "is read with time.source: profile alone, which this study lacks");
    run->time.profile = "";
    return RH_OK;
  }
  if (!run->time.profile[0])
    return rh_settings_error(RH_EINVAL, setting ? setting : rh_settings_find(&run->settings, "time.source"),
                             "source profile needs time.profile, the file that holds the seconds");
  rh_status status = rh_profile_find_file(run->time.profile, run->directory, &run->profile_path);
  return status == RH_OK ? RH_OK : rh_settings_error(status, setting, "%s", rh_error_message());
}

/* off, measured, or a coefficient of variation. */
static rh_status read_jitter(rh_run *run)
{
  rh_time_options *time = &run->time;
  const rh_setting *setting = rh_settings_find(&run->settings, "time.jitter");
  char *end;
  time->jitter_kind = RH_JITTER_OFF;
  if (strcmp(time->jitter, "off") == 0) return RH_OK;
  if (strcmp(time->jitter, "measured") == 0) {
    time->jitter_kind = RH_JITTER_MEASURED;
    if (time->source == RH_TIME_FLOPS)
      return rh_settings_error(RH_EINVAL, setting,
                               "time.source: flops times nothing, so no spread is known; give a factor, as 0.1");
    return RH_OK;
  }
  time->jitter_factor = strtod(time->jitter, &end);
  if (end == time->jitter || *end != '\0' || !(time->jitter_factor >= 0 && time->jitter_factor <= 10))
    return rh_settings_error(RH_EINVAL, setting,
                             "'%s' is neither off, nor measured, nor a coefficient of variation from 0 to 10",
                             time->jitter);
  if (time->jitter_factor == 0)
    time->jitter = "off";
  else
    time->jitter_kind = RH_JITTER_FACTOR;
  return RH_OK;
}

static rh_status read_time(rh_run *run)
{
  rh_status status = read_profile_name(run);
  if (status == RH_OK) status = read_jitter(run);
  if (run->time.jitter_kind == RH_JITTER_OFF) run->time.draw = 0; /* nothing is drawn */
  return status;
}

const char *rh_run_time_source(const rh_run *run)
{
  static const char *const names[] = {
      [RH_TIME_MEASURED] = "measured", [RH_TIME_PROFILE] = "profile", [RH_TIME_FLOPS] = "flops"};
  return names[run->time.source];
}

static rh_status read_rest(rh_run *run)
{
  static const char *const names[] = {"time", "run", "stop"};
  void *const targets[] = {&run->time, &run->run, &run->stop};
  for (size_t i = 0; i < RH_COUNT(names); i++) {
    rh_status status = check_section(names[i], NULL, NULL, 0, &run->settings);
    if (status == RH_OK) status = read_fixed(names[i], &run->settings, targets[i]);
    if (status != RH_OK) return status;
  }
  rh_status status = read_time(run);
  if (status == RH_OK) status = find_for(run, "run.init", run->run.init, &run->init_path);
  return status == RH_OK ? read_trace(&run->settings, run->train.rounds, &run->run) : status;
}

rh_status rh_run_resolve(const rh_settings *settings, const char *study, const char *question, const char *directory,
                         rh_run *run)
{
  rh_status status = RH_OK;
  *run = (rh_run){.study = rh_text_duplicate(study),
                  .question = rh_text_duplicate(question ? question : ""),
                  .directory = rh_text_duplicate(directory ? directory : "")};
  rh_settings_copy(&run->settings, settings);
  RH_TRY(read_platform(run));
  RH_TRY(read_training(run));
  RH_TRY(read_graph(run));
  RH_TRY(read_rest(run));
  RH_TRY(rh_run_check_compute(run));
done:
  if (status != RH_OK) rh_run_clear(run);
  return status;
}

void rh_run_clear(rh_run *run)
{
  free(run->study);
  free(run->question);
  free(run->directory);
  rh_settings_clear(&run->settings);
  free(run->platform_path);
  free(run->hostfile_path);
  free(run->deployment_path);
  free(run->graph_kind_options);
  free(run->graph_path);
  free(run->dataset_options);
  free(run->model_options);
  free(run->method_options);
  free(run->compressor_options);
  free(run->init_path);
  free(run->profile_path);
  *run = (rh_run){0};
}

static void write_fixed(const char *section, const void *target, rh_text *out)
{
  size_t count;
  const rh_option *rows = rh_run_section(section, &count);
  rh_option_write(rows, count, section, target, out);
}

static void write_component(const rh_registry *registry, const char *name, const void *options, rh_text *out)
{
  rh_component component;
  RH_ASSERT(rh_registry_find(registry, name, &component));
  rh_text_append(out, "%s=%s\n", registry->key, name);
  rh_option_write(component.options, component.option_count, registry->section, options, out);
}

void rh_run_write(const rh_run *run, rh_text *out)
{
  write_fixed("platform", &run->platform, out);
  write_fixed("network", &run->network, out);
  if (run->graph_kind) {
    write_component(&rh_registry_graphs, run->graph_kind->name, run->graph_kind_options, out);
    write_fixed("graph", &run->graph, out);
  }
  if (!run->model_kind->table) /* else nothing depends on data; timing alone takes a sample's shape from them */
    write_component(&rh_registry_datasets, run->dataset_kind->name, run->dataset_options, out);
  if (!rh_run_is_timing_only(run))
    rh_option_write(rh_partition_options, rh_partition_option_count, "data", &run->partition, out);
  write_component(&rh_registry_models, run->model_kind->name, run->model_options, out);
  write_component(&rh_registry_methods, run->method->name, run->method_options, out);
  write_fixed("train", &run->train, out);
  rh_option_write(rh_optimiser_rows, rh_optimiser_row_count, "train", &run->train.optimiser, out);
  rh_option_write(rh_rate_rows, rh_rate_row_count, "train", &run->train.rate, out);
  rh_option_write(rh_mask_rows, rh_mask_row_count, "train", &run->train.mask, out);
  write_component(&rh_registry_compressors, run->compressor->name, run->compressor_options, out);
  rh_option_write(rh_feedback_rows, rh_feedback_row_count, "compress", &run->feedback, out);
  write_fixed("time", &run->time, out);
  write_fixed("run", &run->run, out);
  write_fixed("stop", &run->stop, out);
}
