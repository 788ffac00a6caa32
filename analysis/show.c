/* `show RUN`: everything that is known of one run, as text or JSON.
 *
 * Each section is one query. Text gets its units from the column names, as the schema has them in theirs: _s seconds,
 * _bytes bytes, _Bps byte/s, _flops flop/s; load, share and accuracy are percentages.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "sparkline.h"
#include "store_private.h"
#include "unit.h"
#include "varied.h"

enum { SHOW_WIDTH = 120, BINS_MAX = 200 };

typedef enum style {
  FIELDS, /* one row: names and values below each other; a JSON object, null without a row */
  TABLE,  /* an aligned table; a JSON array of objects */
  LINES,  /* the first column of each row, whole, on a line of its own; a JSON array of objects */
  SERIES  /* name, bin, seconds of a bin, load; text: a line of digits; a JSON array of objects */
} style;

typedef struct section {
  const char *name; /* JSON key, and heading with blanks for underscores */
  style style;
  const char *note; /* beside the heading in the text; NULL: none */
  const char *sql;  /* parameter: the run's id */
} section;

static const section sections[] = {
    {"run", FIELDS, NULL,
     "SELECT r.id, r.study, s.question, r.status, r.reason, r.start_utc, r.end_utc, r.wall_s, r.peak_memory_bytes,"
     " r.platform, r.platform_file, r.platform_hash, r.network_model, r.protocol, r.precision_s, r.workers,"
     " nullif(r.zones, 0) AS zones,"
     " r.method, r.compressor, r.graph, r.lambda2, r.model, r.parameters, r.dataset, r.partition,"
     " iif(r.timing_only, 'timing only: no values, no accuracy and no loss', 'real') AS compute, r.batch, r.seed,"
     " r.step_flop, nullif(r.step_int8_op, 0) AS step_int8_op, r.weight_bytes, r.activation_bytes,"
     " r.backend, r.kernel, r.threads, r.time_source, r.profile_hash, p.device, r.parameters_hash, r.versions, "
     "r.command "
     "FROM runs r JOIN studies s USING (study) LEFT JOIN profiles p USING (study, profile_hash) WHERE r.id = ?"},
    {"result", FIELDS, NULL,
     "SELECT m.rounds, r.rounds_planned, m.simulated_s, m.accuracy, m.target_accuracy, m.rounds_to_target,"
     " m.time_to_target_s, m.bytes_to_target, m.wire_bytes,"
     " iif(r.zones > 1, m.within_bytes, NULL) AS bytes_within_zones,"
     " iif(r.zones > 1, m.between_bytes, NULL) AS bytes_between_zones,"
     " t.messages, t.bytes_per_worker, t.bytes_per_round,"
     " m.closed_form_ratio, m.busiest_link, m.busiest_load "
     "FROM run_summary m JOIN runs r USING (id) JOIN traffic_total t ON t.run_id = m.id WHERE m.id = ?"},
    {"steady_states", FIELDS, "of the network; what was skipped is in all other numbers (network.steady)",
     "SELECT simulated_messages, skipped_messages, skipped_rounds, skipped_s,"
     " nullif(simulated_in_full, '') AS simulated_in_full FROM runs WHERE id = ? AND simulated_messages IS NOT NULL"},
    {"seconds_of_ranks", TABLE,
     "compute + communication - both at once + waiting = the rank's elapsed seconds; encode and decode are parts of "
     "compute",
     "SELECT 'mean' AS of, avg(compute_s) AS compute_s, avg(communication_s) AS communication_s, avg(both_s) AS both_s,"
     " avg(waiting_s) AS waiting_s, avg(encode_s) AS encode_s, avg(decode_s) AS decode_s"
     " FROM ranks WHERE run_id = ?1 HAVING count(*) > 0 "
     "UNION ALL SELECT 'least', min(compute_s), min(communication_s), min(both_s), min(waiting_s), min(encode_s),"
     " min(decode_s) FROM ranks WHERE run_id = ?1 HAVING count(*) > 0 "
     "UNION ALL SELECT 'most', max(compute_s), max(communication_s), max(both_s), max(waiting_s), max(encode_s),"
     " max(decode_s) FROM ranks WHERE run_id = ?1 HAVING count(*) > 0"},
    {"phases", TABLE, "bytes of all ranks, within the innermost zones (nodes) and between them",
     "SELECT phase, first_round, rounds, share, within_bytes AS bytes_within_zones,"
     " between_bytes AS bytes_between_zones, mean_compression_ratio "
     "FROM phase_summary WHERE run_id = ? ORDER BY first_round"},
    {"factor_ranks", TABLE, "of weights that were products of factors",
     "SELECT weight, min(rank) AS least, max(rank) AS most, (SELECT rank FROM factor_ranks l"
     " WHERE l.run_id = f.run_id AND l.weight = f.weight ORDER BY round DESC LIMIT 1) AS last "
     "FROM factor_ranks f WHERE run_id = ? GROUP BY weight ORDER BY weight"},
    {"collectives", TABLE, "ratio: seconds / seconds of the closed form, which knows no contention",
     "SELECT kind, group_size, count(*) AS count, avg(payload_bytes) AS mean_payload_bytes,"
     " sum(wire_bytes) AS wire_bytes, avg(finish_s - start_s) AS mean_s, min(finish_s - start_s) AS least_s,"
     " max(finish_s - start_s) AS most_s, avg(closed_form_s) AS mean_closed_form_s,"
     " sum(iif(closed_form_s IS NULL, NULL, finish_s - start_s)) / nullif(sum(closed_form_s), 0) AS ratio "
     "FROM collectives WHERE run_id = ? GROUP BY kind, group_size ORDER BY kind, group_size"},
    {"evaluations", TABLE, "of the mean model; least, median and most over a sample of replicas",
     "SELECT round, simulated_s, train_loss, test_loss, test_accuracy AS accuracy, accuracy_min AS least_accuracy,"
     " accuracy_median AS median_accuracy, accuracy_max AS most_accuracy, consensus_distance "
     "FROM evaluations WHERE run_id = ? ORDER BY round"},
    {"links", TABLE,
     "the twenty busiest; peak: in the fullest bin of time; share: of the bytes on all links; bandwidth: over the time "
     "of the run, where a profile changes it",
     "SELECT link, load, peak_load, share, bytes, busy_s, nullif(down_s, 0) AS down_s, nullif(stalled_s, 0) AS "
     "waited_for_s, bandwidth_Bps, latency_s,"
     " nullif(from_where, '') AS all_from, nullif(to_where, '') AS all_to FROM traffic WHERE run_id = ?"
     " ORDER BY load DESC, bytes DESC, link LIMIT 20"},
    {"busiest_link_over_time", SERIES, NULL,
     "SELECT t.link, t.bin, t.width_s, t.load, t.start_s, t.bytes FROM traffic_over_time t WHERE t.run_id = ?1 AND "
     "t.link ="
     " (SELECT link FROM links WHERE run_id = ?1 ORDER BY load DESC, bytes DESC, link LIMIT 1) ORDER BY t.bin"},
    {"durations", TABLE, "what is charged for a step on the reference device",
     "SELECT d.name, d.samples, d.median_s, d.low_s, d.high_s,"
     " iif(d.fit = '', '', d.fit ->> '$.kind') AS fit FROM durations d"
     " JOIN runs r ON r.study = d.study AND r.profile_hash = d.profile_hash WHERE r.id = ? ORDER BY d.name"},
    {"time_with_durations_drawn_anew", FIELDS,
     "run --repeat-timing; of the round's last rank: as the run has it, then of all draws",
     "SELECT draws, round, finish_s AS the_run_s, least_s, low_s AS least_but_5_percent_s, median_s,"
     " high_s AS largest_but_5_percent_s, largest_s, nullif(mathematics_again, '') AS mathematics_again"
     " FROM timing_interval WHERE run_id = ?"},
    {"warnings", LINES, NULL, "SELECT warning FROM warnings WHERE run_id = ? ORDER BY sequence"},
};

static bool ends_with(const char *text, const char *suffix)
{
  size_t length = strlen(text), tail = strlen(suffix);
  return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

/* How a column is read by its name, and the name without its unit. */
static rh_unit unit_of(const char *column, size_t *name_length)
{
  static const struct {
    const char *suffix;
    rh_unit unit;
  } suffixes[] = {
      {"_s", RH_UNIT_SECOND}, {"_bytes", RH_UNIT_BYTE}, {"_Bps", RH_UNIT_BANDWIDTH}, {"_flops", RH_UNIT_SPEED}};
  *name_length = strlen(column);
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    if (!ends_with(column, suffixes[i].suffix)) continue;
    if (suffixes[i].unit != RH_UNIT_BYTE) *name_length -= strlen(suffixes[i].suffix); /* "wire_bytes" is a name */
    return suffixes[i].unit;
  }
  bool bytes = strcmp(column, "bytes") == 0 || strncmp(column, "bytes_", 6) == 0;
  return bytes ? RH_UNIT_BYTE : RH_UNIT_NONE;
}

static bool is_share(const char *column)
{
  return ends_with(column, "accuracy") || ends_with(column, "load") || strcmp(column, "share") == 0;
}

/* The value of a column as text with its unit; "" for NULL. */
static void format_value(sqlite3_stmt *row, int column, rh_text *out)
{
  size_t length;
  const char *name = sqlite3_column_name(row, column);
  rh_unit unit = unit_of(name, &length);
  int type = sqlite3_column_type(row, column);
  double value = sqlite3_column_double(row, column);
  char buffer[64];
  if (type == SQLITE_TEXT)
    rh_text_append(out, "%s", (const char *)sqlite3_column_text(row, column));
  else if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
    return;
  else if (is_share(name))
    rh_text_append(out, "%.2f %%", 100 * value);
  else if (unit == RH_UNIT_SECOND && fabs(value) < 1e-10 && value != 0)
    rh_text_append(out, "%.3g s", value); /* SimGrid's precision: below the smallest prefix */
  else if (unit != RH_UNIT_NONE)
    rh_text_append(out, "%s", rh_unit_format(value, unit, buffer, sizeof buffer));
  else if (type == SQLITE_INTEGER)
    rh_text_append(out, "%lld", (long long)sqlite3_column_int64(row, column));
  else
    rh_text_append(out, "%.4g", value);
}

static void append_name(const char *column, rh_text *out)
{
  size_t length;
  unit_of(column, &length);
  for (size_t i = 0; i < length; i++)
    rh_text_append(out, "%c", column[i] == '_' ? ' ' : column[i]);
}

/* Name and value of each known column of one row. */
static void write_fields(sqlite3_stmt *row, rh_text *out)
{
  for (int c = 0; c < sqlite3_column_count(row); c++) {
    rh_text name = {0}, value = {0};
    append_name(sqlite3_column_name(row, c), &name);
    format_value(row, c, &value);
    if (value.length > 0) {
      rh_text_append(out, "  %-19s ", rh_text_get(&name));
      rh_text_append_visible(out, rh_text_get(&value));
      rh_text_append(out, "\n");
    }
    rh_text_clear(&name);
    rh_text_clear(&value);
  }
}

static void write_line(sqlite3_stmt *row, rh_text *out)
{
  rh_text value = {0};
  format_value(row, 0, &value);
  rh_text_append(out, "  ");
  rh_text_append_visible(out, rh_text_get(&value));
  rh_text_append(out, "\n");
  rh_text_clear(&value);
}

static void add_columns(sqlite3_stmt *row, rh_grid *grid)
{
  for (int c = 0; c < sqlite3_column_count(row); c++) {
    rh_text name = {0};
    append_name(sqlite3_column_name(row, c), &name);
    bool text = sqlite3_column_type(row, c) == SQLITE_TEXT;
    rh_grid_add_column(grid, rh_text_get(&name),
                       (text ? RH_GRID_LEFT | RH_GRID_SHRINK : RH_GRID_RIGHT) | RH_GRID_IF_ANY);
    rh_text_clear(&name);
  }
}

static void add_row(sqlite3_stmt *row, rh_grid *grid)
{
  for (int c = 0; c < sqlite3_column_count(row); c++) {
    rh_text value = {0};
    format_value(row, c, &value);
    rh_grid_add_cell(grid, rh_text_get(&value));
    rh_text_clear(&value);
  }
}

static void write_heading(const section *s, rh_text *out)
{
  rh_text_append(out, "\n");
  append_name(s->name, out);
  rh_text_append(out, "%s%s%s\n", s->note ? " (" : "", s->note ? s->note : "", s->note ? ")" : "");
}

/* A link's load over time as digits, of its peak where that is below a tenth. The first row is there. */
static rh_status write_series(rh_store *store, sqlite3_stmt *statement, rh_text *out)
{
  double load[BINS_MAX] = {0}, peak = 0;
  int count = 0;
  char buffer[64];
  rh_status status = RH_OK;
  rh_text name = {0};
  rh_text_append(&name, "%s", (const char *)sqlite3_column_text(statement, 0));
  const double width_s = sqlite3_column_double(statement, 2);
  for (bool row = true; row;) {
    const int bin = sqlite3_column_int(statement, 1);
    if (bin >= 0 && bin < BINS_MAX) {
      load[bin] = sqlite3_column_double(statement, 3);
      peak = fmax(peak, load[bin]);
      count = bin + 1;
    }
    RH_TRY(rh_store_next(store, statement, &row));
  }
  rh_text_append(out, "  ");
  rh_text_append_visible(out, rh_text_get(&name));
  rh_text_append(out, ", tenths of its ");
  if (peak < 0.1) {
    rh_text_append(out, "peak of %.2g %%", 100 * peak);
    for (int bin = 0; bin < count && peak > 0; bin++)
      load[bin] /= peak;
  } else {
    rh_text_append(out, "load");
  }
  rh_text_append(out, ", %s each:\n  ",
                 rh_unit_format(rh_sparkline_group(count) * width_s, RH_UNIT_SECOND, buffer, sizeof buffer));
  rh_sparkline_write(load, count, out);
  rh_text_append(out, "\n");
done:
  rh_text_clear(&name);
  return status;
}

/* A section as text; nothing if it has no rows. */
static rh_status write_text(rh_store *store, const section *s, sqlite3_stmt *statement, rh_text *out)
{
  rh_grid grid = {0};
  rh_status status;
  for (bool row = true, first = true;; first = false) {
    RH_TRY(rh_store_next(store, statement, &row));
    if (!row) break;
    if (first) write_heading(s, out);
    if (s->style == SERIES) {
      status = write_series(store, statement, out);
      break;
    }
    if (s->style == FIELDS) write_fields(statement, out);
    if (s->style == LINES) write_line(statement, out);
    if (s->style == TABLE && first) add_columns(statement, &grid);
    if (s->style == TABLE) add_row(statement, &grid);
  }
  if (grid.columns > 0) rh_grid_write(&grid, 2, SHOW_WIDTH, out);
done:
  rh_grid_clear(&grid);
  return status;
}

static rh_status write_json(rh_store *store, const section *s, sqlite3_stmt *statement, rh_text *out)
{
  rh_text_append(out, ",\n \"%s\": %s", s->name, s->style == FIELDS ? "" : "[");
  rh_status status;
  for (bool row = true, first = true;; first = false) {
    RH_TRY(rh_store_next(store, statement, &row));
    if (!row && first && s->style == FIELDS) rh_text_append(out, "null");
    if (!row) break;
    if (!first) rh_text_append(out, ",\n  ");
    rh_store_row_write_json(statement, out);
  }
  if (s->style != FIELDS) rh_text_append(out, "]");
done:
  return status;
}

static rh_status write_section(rh_store *store, const section *s, const char *id, bool json, rh_text *out)
{
  rh_binder b = {0};
  rh_status status = rh_store_prepare(store, s->sql, &b.statement);
  if (status != RH_OK) return status;
  rh_bind_text(&b, id);
  return json ? write_json(store, s, b.statement, out) : write_text(store, s, b.statement, out);
}

/* What the run's time was spent on: a sentence. */
static rh_status write_bottleneck(rh_store *store, const char *id, bool json, rh_text *out)
{
  rh_text sentence = {0};
  rh_status status;
  RH_TRY(rh_store_bottleneck(store, id, &sentence));
  if (json) {
    rh_text_append(out, ",\n \"bottleneck\": ");
    rh_text_append_json(out, sentence.length > 0 ? rh_text_get(&sentence) : NULL);
  } else if (sentence.length > 0) {
    rh_text_append(out, "\nbottleneck\n  %s\n", rh_text_get(&sentence));
  }
done:
  rh_text_clear(&sentence);
  return status;
}

static rh_status write_configuration(rh_store *store, const char *id, bool json, rh_text *out)
{
  static const char sql[] = "SELECT configuration FROM runs WHERE id = ?";
  rh_binder b = {0};
  bool row;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, id);
  RH_TRY(rh_store_next(store, b.statement, &row));
  const char *configuration = row ? (const char *)sqlite3_column_text(b.statement, 0) : "";
  if (json) {
    rh_text_append(out, "{\"configuration\": ");
    rh_configuration_write_json(configuration, out);
  } else {
    rh_text_append(out, "\nconfiguration\n");
    char *copy = rh_text_duplicate(configuration), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
      if (line[0] == '\0') continue;
      rh_text_append(out, "  ");
      rh_text_append_visible(out, line);
      rh_text_append(out, "\n");
    }
    free(copy);
  }
  sqlite3_reset(b.statement);
done:
  return status;
}

rh_status rh_show_write(rh_store *store, const char *id, bool json, rh_text *out)
{
  char *found = NULL;
  rh_text text = {0};
  rh_status status;
  RH_TRY(rh_store_find_run(store, id, &found));
  if (json) RH_TRY(write_configuration(store, found, true, &text));
  for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
    RH_TRY(write_section(store, &sections[i], found, json, &text));
    if (strcmp(sections[i].name, "result") == 0) RH_TRY(write_bottleneck(store, found, json, &text));
  }
  if (!json) RH_TRY(write_configuration(store, found, false, &text));
  if (json) rh_text_append(&text, "}\n");
  const char *whole = rh_text_get(&text);
  rh_text_append(out, "%s", whole[0] == '\n' ? whole + 1 : whole);
done:
  free(found);
  rh_text_clear(&text);
  return status;
}
