/* A run's row and the rows that it reports: the recorder on a database. */
#include "store_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schema.h"

static void utc_now(char *buffer, size_t size)
{
  struct timespec now;
  struct tm parts;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);
  char seconds[24];
  strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(buffer, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

static rh_status finish(rh_store *store, const rh_binder *binder)
{
  if (binder->bad) return rh_error(RH_EINVAL, "%s: %s of a row is not finite", store->path, binder->bad);
  RH_ASSERT(binder->count == sqlite3_bind_parameter_count(binder->statement));
  return rh_store_finish(store, binder->statement);
}

static rh_status with_text(rh_store *store, const char *sql, const char *text)
{
  rh_binder binder = {0};
  rh_status status = rh_store_prepare(store, sql, &binder.statement);
  if (status != RH_OK) return status;
  rh_bind_text(&binder, text);
  return finish(store, &binder);
}

rh_status rh_store_put_study(rh_store *store, const char *study, const char *question)
{
  static const char sql[] = "INSERT INTO studies VALUES (?, ?) "
                            "ON CONFLICT DO UPDATE SET question = excluded.question WHERE excluded.question <> ''";
  rh_binder binder = {0};
  rh_status status = rh_store_prepare(store, sql, &binder.statement);
  if (status != RH_OK) return status;
  rh_bind_text(&binder, study);
  rh_bind_text(&binder, question);
  return finish(store, &binder);
}

/* Study and profile, where they are not there yet. */
static rh_status put_context(rh_store *store, const rh_run_header *h, bool *has_profile)
{
  rh_status status = rh_store_put_study(store, h->study, h->question);
  *has_profile = h->profile_json && h->profile_json[0] != '\0';
  if (status != RH_OK || !*has_profile) return status;
  char hash[17];
  snprintf(hash, sizeof hash, "%016llx", (unsigned long long)h->profile_hash);
  return rh_store_put_profile(store, h->study, hash, h->profile_json);
}

/* What a step costs; NULL where it is not known. */
static void bind_work(rh_binder *b, const rh_run_header *h)
{
  const bool known = h->step_flop > 0;
  rh_bind_real(b, known ? h->step_flop : (double)NAN);
  rh_bind_real(b, known ? h->step_int8_op : (double)NAN);
  rh_bind_real(b, known ? (double)h->weight_bytes : (double)NAN); /* whole numbers: stored as integers */
  rh_bind_real(b, known ? (double)h->activation_bytes : (double)NAN);
}

#define TEN "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
static const char insert_run[] =
    "INSERT INTO runs(id, study, configuration, platform, platform_file, platform_hash, network_model, protocol, "
    "precision_s, workers, zones, method, compressor, model, dataset, partition, graph, lambda2, parameters, "
    "timing_only, step_flop, step_int8_op, weight_bytes, activation_bytes, batch, seed, rounds_planned, backend, "
    "kernel, threads, time_source, target_accuracy, versions, command, status, reason, start_utc, profile_hash) "
    "VALUES (" TEN TEN TEN "?, ?, ?, ?, ?, ?, ?, ?)";
#undef TEN

static rh_status put_run(rh_store *store, const rh_run_header *h, const char *run_status, const char *reason)
{
  bool has_profile;
  rh_binder b = {0};
  rh_status status;
  RH_TRY(put_context(store, h, &has_profile));
  RH_TRY(rh_store_prepare(store, insert_run, &b.statement));
  rh_bind_text(&b, h->id);
  rh_bind_text(&b, h->study);
  rh_bind_text(&b, h->configuration);
  rh_bind_text(&b, h->platform);
  rh_bind_text(&b, h->platform_file);
  rh_bind_hash(&b, h->platform_hash, false);
  rh_bind_text(&b, h->network_model);
  rh_bind_text(&b, h->protocol);
  rh_bind_real(&b, h->precision_s);
  rh_bind_integer(&b, h->workers);
  rh_bind_integer(&b, h->zones);
  rh_bind_text(&b, h->method);
  rh_bind_text(&b, h->compressor);
  rh_bind_text(&b, h->model);
  rh_bind_text(&b, h->dataset);
  rh_bind_text(&b, h->partition);
  rh_bind_text(&b, h->graph);
  rh_bind_real(&b, h->lambda2);
  rh_bind_integer(&b, h->parameters);
  rh_bind_integer(&b, h->timing_only);
  bind_work(&b, h);
  rh_bind_integer(&b, h->batch);
  rh_bind_integer(&b, h->seed);
  rh_bind_integer(&b, h->rounds_planned);
  rh_bind_text(&b, h->backend);
  rh_bind_text(&b, h->kernel);
  rh_bind_integer(&b, h->threads);
  rh_bind_text(&b, h->time_source);
  rh_bind_real(&b, h->target_accuracy);
  rh_bind_text(&b, h->versions);
  rh_bind_text(&b, h->command);
  rh_bind_text(&b, run_status);
  rh_bind_text(&b, reason);
  char now[64];
  utc_now(now, sizeof now);
  rh_bind_text(&b, now);
  if (has_profile)
    rh_bind_hash(&b, h->profile_hash, false);
  else
    rh_bind_real(&b, (double)NAN); /* NULL */
  status = finish(store, &b);
done:
  return status;
}

static const char delete_run[] = "DELETE FROM runs WHERE id = ?";

rh_status rh_store_begin_run(rh_store *store, const rh_run_header *header)
{
  RH_ASSERT(store->writable);
  rh_status status;
  RH_TRY(rh_store_begin(store));
  RH_TRY(with_text(store, delete_run, header->id));
  RH_TRY(put_run(store, header, "running", ""));
  RH_TRY(rh_store_commit(store));
  free(store->run_id);
  store->run_id = rh_text_duplicate(header->id);
  store->collectives = store->events = store->warnings = 0;
  store->spent_s = 0;
  store->queue.length = 0;
done:
  if (status != RH_OK) rh_store_rollback(store);
  return status;
}

static rh_status put_round(void *context, const rh_round_row *row)
{
  static const char sql[] = "INSERT INTO rounds(run_id, round, finish_s, first_finish_s, train_loss, learning_rate,"
                            " messages, within_bytes, between_bytes, wire_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  rh_bind_integer(&b, row->round);
  rh_bind_finite(&b, "finish_s", row->finish_s);
  rh_bind_finite(&b, "first_finish_s", row->first_finish_s);
  rh_bind_real(&b, row->train_loss);
  rh_bind_real(&b, row->learning_rate);
  rh_bind_integer(&b, row->messages);
  rh_bind_integer(&b, row->within_bytes);
  rh_bind_integer(&b, row->between_bytes);
  rh_bind_integer(&b, row->within_bytes + row->between_bytes);
  return rh_store_end_row(context, &b);
}

static rh_status put_phase(void *context, const rh_phase_row *row)
{
  static const char sql[] = "INSERT INTO phases(run_id, round, phase, compression_ratio) VALUES (?, ?, ?, ?)";
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  rh_bind_integer(&b, row->round);
  rh_bind_text(&b, row->phase);
  rh_bind_finite(&b, "compression_ratio", row->compression_ratio);
  return rh_store_end_row(context, &b);
}

static rh_status put_factor_rank(void *context, const rh_factor_rank_row *row)
{
  static const char sql[] = "INSERT INTO factor_ranks(run_id, round, weight, rank) VALUES (?, ?, ?, ?)";
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  rh_bind_integer(&b, row->round);
  rh_bind_text(&b, row->weight);
  rh_bind_integer(&b, row->rank);
  return rh_store_end_row(context, &b);
}

static rh_status put_evaluation(void *context, const rh_evaluation_row *row)
{
  static const char sql[] = "INSERT INTO evaluations(run_id, round, simulated_s, train_loss, test_loss, test_accuracy,"
                            " sample_count, accuracy_min, accuracy_median, accuracy_max, consensus_distance) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  rh_bind_integer(&b, row->round);
  rh_bind_finite(&b, "simulated_s", row->simulated_s);
  rh_bind_real(&b, row->train_loss);
  rh_bind_real(&b, row->test_loss);
  rh_bind_real(&b, row->test_accuracy);
  rh_bind_integer(&b, row->sample_count);
  rh_bind_real(&b, row->accuracy_min);
  rh_bind_real(&b, row->accuracy_median);
  rh_bind_real(&b, row->accuracy_max);
  rh_bind_real(&b, row->consensus_distance);
  return rh_store_end_row(context, &b);
}

static rh_status put_collective(void *context, const rh_collective_row *row)
{
  static const char sql[] = "INSERT INTO collectives(run_id, sequence, round, kind, group_size, payload_bytes,"
                            " messages, wire_bytes, start_s, finish_s, closed_form_s) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  rh_store *store = context;
  rh_binder b;
  rh_store_begin_row(store, sql, &b);
  rh_bind_integer(&b, ++store->collectives);
  rh_bind_integer(&b, row->round);
  rh_bind_text(&b, row->kind);
  rh_bind_integer(&b, row->group_size);
  rh_bind_integer(&b, row->payload_bytes);
  rh_bind_integer(&b, row->messages);
  rh_bind_integer(&b, row->wire_bytes);
  rh_bind_finite(&b, "start_s", row->start_s);
  rh_bind_finite(&b, "finish_s", row->finish_s);
  rh_bind_real(&b, row->closed_form_s);
  return rh_store_end_row(store, &b);
}

static rh_status put_link(void *context, const rh_link_row *row)
{
  static const char sql[] = "INSERT INTO links(run_id, link, bandwidth_Bps, latency_s, bytes, busy_s, load,"
                            " peak_load, from_where, to_where, bin_loads, down_s, stalled_s) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  rh_bind_text(&b, row->name);
  rh_bind_finite(&b, "bandwidth_Bps", row->bandwidth_Bps);
  rh_bind_finite(&b, "latency_s", row->latency_s);
  rh_bind_integer(&b, row->bytes);
  rh_bind_finite(&b, "busy_s", row->busy_s);
  rh_bind_real(&b, row->load);
  rh_bind_real(&b, row->peak_load);
  rh_bind_text(&b, row->from_where);
  rh_bind_text(&b, row->to_where);
  rh_bind_blob(&b, row->bin_loads, row->bin_count);
  rh_bind_finite(&b, "down_s", row->down_s);
  rh_bind_finite(&b, "stalled_s", row->stalled_s);
  return rh_store_end_row(context, &b);
}

static rh_status put_rank(void *context, const rh_rank_row *row)
{
  static const char sql[] = "INSERT INTO ranks(run_id, rank, host, speed_flops, compute_s, communication_s, both_s,"
                            " waiting_s, encode_s, decode_s, sent_bytes, received_bytes, sent_messages, samples) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  rh_bind_integer(&b, row->rank);
  rh_bind_text(&b, row->host);
  rh_bind_finite(&b, "speed_flops", row->speed_flops);
  rh_bind_finite(&b, "compute_s", row->compute_s);
  rh_bind_finite(&b, "communication_s", row->communication_s);
  rh_bind_finite(&b, "both_s", row->both_s);
  rh_bind_finite(&b, "waiting_s", row->waiting_s);
  rh_bind_finite(&b, "encode_s", row->encode_s);
  rh_bind_finite(&b, "decode_s", row->decode_s);
  rh_bind_integer(&b, row->sent_bytes);
  rh_bind_integer(&b, row->received_bytes);
  rh_bind_integer(&b, row->sent_messages);
  rh_bind_integer(&b, row->samples);
  return rh_store_end_row(context, &b);
}

static rh_status put_class_count(void *context, const rh_class_count_row *row)
{
  static const char sql[] = "INSERT INTO class_counts(run_id, rank, class, samples) VALUES (?, ?, ?, ?)";
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  rh_bind_integer(&b, row->rank);
  rh_bind_integer(&b, row->label);
  rh_bind_integer(&b, row->samples);
  return rh_store_end_row(context, &b);
}

static rh_status put_event(void *context, const rh_event_row *row)
{
  static const char sql[] = "INSERT INTO events(run_id, sequence, round, rank, lane, kind, start_s, finish_s, bytes,"
                            " peer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  rh_store *store = context;
  rh_binder b;
  rh_store_begin_row(store, sql, &b);
  rh_bind_integer(&b, ++store->events);
  rh_bind_integer(&b, row->round);
  rh_bind_integer(&b, row->rank);
  rh_bind_text(&b, row->compute ? "compute" : "communication");
  rh_bind_text(&b, row->kind);
  rh_bind_finite(&b, "start_s", row->start_s);
  rh_bind_finite(&b, "finish_s", row->finish_s);
  rh_bind_real(&b, row->compute ? (double)NAN : (double)row->bytes); /* whole numbers: stored as integers */
  rh_bind_real(&b, row->compute ? (double)NAN : (double)row->peer);
  return rh_store_end_row(store, &b);
}

static rh_status put_warning(void *context, const char *text)
{
  static const char sql[] = "INSERT INTO warnings(run_id, sequence, warning) VALUES (?, ?, ?)";
  rh_store *store = context;
  rh_binder b;
  rh_store_begin_row(store, sql, &b);
  rh_bind_integer(&b, ++store->warnings);
  rh_bind_text(&b, text);
  return rh_store_end_row(store, &b);
}

rh_recorder rh_store_recorder(rh_store *store)
{
  return (rh_recorder){.context = store,
                       .round = put_round,
                       .phase = put_phase,
                       .factor_rank = put_factor_rank,
                       .evaluation = put_evaluation,
                       .collective = put_collective,
                       .link = put_link,
                       .series = rh_store_put_series,
                       .rank = put_rank,
                       .class_count = put_class_count,
                       .event = put_event,
                       .network = rh_store_put_network,
                       .pair = rh_store_put_pair,
                       .warning = put_warning,
                       .flush = rh_store_flush_in_time};
}

rh_status rh_store_end_run(rh_store *store, const rh_run_end *end)
{
  static const char sql[] = "UPDATE runs SET status = ?2, reason = ?3, end_utc = ?4, rounds_done = ?5,"
                            " simulated_s = ?6, wall_s = ?7, peak_memory_bytes = ?8, parameters_hash = ?9,"
                            " bin_s = ?10, simulated_messages = ?11, skipped_messages = ?12, skipped_rounds = ?13,"
                            " skipped_s = ?14, simulated_in_full = ?15, store_s = ?16 "
                            "WHERE id = ?1";
  rh_binder b = {0};
  rh_status status;
  RH_TRY(rh_store_flush_rows(store)); /* all rows but this one, so that their time is known */
  RH_TRY(rh_store_begin(store));
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, store->run_id);
  rh_bind_text(&b, end->status);
  rh_bind_text(&b, end->reason);
  char now[64];
  utc_now(now, sizeof now);
  rh_bind_text(&b, now);
  rh_bind_integer(&b, end->rounds);
  rh_bind_real(&b, end->simulated_s);
  rh_bind_real(&b, end->wall_s);
  rh_bind_integer(&b, end->peak_memory_bytes);
  rh_bind_hash(&b, end->parameters_hash, true);
  rh_bind_real(&b, end->bin_s);
  rh_bind_integer(&b, end->simulated_messages);
  rh_bind_integer(&b, end->skipped_messages);
  rh_bind_integer(&b, end->skipped_rounds);
  rh_bind_real(&b, end->skipped_s);
  rh_bind_text(&b, end->simulated_in_full ? end->simulated_in_full : "");
  rh_bind_real(&b, store->spent_s);
  RH_TRY(finish(store, &b));
  status = rh_store_commit(store);
done:
  if (status != RH_OK) rh_store_rollback(store);
  return status;
}

rh_status rh_store_fail_run(rh_store *store, const rh_run_header *header, const char *reason)
{
  static const char sql[] = "UPDATE runs SET status = 'failed', reason = ? WHERE id = ?";
  RH_ASSERT(store->writable);
  char there[16];
  rh_binder b = {0};
  rh_status status;
  RH_TRY(rh_store_begin(store));
  RH_TRY(rh_store_run_status(store, header->id, there, sizeof there));
  if (there[0] == '\0') {
    RH_TRY(put_run(store, header, "failed", reason));
  } else if (strcmp(there, "done") != 0) {
    RH_TRY(rh_store_prepare(store, sql, &b.statement));
    rh_bind_text(&b, reason);
    rh_bind_text(&b, header->id);
    RH_TRY(finish(store, &b));
  }
  status = rh_store_commit(store);
done:
  if (status != RH_OK) rh_store_rollback(store);
  return status;
}
