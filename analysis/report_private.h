/* What the files of the report share. For report*.c alone. */
#ifndef RH_REPORT_PRIVATE_H
#define RH_REPORT_PRIVATE_H

#include "compare.h"
#include "report.h"
#include "store_private.h"
#include "unit.h"
#include "varied.h"

typedef struct report {
  rh_store *store;
  const rh_report_def *def;
  rh_run_list runs;
  rh_varied varied;         /* keys that differ between the runs */
  rh_comparison comparison; /* of the runs that are done; empty if none is */
  char *study, *question;   /* of the first run; owned */
  const char **limits;      /* [comparison.count] bottleneck of a configuration's first run in a word; owned */
  int left_out;             /* runs of timing alone, where others were trained */
  int done, evaluated;      /* runs that are done; that have an accuracy */
} report;

/* The page's own parts, in the program (report_parts.c). */
extern const char rh_report_charts[], rh_report_script[], rh_report_style[];

/* Text for HTML (report_html.c): content and attributes alike; control characters are made visible. */
void report_escape(rh_text *out, const char *text);
/* A JSON number of `digits` digits; null for what is not finite. */
void report_number(rh_text *out, double value, int digits);
/* "32.8 s", "not reached", "-" for NaN. */
void report_quantity(rh_text *out, double value, rh_unit unit);
/* JSON that can stand in a script: no '<' and no line separator that JavaScript knows. Takes what follows `start`. */
void report_make_safe(rh_text *out, size_t start);

/* The name of a configuration or setting as a person says it: "train.method=dpsgd compress.name=qsgd" gives
 * "dpsgd, qsgd". "" gives `none`. */
void report_name(rh_text *out, const char *label, const char *none);
/* A configuration that no other one has to be told from: "allreduce, uncompressed". */
void report_alone(const rh_run_summary *run, rh_text *out);

/* The answer in plain words as HTML (report_answer.c), and the results as a table (report_table.c). */
RH_CHECKED rh_status report_write_answer(report *r, rh_text *out);
void report_write_table(const report *r, rh_text *out);

/* The data as members of a JSON object: the comparison (report_table.c), all runs with their curves (report_runs.c),
 * what goes on inside some of them (report_inside.c). */
void report_write_comparison(const report *r, rh_text *out);
RH_CHECKED rh_status report_write_runs(report *r, rh_text *out);
RH_CHECKED rh_status report_write_inside(report *r, rh_text *out);

/* The rows of a query as JSON (report_rows.c): {"a": [..], "b": [..]}, a list for each of its columns. Integers and
 * texts in full, real numbers with 7 digits. Parameter ?1 is the run's id. At most `most` rows, 0: all; where there are
 * more, they are thinned out evenly and the last is kept. `rows` is set to how many there were; NULL: not wanted. */
RH_CHECKED rh_status report_columns(report *r, const char *sql, const char *id, int64_t most, rh_text *out,
                                    int64_t *rows);
/* The one row of a query as a JSON object; {} without a row. */
RH_CHECKED rh_status report_object(report *r, const char *sql, const char *id, rh_text *out);

#endif
