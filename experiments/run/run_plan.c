#include "run_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "distinct.h"
#include "hash.h"
#include "output_file.h"
#include "run_plan_setup.h"
#include "run_profiles.h"

/* Appends the lines of a configuration that begin with `prefix`. */
static void append_lines(const char *lines, const char *prefix, rh_text *out)
{
  for (const char *line = lines; *line;) {
    size_t length = strcspn(line, "\n") + 1;
    if (strncmp(line, prefix, strlen(prefix)) == 0) rh_text_append_bytes(out, line, length);
    line += length;
  }
}

/* Whether the configuration has a value for the key. */
static bool has_key(const char *lines, const char *key)
{
  rh_text prefix = {0}, found = {0};
  rh_text_append(&prefix, "%s=", key);
  append_lines(lines, prefix.data, &found);
  bool has = found.length > 0;
  rh_text_clear(&prefix);
  rh_text_clear(&found);
  return has;
}

static void append_set(const char *set, rh_text *out)
{
  rh_text_append(out, " --set ");
  rh_text_append_quoted(out, set);
}

/* The value of a varied key: as the study writes it; in a run of `include` that does not name the key what it resolves
 * to; NULL if the run has no such key. Owned by the caller. */
static char *value_of(const rh_study *study, size_t run, const char *lines, const char *key)
{
  const rh_setting *setting = rh_settings_find(&study->runs[run], key);
  if (setting) return rh_text_duplicate(setting->value);
  rh_text prefix = {0}, line = {0};
  char *value = NULL;
  rh_text_append(&prefix, "%s=", key);
  append_lines(lines, prefix.data, &line);
  if (line.length > prefix.length) {
    line.data[line.length - 1] = '\0';
    value = rh_text_duplicate(line.data + prefix.length);
  }
  rh_text_clear(&prefix);
  rh_text_clear(&line);
  return value;
}

/* What repeats one run of the study: the overrides as given, then the values of the keys that are varied. */
static char *command_of(const rh_study *study, size_t run, const char *lines, const char *const *sets, size_t set_count)
{
  rh_text text = {0};
  rh_text_append(&text, "rehearse run ");
  rh_text_append_quoted(&text, study->file);
  for (size_t i = 0; i < set_count; i++)
    append_set(sets[i], &text);
  for (size_t i = 0; i < study->varied_count; i++) {
    rh_text set = {0};
    char *value = value_of(study, run, lines, study->varied[i]);
    if (value) rh_text_append(&set, "%s=%s", study->varied[i], value);
    if (value) append_set(set.data, &text);
    rh_text_clear(&set);
    free(value);
  }
  return text.data;
}

/* Keys that change no result: any number of threads and any chunk size give the same bits, and a saved model is one. */
static const char *const idle_keys[] = {"run.threads", "run.memory", "run.save"};

static bool is_idle(const char *line, size_t length)
{
  for (size_t i = 0; i < RH_COUNT(idle_keys); i++) {
    size_t key = strlen(idle_keys[i]);
    if (length >= key && strncmp(line, idle_keys[i], key) == 0 && (length == key || line[key] == '=')) return true;
  }
  return false;
}

/* A line whose value is a path, as far as it counts: the last name of the path. Texts of these sections with a slash
 * are paths, and the content of what they name is hashed beside them. */
static uint64_t hash_line(const char *line, size_t length, uint64_t hash)
{
  bool files = strncmp(line, "platform.", 9) == 0 || strncmp(line, "data.", 5) == 0 ||
               strncmp(line, "graph.", 6) == 0 || strncmp(line, "time.profile=", 13) == 0 ||
               strncmp(line, "run.init=", 9) == 0;
  size_t key = strcspn(line, "=") + 1, end = length - 1, first;
  while (end > key && line[end - 1] == '/')
    end--;
  for (first = end; first > key && line[first - 1] != '/';)
    first--;
  if (!files) return rh_hash_bytes(line, length, hash);
  return rh_hash_bytes(line + first, end - first, rh_hash_bytes(line, key, hash));
}

/* Of the lines that change results. by_name: of paths the last name alone. */
static uint64_t hash_lines(const char *lines, bool by_name)
{
  uint64_t hash = 0;
  for (const char *line = lines; *line;) {
    size_t length = strcspn(line, "\n") + 1;
    if (!is_idle(line, length)) hash = by_name ? hash_line(line, length, hash) : rh_hash_bytes(line, length, hash);
    line += length;
  }
  return hash;
}

/* " lr=0.1 bits=4": what is varied, and not in a label anyway. */
static char *label_of(const rh_study *study, size_t run, const char *lines)
{
  static const char *const known[] = {"platform.file", "platform.workers", "train.method", "compress.name", "run.seed"};
  rh_text text = {0};
  for (size_t i = 0; i < study->varied_count; i++) {
    const char *key = study->varied[i];
    bool said = is_idle(key, strlen(key)) || !has_key(lines, key);
    for (size_t k = 0; k < RH_COUNT(known) && !said; k++)
      said = strcmp(key, known[k]) == 0;
    if (said) continue;
    char *value = value_of(study, run, lines, key);
    rh_text_append(&text, " %s=%s", strchr(key, '.') + 1, value);
    free(value);
  }
  char *label = rh_text_duplicate(rh_text_get(&text));
  rh_text_clear(&text);
  return label;
}

static void entry_clear(rh_plan_entry *entry)
{
  rh_run_clear(&entry->run);
  rh_names_clear(&entry->names);
  rh_profile_clear(&entry->devices);
  free(entry->device_paths);
  free(entry->lines);
  free(entry->label);
  free(entry->command);
  *entry = (rh_plan_entry){0};
}

/* Each run that saves its model does so in a file of its own, which can be written. */
static rh_status check_saves(const rh_plan *plan)
{
  for (size_t i = 0; i < plan->count; i++) {
    const char *save = plan->list[i].run.run.save;
    for (size_t k = 0; k < i; k++)
      if (save[0] && strcmp(save, plan->list[k].run.run.save) == 0)
        return rh_error(RH_EINVAL,
                        "run.save: '%s' would be written by more than one of the study's %zu runs; choose one with "
                        "--set, or give each its own by zip: {run.save: [...], ...}",
                        save, plan->count);
    if (save[0] && rh_output_file_try(save) != RH_OK) return rh_error(RH_EIO, "run.save: %s", rh_error_message());
  }
  return RH_OK;
}

static rh_status resolve_all(const rh_study *study, const char *const *sets, size_t set_count, rh_plan *plan)
{
  rh_status status = RH_OK;
  rh_distinct seen = {0};
  plan->list = calloc(study->count, sizeof *plan->list);
  RH_ASSERT(plan->list && "memory is exhausted");
  for (size_t i = 0; i < study->count && status == RH_OK; i++) {
    rh_text lines = {0};
    rh_plan_entry *entry = &plan->list[plan->count];
    status = rh_run_resolve(&study->runs[i], study->name, study->question, study->directory, &entry->run);
    if (status != RH_OK) break;
    entry->any_threads = entry->run.run.threads == 0;
    entry->any_memory = entry->run.run.memory == 0;
    rh_run_write(&entry->run, &lines);
    entry->lines = lines.data; /* the buffer changes hands; written again with its share of the machine */
    entry->lines_hash = hash_lines(entry->lines, false);
    if (rh_distinct_add(&seen, entry->lines_hash, plan->count) < plan->count) {
      entry_clear(entry);
      plan->twins++;
      continue;
    }
    entry->name_hash = hash_lines(entry->lines, true);
    entry->label = label_of(study, i, entry->lines);
    entry->command = command_of(study, i, entry->lines, sets, set_count);
    plan->count++;
  }
  rh_distinct_clear(&seen);
  return status;
}

/* Varying them is no mistake, but in vain. */
static void warn_of_idle(const rh_study *study, rh_plan *plan)
{
  for (size_t i = 0; i < study->varied_count; i++)
    if (is_idle(study->varied[i], strlen(study->varied[i])))
      rh_text_append(&plan->warnings, "%s changes no result, however it is varied\n", study->varied[i]);
}

/* Does the run whose configuration these lines are read the key? Some of a section that all runs have are of one choice
 * alone. */
static bool reads_key(const char *lines, const char *key)
{
  static const struct {
    const char *key, *choice;
  } of_choices[] = {{"network.torus", "\nnetwork.collective=torus\n"},
                    {"network.shards", "\nnetwork.collective=server\n"}};
  for (size_t i = 0; i < RH_COUNT(of_choices); i++)
    if (strcmp(key, of_choices[i].key) == 0 && !strstr(lines, of_choices[i].choice)) return false;
  return has_key(lines, key);
}

/* A setting that no run reads is no mistake when --set or vary chose a component without it, but never goes unsaid. */
static void warn_of_unread(const rh_study *study, rh_plan *plan)
{
  const rh_settings *settings = &study->runs[0];
  for (size_t s = 0; s < settings->count; s++) {
    bool read = false;
    for (size_t i = 0; i < plan->count && !read; i++)
      read = reads_key(plan->list[i].lines, settings->list[s].key);
    if (!read)
      rh_text_append(&plan->warnings, "%s: %s: no run of this study uses this key\n", settings->list[s].where,
                     settings->list[s].key);
  }
}

/* What is recorded with runs is said before they start, too: once. */
static void warn_of_runs(rh_plan *plan)
{
  for (size_t i = 0; i < plan->count; i++) {
    const char *warning = plan->list[i].warning;
    if (warning && !strstr(rh_text_get(&plan->warnings), warning)) rh_text_append(&plan->warnings, "%s\n", warning);
  }
}

/* Builds the graphs and has the platform and the routes along their edges tried. */
static rh_status probe(rh_plan_entry *entry)
{
  rh_status status = RH_OK;
  const rh_run *run = &entry->run;
  rh_graph_sequence graphs;
  rh_platform_def def = {.file = run->platform_path,
                         .model = run->network.model,
                         .hostfile = run->hostfile_path,
                         .deployment = run->deployment_path,
                         .workers = (int32_t)run->platform.workers};
  RH_TRY(rh_run_graphs(run, &graphs));
  entry->edges = run->graph_kind ? graphs.all.out_offset[run->platform.workers] : 0;
  /* methods without a graph use collectives over all ranks, whose edges are those of the ring */
  RH_TRY(rh_probe_platform(&def, run->graph_kind ? &graphs.all : NULL, !run->graph_kind, &entry->probe));
done:
  rh_graph_sequence_clear(&graphs);
  return status;
}

/* Everything that the probe's answer depends on. */
static char *probe_key(const rh_plan_entry *entry)
{
  rh_text key = {0};
  const rh_method *method = entry->run.method;
  rh_text_append(&key, "%s %d %d\n", method->needs_graph ? "graph" : "ring", method->mixing, method->time_varying);
  append_lines(entry->lines, "platform.", &key);
  append_lines(entry->lines, "network.model=", &key);
  append_lines(entry->lines, "graph.", &key);
  return key.data;
}

static rh_status probe_all(rh_plan *plan)
{
  rh_status status = RH_OK;
  rh_distinct seen = {0};
  for (size_t i = 0; i < plan->count && status == RH_OK; i++) {
    char *key = probe_key(&plan->list[i]);
    const size_t same = rh_distinct_add(&seen, rh_hash_text(key, 0), i);
    free(key);
    if (same < i) {
      plan->list[i].probe = plan->list[same].probe;
      plan->list[i].edges = plan->list[same].edges;
    } else if (rh_children_interrupted()) {
      status = rh_error(RH_EINTERRUPTED, "interrupted");
    } else {
      status = rh_settings_locate_error(probe(&plan->list[i]), &plan->list[i].run.settings);
    }
  }
  rh_distinct_clear(&seen);
  return status;
}

/* The paths of a run's input files, one per line. */
static rh_status append_files(const rh_plan_entry *entry, rh_text *out)
{
  const rh_run *run = &entry->run;
  rh_text_append(out, "%s\n", run->platform_path);
  if (run->hostfile_path) rh_text_append(out, "%s\n", run->hostfile_path);
  if (run->deployment_path) rh_text_append(out, "%s\n", run->deployment_path);
  if (run->graph_path) rh_text_append(out, "%s\n", run->graph_path);
  if (run->profile_path) rh_text_append(out, "%s\n", run->profile_path);
  if (run->init_path) rh_text_append(out, "%s\n", run->init_path);
  if (entry->device_paths) rh_text_append(out, "%s", entry->device_paths);
  return run->dataset_kind->files && !run->model_kind->table
             ? run->dataset_kind->files(run->dataset_options, run->directory, out)
             : RH_OK;
}

static rh_status hash_files(char *paths, uint64_t *hash)
{
  *hash = 0;
  for (char *path = strtok(paths, "\n"); path; path = strtok(NULL, "\n")) {
    uint64_t content;
    rh_status status = rh_hash_file(path, &content);
    if (status != RH_OK) return status;
    *hash = rh_hash_bytes(&content, sizeof content, *hash);
  }
  return RH_OK;
}

/* Runs with the same files share their hash: a data set is read once, not once per run. */
static rh_status hash_all(rh_plan *plan)
{
  rh_status status = RH_OK;
  rh_distinct seen = {0};
  for (size_t i = 0; i < plan->count && status == RH_OK; i++) {
    rh_text paths = {0};
    status = append_files(&plan->list[i], &paths);
    const size_t same = rh_distinct_add(&seen, rh_hash_text(rh_text_get(&paths), 0), i);
    if (same < i)
      plan->list[i].files_hash = plan->list[same].files_hash;
    else if (status == RH_OK)
      status = hash_files(paths.data, &plan->list[i].files_hash);
    rh_text_clear(&paths);
  }
  rh_distinct_clear(&seen);
  return status;
}

/* Runs that differ in the spelling of a path alone are one. */
static void drop_same(rh_plan *plan)
{
  size_t kept = 0;
  rh_distinct seen = {0};
  for (size_t i = 0; i < plan->count; i++) {
    rh_plan_entry *entry = &plan->list[i];
    const uint64_t hash = rh_hash_bytes(&entry->files_hash, sizeof entry->files_hash, entry->name_hash);
    if (rh_distinct_add(&seen, hash, kept) < kept)
      entry_clear(entry);
    else
      plan->list[kept++] = *entry;
  }
  rh_distinct_clear(&seen);
  plan->twins += plan->count - kept;
  plan->count = kept;
}

rh_status rh_plan_make(const rh_study *study, const char *const *sets, size_t set_count, int jobs, rh_plan *plan)
{
  rh_status status = RH_OK;
  *plan = (rh_plan){0};
  RH_TRY(resolve_all(study, sets, set_count, plan));
  RH_TRY(probe_all(plan));
  RH_TRY(rh_plan_read_profiles(plan));
  RH_TRY(plan_set_up(plan, jobs));
  RH_TRY(rh_plan_check_profiles(plan));
  RH_TRY(hash_all(plan));
  drop_same(plan);
  RH_TRY(check_saves(plan));
  rh_text_append(&plan->warnings, "%s", rh_text_get(&study->warnings));
  warn_of_idle(study, plan);
  warn_of_unread(study, plan);
  warn_of_runs(plan);
done:
  if (status != RH_OK) rh_plan_clear(plan);
  return status;
}

void rh_plan_clear(rh_plan *plan)
{
  for (size_t i = 0; i < plan->count; i++)
    entry_clear(&plan->list[i]);
  free(plan->list);
  rh_plan_clear_profiles(plan);
  rh_text_clear(&plan->warnings);
  *plan = (rh_plan){0};
}

void rh_plan_label(const rh_plan_entry *entry, rh_text *out)
{
  const rh_run *run = &entry->run;
  const char *slash = strrchr(run->platform.file, '/'), *name = slash ? slash + 1 : run->platform.file;
  rh_text_append(out, "%.*s %" PRId64 " %s %s seed %" PRId64 "%s%s", (int)strcspn(name, "."), name,
                 run->platform.workers, run->method->name, run->compressor->name, run->run.seed, entry->label,
                 rh_run_is_timing_only(run) ? ", timing only" : "");
}
