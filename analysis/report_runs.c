/* All runs as data: what each is, how it was made, and its curves. See report_private.h. */
#include <string.h>

#include "report_private.h"

/* Points of all curves together: with more runs each has fewer, down to the least that still shows a shape. */
enum { POINTS = 40000, POINTS_MOST = 1000, POINTS_LEAST = 60 };

static const char of_run[] =
    "SELECT r.id, r.study, r.platform, r.platform_file, r.platform_hash, r.network_model, r.protocol, r.precision_s,"
    " r.workers, r.zones, r.method, r.compressor, r.graph, r.lambda2, r.model, r.parameters, r.dataset, r.partition,"
    " r.batch, r.seed, r.backend, r.kernel, r.threads, r.time_source, r.profile_hash,"
    " (SELECT device FROM profiles p WHERE p.study = r.study AND p.profile_hash = r.profile_hash) AS device,"
    " r.versions, r.command, r.status, r.reason, r.start_utc, r.end_utc, r.wall_s, r.peak_memory_bytes,"
    " r.parameters_hash, r.simulated_messages, r.skipped_messages, r.skipped_rounds, r.simulated_in_full,"
    " m.accuracy, r.target_accuracy, m.time_to_target_s, m.bytes_to_target, m.rounds, r.rounds_planned,"
    " m.simulated_s, m.wire_bytes, m.closed_form_ratio, m.busiest_link, m.busiest_load,"
    " (SELECT min(bandwidth_Bps) FROM links l WHERE l.run_id = r.id) AS slowest_link_Bps "
    "FROM runs r JOIN run_summary m USING (id) WHERE r.id = ?1";

/* bytes: of all workers, from the start on */
static const char of_rounds[] =
    "SELECT round, finish_s AS s, train_loss AS loss, sum(wire_bytes) OVER (ORDER BY round) AS bytes "
    "FROM rounds WHERE run_id = ?1 ORDER BY round";

static const char of_evaluations[] =
    "WITH sent AS (SELECT round, sum(wire_bytes) OVER (ORDER BY round) AS bytes FROM rounds WHERE run_id = ?1) "
    "SELECT e.round, e.simulated_s AS s, e.test_accuracy AS accuracy, e.test_loss AS loss,"
    " e.consensus_distance AS consensus, sent.bytes "
    "FROM evaluations e LEFT JOIN sent USING (round) WHERE e.run_id = ?1 ORDER BY e.round";

static rh_status write_run(report *r, int32_t i, int64_t points, rh_text *out)
{
  static const char of_warnings[] = "SELECT warning FROM warnings WHERE run_id = ?1 ORDER BY sequence";
  const rh_run_summary *run = &r->runs.list[i];
  rh_text sentence = {0};
  rh_status status;
  rh_text_append(out, "%s\n{\"about\": ", i ? "," : "");
  RH_TRY(report_object(r, of_run, run->id, out));
  rh_text_append(out, ", \"configuration\": ");
  rh_configuration_write_json(run->configuration, out);
  RH_TRY(rh_store_bottleneck(r->store, run->id, &sentence));
  rh_text_append(out, ", \"bottleneck\": ");
  rh_text_append_json(out, rh_text_get(&sentence));
  rh_text_append(out, ", \"warnings\": ");
  RH_TRY(report_columns(r, of_warnings, run->id, 0, out, NULL));
  rh_text_append(out, ", \"rounds\": ");
  RH_TRY(report_columns(r, of_rounds, run->id, points, out, NULL));
  rh_text_append(out, ", \"evaluations\": ");
  RH_TRY(report_columns(r, of_evaluations, run->id, points, out, NULL));
  rh_text_append(out, ", \"seconds\": ");
  RH_TRY(report_object(r,
                       "SELECT avg(compute_s) AS compute, avg(communication_s) AS communication, avg(both_s) AS both,"
                       " avg(waiting_s) AS waiting, avg(encode_s) AS encode, avg(decode_s) AS decode, max(compute_s) "
                       "AS most_compute, count(*) AS ranks "
                       "FROM ranks WHERE run_id = ?1 HAVING count(*) > 0",
                       run->id, out));
  rh_text_append(out, "}");
done:
  rh_text_clear(&sentence);
  return status;
}

rh_status report_write_runs(report *r, rh_text *out)
{
  rh_status status = RH_OK;
  const int32_t n = r->runs.count;
  int64_t points = n > 0 ? POINTS / n : 0;
  points = points > POINTS_MOST ? POINTS_MOST : points < POINTS_LEAST ? POINTS_LEAST : points;
  rh_text_append(out, ",\n\"runs\": [");
  for (int32_t i = 0; i < n; i++)
    RH_TRY(write_run(r, i, points, out));
  rh_text_append(out, "]");
done:
  return status;
}
