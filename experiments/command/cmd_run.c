/* rehearse run STUDY: the parent's side. It reads, checks, starts children and merges; it trains and simulates nothing.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "commands.h"
#include "plan_folder.h"
#include "profile_file.h"
#include "repeat_timing.h"
#include "run_execute.h"
#include "run_merge.h"

enum { SETS_MAX = 256, JOBS_MAX = 1024, KEY_FAIL_FAST = 0x200, KEY_INIT, KEY_SAVE, KEY_CHECKPOINT, KEY_REPEAT_TIMING };

typedef struct arguments {
  const char *study, *db;
  const char *sets[SETS_MAX];
  size_t set_count;
  rh_text init, save; /* as overrides of run.init and run.save */
  int jobs;
  int64_t index; /* of a planned study; -1: not given */
  double checkpoint_s;
  int repeat_timing; /* times; 0: not at all */
  bool dry_run, force, resume, fail_fast, yes, json;
} arguments;

static int parse_jobs(const char *text, struct argp_state *state)
{
  char *end;
  long jobs = strtol(text, &end, 10);
  if (end == text || *end || jobs < 1 || jobs > JOBS_MAX)
    argp_error(state, "--jobs: '%s' is no whole number from 1 to %d", text, JOBS_MAX);
  return (int)jobs;
}

static int parse_repeat(const char *text, struct argp_state *state)
{
  char *end;
  long draws = strtol(text, &end, 10);
  if (end == text || *end || draws < 2 || draws > RH_REPEAT_MAX)
    argp_error(state, "--repeat-timing: '%s' is no whole number from 2 to %d", text, RH_REPEAT_MAX);
  return (int)draws;
}

static int64_t parse_index(const char *text, const char *what, struct argp_state *state)
{
  char *end;
  errno = 0;
  const long long index = strtoll(text, &end, 10);
  if (end == text || *end || errno || index < 0) argp_error(state, "%s: '%s' is no number of a task", what, text);
  return index;
}

/* What goes with a study does not go with a folder, and the other way round. */
static void check_usage(arguments *a, struct argp_state *state)
{
  const char *from_slurm = getenv("SLURM_ARRAY_TASK_ID");
  const bool folder = rh_folder_is(a->study);
  if (!folder && a->index >= 0) argp_error(state, "--index: %s is no folder that `rehearse plan` made", a->study);
  if (!folder) return;
  if (a->db || a->set_count > 0 || a->jobs > 0)
    argp_error(state, "%s is planned: --db, --set, --init, --save and --jobs do not apply to its tasks", a->study);
  if (a->index < 0 && from_slurm) a->index = parse_index(from_slurm, "SLURM_ARRAY_TASK_ID", state);
  if (a->index < 0) argp_error(state, "which task of %s? Give --index", a->study);
}

static void add_set(arguments *a, const char *set, struct argp_state *state)
{
  if (a->set_count == SETS_MAX) argp_error(state, "more than %d --set", SETS_MAX);
  a->sets[a->set_count++] = set;
}

/* --init FILE is --set run.init=FILE. */
static void add_file(arguments *a, rh_text *text, const char *key, const char *file, struct argp_state *state)
{
  if (text->length > 0) argp_error(state, "one --%s at a time, not '%s' as well", key, file);
  rh_text_append(text, "run.%s=%s", key, file);
  add_set(a, text->data, state);
}

/* "every=60s" */
static double parse_checkpoint(const char *text, struct argp_state *state)
{
  static const char key[] = "every=";
  double seconds = 0;
  if (strncmp(text, key, sizeof key - 1) != 0)
    argp_error(state, "--checkpoint: '%s' is not every=TIME, such as every=60s", text);
  else if (rh_unit_parse(text + sizeof key - 1, RH_UNIT_SECOND, &seconds) != RH_OK)
    argp_error(state, "--checkpoint: %s", rh_error_message());
  else if (seconds <= 0)
    argp_error(state, "--checkpoint: '%s': a time above 0", text);
  return seconds;
}

/* What an option without a value switches on; NULL: the option has one. */
static bool *flag_of(arguments *a, int key)
{
  switch (key) {
  case 'n':
    return &a->dry_run;
  case 'f':
    return &a->force;
  case 'r':
    return &a->resume;
  case 'y':
    return &a->yes;
  case KEY_FAIL_FAST:
    return &a->fail_fast;
  case RH_KEY_JSON:
    return &a->json;
  default:
    return NULL;
  }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  bool *flag = flag_of(a, key);
  if (flag) {
    *flag = true;
    return 0;
  }
  switch (key) {
  case 's':
    add_set(a, arg, state);
    break;
  case KEY_INIT:
    add_file(a, &a->init, "init", arg, state);
    break;
  case KEY_SAVE:
    add_file(a, &a->save, "save", arg, state);
    break;
  case 'd':
    a->db = arg;
    break;
  case 'i':
    a->index = parse_index(arg, "--index", state);
    break;
  case 'j':
    a->jobs = parse_jobs(arg, state);
    break;
  case KEY_CHECKPOINT:
    a->checkpoint_s = parse_checkpoint(arg, state);
    break;
  case KEY_REPEAT_TIMING:
    a->repeat_timing = parse_repeat(arg, state);
    break;
  case ARGP_KEY_ARG:
    if (a->study) argp_error(state, "one study at a time, not '%s' as well", arg);
    a->study = arg;
    break;
  case ARGP_KEY_NO_ARGS:
    argp_error(state, "which study? Give a YAML file");
    break;
  case ARGP_KEY_END:
    check_usage(a, state);
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static const struct argp_option options[] = {
    {"set", 's', "SECTION.KEY=VALUE", 0, "override a value of the study; may be repeated", 0},
    {"db", 'd', "FILE", 0, "database for the results (default: rehearse.db)", 0},
    {"jobs", 'j', "N", 0,
     "runs at the same time, which share cores and memory (default: as many as there are cores, and as half of the "
     "memory holds by prediction)",
     0},
    {"index", 'i', "I", 0, "of a folder made by `rehearse plan`: the task to run (default: SLURM_ARRAY_TASK_ID)", 0},
    {"dry-run", 'n', 0, 0, "check everything and list the runs; create nothing", 0},
    {"force", 'f', 0, 0, "repeat runs that are done", 0},
    {"repeat-timing", KEY_REPEAT_TIMING, "K", 0,
     "simulate each run K times more with durations drawn anew (time.jitter); tell and store the interval of the time "
     "to accuracy",
     0},
    {"resume", 'r', 0, 0, "runs that were stopped go on from their checkpoints", 0},
    {"checkpoint", KEY_CHECKPOINT, "every=TIME", 0,
     "write a checkpoint of every run so often (every=60s), beside the one that an interrupt leaves", 0},
    {"fail-fast", KEY_FAIL_FAST, 0, 0, "the first run that fails ends the others", 0},
    {"yes", 'y', 0, 0, "run a study of very many runs without asking", 0},
    {"init", KEY_INIT, "FILE", 0, "safetensors file whose model all workers start from (run.init)", 0},
    {"save", KEY_SAVE, "FILE", 0, "safetensors file for the model at the end of the study's only run (run.save)", 0},
    {"json", RH_KEY_JSON, 0, 0, "print the closing list as JSON", 0},
    {0},
};
static const struct argp parser = {options,
                                   parse_option,
                                   "STUDY.yaml\nDIR --index I",
                                   "Runs a study: trains for real, simulates the network, records everything.\v"
                                   "Runs that the database holds as done are skipped. Exit status: 0 done, 1 a run "
                                   "failed or is left to another process, 2 bad usage or input, 3 interrupted.",
                                   NULL,
                                   NULL,
                                   NULL};

/* Everything that lives as long as the command. */
typedef struct session {
  const arguments *arguments;
  const char *db;   /* borrowed */
  rh_folder folder; /* of a planned study whose task `index` is run; path NULL: a study is run */
  char *task_db;    /* the task's own file; owned */
  rh_study study;
  rh_plan plan;
  rh_store *store;    /* NULL in a dry run without a database */
  rh_scratch scratch; /* closed in a dry run */
  rh_profile profile;
  bool created; /* the database did not exist before */
  rh_execution execution;
} session;

/* One task of a planned study: its run, resolved as it was planned, into a file of its own. */
static rh_status make_task_plan(session *s, int64_t index)
{
  rh_status status = RH_OK;
  rh_task task = {0};
  rh_plan_entry *entry;
  RH_TRY(rh_folder_open(s->arguments->study, &s->folder));
  RH_TRY(rh_folder_task(&s->folder, index, &task));
  rh_study_of_run(&task.run, &s->study);
  RH_TRY(rh_plan_make(&s->study, NULL, 0, 1, &s->plan));
  RH_TRY(rh_folder_profile(&s->folder, &s->profile));
  rh_plan_identify(&s->plan, &s->profile);
  entry = &s->plan.list[0];
  if (strcmp(entry->run.id, task.run.id) != 0) {
    status =
        rh_error(RH_EINVAL,
                 "%s: task %" PRId64 " was planned as run %s and is %s here: an input file is another, or the "
                 "library that computes (%s); plan the study again",
                 s->folder.path, index, task.run.id, entry->run.id[0] ? entry->run.id : "not timed", entry->kernel);
    goto done;
  }
  if (task.command) {
    free(entry->command);
    entry->command = task.command;
    task.command = NULL;
  }
  s->db = s->task_db = rh_folder_file(&s->folder, "results", index, "db");
done:
  rh_task_clear(&task);
  return status;
}

static rh_status make_plan(session *s)
{
  const arguments *a = s->arguments;
  char *path = NULL;
  rh_status status = rh_study_find(a->study, &path);
  if (status == RH_OK)
    status = rh_study_open(path, a->sets, a->set_count, a->yes ? rh_study_agree : rh_study_ask, &s->study);
  free(path);
  if (status != RH_OK) return status;
  status = rh_plan_make(&s->study, a->sets, a->set_count, a->jobs, &s->plan);
  if (status != RH_OK) return status;
  fputs(rh_text_get(&s->plan.warnings), stderr);
  if (s->plan.twins > 0)
    fprintf(stderr, "%zu of %zu runs equal an earlier one and are left out\n", s->plan.twins, s->study.count);
  return RH_OK;
}

/* Opens the database (a dry run reads it, if there is one), takes over what killed processes left beside it, and reads
 * the study's durations. */
static rh_status open_store(session *s)
{
  rh_status status = RH_OK;
  rh_text json = {0};
  const char *db = s->db;
  const bool dry = s->arguments->dry_run;
  if (!dry) RH_TRY(rh_scratch_open(db, &s->scratch));
  bool exists = access(db, F_OK) == 0;
  if (!exists && dry) goto done;
  RH_TRY(rh_store_open(db, dry ? RH_STORE_READ : RH_STORE_WRITE, &s->store));
  s->created = !exists;
  if (!dry) RH_TRY(rh_merge_leftovers(s->store, &s->scratch));
  if (s->folder.path) goto done; /* which has the durations */
  RH_TRY(rh_store_profile(s->store, s->study.name, &json));
  if (json.length > 0) RH_TRY(rh_profile_read(json.data, db, &s->profile));
done:
  rh_text_clear(&json);
  return status;
}

/* Whether the database holds no run, be it of another process that found it here. */
static bool is_empty(session *s)
{
  rh_run_list list = {0};
  bool empty = rh_store_list(s->store, NULL, NULL, &list) == RH_OK && list.count == 0;
  rh_run_list_clear(&list);
  return empty;
}

/* Closes what is open. Leaves no trace of a database that was created for runs that then could not start. */
static rh_status close_session(session *s, bool failed)
{
  bool take_back = failed && s->created && !s->execution.recorded && is_empty(s);
  rh_status status = rh_store_close(s->store);
  if (take_back && rh_scratch_alone(&s->scratch)) rh_store_remove(s->db);
  rh_scratch_close(&s->scratch);
  rh_profile_clear(&s->profile);
  rh_plan_clear(&s->plan);
  rh_study_clear(&s->study);
  rh_folder_clear(&s->folder);
  free(s->task_db);
  return status;
}

static rh_status status_of(const session *s, const rh_plan_entry *entry, char *buffer, size_t size)
{
  snprintf(buffer, size, "new");
  if (!s->store || !entry->run.id[0]) return RH_OK;
  rh_status status = rh_store_run_status(s->store, entry->run.id, buffer, size);
  if (status == RH_OK && !buffer[0]) snprintf(buffer, size, "new");
  return status;
}

static rh_status list_planned(session *s, rh_text *out)
{
  bool json = s->arguments->json;
  if (!json) rh_text_append(out, "%-16s  %-11s  %-11s  %s\n", "id", "status", "memory", "run");
  if (json) rh_text_append(out, "[");
  for (size_t i = 0; i < s->plan.count; i++) {
    const rh_plan_entry *entry = &s->plan.list[i];
    char state[16], memory[32];
    rh_text label = {0};
    rh_status status = status_of(s, entry, state, sizeof state);
    if (status != RH_OK) return status;
    rh_plan_label(entry, &label);
    if (json) {
      rh_text_append(out, "%s{\"id\": ", i ? ",\n " : "");
      rh_text_append_json(out, entry->run.id[0] ? entry->run.id : NULL);
      rh_text_append(out,
                     ", \"status\": \"%s\", \"workers\": %" PRId64 ", \"least_memory_bytes\": %" PRId64
                     ", \"most_memory_bytes\": %" PRId64 ", \"run\": ",
                     state, entry->run.platform.workers, entry->least_bytes, entry->most_bytes);
      rh_text_append_json(out, label.data);
      rh_text_append(out, ", \"command\": ");
      rh_text_append_json(out, entry->command);
      rh_text_append(out, "}");
    } else {
      rh_text_append(out, "%-16s  %-11s  %-11s  %s\n", entry->run.id[0] ? entry->run.id : "(after timing)", state,
                     rh_unit_format((double)entry->least_bytes, RH_UNIT_BYTE, memory, sizeof memory), label.data);
    }
    rh_text_clear(&label);
  }
  rh_text_append(out, json ? "]\n" : "");
  return RH_OK;
}

static rh_status dry_run(session *s)
{
  rh_text out = {0};
  rh_plan_identify(&s->plan, &s->profile);
  rh_status status = list_planned(s, &out);
  if (status == RH_OK) fputs(rh_text_get(&out), stdout);
  rh_text_clear(&out);
  return status;
}

/* What the database holds of the plan's runs, in the plan's order. */
static rh_status list_results(session *s, rh_run_list *results)
{
  *results = (rh_run_list){0};
  results->list = calloc(s->plan.count, sizeof *results->list);
  RH_ASSERT(results->list && "memory is exhausted");
  for (size_t i = 0; i < s->plan.count; i++) {
    rh_run_list one = {0};
    rh_status status = rh_store_list(s->store, NULL, s->plan.list[i].run.id, &one);
    if (status != RH_OK) return status;
    if (one.count == 1) {
      results->list[results->count++] = one.list[0]; /* with what it owns */
      one.count = 0;
    }
    rh_run_list_clear(&one);
  }
  return RH_OK;
}

/* The closing table of the study's runs. */
static rh_status print_results(session *s, const rh_text *timings)
{
  rh_status status = RH_OK;
  rh_run_list list = {0};
  rh_text out = {0};
  RH_TRY(list_results(s, &list));
  if (s->arguments->json) {
    if (s->arguments->repeat_timing) rh_text_append(&out, "{\"runs\": ");
    rh_list_write_json(&list, &out);
    if (s->arguments->repeat_timing) rh_text_append(&out, ", \"timings\": %s}\n", rh_text_get(timings));
  } else {
    rh_table_write(&list, &out);
    rh_table_write_unchanged(&list, &out);
    RH_TRY(rh_table_write_bottlenecks(s->store, &list, &out));
    RH_TRY(rh_table_write_steady(s->store, &list, &out));
    RH_TRY(rh_table_write_devices(s->store, &list, &out));
    rh_text_append(&out, "%s\ndatabase: %s\n", rh_text_get(timings), s->db);
  }
  fputs(rh_text_get(&out), stdout);
done:
  rh_run_list_clear(&list);
  rh_text_clear(&out);
  return status;
}

static rh_status run(session *s)
{
  rh_status status = RH_OK, results;
  rh_text timings = {0};
  const bool task = rh_folder_is(s->arguments->study);
  if (task)
    RH_TRY(make_task_plan(s, s->arguments->index));
  else
    RH_TRY(make_plan(s));
  if (s->arguments->repeat_timing) RH_TRY(rh_repeat_timing_check(&s->plan));
  RH_TRY(open_store(s));
  if (s->arguments->dry_run) return dry_run(s);
  s->execution = (rh_execution){.plan = &s->plan,
                                .store = s->store,
                                .db = s->db,
                                .scratch = &s->scratch,
                                .profile = &s->profile,
                                .jobs = s->arguments->jobs,
                                .force = s->arguments->force,
                                .resume = s->arguments->resume,
                                .checkpoint_s = s->arguments->checkpoint_s,
                                .fail_fast = s->arguments->fail_fast};
  RH_TRY(rh_execution_measure(&s->execution));
  status = rh_execution_run(&s->execution);
  if (status != RH_OK && status != RH_EINTERRUPTED) goto done;
  if (status == RH_OK && s->arguments->repeat_timing)
    status = rh_repeat_timing(&s->execution, s->arguments->repeat_timing, s->arguments->json, &timings);
  if (status != RH_OK && status != RH_EINTERRUPTED) goto done;
  if (s->arguments->json && timings.length == 0) rh_text_append(&timings, "[]");
  results = print_results(s, &timings);
  if (status == RH_OK) status = results;
done:
  rh_text_clear(&timings);
  return status;
}

int rh_cmd_run(int argc, char **argv)
{
  arguments a = {.index = -1};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_children_catch_signals();
  session s = {.arguments = &a, .db = a.db ? a.db : "rehearse.db"};
  rh_status status = run(&s);
  if (status != RH_OK && status != RH_EINTERRUPTED && rh_children_interrupted()) {
    fprintf(stderr, "rehearse: %s\n", rh_error_message()); /* of what the signal cut short */
    status = RH_EINTERRUPTED;
  }
  if (status == RH_EINTERRUPTED)
    fprintf(stderr, "rehearse: interrupted; the same command goes on with the runs that are not done, and with "
                    "--resume from where they stopped\n");
  else if (status != RH_OK)
    fprintf(stderr, "rehearse: %s\n", rh_error_message());
  if (s.execution.left > 0)
    fprintf(stderr, "rehearse: %zu run%s that other processes are at %s not done yet\n", s.execution.left,
            s.execution.left == 1 ? "" : "s", s.execution.left == 1 ? "is" : "are");
  rh_text_clear(&a.init);
  rh_text_clear(&a.save);
  rh_status closing = close_session(&s, status != RH_OK);
  if (status == RH_OK && closing != RH_OK) {
    fprintf(stderr, "rehearse: %s\n", rh_error_message());
    status = closing;
  }
  if (status == RH_EINTERRUPTED) return 3;
  if (status != RH_OK) return s.execution.ran ? 1 : 2; /* what fails before any run is bad input */
  return s.execution.failed + s.execution.left > 0 ? 1 : 0;
}
