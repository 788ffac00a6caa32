/* What goes on inside some runs: ranks, links over time, the network, who sends to whom. See report_private.h.
 *
 * A page has a size that mail and phones take. The first run of each configuration is shown from inside, until these
 * take a few megabytes; the page names the others, and `rehearse report RUN` shows one.
 */
#include <string.h>

#include "report_private.h"

enum { INSIDE_BYTES = 1200 * 1000, INSIDE_LEAST = 1 };

/* A part of a run's inside: a list of columns, or nothing where the query has no rows. */
typedef struct part {
  const char *name, *sql;
} part;

static const part parts[] = {
    {"ranks",
     "SELECT rank, host, compute_s, communication_s, both_s, waiting_s, encode_s + decode_s AS coding_s, sent_bytes,"
     " received_bytes, samples FROM ranks WHERE run_id = ?1 ORDER BY rank"},
    {"classes", "SELECT rank, class, samples FROM class_counts WHERE run_id = ?1 ORDER BY rank, class"},
    {"factors", "SELECT round, weight, rank FROM factor_ranks WHERE run_id = ?1 ORDER BY weight, round"},
    {"phases", "SELECT phase, first_round, rounds, share, mean_compression_ratio, wire_bytes FROM phase_summary "
               "WHERE run_id = ?1 ORDER BY first_round"},
    {"collectives", "SELECT kind, count(*) AS uses, group_size, avg(finish_s - start_s) AS mean_s,"
                    " avg(closed_form_s) AS closed_form_s, sum(wire_bytes) AS wire_bytes FROM collectives "
                    "WHERE run_id = ?1 GROUP BY kind, group_size ORDER BY sum(finish_s - start_s) DESC"},
    {"links",
     "SELECT link, bandwidth_Bps, latency_s, bytes, busy_s, load, peak_load, from_where, to_where, bin_loads, down_s,"
     " stalled_s "
     "FROM links WHERE run_id = ?1 ORDER BY load DESC, bytes DESC, link"},
    {"nodes", "SELECT kind, name, rank, x, y FROM nodes WHERE run_id = ?1 ORDER BY node"},
    {"lines", "SELECT link, from_node, to_node FROM lines WHERE run_id = ?1 ORDER BY line"},
    {"pairs", "SELECT from_rank, to_rank, block, bytes FROM pairs WHERE run_id = ?1 ORDER BY from_rank, to_rank"},
    {"events", "SELECT round, rank, lane, kind, start_s, finish_s, bytes, peer FROM events WHERE run_id = ?1 "
               "ORDER BY sequence LIMIT 30000"},
};

static const char about[] = "SELECT r.bin_s, n.layout, n.lines_left_out, (SELECT count(*) FROM events e"
                            " WHERE e.run_id = r.id) AS events "
                            "FROM runs r LEFT JOIN networks n ON n.run_id = r.id WHERE r.id = ?1";

static rh_status write_one(report *r, int32_t i, rh_text *out)
{
  rh_status status = RH_OK;
  const char *id = r->runs.list[i].id;
  rh_text_append(out, "\n{\"run\": %d, \"about\": ", (int)i);
  RH_TRY(report_object(r, about, id, out));
  for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
    int64_t rows;
    rh_text_append(out, ",\n \"%s\": ", parts[k].name);
    RH_TRY(report_columns(r, parts[k].sql, id, 0, out, &rows));
  }
  rh_text_append(out, "}");
done:
  return status;
}

/* The runs to be shown from inside, in order: the first of each configuration, or all where none is done. */
static int32_t chosen_run(const report *r, int32_t k)
{
  if (r->comparison.count == 0) return k < r->runs.count ? k : -1;
  return k < r->comparison.count ? r->comparison.list[k].run[0] : -1;
}

rh_status report_write_inside(report *r, rh_text *out)
{
  rh_status status = RH_OK;
  const size_t start = out->length;
  rh_text_append(out, ",\n\"inside\": [");
  for (int32_t k = 0;; k++) {
    const int32_t i = chosen_run(r, k);
    if (i < 0 || (k >= INSIDE_LEAST && out->length - start > INSIDE_BYTES)) break;
    if (k) rh_text_append(out, ",");
    RH_TRY(write_one(r, i, out));
  }
  rh_text_append(out, "]");
done:
  return status;
}
