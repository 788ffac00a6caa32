/* One run: the producer of rounds on one side, the recorder of final times on the other.
 *
 * SimGrid asks for rounds a little ahead of simulated time (sim/time/schedule/schedule.h); values are computed then, and
 * wait in `pending` until the round's time is final, when their rows are written.
 */
#include "execute_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "collectives.h"
#include "execute_header.h"
#include "execute_network.h"
#include "execute_traffic.h"
#include "profile_file.h"

static double wall_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void keep_phase(const rh_world *world, int64_t round, rh_pending_round *p)
{
  RH_ASSERT(world->rank_count >= 0 && world->rank_count <= RH_SEGMENTS_MAX);
  p->phase = (rh_phase_row){.round = round, .phase = world->phase, .compression_ratio = world->compression_ratio};
  p->rank_count = world->rank_count;
  for (int32_t k = 0; k < world->rank_count; k++) {
    p->ranks[k] = world->ranks[k];
    p->rank_names[k] = world->rank_names[k];
  }
}

static rh_status record_phase(const rh_recorder *recorder, const rh_pending_round *p)
{
  rh_status status = RH_OK;
  if (p->phase.phase) RH_TRY(recorder->phase(recorder->context, &p->phase));
  for (int32_t k = 0; k < p->rank_count; k++)
    RH_TRY(recorder->factor_rank(
        recorder->context,
        &(rh_factor_rank_row){.round = p->row.round, .weight = p->rank_names[k], .rank = p->ranks[k]}));
done:
  return status;
}

/* The values of one round, and what the ranks do for them. */
static rh_status compute_round(execution *e, int64_t t, bool *more)
{
  rh_status status = RH_OK;
  const rh_train_options *o = &e->run->train;
  rh_pending_round *p = &e->pending[t % (LEAD + 2)];
  RH_ASSERT(t == e->produced && t < e->finished + LEAD + 2);
  double lr = rh_rate_at(&o->rate, t, o->rounds);
  e->world.learning_rate = lr;
  rh_rank_times_set(e->times, t, &e->world);
  RH_TRY(e->run->method->round(&e->world, e->method_state, t, lr));
  e->produced = t + 1;
  *p = (rh_pending_round){
      .row = {.round = t + 1, .train_loss = e->world.train_loss, .learning_rate = e->world.learning_rate}};
  if (!execution_has_values(e)) p->row.learning_rate = NAN; /* nothing was learned */
  keep_phase(&e->world, t + 1, p);
  *more = t + 1 < o->rounds;
  if (!execution_has_values(e)) return RH_OK;
  if (!isfinite(e->world.train_loss)) {
    e->reason = "diverged: the training loss is no longer finite";
    *more = false;
  }
  p->evaluated = !*more || (t + 1) % o->evaluate_every == 0;
  if (p->evaluated) {
    RH_TRY(execution_evaluate(e, &p->evaluation));
    p->evaluation.round = t + 1;
    if (e->run->stop.accuracy > 0 && p->evaluation.test_accuracy >= e->run->stop.accuracy) {
      e->reason = "target reached";
      *more = false;
    }
  }
done:
  return status;
}

/* A round that the log holds: nothing is computed. */
static rh_status repeat_round(execution *e, int64_t t, bool *more)
{
  rh_status status = RH_OK;
  const rh_oplog_world world = {.find = rh_collective_find, .zone_of = e->world.zone_of};
  const char *reason;
  RH_TRY(rh_pending_read(e->resume.checkpoint.log, t, &e->pending[t % (LEAD + 2)], more, &reason));
  if (reason) e->reason = reason;
  RH_TRY(rh_oplog_replay(e->resume.checkpoint.log, t, &world, e->world.workers, e->world.schedule));
  e->produced = t + 1;
done:
  return status;
}

/* Producer. */
static rh_status produce(void *context, int64_t t, bool *more)
{
  execution *e = context;
  const char *before = e->reason;
  if (t < e->resume.resumed) return repeat_round(e, t, more);
  rh_resume_keep(&e->resume);
  rh_status status = compute_round(e, t, more);
  e->torn = status != RH_OK;
  if (status == RH_OK && e->resume.checkpoint.log)
    rh_pending_note(&e->pending[t % (LEAD + 2)], *more, e->reason == before ? NULL : e->reason,
                    e->resume.checkpoint.log);
  return status;
}

static void print_progress(execution *e, double simulated_s)
{
  double now = wall_s();
  if (now - e->progress_s < 0.2 && e->finished < e->produced) return;
  e->progress_s = now;
  printf("progress %" PRId64 " %" PRId64 " %.6g %.9g\n", e->finished, e->run->train.rounds, e->accuracy, simulated_s);
  fflush(stdout);
}

/* Recorder: a round's time is final. */
static rh_status round_done(void *context, const rh_round_time *time)
{
  execution *e = context;
  rh_status status = RH_OK;
  rh_pending_round *p = &e->pending[time->round % (LEAD + 2)];
  RH_ASSERT(p->row.round == time->round + 1);
  RH_TRY(e->event_status);
  RH_TRY(rh_resume_time(&e->resume, time->round, time->finish_s));
  p->row.finish_s = time->finish_s;
  p->row.first_finish_s = time->first_finish_s;
  p->row.messages = time->messages;
  p->row.within_bytes = time->within_bytes;
  p->row.between_bytes = time->between_bytes;
  RH_TRY(e->recorder.round(e->recorder.context, &p->row));
  RH_TRY(record_phase(&e->recorder, p));
  if (p->evaluated) {
    p->evaluation.simulated_s = time->finish_s;
    RH_TRY(e->recorder.evaluation(e->recorder.context, &p->evaluation));
    e->accuracy = p->evaluation.test_accuracy;
  }
  RH_TRY(e->recorder.flush(e->recorder.context));
  e->finished = time->round + 1;
  print_progress(e, time->finish_s);
done:
  return status;
}

static rh_status collective_done(void *context, const rh_collective_time *time)
{
  execution *e = context;
  rh_collective_row row = {.round = time->round + 1,
                           .kind = time->collective->kind->name,
                           .group_size = time->collective->size,
                           .payload_bytes = time->collective->bytes,
                           .messages = time->messages,
                           .wire_bytes = time->wire_bytes,
                           .start_s = time->start_s,
                           .finish_s = time->finish_s,
                           .closed_form_s = time->closed_form_s};
  return e->recorder.collective(e->recorder.context, &row);
}

/* A failure to write them shows at the next round. */
static void event(void *context, const rh_event *event)
{
  execution *e = context;
  if (e->event_status == RH_OK) e->event_status = rh_execute_event(event, &e->recorder);
}

static rh_status record_ranks(execution *e)
{
  rh_status status = RH_OK;
  for (int32_t i = 0; i < e->world.workers; i++) {
    rh_rank_time time = rh_schedule_rank_time(e->world.schedule, i);
    rh_rank_row row = {.rank = i,
                       .host = rh_platform_host(e->platform, i),
                       .speed_flops = rh_platform_speed(e->platform, i),
                       .compute_s = time.compute_s,
                       .communication_s = time.communication_s,
                       .both_s = time.both_s,
                       .waiting_s = time.waiting_s,
                       .encode_s = time.encode_s,
                       .decode_s = time.decode_s,
                       .sent_bytes = time.sent_bytes,
                       .received_bytes = time.received_bytes,
                       .sent_messages = time.sent_messages,
                       .samples = execution_has_values(e) ? e->partition.offset[i + 1] - e->partition.offset[i] : 0};
    RH_TRY(e->recorder.rank(e->recorder.context, &row));
  }
done:
  return status;
}

static rh_status load_platform(execution *e)
{
  const rh_run *run = e->run;
  const rh_platform_def def = {.file = run->platform_path,
                               .model = run->network.model,
                               .hostfile = run->hostfile_path,
                               .deployment = run->deployment_path,
                               .workers = (int32_t)run->platform.workers};
  return rh_platform_load(&def, &e->platform);
}

/* Who holds how much of which class: what the partition came to. */
static rh_status record_classes(execution *e)
{
  rh_status status = RH_OK;
  if (!execution_has_values(e)) return RH_OK;
  const int64_t classes = e->setup.dataset.classes;
  int64_t *counts = malloc((size_t)e->partition.workers * (size_t)classes * sizeof *counts);
  RH_ASSERT(counts && "memory is exhausted");
  rh_partition_class_counts(&e->partition, &e->setup.dataset, counts);
  for (int64_t k = 0; k < e->partition.workers * classes; k++) {
    const rh_class_count_row row = {.rank = (int32_t)(k / classes), .label = k % classes, .samples = counts[k]};
    if (row.samples > 0) RH_TRY(e->recorder.class_count(e->recorder.context, &row));
  }
done:
  free(counts);
  return status;
}

static rh_status read_profile(execution *e)
{
  if (e->run->time.source == RH_TIME_FLOPS) return RH_OK;
  if (!e->task->profile)
    return rh_error(RH_EINVAL, "the task names no profile, and time.source is %s", rh_run_time_source(e->run));
  return rh_profile_read_file(e->task->profile, &e->profile);
}

/* Time: the schedule, and the world in which the method sees both. */
static rh_status prepare_time(execution *e)
{
  rh_status status = RH_OK;
  const rh_run *run = e->run;
  RH_TRY(read_profile(e));
  rh_schedule_def schedule = {.platform = e->platform,
                              .protocol = (rh_protocol)run->network.protocol,
                              .lead = LEAD,
                              .steady = run->network.steady,
                              .stop = e->stop,
                              .context = e,
                              .produce = produce,
                              .round_done = round_done,
                              .collective_done = collective_done,
                              .log = e->resume.checkpoint.log};
  if (run->run.trace_last > 0) {
    schedule.event = event;
    schedule.event_first = run->run.trace_first - 1;
    schedule.event_end = run->run.trace_last;
    schedule.event_max = RH_TRACE_MAX;
  }
  rh_schedule *s;
  RH_TRY(rh_schedule_new(&schedule, &s));
  e->world = (rh_world){.method = run->method,
                        .workers = (int32_t)run->platform.workers,
                        .seed = (uint64_t)run->run.seed,
                        .rounds = run->train.rounds,
                        .lr_min = run->train.rate.lr_min,
                        .zone_count = rh_platform_zone_count(e->platform),
                        .zone_of = rh_platform_zones(e->platform),
                        .model = &e->setup.model,
                        .replicas = e->replicas,
                        .schedule = s,
                        .graphs = run->method->needs_graph ? &e->graphs : NULL,
                        .allreduce = {.choice = run->network.collective,
                                      .zone_of = rh_platform_zones(e->platform),
                                      .shards = (int32_t)run->network.shards},
                        .allgather = &rh_allgather_ring,
                        .exchange = &rh_neighbour_exchange,
                        .compressor = run->compressor,
                        .compressor_options = run->compressor_options,
                        .feedback = run->feedback,
                        .mask = run->train.mask,
                        .optimiser = &run->train.optimiser,
                        .bucket_count = e->setup.bucket_count,
                        .buckets = e->setup.buckets,
                        .method_options = run->method_options};
  RH_TRY(rh_torus_read(run->network.torus, e->world.workers, e->world.allreduce.sides));
  RH_TRY(rh_rank_times_new(run, &e->setup, e->platform, &e->profile, &e->times));
  rh_rank_times_set(e->times, 0, &e->world);
  if (run->method->check) RH_TRY(run->method->check(&e->world));
  RH_TRY(run->method->new_state(&e->world, &e->method_state));
done:
  return status;
}

static rh_status record_start(execution *e)
{
  rh_status status = RH_OK;
  rh_text warnings = {0};
  RH_TRY(rh_store_open(e->task->store, RH_STORE_NEW, &e->store));
  RH_TRY(rh_execute_begin(e->store, e->task, &e->setup, e->world.graphs, e->platform, &e->profile, &warnings));
  e->recorder = rh_store_recorder(e->store);
  RH_TRY(record_classes(e));
  if (warnings.length) RH_TRY(e->recorder.warning(e->recorder.context, rh_text_get(&warnings)));
  const char *of_method = rh_setup_warning(&e->setup, e->run);
  if (of_method) RH_TRY(e->recorder.warning(e->recorder.context, of_method));
  if (e->run->method->warn && execution_has_values(e)) {
    rh_text_clear(&warnings);
    e->run->method->warn(&e->world, &warnings);
    if (warnings.length) RH_TRY(e->recorder.warning(e->recorder.context, rh_text_get(&warnings)));
  }
done:
  rh_text_clear(&warnings);
  return status;
}

/* The end: what is known goes into the store whatever happened before. Returns what the run came to: `outcome`, or why
 * its rows could not be written. */
static rh_status record_end(execution *e, rh_status outcome)
{
  char reason[4096];
  double elapsed_s = rh_schedule_elapsed_s(e->world.schedule);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  snprintf(reason, sizeof reason, "%s", outcome == RH_OK ? e->reason : rh_error_message());
  if (outcome == RH_OK && !isfinite(elapsed_s)) {
    outcome =
        rh_error(RH_EINVAL, "%s: the simulated time is not finite: a bandwidth is near zero or a latency without end",
                 e->run->platform.file);
    snprintf(reason, sizeof reason, "%s", rh_error_message());
  }
  rh_status rows = rh_execute_links(e->world.schedule, e->platform, &e->recorder);
  if (rows == RH_OK) rows = rh_execute_network(e->world.schedule, e->platform, &e->recorder);
  if (rows == RH_OK && rh_schedule_events_cut(e->world.schedule))
    rows = e->recorder.warning(e->recorder.context, rh_execute_events_cut);
  const char *of_device = e->setup.backend->note ? e->setup.backend->note() : NULL;
  if (rows == RH_OK && of_device) rows = e->recorder.warning(e->recorder.context, of_device);
  if (rows == RH_OK) rows = record_ranks(e);
  if (rows != RH_OK && outcome == RH_OK) {
    outcome = rows;
    snprintf(reason, sizeof reason, "%s", rh_error_message());
  }
  const rh_steady_total steady = rh_schedule_steady(e->world.schedule);
  rh_text in_full = {0};
  rh_schedule_steady_reasons(e->world.schedule, &in_full);
  rh_run_end end = {.status = outcome == RH_OK             ? "done"
                              : outcome == RH_EINTERRUPTED ? "interrupted"
                                                           : "failed",
                    .reason = reason,
                    .simulated_s = elapsed_s,
                    .wall_s = wall_s() - e->start_wall_s,
                    .rounds = e->finished,
                    .peak_memory_bytes = usage.ru_maxrss * 1024,
                    .parameters_hash = execution_has_values(e) ? rh_replicas_hash(e->replicas) : 0,
                    .bin_s = rh_schedule_bin_s(e->world.schedule),
                    .simulated_messages = steady.simulated_messages,
                    .skipped_messages = steady.skipped_messages,
                    .skipped_rounds = steady.rounds_skipped,
                    .skipped_s = steady.skipped_s,
                    .simulated_in_full = rh_text_get(&in_full)};
  rh_status ended = rh_store_end_run(e->store, &end);
  rh_text_clear(&in_full);
  if (outcome != RH_OK) return rh_error(outcome, "%s", reason);
  return ended;
}

static void execution_clear(execution *e)
{
  if (e->method_state) e->run->method->free_state(e->method_state);
  rh_store_close(e->store);
  rh_schedule_free(e->world.schedule);
  rh_replicas_free(e->replicas);
  rh_partition_clear(&e->partition);
  rh_graph_sequence_clear(&e->graphs);
  rh_rank_times_free(e->times);
  rh_profile_clear(&e->profile);
  rh_setup_clear(&e->setup);
  free(e->mean);
  rh_resume_end(&e->resume);
}

rh_status rh_execute(const rh_task *task, const volatile sig_atomic_t *stop)
{
  rh_status status = RH_OK;
  execution e = {.task = task,
                 .run = &task->run,
                 .stop = stop,
                 .accuracy = NAN,
                 .start_wall_s = wall_s(),
                 .reason = "all rounds done"};
  if (!task->store) return rh_error(RH_EINVAL, "the task names no store");
  RH_TRY(load_platform(&e));
  RH_TRY(execution_prepare_values(&e));
  RH_TRY(rh_resume_begin(task, e.setup.backend->kernel(), &e.resume));
  RH_TRY(prepare_time(&e));
  RH_TRY(rh_resume_values(&e.resume, execution_has_values(&e) ? execution_tell_values : NULL, &e));
  RH_TRY(record_start(&e));
  status = rh_schedule_run(e.world.schedule);
  if (status == RH_OK)
    status = execution_save_model(&e); /* before its end is recorded: who finds it done finds its file */
  status = record_end(&e, status);
done:
  if (status == RH_EINTERRUPTED && e.resume.task && !e.torn) {
    char message[4096];
    snprintf(message, sizeof message, "%s", rh_error_message());
    rh_resume_stop(&e.resume, e.produced, e.finished);
    (void)rh_error(status, "%s", message);
  }
  execution_clear(&e);
  return status;
}
