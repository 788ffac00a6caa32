/* Durations: profiles of runs, and the one growing profile of a study. JSON in and out, rows in between.
 *
 * SQLite's json_each takes the JSON apart; numbers are read from its verbatim text with strtod and written with as many
 * digits as they need, so that a duration comes back bit for bit and with it the profile's hash.
 */
#include "store_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

static rh_status bad_profile(const char *study, const char *what)
{
  return rh_error(RH_EFORMAT, "the durations of study '%s': %s", study, what);
}

/* A profile's row; a device that differs from the stored one is added to its name. */
static rh_status put_device(rh_store *store, const char *study, const char *hash, const char *json)
{
  static const char sql[] =
      "INSERT INTO profiles(study, profile_hash, device) VALUES (?1, ?2, coalesce(?3 ->> '$.device', '')) "
      "ON CONFLICT DO UPDATE SET device = iif(device = '', '', device || '; ') || excluded.device "
      "WHERE instr(device, excluded.device) = 0";
  rh_binder b = {0};
  rh_status status = rh_store_prepare(store, sql, &b.statement);
  if (status != RH_OK) return status;
  rh_bind_text(&b, study);
  rh_bind_text(&b, hash);
  rh_bind_text(&b, json);
  return rh_store_finish(store, b.statement);
}

/* A number's JSON text; false if there is none. null is NaN. */
static bool read_number(sqlite3_stmt *statement, int column, double *value)
{
  const char *text = (const char *)sqlite3_column_text(statement, column);
  if (!text) return false;
  if (strcmp(text, "null") == 0) {
    *value = (double)NAN;
    return true;
  }
  char *end;
  *value = strtod(text, &end);
  return end != text && *end == '\0';
}

static rh_status put_duration(rh_store *store, const char *study, const char *hash, sqlite3_stmt *entry)
{
  static const char sql[] = "INSERT OR REPLACE INTO durations(study, profile_hash, name, samples, median_s, low_s,"
                            " high_s, fit) VALUES (?, ?, ?, ?, ?, ?, ?, coalesce(?, ''))";
  const char *name = (const char *)sqlite3_column_text(entry, 0);
  double samples, median_s, low_s, high_s;
  if (!name || !read_number(entry, 1, &samples) || !read_number(entry, 2, &median_s) ||
      !read_number(entry, 3, &low_s) || !read_number(entry, 4, &high_s) || !isfinite(samples) || !isfinite(median_s))
    return bad_profile(study, "an entry lacks its name, samples, median_s, low_s or high_s");
  rh_binder b = {0};
  rh_status status = rh_store_prepare(store, sql, &b.statement);
  if (status != RH_OK) return status;
  rh_bind_text(&b, study);
  rh_bind_text(&b, hash);
  rh_bind_text(&b, name);
  rh_bind_integer(&b, (int64_t)samples);
  rh_bind_real(&b, median_s);
  rh_bind_real(&b, low_s);
  rh_bind_real(&b, high_s);
  rh_bind_text(&b, (const char *)sqlite3_column_text(entry, 5));
  return rh_store_finish(store, b.statement);
}

static rh_status check_json(rh_store *store, const char *study, const char *json)
{
  static const char sql[] = "SELECT iif(json_valid(?1), json_type(?1, '$.durations') IS 'array', 0)";
  rh_binder b = {0};
  bool row;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, json);
  RH_TRY(rh_store_next(store, b.statement, &row));
  bool valid = row && sqlite3_column_int(b.statement, 0) != 0;
  sqlite3_reset(b.statement);
  if (!valid) status = bad_profile(study, "not a JSON object with an array \"durations\"");
done:
  return status;
}

rh_status rh_store_put_profile(rh_store *store, const char *study, const char *hash, const char *profile_json)
{
  static const char sql[] =
      "SELECT value ->> '$.name', value -> '$.samples', value -> '$.median_s',"
      " value -> '$.low_s', value -> '$.high_s', value -> '$.fit' FROM json_each(?, '$.durations')";
  rh_binder b = {0};
  rh_status status;
  RH_TRY(check_json(store, study, profile_json));
  RH_TRY(put_device(store, study, hash, profile_json));
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, profile_json);
  for (bool row = true;;) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    if (!row) break;
    RH_TRY(put_duration(store, study, hash, b.statement));
  }
done:
  if (b.statement) sqlite3_reset(b.statement);
  return status;
}

rh_status rh_store_save_profile(rh_store *store, const char *study, const char *question, const char *profile_json)
{
  RH_ASSERT(store->writable);
  rh_status status;
  RH_TRY(rh_store_begin(store));
  RH_TRY(rh_store_put_study(store, study, question));
  RH_TRY(rh_store_put_profile(store, study, RH_SCHEMA_WHOLE, profile_json));
  status = rh_store_commit(store);
done:
  if (status != RH_OK) rh_store_rollback(store);
  return status;
}

static void write_duration(sqlite3_stmt *row, rh_text *out)
{
  static const char *const numbers[] = {"median_s", "low_s", "high_s"};
  rh_text_append(out, "{\"name\": ");
  rh_text_append_json(out, (const char *)sqlite3_column_text(row, 0));
  rh_text_append(out, ", \"samples\": %lld", (long long)sqlite3_column_int64(row, 1));
  for (int i = 0; i < 3; i++) {
    rh_text_append(out, ", \"%s\": ", numbers[i]);
    rh_text_append_json_number(out, rh_column_real(row, 2 + i));
  }
  const char *fit = (const char *)sqlite3_column_text(row, 5);
  if (fit && *fit) rh_text_append(out, ", \"fit\": %s", fit);
  rh_text_append(out, "}");
}

/* Writes {"device": ...}'s start; *there = false if the study has no profile. */
static rh_status write_device(rh_store *store, const char *study, const char *hash, rh_text *out, bool *there)
{
  static const char sql[] = "SELECT device FROM profiles WHERE study = ? AND profile_hash = ?";
  rh_binder b = {0};
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, study);
  rh_bind_text(&b, hash);
  RH_TRY(rh_store_next(store, b.statement, there));
  if (*there) {
    rh_text_append(out, "{\"device\": ");
    rh_text_append_json(out, (const char *)sqlite3_column_text(b.statement, 0));
  }
  sqlite3_reset(b.statement);
done:
  return status;
}

rh_status rh_store_profile_of(rh_store *store, const char *study, const char *hash, rh_text *profile_json)
{
  static const char sql[] = "SELECT name, samples, median_s, low_s, high_s, fit FROM durations "
                            "WHERE study = ? AND profile_hash = ? ORDER BY name";
  rh_binder b = {0};
  rh_text out = {0};
  bool row = true;
  rh_status status;
  RH_TRY(write_device(store, study, hash, &out, &row));
  if (!row) goto done;
  rh_text_append(&out, ", \"durations\": [");
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, study);
  rh_bind_text(&b, hash);
  for (bool first = true;; first = false) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    if (!row) break;
    if (!first) rh_text_append(&out, ", ");
    write_duration(b.statement, &out);
  }
  rh_text_append(&out, "]}");
  rh_text_append_bytes(profile_json, rh_text_get(&out), out.length);
done:
  rh_text_clear(&out);
  return status;
}

rh_status rh_store_profile(rh_store *store, const char *study, rh_text *profile_json)
{
  return rh_store_profile_of(store, study, RH_SCHEMA_WHOLE, profile_json);
}
