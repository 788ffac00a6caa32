/* Notes of rounds, and skipping those that repeat. See steady_rounds.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "schedule_private.h"

/* What notes may take: of rounds as a whole (with more ranks only shorter periods are looked for), and of their
 * transfers (with more the notes are given up). */
#define ROUNDS_BYTES  (INT64_C(64) << 20)
#define RECORDS_BYTES (INT64_C(256) << 20)

/* Of the time between two marks: what busy seconds may be off by, thousandfold less than what a skipped run may. Marks
 * that are no period apart differ by the length of a transfer. */
#define MEASURED_WITHIN 1e-12

void rounds_init(rh_schedule *schedule)
{
  rounds *r = &schedule->rounds;
  const int64_t lead = schedule->def.lead;
  const int64_t round_bytes = 2 * (int64_t)schedule->workers * (int64_t)sizeof(lane_log);
  const int64_t rounds_kept = ROUNDS_BYTES / round_bytes - lead - 3;
  if (!schedule->steady.on || rounds_kept < 2) return;
  r->periods = rounds_kept / 2 < STEADY_PERIODS ? (int32_t)(rounds_kept / 2) : STEADY_PERIODS;
  r->log_count = 2 * r->periods + lead + 3;
  r->logs = calloc((size_t)r->log_count, sizeof *r->logs);
  RH_ASSERT(r->logs != NULL);
  for (int64_t i = 0; i < r->log_count; i++)
    r->logs[i].round = -1;
}

static void free_logs(rh_schedule *schedule)
{
  rounds *r = &schedule->rounds;
  for (int64_t i = 0; r->logs != NULL && i < r->log_count; i++) {
    for (int32_t j = 0; r->logs[i].lanes != NULL && j < 2 * schedule->workers; j++)
      free(r->logs[i].lanes[j].list);
    free(r->logs[i].lanes);
  }
  free(r->logs);
  r->logs = NULL;
  r->periods = 0;
}

void rounds_clear(rh_schedule *schedule)
{
  free_logs(schedule);
  free(schedule->rounds.told);
  rh_traffic_mark_clear(&schedule->rounds.mark);
  for (int i = 0; i < ROUNDS_MARKS; i++)
    rh_traffic_mark_clear(&schedule->rounds.marks[i].mark);
}

/* --- notes -------------------------------------------------------------------------------------------------------- */

static void forget(const rh_schedule *schedule, round_log *log, int64_t round)
{
  log->round = round;
  log->hash = 0;
  log->shares = false;
  log->finish_s = 0;
  for (int32_t i = 0; log->lanes != NULL && i < 2 * schedule->workers; i++)
    log->lanes[i].count = 0;
}

uint64_t collective_hash_who(const rh_collective *c)
{
  const int64_t numbers[] = {(int64_t)(intptr_t)c->kind, c->size, c->shards};
  const size_t size = (size_t)c->size;
  uint64_t hash = rh_hash_bytes(numbers, sizeof numbers, 0);
  hash = rh_hash_bytes(c->sides, sizeof c->sides, hash);
  if (c->group != NULL) hash = rh_hash_bytes(c->group, size * sizeof *c->group, hash);
  if (c->neighbours == NULL) return hash;
  const rh_neighbours *graph = c->neighbours;
  const size_t workers = (size_t)graph->workers;
  hash = rh_hash_bytes(graph->out_offset, (workers + 1) * sizeof *graph->out_offset, hash);
  hash = rh_hash_bytes(graph->in_offset, (workers + 1) * sizeof *graph->in_offset, hash);
  hash = rh_hash_bytes(graph->out, (size_t)graph->out_offset[workers] * sizeof *graph->out, hash);
  return rh_hash_bytes(graph->in, (size_t)graph->in_offset[workers] * sizeof *graph->in, hash);
}

static uint64_t hash_collective(const rh_collective *c, uint64_t hash)
{
  const int64_t numbers[] = {c->bytes, c->element_bytes, (int64_t)collective_hash_who(c)};
  hash = rh_hash_bytes(numbers, sizeof numbers, hash);
  if (c->bytes_of == NULL) return hash;
  return rh_hash_bytes(c->bytes_of, (size_t)c->size * sizeof *c->bytes_of, hash);
}

/* Tokens count from the lane's end: the same in every round that is alike. Zones of two-level kinds are the
 * platform's, which does not change. */
void rounds_hash(lane *lane, const operation *operation)
{
  rh_schedule *schedule = lane->schedule;
  rounds *r = &schedule->rounds;
  if (r->periods == 0) return;
  round_log *log = rounds_log(r, schedule->produced);
  if (log->round != schedule->produced) forget(schedule, log, schedule->produced);
  const struct lane *waits_for = lane_of(schedule, lane->rank, token_lane(operation->after));
  int64_t numbers[] = {lane->rank,
                       lane->kind,
                       operation->kind,
                       operation->kind == OPERATION_COMPUTE ? (int64_t)rh_traffic_part_of(operation->label)
                                                            : operation->peer,
                       operation->after == RH_AT_ONCE ? -1 : waits_for->appended - token_number(operation->after),
                       (int64_t)token_lane(operation->after),
                       0};
  if (operation->kind == OPERATION_COMPUTE)
    memcpy(&numbers[6], &operation->seconds, sizeof numbers[6]);
  else if (operation->kind != OPERATION_COLLECTIVE)
    numbers[6] = operation->bytes;
  else if (operation->peer == 0)
    log->hash = hash_collective(&operation->use->collective, log->hash);
  log->hash = rh_hash_bytes(numbers, sizeof numbers, log->hash);
}

static void grow(rounds *r, lane_log *log)
{
  const int32_t size = log->size > 0 ? 2 * log->size : 2;
  log->list = realloc(log->list, (size_t)size * sizeof *log->list);
  RH_ASSERT(log->list != NULL);
  r->bytes += (size - log->size) * (int64_t)sizeof *log->list;
  log->size = size;
}

void rounds_note(lane *lane, int64_t round, double start_s, double finish_s)
{
  rh_schedule *schedule = lane->schedule;
  rounds *r = &schedule->rounds;
  if (r->periods == 0 || !schedule->more) return; /* after the last round is produced none is skipped */
  if (r->bytes > RECORDS_BYTES) {
    r->stage = ROUNDS_LOOK;
    r->given_up = true;
    free_logs(schedule);
    return;
  }
  round_log *log = rounds_log(r, round);
  if (log->lanes == NULL) {
    log->lanes = calloc(2 * (size_t)schedule->workers, sizeof *log->lanes);
    RH_ASSERT(log->lanes != NULL);
  }
  lane_log *mine = &log->lanes[2 * lane->rank + (lane->kind == RH_LANE_COMMUNICATION)];
  if (mine->count == mine->size) grow(r, mine);
  mine->list[mine->count++] = (round_record){.start_s = start_s, .finish_s = finish_s};
}

void rounds_share(rh_schedule *schedule, int64_t round)
{
  rounds *r = &schedule->rounds;
  if (r->periods > 0) rounds_log(r, round)->shares = true;
}

bool rounds_counting(const rh_schedule *schedule, int64_t round)
{
  const rounds *r = &schedule->rounds;
  return r->stage != ROUNDS_LOOK && round >= r->count_from && round < r->count_from + r->period;
}

/* --- what the caller is told -------------------------------------------------------------------------------------- */

/* Keeps what was told since `periods` rounds, and the round before. */
static void remember(rounds *r, const told *what)
{
  if (r->told_count == r->told_size) {
    r->told_size = r->told_size > 0 ? 2 * r->told_size : 64;
    r->told = realloc(r->told, (size_t)r->told_size * sizeof *r->told);
    RH_ASSERT(r->told != NULL);
  }
  r->told[r->told_count++] = *what;
  if (!what->is_round || r->told_count < r->told_size) return;
  int64_t keep = r->told_count, rounds_left = r->periods + 1;
  while (keep > 0 && rounds_left > 0)
    rounds_left -= r->told[--keep].is_round;
  memmove(r->told, r->told + keep, (size_t)(r->told_count - keep) * sizeof *r->told);
  r->told_count -= keep;
}

/* What stands before the last p rounds' first thing told; -1: not remembered. */
static int64_t told_before(const rounds *r, int32_t p)
{
  int64_t i = r->told_count, rounds_left = p + 1;
  while (i > 0 && rounds_left > 0)
    rounds_left -= r->told[--i].is_round;
  return rounds_left == 0 ? i : -1;
}

static rh_status tell(rh_schedule *schedule, const told *what)
{
  const rh_schedule_def *def = &schedule->def;
  if (what->is_round) return def->round_done != NULL ? def->round_done(def->context, &what->round) : RH_OK;
  if (def->collective_done == NULL) return RH_OK;
  rh_collective_time time = what->time;
  if (time.collective == NULL) time.collective = &what->collective;
  return def->collective_done(def->context, &time);
}

rh_status rounds_tell(rh_schedule *schedule, const told *what)
{
  rounds *r = &schedule->rounds;
  rh_status status = RH_OK;
  int64_t *again = what->is_round ? &r->again_rounds : &r->again_collectives;
  if (*again > 0)
    --*again;
  else
    status = tell(schedule, what);
  if (r->periods == 0) return status;
  told kept = *what;
  if (!kept.is_round) {
    kept.collective = *kept.time.collective;
    kept.collective.group = NULL;
    kept.collective.bytes_of = NULL;
    kept.collective.neighbours = NULL;
    kept.collective.zone_of = NULL;
    kept.collective.plan = NULL;
    kept.time.collective = NULL;
  }
  remember(r, &kept);
  return status;
}

/* Tells again what was told in the period that begins behind `before`, up to its next round. */
static rh_status tell_next(rh_schedule *schedule, int64_t *at, int64_t before, double later_s, int64_t rounds_later)
{
  rounds *r = &schedule->rounds;
  for (;;) {
    if (*at == r->told_count) *at = before + 1;
    told what = r->told[(*at)++];
    if (what.is_round) {
      what.round.round += rounds_later;
      what.round.first_finish_s += later_s;
      what.round.finish_s += later_s;
      return tell(schedule, &what);
    }
    what.time.round += rounds_later;
    what.time.start_s += later_s;
    what.time.finish_s += later_s;
    const rh_status status = tell(schedule, &what);
    if (status != RH_OK) return status;
    r->again_collectives++;
  }
}

/* --- skipping ----------------------------------------------------------------------------------------------------- */

/* No transfer told later begins before this. */
static double transfers_floor_s(const rh_schedule *schedule)
{
  return schedule_floor_s(schedule) + schedule->skipped_s;
}

/* Nothing told later begins before this. */
static double floor_s(const rh_schedule *schedule)
{
  double floor_s = simgrid_get_clock();
  for (int32_t i = 0; i < 2 * schedule->workers; i++)
    if (schedule->lanes[i].busy) floor_s = fmin(floor_s, schedule->lanes[i].start_s);
  return floor_s + schedule->skipped_s;
}

/* The shortest period that is proven, if few rounds are enough; 0: none. */
static int32_t find_period(const rh_schedule *schedule, int64_t round, double *from_s, double *span_s)
{
  const rounds *r = &schedule->rounds;
  for (int32_t p = 1; p <= r->periods; p++)
    if (round - r->since[p - 1] >= 0 && rounds_proven(schedule, round, p, ROUNDS_MATCHES, from_s, span_s)) return p;
  return 0;
}

/* Makes a mark in the place of the oldest, unless that is still to be compared with a mark one period later. */
static void mark_now(rh_schedule *schedule, int64_t round, double cut_s)
{
  rounds *r = &schedule->rounds;
  round_mark *into = &r->marks[r->mark_count % ROUNDS_MARKS];
  if (r->mark_count >= ROUNDS_MARKS && into->round >= 0 && round - into->round < r->period) return;
  r->mark_count++;
  into->round = round;
  rh_traffic_mark_at(&schedule->traffic, cut_s, &into->mark);
}

/* Does a mark lie whole periods before cut_s, for all ranks? Then r->mark is what one of them adds. */
static bool measure(rh_schedule *schedule, int64_t round, double span_s, double cut_s)
{
  rounds *r = &schedule->rounds;
  for (int64_t i = 0; i < ROUNDS_MARKS && i < r->mark_count; i++) {
    round_mark *from = &r->marks[i];
    const int64_t periods = (round - from->round) / r->period;
    if (from->round < 0 || from->round + periods * r->period != round) continue;
    const double all_s = (double)periods * span_s, equal_s = MEASURED_WITHIN * all_s + steady_tolerance_s(all_s, cut_s);
    if (fabs(cut_s - from->mark.at_s - all_s) > equal_s) continue;
    from->round = -1;
    if (rh_traffic_mark_since(&schedule->traffic, cut_s, &from->mark) > 2 * equal_s) continue;
    rh_traffic_mark_divide(&schedule->traffic, &from->mark, periods);
    const rh_traffic_mark storage = r->mark;
    r->mark = from->mark;
    from->mark = storage;
    return true;
  }
  return false;
}

/* First a period is seen, then its busy seconds are measured, then its bytes are known, and then, maybe later, enough
 * rounds match. */
void rounds_delivered(rh_schedule *schedule, int64_t round, double finish_s)
{
  rounds *r = &schedule->rounds;
  if (r->periods == 0) return;
  round_log *log = rounds_log(r, round);
  if (log->round != round) forget(schedule, log, round); /* a round without operations */
  const round_log *last = round > 0 ? rounds_log(r, round - 1) : NULL;
  log->finish_s = last != NULL && last->round == round - 1 ? fmax(finish_s, last->finish_s) : finish_s;
  rounds_compare(schedule, round);
  double from_s, span_s;
  const int32_t p = find_period(schedule, round, &from_s, &span_s);
  const double cut_s = transfers_floor_s(schedule);
  if (p == 0 || (r->stage != ROUNDS_LOOK && p != r->period)) r->stage = ROUNDS_LOOK;
  if (p == 0 || r->stage == ROUNDS_MEASURED) return;
  if (r->stage == ROUNDS_MARKED && measure(schedule, round, span_s, cut_s)) {
    r->stage = ROUNDS_MEASURED;
    return;
  }
  if (floor_s(schedule) < from_s) return;
  if (r->stage == ROUNDS_LOOK) {
    r->stage = ROUNDS_MARKED;
    r->period = p;
    r->mark_count = 0;
    r->count_from = schedule->produced;
    rh_traffic_count_begin(&schedule->traffic);
  }
  mark_now(schedule, round, cut_s);
}

/* Takes the operations of the last p rounds back from the queues' ends. */
static void take_back(rh_schedule *schedule, int32_t p)
{
  const int64_t first = schedule->produced - p;
  for (int32_t i = 0; i < 2 * schedule->workers; i++) {
    lane *lane = &schedule->lanes[i];
    while (lane->appended > lane->done && lane->queue[(lane->appended - 1) & (lane->size - 1)].round >= first) {
      lane->appended--;
      lane->skipped++;
      lane->taken_back = true;
    }
  }
  while (schedule->newest != NULL && schedule->newest->round >= first)
    schedule_free_use(schedule, schedule->newest);
  for (int64_t t = first; t < schedule->produced; t++) {
    round_slot *slot = slot_of(schedule, t);
    slot->ranks_pending = 0;
    memset(slot->pending, 0, (size_t)schedule->workers * sizeof *slot->pending);
    rounds_log(&schedule->rounds, t)->round = -1;
  }
  schedule->produced = first;
  schedule->skipped_rounds += p;
}

/* What is under way counts as `times` periods later. */
static void move_clock(rh_schedule *schedule, double span_s, int64_t times)
{
  rounds *r = &schedule->rounds;
  const double later_s = (double)times * span_s;
  rh_traffic_skip(&schedule->traffic, &r->mark, transfers_floor_s(schedule), span_s, times);
  schedule->steady.skipped_messages += rh_traffic_count_add(&schedule->traffic, times);
  for (int32_t i = 0; i < schedule->workers; i++) {
    lane *lanes = &schedule->lanes[2 * i];
    if (lanes[0].taken_back || lanes[1].taken_back) schedule->end_s[i] += later_s;
    lanes[0].taken_back = lanes[1].taken_back = false;
  }
  schedule->elapsed_s += later_s;
  schedule->skipped_s += later_s;
  for (use *u = schedule->newest; u != NULL; u = u->older) {
    u->start_s += later_s;
    u->finish_s += later_s;
  }
  for (int64_t t = schedule->delivered; t < schedule->produced; t++) {
    rh_round_time *time = &slot_of(schedule, t)->time;
    if (time->first_finish_s >= 0) time->first_finish_s += later_s;
    time->finish_s += later_s;
  }
  steady_clock_moved(schedule);
}

rh_status rounds_skip(rh_schedule *schedule)
{
  rounds *r = &schedule->rounds;
  const int32_t p = r->period;
  double from_s, span_s;
  if (r->periods == 0 || r->stage != ROUNDS_MEASURED || schedule->delivered < r->count_from + p) return RH_OK;
  if (schedule_traces(schedule)) return RH_OK;
  const int64_t before = told_before(r, p);
  if (before < 0 || !rounds_proven(schedule, schedule->delivered - 1, p, 0, &from_s, &span_s)) return RH_OK;
  RH_ASSERT(r->again_rounds == 0 && r->again_collectives == 0);
  int64_t at = before + 1, rounds_told = 0, periods = 0;
  rh_status status = RH_OK;
  while (schedule->more && !schedule_stopped(schedule)) {
    const int64_t round = schedule->produced;
    status = produce_round(schedule);
    if (status != RH_OK || schedule->produced == round || !schedule->more) break;
    const round_log *log = rounds_log(r, round), *old = rounds_log(r, round - p);
    if (log->round != round || old->round != round - p || log->hash != old->hash) break;
    status = tell_next(schedule, &at, before, (double)(periods + 1) * span_s, (periods + 1) * p);
    if (status != RH_OK) break;
    r->again_rounds++;
    if (++rounds_told % p != 0) continue;
    take_back(schedule, p);
    periods++;
    r->again_rounds = r->again_collectives = 0;
  }
  if (periods > 0) {
    move_clock(schedule, span_s, periods);
    r->valid_from = schedule->produced;
    r->told_count = 0;
    r->skipped_rounds += periods * p;
  }
  r->stage = ROUNDS_LOOK;
  return status;
}

const char *rounds_reason(const rh_schedule *schedule)
{
  const rounds *r = &schedule->rounds;
  if (r->skipped_rounds > 0 || schedule->delivered < 2) return NULL;
  if (r->given_up) return "their transfers are too many to be noted";
  if (r->periods == 0) return "they have too many ranks to be noted";
  if (schedule->delivered <= 2 * ROUNDS_MATCHES) return "they are too few";
  if (r->alike == 0) return "their operations differ";
  return r->repeated == 0 ? "their times did not repeat" : "their times repeated too late";
}
