/* rehearse replay RUN: the same run again from what is stored of it, and whether its rows are the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "commands.h"
#include "execute_header.h"
#include "hash.h"
#include "process.h"
#include "profile_file.h"
#include "query.h"
#include "replay.h"
#include "task.h"

typedef struct arguments {
  rh_query query;
  const char *directory;
} arguments;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = &a->query;
    return 0;
  case 'C':
    a->directory = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp_option options[] = {
    {"directory", 'C', "DIR", 0, "where the study's files are (default: where the stored command has the study)", 0},
    {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "RUN",
    .doc =
        "Does a run again from its stored configuration and durations and compares row by row: bit for bit with the "
        "build and the BLAS kernel that made it; elsewhere times to 1e-9, and values that differ are named.\vRUN is "
        "its id or the beginning of it. Exit status: 0 the same, 1 something differs that should not, 2 bad usage or "
        "input, 3 interrupted.",
    .children = rh_query_run};

/* Everything that lives as long as the command. */
typedef struct session {
  const arguments *arguments;
  rh_store *store;
  rh_stored_run stored;
  rh_run run;
  char folder[256];              /* temporary; "": none */
  char *task, *result, *profile; /* paths in it; profile NULL for flops */
  bool same_place;               /* the stored run's build and kernel */
  rh_differences comparison;
} session;

/* The directory of the study in "rehearse run STUDY --set ...". */
static char *study_directory(const char *command)
{
  static const char begin[] = "rehearse run ";
  rh_text study = {0};
  if (strncmp(command, begin, sizeof begin - 1) == 0) {
    const char *word = command + sizeof begin - 1;
    const bool quoted = *word == '\'';
    rh_text_append_bytes(&study, word + quoted, strcspn(word + quoted, quoted ? "'" : " "));
  }
  char *directory = rh_text_directory(rh_text_get(&study));
  rh_text_clear(&study);
  return directory;
}

static char *path_in(const session *s, const char *name)
{
  rh_text path = {0};
  rh_text_append(&path, "%s/%s", s->folder, name);
  return path.data;
}

/* The stored lines as settings. A profile is the stored one (NULL: none), whatever became of its file; and nothing is
 * written but rows. */
static void read_settings(const char *lines, const char *source, const char *profile, rh_settings *settings)
{
  rh_task_read_lines(lines, "stored configuration", settings);
  if (strcmp(source, "profile") == 0 && profile) rh_settings_set(settings, "time.profile", profile, "replay", "");
  rh_settings_set(settings, "run.save", "", "replay", "");
}

static rh_status resolve(session *s)
{
  rh_status status = RH_OK;
  rh_settings settings = {0};
  const rh_stored_run *stored = &s->stored;
  char *directory = NULL, hash[17];
  uint64_t content = 0;
  rh_text given = {0};
  if (strcmp(stored->status, "done") != 0)
    return rh_error(RH_EINVAL, "run %s is %s; only a run that is done can be compared", stored->id, stored->status);
  if (s->arguments->directory) rh_text_append(&given, "%s/", s->arguments->directory);
  directory = given.data ? given.data : study_directory(stored->command);
  read_settings(stored->configuration, stored->time_source, s->profile, &settings);
  RH_TRY(rh_run_resolve(&settings, stored->study, stored->question, directory, &s->run));
  RH_TRY(rh_hash_file(s->run.platform_path, &content));
  snprintf(hash, sizeof hash, "%016" PRIx64, content);
  if (strcmp(hash, stored->platform_hash) != 0)
    status = rh_error(RH_EINVAL,
                      "%s is not the platform file of run %s: its content has changed; --directory names where "
                      "the study's files are",
                      s->run.platform_path, stored->id);
  snprintf(s->run.id, sizeof s->run.id, "%s", stored->id);
done:
  free(directory);
  rh_settings_clear(&settings);
  return status;
}

/* A temporary folder, and in it the stored durations. */
static rh_status write_profile(session *s)
{
  rh_status status = RH_OK;
  rh_profile profile = {0};
  const char *directory = getenv("TMPDIR");
  snprintf(s->folder, sizeof s->folder, "%.200s/rehearse-replay-XXXXXX", directory && *directory ? directory : "/tmp");
  if (!mkdtemp(s->folder)) {
    status = rh_error(RH_EIO, "cannot make a temporary folder '%s'", s->folder);
    s->folder[0] = '\0';
    return status;
  }
  s->task = path_in(s, "task");
  s->result = path_in(s, "run.db");
  if (!s->stored.profile[0]) return RH_OK;
  s->profile = path_in(s, "profile.json");
  RH_TRY(rh_profile_read(s->stored.profile, s->arguments->query.db, &profile));
  rh_profile_set_backend(&profile);
  status = rh_profile_write_file(&profile, s->profile);
done:
  rh_profile_clear(&profile);
  return status;
}

static rh_status execute(session *s)
{
  rh_text out = {0}, err = {0};
  int exit_code = 0;
  const char *argv[] = {"rehearse", "_execute", s->task, NULL};
  rh_status status = rh_process_run(argv, 0, rh_children_interrupted, &out, &err, &exit_code);
  if (status == RH_OK && exit_code != 0) {
    status = rh_children_error(RH_EINVAL, exit_code, rh_text_get(&err), "it");
    status = rh_error(status, "the run could not be repeated: %s", rh_error_message());
  }
  rh_text_clear(&out);
  rh_text_clear(&err);
  return status;
}

static bool same_place(const rh_stored_run *then, const char *again)
{
  rh_store *store = NULL;
  rh_stored_run now = {0};
  bool same = rh_store_open(again, RH_STORE_READ, &store) == RH_OK &&
              rh_store_stored_run(store, then->id, &now) == RH_OK && strcmp(now.kernel, then->kernel) == 0 &&
              strcmp(now.versions, then->versions) == 0;
  rh_stored_run_clear(&now);
  rh_store_close(store);
  return same;
}

/* Where the build or the kernel differ, values may; and times where lengths of messages or the number of rounds
 * follow from values. */
static bool may_differ(const session *s, rh_fact fact)
{
  bool lengths = false;
  for (int32_t i = 0; i < s->comparison.count; i++)
    lengths = lengths || s->comparison.list[i].fact == RH_FACT_LENGTH;
  return !s->same_place && (fact == RH_FACT_VALUE || lengths);
}

static bool differs_wrongly(const session *s)
{
  for (int32_t i = 0; i < s->comparison.count; i++)
    if (!may_differ(s, s->comparison.list[i].fact)) return true;
  return false;
}

static void write_text(const session *s, rh_text *out)
{
  const rh_differences *c = &s->comparison;
  rh_text_append(out, "run %s of study %s, done again %s\n", s->stored.id, s->stored.study,
                 s->same_place ? "with the same build and kernel: every row is compared bit for bit"
                               : "with another build or kernel: times are compared to 1e-9, values may differ");
  for (int32_t i = 0; i < c->count; i++) {
    const rh_difference *d = &c->list[i];
    rh_text_append(out, "  %s%s%s: %lld row%s (%s%s); %s\n", d->table, *d->column ? "." : "", d->column,
                   (long long)d->rows, d->rows == 1 ? " differs" : "s differ",
                   *d->column ? rh_fact_name(d->fact) : "number of rows",
                   may_differ(s, d->fact) ? "" : ", which should be the same", d->first);
  }
  rh_text_append(out, "%lld rows compared: %s\n", (long long)c->rows,
                 c->count == 0
                     ? (s->same_place ? "all the same, bit for bit, parameters' hash included" : "all the same")
                 : differs_wrongly(s) ? "not the same"
                                      : "times are the same; what differs follows from other values");
}

static void write_json(const session *s, rh_text *out)
{
  const rh_differences *c = &s->comparison;
  rh_text_append(
      out, "{\"run\": \"%s\", \"same_build_and_kernel\": %s, \"rows\": %lld, \"as_expected\": %s,\n \"differences\": [",
      s->stored.id, s->same_place ? "true" : "false", (long long)c->rows, differs_wrongly(s) ? "false" : "true");
  for (int32_t i = 0; i < c->count; i++) {
    const rh_difference *d = &c->list[i];
    rh_text_append(out, "%s\n  {\"table\": \"%s\", \"column\": \"%s\", \"fact\": \"%s\", \"rows\": %lld, \"first\": ",
                   i ? "," : "", d->table, d->column, rh_fact_name(d->fact), (long long)d->rows);
    rh_text_append_json(out, d->first);
    rh_text_append(out, "}");
  }
  rh_text_append(out, "]}\n");
}

static rh_status replay(session *s)
{
  rh_status status = RH_OK;
  rh_text out = {0};
  RH_TRY(rh_store_open(s->arguments->query.db, RH_STORE_READ, &s->store));
  RH_TRY(rh_store_stored_run(s->store, s->arguments->query.run, &s->stored));
  RH_TRY(write_profile(s));
  RH_TRY(resolve(s));
  RH_TRY(rh_task_write(&s->run, s->result, s->profile, s->stored.command, s->task));
  RH_TRY(execute(s));
  s->same_place = same_place(&s->stored, s->result);
  RH_TRY(rh_store_compare_run(s->store, s->result, s->stored.id, s->same_place, &s->comparison));
  if (s->arguments->query.json)
    write_json(s, &out);
  else
    write_text(s, &out);
  fputs(rh_text_get(&out), stdout);
done:
  rh_text_clear(&out);
  return status;
}

static void session_clear(session *s)
{
  static const char *const names[] = {"task", "profile.json", "run.db", "run.db-wal", "run.db-shm"};
  for (size_t i = 0; s->folder[0] && i < RH_COUNT(names); i++) {
    char *path = path_in(s, names[i]);
    unlink(path);
    free(path);
  }
  if (s->folder[0]) rmdir(s->folder);
  free(s->task);
  free(s->result);
  free(s->profile);
  rh_differences_clear(&s->comparison);
  rh_run_clear(&s->run);
  rh_stored_run_clear(&s->stored);
  rh_store_close(s->store);
}

int rh_cmd_replay(int argc, char **argv)
{
  arguments a = {0};
  argp_parse(&parser, argc, argv, 0, NULL, &a);
  rh_children_catch_signals();
  session s = {.arguments = &a};
  rh_status status = replay(&s);
  const bool wrong = status == RH_OK && differs_wrongly(&s);
  if (status == RH_EINTERRUPTED)
    fprintf(stderr, "rehearse replay: interrupted\n");
  else if (status != RH_OK)
    fprintf(stderr, "rehearse replay: %s\n", rh_error_message());
  session_clear(&s);
  return status == RH_EINTERRUPTED ? 3 : status != RH_OK ? 2 : wrong ? 1 : 0;
}
