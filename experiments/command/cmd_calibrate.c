/* rehearse calibrate: times real steps here and writes them as a profile. */
#include <argp.h>
#include <errno.h>
#include <gsl/gsl_version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "calibrate.h"
#include "commands.h"
#include "measure.h"
#include "output_file.h"
#include "registry.h"
#include "run.h"

enum { LIST_MAX = 64 };

typedef struct arguments {
  const char *studies[LIST_MAX + 1], *sets[LIST_MAX + 1];
  const char *models[LIST_MAX + 1], *batches[LIST_MAX + 1], *arithmetics[LIST_MAX + 1], *compressors[LIST_MAX + 1];
  size_t study_count, set_count, model_count, batch_count, arithmetic_count, compressor_count;
  const char *out;
  int samples;
  bool force;
} arguments;

enum { KEY_MODEL = 'm', KEY_BATCH = 'b', KEY_ARITHMETIC = 'a', KEY_COMPRESSOR = 'c', KEY_SAMPLES = 'n' };

static const struct argp_option options[] = {
    {"set", 's', "SECTION.KEY=VALUE", 0, "override a value of the studies; may be repeated", 0},
    {"model", KEY_MODEL, "NAME", 0, "time this model; may be repeated, as the next three; all: every model", 0},
    {"batch", KEY_BATCH, "SAMPLES", 0, "with batches of this size (default: 32)", 0},
    {"arithmetic", KEY_ARITHMETIC, "NAME", 0, "in this arithmetic (default: fp32)", 0},
    {"compressor", KEY_COMPRESSOR, "NAME", 0, "and messages of this compressor; all: every one", 0},
    {"output", 'o', "FILE", 0, "the profile; what it holds is not timed again, unless disturbed", 0},
    {"samples", KEY_SAMPLES, "N", 0, "repetitions of each step (default: 200, the least for a fit)", 0},
    {"force", 'f', 0, 0, "time everything anew, whatever the file holds", 0},
    {0}};

static void add(struct argp_state *state, const char **list, size_t *count, const char *value)
{
  if (*count == LIST_MAX) argp_error(state, "more than %d of a kind", LIST_MAX);
  list[(*count)++] = value;
}

static void add_all(struct argp_state *state, const char **list, size_t *count, const char *value,
                    const rh_registry *registry)
{
  const char *name;
  if (strcmp(value, "all") != 0) {
    add(state, list, count, value);
    return;
  }
  for (size_t i = 0; (name = rh_registry_name(registry, i)); i++) {
    const rh_model_kind *model = registry == &rh_registry_models ? rh_model_find(name) : NULL;
    if (!model || !model->table) add(state, list, count, name); /* layer tables have no steps to time */
  }
}

static int parse_samples(const char *text, struct argp_state *state)
{
  char *end;
  long samples = strtol(text, &end, 10);
  if (end == text || *end || samples < 20 || samples > 100000)
    argp_error(state, "--samples: '%s' is no whole number from 20 to 100000", text);
  return (int)samples;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 's':
    add(state, a->sets, &a->set_count, arg);
    return 0;
  case KEY_MODEL:
    add_all(state, a->models, &a->model_count, arg, &rh_registry_models);
    return 0;
  case KEY_BATCH:
    add(state, a->batches, &a->batch_count, arg);
    return 0;
  case KEY_ARITHMETIC:
    add(state, a->arithmetics, &a->arithmetic_count, arg);
    return 0;
  case KEY_COMPRESSOR:
    add_all(state, a->compressors, &a->compressor_count, arg, &rh_registry_compressors);
    return 0;
  case 'o':
    a->out = arg;
    return 0;
  case KEY_SAMPLES:
    a->samples = parse_samples(arg, state);
    return 0;
  case 'f':
    a->force = true;
    return 0;
  case ARGP_KEY_ARG:
    add(state, a->studies, &a->study_count, arg);
    return 0;
  case ARGP_KEY_END:
    if (!a->out) argp_error(state, "where to? Give a file with -o");
    if (a->study_count == 0 && a->model_count == 0) argp_error(state, "which steps? Give a study, or a --model");
    if (a->study_count == 0 && a->set_count > 0) argp_error(state, "--set is of studies, and none is given");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    options,
    parse_option,
    "[STUDY.yaml...]",
    "Times the steps that studies charge, or those of named models, on this machine, and writes a profile that runs "
    "anywhere can be charged with (time.source: profile).\vEach step is timed alone on one thread: let nothing else "
    "run meanwhile. Exit status: 0 done, 2 bad usage or input.",
    NULL,
    NULL,
    NULL};

static void show_progress(const char *run)
{
  fprintf(stderr, "timing %s\n", run);
}

/* What this command was, as one line. */
static char *command_line(int argc, char **argv)
{
  rh_text line = {0};
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "-f") == 0 || strcmp(argv[i], "--force") == 0) continue;
    rh_text_append(&line, "%s%s", i ? " " : "", argv[i]);
  }
  return line.data;
}

/* The first value of a key of /proc/cpuinfo; 0 if there is none. */
static double processor_MHz(void)
{
  char line[256];
  double MHz = 0;
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && MHz == 0 && fgets(line, sizeof line, file)) {
    const char *colon = strchr(line, ':');
    if (colon && strncmp(line, "cpu MHz", 7) == 0) MHz = strtod(colon + 1, NULL);
  }
  if (file) fclose(file);
  return MHz;
}

/* How it was measured: clocks, libraries, threads. */
static char *about(const rh_profile *profile)
{
  const rh_backend *const backend = rh_backend_find(profile->backend);
  const char *const kernel = backend ? backend->kernel() : profile->device; /* a GPU's names the device */
  rh_text text = {0};
  struct timespec tick = {0};
  char date[16] = "";
  const time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) strftime(date, sizeof date, "%Y-%m-%d", &utc);
  clock_getres(CLOCK_MONOTONIC, &tick);
  rh_text_append(&text, "\"kernel\": ");
  rh_text_append_json(&text, kernel);
  rh_text_append(&text, ",\n \"versions\": \"rehearse %s, %s, GSL %s\"", RH_VERSION, kernel, gsl_version);
  rh_text_append(&text, ",\n \"threads\": 1,\n \"clock\": \"CLOCK_MONOTONIC, %ld ns\"", tick.tv_nsec);
  rh_text_append(&text, ",\n \"frequency_MHz\": %.0f,\n \"date\": \"%s\"", processor_MHz(), date);
  return text.data;
}

static rh_status calibrate_study(const arguments *a, const char *name, rh_profile *profile)
{
  rh_status status = RH_OK;
  rh_study study = {0};
  char *path = NULL;
  RH_TRY(rh_study_find(name, &path));
  RH_TRY(rh_study_read(path, a->sets, a->set_count, &study));
  status = rh_calibrate(study.runs, study.count, study.directory, a->samples, show_progress, profile);
done:
  free(path);
  rh_study_clear(&study);
  return status;
}

static rh_status calibrate_grid(arguments *a, rh_profile *profile)
{
  rh_status status = RH_OK;
  rh_settings *runs = NULL;
  size_t count = 0;
  if (a->batch_count == 0) a->batches[0] = "32";
  if (a->arithmetic_count == 0) a->arithmetics[0] = "fp32";
  const rh_calibration_grid grid = {a->models, a->batches, a->arithmetics, a->compressors};
  RH_TRY(rh_calibration_expand(&grid, &runs, &count));
  status = rh_calibrate(runs, count, "", a->samples, show_progress, profile);
done:
  for (size_t i = 0; i < count; i++)
    rh_settings_clear(&runs[i]);
  free(runs);
  return status;
}

static rh_status calibrate(arguments *a, const char *command, rh_profile *profile)
{
  rh_status status = RH_OK;
  RH_TRY(rh_output_file_try(a->out)); /* before anything is timed */
  if (!a->force && access(a->out, F_OK) == 0) RH_TRY(rh_profile_read_file(a->out, profile));
  const int32_t before = profile->count;
  const uint64_t hash = rh_profile_hash(profile, NULL);
  if (a->model_count > 0) RH_TRY(calibrate_grid(a, profile));
  for (size_t i = 0; i < a->study_count; i++)
    RH_TRY(calibrate_study(a, a->studies[i], profile));
  if (before > 0 && rh_profile_hash(profile, NULL) == hash) {
    printf("%s: %d timings, nothing is missing\n", a->out, (int)before);
    return RH_OK;
  }
  rh_profile_add_command(profile, command);
  free(profile->about);
  profile->about = about(profile);
  RH_TRY(rh_profile_write_file(profile, a->out));
  rh_profile_warn_disturbed(profile, a->out);
  printf("%s: %d timings, %d of them new, of %s\n", a->out, (int)profile->count, (int)(profile->count - before),
         profile->device);
done:
  return status;
}

int rh_cmd_calibrate(int argc, char **argv)
{
  arguments a = {.samples = RH_FIT_SAMPLES};
  rh_profile profile = {0};
  char *command = command_line(argc, argv);
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_status status = calibrate(&a, command, &profile);
  if (status != RH_OK) fprintf(stderr, "rehearse: %s\n", rh_error_message());
  rh_profile_clear(&profile);
  free(command);
  return status == RH_OK ? 0 : 2;
}
