#include "task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output_file.h"

/* One "@name value" line; newlines, which no value needs, become blanks. */
static void append_header(rh_text *out, const char *name, const char *value)
{
  if (!value) return;
  rh_text_append(out, "@%s ", name);
  for (; *value; value++)
    rh_text_append_bytes(out, *value == '\n' ? " " : value, 1);
  rh_text_append(out, "\n");
}

rh_status rh_task_write(const rh_run *run, const char *store, const char *profile, const char *command,
                        const char *path)
{
  rh_text text = {0};
  append_header(&text, "id", run->id);
  append_header(&text, "study", run->study);
  append_header(&text, "question", run->question);
  append_header(&text, "directory", run->directory);
  append_header(&text, "store", store);
  append_header(&text, "profile", profile);
  append_header(&text, "command", command);
  rh_run_write(run, &text);
  const rh_status status = rh_output_file_write(path, rh_text_get(&text), text.length);
  rh_text_clear(&text);
  return status;
}

rh_status rh_task_add_checkpoint(const char *path, const char *base, double every_s, bool resume)
{
  rh_text text = {0};
  rh_status status = rh_text_read_file(&text, path);
  append_header(&text, "checkpoint", base);
  rh_text_append(&text, "@checkpoint_s %.17g\n@resume %s\n", every_s, resume ? "yes" : "no");
  if (status == RH_OK) status = rh_output_file_write(path, text.data, text.length);
  rh_text_clear(&text);
  return status;
}

typedef struct header {
  char *id, *study, *question, *directory, *store, *profile, *command, *checkpoint, *checkpoint_s, *resume;
} header;

static char **header_field(header *h, const char *name)
{
  struct {
    const char *name;
    char **field;
  } fields[] = {{"id", &h->id},
                {"study", &h->study},
                {"question", &h->question},
                {"directory", &h->directory},
                {"store", &h->store},
                {"profile", &h->profile},
                {"command", &h->command},
                {"checkpoint", &h->checkpoint},
                {"checkpoint_s", &h->checkpoint_s},
                {"resume", &h->resume}};
  for (size_t i = 0; i < RH_COUNT(fields); i++)
    if (strcmp(fields[i].name, name) == 0) return fields[i].field;
  return NULL;
}

static void header_clear(header *h)
{
  char *all[] = {h->id,      h->study,   h->question,   h->directory,    h->store,
                 h->profile, h->command, h->checkpoint, h->checkpoint_s, h->resume};
  for (size_t i = 0; i < RH_COUNT(all); i++)
    free(all[i]);
}

/* Splits a line at its first separator; false if it has none. */
static bool split(char *line, char separator, char **value)
{
  char *at = strchr(line, separator);
  if (!at) return false;
  *at = '\0';
  *value = at + 1;
  return true;
}

static rh_status parse_line(const char *path, int number, char *line, header *h, rh_settings *settings)
{
  char *value, **field, where[64];
  if (line[0] == '@') {
    if (!split(line, ' ', &value) || !(field = header_field(h, line + 1)))
      return rh_error(RH_EFORMAT, "%s:%d: '%s' is no header of a task file", path, number, line);
    free(*field);
    *field = rh_text_duplicate(value);
    return RH_OK;
  }
  if (!split(line, '=', &value)) return rh_error(RH_EFORMAT, "%s:%d: not a 'section.key=value' line", path, number);
  snprintf(where, sizeof where, "task line %d", number);
  rh_settings_set(settings, line, value, where, NULL);
  return RH_OK;
}

void rh_task_read_lines(const char *lines, const char *where, rh_settings *settings)
{
  for (const char *line = lines; *line;) {
    const size_t length = strcspn(line, "\n"), key = strcspn(line, "=");
    rh_text name = {0}, value = {0};
    if (key < length) {
      rh_text_append_bytes(&name, line, key);
      rh_text_append_bytes(&value, line + key + 1, length - key - 1);
      rh_settings_set(settings, name.data, rh_text_get(&value), where, "");
    }
    rh_text_clear(&name);
    rh_text_clear(&value);
    line += length + (line[length] == '\n');
  }
}

rh_status rh_task_read(const char *path, rh_task *task)
{
  rh_status status = RH_OK;
  rh_text text = {0};
  header h = {0};
  rh_settings settings = {0};
  *task = (rh_task){0};
  RH_TRY(rh_text_read_file(&text, path));
  int number = 0;
  for (char *line = text.data, *next; line && *line; line = next) {
    next = strchr(line, '\n');
    if (next) *next++ = '\0';
    RH_TRY(parse_line(path, ++number, line, &h, &settings));
  }
  if (!h.id || !h.study) {
    status = rh_error(RH_EFORMAT, "%s: no task file: it names no run and no study", path);
    goto done;
  }
  if (strlen(h.id) >= sizeof task->run.id) {
    status =
        rh_error(RH_EFORMAT, "%s: no task file: its id has more than %zu characters", path, sizeof task->run.id - 1);
    goto done;
  }
  RH_TRY(rh_run_resolve(&settings, h.study, h.question ? h.question : "", h.directory ? h.directory : "", &task->run));
  snprintf(task->run.id, sizeof task->run.id, "%s", h.id);
  task->store = h.store;
  task->profile = h.profile;
  task->command = h.command;
  task->checkpoint = h.checkpoint;
  task->checkpoint_s = h.checkpoint_s ? strtod(h.checkpoint_s, NULL) : 0;
  task->resume = h.resume && strcmp(h.resume, "yes") == 0;
  h.store = h.profile = h.command = h.checkpoint = NULL;
done:
  header_clear(&h);
  rh_settings_clear(&settings);
  rh_text_clear(&text);
  return status;
}

void rh_task_clear(rh_task *task)
{
  rh_run_clear(&task->run);
  free(task->store);
  free(task->profile);
  free(task->command);
  free(task->checkpoint);
  *task = (rh_task){0};
}
