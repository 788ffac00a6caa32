/* rehearse plan STUDY -o DIR: measures, and writes numbered tasks for a queue. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "children.h"
#include "commands.h"
#include "plan_folder.h"
#include "run_execute.h"

enum { SETS_MAX = 256 };

typedef struct arguments {
  const char *study, *into;
  const char *sets[SETS_MAX];
  size_t set_count;
  bool slurm, yes, json;
} arguments;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 's':
    if (a->set_count == SETS_MAX) argp_error(state, "more than %d --set", SETS_MAX);
    a->sets[a->set_count++] = arg;
    break;
  case 'o':
    a->into = arg;
    break;
  case 'S':
    a->slurm = true;
    break;
  case 'y':
    a->yes = true;
    break;
  case RH_KEY_JSON:
    a->json = true;
    break;
  case ARGP_KEY_ARG:
    if (a->study) argp_error(state, "one study at a time, not '%s' as well", arg);
    a->study = arg;
    break;
  case ARGP_KEY_END:
    if (!a->study) argp_error(state, "which study? Give a YAML file");
    if (!a->into || !*a->into) argp_error(state, "no folder to plan into; name it with -o DIR");
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

/* Times what the runs charge, in a database that is removed again: the durations go into the folder. */
static rh_status measure(const arguments *a, rh_plan *plan, rh_profile *profile)
{
  rh_status status = RH_OK;
  rh_text db = {0};
  rh_store *store = NULL;
  rh_scratch scratch = {.fd = -1};
  rh_text_append(&db, "%s.timing-%ld", a->into, (long)getpid());
  RH_TRY(rh_scratch_open(db.data, &scratch));
  RH_TRY(rh_store_open(db.data, RH_STORE_NEW, &store));
  rh_execution execution = {.plan = plan, .store = store, .db = db.data, .scratch = &scratch, .profile = profile};
  RH_TRY(rh_execution_measure(&execution));
done:
  rh_store_close(store);
  rh_store_remove(db.data);
  rh_scratch_close(&scratch);
  rh_text_clear(&db);
  return status;
}

static rh_status make(const arguments *a, size_t *count)
{
  rh_status status = RH_OK;
  char *path = NULL;
  rh_study study = {0};
  rh_plan plan = {0};
  rh_profile profile = {0};
  if (access(a->into, F_OK) == 0)
    return rh_error(RH_EINVAL, "%s: is there already; name a new folder, or remove it", a->into);
  RH_TRY(rh_study_find(a->study, &path));
  RH_TRY(rh_study_open(path, a->sets, a->set_count, a->yes ? rh_study_agree : rh_study_ask, &study));
  RH_TRY(rh_study_make_absolute(&study));
  RH_TRY(rh_plan_make(&study, a->sets, a->set_count, 0, &plan));
  fputs(rh_text_get(&plan.warnings), stderr);
  RH_TRY(measure(a, &plan, &profile));
  RH_TRY(rh_folder_create(a->into, &study, &plan, &profile, a->slurm));
  *count = plan.count;
done:
  rh_profile_clear(&profile);
  rh_plan_clear(&plan);
  rh_study_clear(&study);
  free(path);
  return status;
}

static const struct argp_option options[] = {
    {"output", 'o', "DIR", 0, "folder for the tasks; it must not be there yet", 0},
    {"set", 's', "SECTION.KEY=VALUE", 0, "override a value of the study; may be repeated", 0},
    {"slurm", 'S', 0, 0, "write DIR/slurm.sh, too: a job array with memory and time as predicted", 0},
    {"yes", 'y', 0, 0, "plan a study of very many runs without asking", 0},
    {"json", RH_KEY_JSON, 0, 0, "print a JSON object", 0},
    {0}};
static const struct argp parser = {
    options,
    parse_option,
    "STUDY.yaml -o DIR",
    "Plans a study for a queue: times its steps here, and writes one numbered task per run.\v"
    "`rehearse run DIR --index I` runs one into a file of its own, `rehearse status DIR` says how they stand, and "
    "`rehearse merge DIR -o FILE` joins them.",
    NULL,
    NULL,
    NULL};

int rh_cmd_plan(int argc, char **argv)
{
  arguments a = {0};
  size_t count = 0;
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_children_catch_signals();
  rh_status status = make(&a, &count);
  if (status != RH_OK) {
    fprintf(stderr, "rehearse plan: %s\n", rh_error_message());
    return status == RH_EINTERRUPTED ? 3 : 2;
  }
  rh_text out = {0};
  if (a.json) {
    rh_text_append(&out, "{\"tasks\": %zu, \"folder\": ", count);
    rh_text_append_json(&out, a.into);
    rh_text_append(&out, "}\n");
  } else {
    rh_text script = {0};
    rh_text_append(&script, "%s/slurm.sh", a.into);
    rh_text_append(&out, "%zu task%s in %s\nnext: %s ", count, count == 1 ? "" : "s", a.into,
                   a.slurm ? "sbatch" : "rehearse run");
    rh_text_append_quoted(&out, a.slurm ? rh_text_get(&script) : a.into);
    rh_text_append(&out, a.slurm ? "\n" : " --index 1\n");
    rh_text_clear(&script);
  }
  fputs(rh_text_get(&out), stdout);
  rh_text_clear(&out);
  return 0;
}
