/* Below the closing table: where the charged seconds come from, once for each different origin. */
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "store_private.h"

/* The value of a key in a configuration's lines; its length, 0 if there is none. */
static int find_value(const char *configuration, const char *key, const char **value)
{
  const size_t length = strlen(key);
  for (const char *line = configuration; *line;) {
    const size_t end = strcspn(line, "\n");
    if (strncmp(line, key, length) == 0 && line[length] == '=') {
      *value = line + length + 1;
      return (int)(end - length - 1);
    }
    line += end + (line[end] == '\n');
  }
  return 0;
}

/* "of NVIDIA H200 (time.profile: h200.json)" */
static void write_origin(const char *source, const char *device, const char *configuration, rh_text *out)
{
  const char *file;
  const int length = find_value(configuration, "time.profile", &file);
  if (strcmp(source, "flops") == 0)
    rh_text_append(out, "operations counted, no step timed (time.source: flops)");
  else if (strcmp(source, "profile") == 0)
    rh_text_append(out, "of %s (time.profile: %.*s)", device, length, length ? file : "");
  else
    rh_text_append(out, "timed on %s", device);
}

rh_status rh_table_write_devices(rh_store *store, const rh_run_list *runs, rh_text *out)
{
  static const char sql[] = "SELECT time_source, coalesce(device, ''), configuration FROM runs"
                            " LEFT JOIN profiles USING (study, profile_hash) WHERE id = ? AND status = 'done'";
  rh_text lines = {0};
  rh_status status = RH_OK;
  for (int32_t i = 0; i < runs->count; i++) {
    rh_binder b = {0};
    bool row = false;
    RH_TRY(rh_store_prepare(store, sql, &b.statement));
    rh_bind_text(&b, runs->list[i].id);
    RH_TRY(rh_store_next(store, b.statement, &row));
    rh_text origin = {0}, line = {0};
    if (row)
      write_origin((const char *)sqlite3_column_text(b.statement, 0), (const char *)sqlite3_column_text(b.statement, 1),
                   (const char *)sqlite3_column_text(b.statement, 2), &origin);
    sqlite3_reset(b.statement);
    rh_text_append(&line, "charged seconds: ");
    rh_text_append_visible(&line, rh_text_get(&origin));
    rh_text_append(&line, "\n");
    if (row && !strstr(rh_text_get(&lines), line.data)) rh_text_append(&lines, "%s", line.data);
    rh_text_clear(&origin);
    rh_text_clear(&line);
  }
  if (lines.length > 0) rh_text_append(out, "\n%s", lines.data);
done:
  rh_text_clear(&lines);
  return status;
}
