/* The lanes: one actor for a rank's computing, one for its communication, each taking operations from its queue. */
#include <simgrid/actor.h>
#include <simgrid/engine.h>
#include <stdio.h>
#include <stdlib.h>

#include "schedule_private.h"
#include "simgrid_shim.h"

enum { CHANNELS_SIZE = 8 };     /* first size of a table; a power of two */
enum { EVENTS_WAITING = 4096 }; /* the feeder is woken when so many are there */

/* --- sleeping, waking, failing ------------------------------------------------------------------------------------ */

void lane_sleep(lane *lane)
{
  lane->asleep = true;
  sg_sem_acquire(lane->wake);
}

void lane_wake(lane *lane)
{
  if (!lane->asleep) return;
  lane->asleep = false;
  sg_sem_release(lane->wake);
}

void feeder_wake(rh_schedule *schedule)
{
  if (!schedule->feeder_asleep) return;
  schedule->feeder_asleep = false;
  sg_sem_release(schedule->feeder_wake);
}

/* Lanes that wait for a message of one that has left are ended by SimGrid when nothing else can happen. */
void schedule_fail(rh_schedule *schedule, rh_status status)
{
  if (schedule->status != RH_OK) return;
  schedule->status = status;
  rh_text_append(&schedule->message, "%s", rh_error_message());
  feeder_wake(schedule);
  for (int32_t i = 0; i < 2 * schedule->workers; i++)
    lane_wake(&schedule->lanes[i]);
}

bool schedule_stopped(rh_schedule *schedule)
{
  if (schedule->status == RH_OK && schedule->def.stop != NULL && *schedule->def.stop != 0)
    schedule_fail(schedule,
                  rh_error(RH_EINTERRUPTED, "interrupted after %.6g s of simulated time, in round %lld",
                           schedule_now_s(schedule), (long long)(schedule->delivered + schedule->skipped_rounds)));
  return schedule->status != RH_OK;
}

/* --- channels ----------------------------------------------------------------------------------------------------- */

static channel *find_slot(channel *slots, int32_t size, int32_t peer)
{
  uint32_t i = (uint32_t)peer * 2654435769u; /* 2^32 / golden ratio: Knuth's multiplicative hash */
  i = (i ^ i >> 16) & (uint32_t)(size - 1);
  while (slots[i].peer != peer && slots[i].peer >= 0)
    i = (i + 1) & (uint32_t)(size - 1);
  return &slots[i];
}

static void grow_channels(channels *table)
{
  const int32_t size = table->size > 0 ? 2 * table->size : CHANNELS_SIZE;
  RH_ASSERT(size > 0);
  channel *slots = malloc((size_t)size * sizeof *slots);
  RH_ASSERT(slots != NULL);
  for (int32_t i = 0; i < size; i++)
    slots[i].peer = -1;
  for (int32_t i = 0; i < table->size; i++)
    if (table->slots[i].peer >= 0) *find_slot(slots, size, table->slots[i].peer) = table->slots[i];
  free(table->slots);
  table->slots = slots;
  table->size = size;
}

static channel *add_channel(lane *lane, bool sending, int32_t peer)
{
  channels *table = sending ? &lane->out : &lane->in;
  rh_schedule *schedule = lane->schedule;
  const rh_platform *platform = schedule->def.platform;
  channel added = {.peer = peer,
                   .within = rh_platform_zone_of(platform, lane->rank) == rh_platform_zone_of(platform, peer)};
  if (sending) {
    const rh_status status = rh_platform_route(schedule->def.platform, lane->rank, peer, &added.route);
    if (status != RH_OK) {
      schedule_fail(schedule, status);
      return NULL;
    }
  }
  char name[32];
  snprintf(name, sizeof name, "%d>%d", (int)(sending ? lane->rank : peer), (int)(sending ? peer : lane->rank));
  added.mailbox = sg_mailbox_by_name(name);
  if (sending && schedule->def.protocol == RH_PROTOCOL_EAGER)
    rh_shim_mailbox_receiver(added.mailbox, lane_of(schedule, peer, RH_LANE_COMMUNICATION)->actor);
  if (4 * (table->count + 1) > 3 * table->size) grow_channels(table);
  table->count++;
  channel *slot = find_slot(table->slots, table->size, peer);
  *slot = added;
  return slot;
}

/* The channel to or from a peer; NULL after a failure (no route). The pointer holds until the next new channel. `slot`
 * is where to look first, and where it was found. */
static inline channel *find_channel(lane *lane, bool sending, int32_t peer, int32_t *slot)
{
  const channels *table = sending ? &lane->out : &lane->in;
  if (*slot < table->size && table->slots[*slot].peer == peer) return &table->slots[*slot];
  channel *found = table->size > 0 ? find_slot(table->slots, table->size, peer) : NULL;
  if (found == NULL || found->peer != peer) found = add_channel(lane, sending, peer);
  if (found != NULL) *slot = (int32_t)(found - table->slots);
  return found;
}

const rh_route *lane_route(rh_schedule *schedule, int32_t from, int32_t to)
{
  const channels *table = &lane_of(schedule, from, RH_LANE_COMMUNICATION)->out;
  const channel *known = find_slot(table->slots, table->size, to);
  RH_ASSERT(known->peer == to); /* it was sent to */
  return known->route;
}

/* --- transfers ---------------------------------------------------------------------------------------------------- */

/* Is an event of this round to be told? */
static bool is_traced(rh_schedule *schedule, int64_t round)
{
  const rh_schedule_def *def = &schedule->def;
  if (!schedule_traces(schedule) || round < def->event_first) return false;
  if (def->event_end > 0 && round >= def->event_end) return false;
  schedule->events_cut = def->event_max > 0 && schedule->event_total == def->event_max;
  return !schedule->events_cut;
}

static void tell_event(rh_schedule *schedule, const rh_event *event)
{
  if (!is_traced(schedule, event->round)) return;
  schedule->event_total++;
  if (schedule->event_count == schedule->event_size) {
    schedule->event_size = schedule->event_size > 0 ? 2 * schedule->event_size : EVENTS_WAITING;
    schedule->events = realloc(schedule->events, (size_t)schedule->event_size * sizeof *schedule->events);
    RH_ASSERT(schedule->events != NULL);
  }
  schedule->events[schedule->event_count++] = *event;
  if (schedule->event_count >= EVENTS_WAITING) feeder_wake(schedule);
}

/* Keeps the routes that no other one is both slower and farther than. */
void use_note_route(use *use, const rh_route *route)
{
  const slow_route new = {.latency_s = route->latency_s, .bandwidth_Bps = route->bandwidth_Bps};
  int32_t kept = 0;
  for (int32_t i = 0; i < use->slowest_count; i++) {
    const slow_route old = use->slowest[i];
    if (old.latency_s >= new.latency_s && old.bandwidth_Bps <= new.bandwidth_Bps) return;
    if (!(new.latency_s >= old.latency_s &&new.bandwidth_Bps <= old.bandwidth_Bps)) use->slowest[kept++] = old;
  }
  use->slowest_count = kept;
  if (kept < SLOWEST_MAX) {
    use->slowest[use->slowest_count++] = new;
    return;
  }
  const rh_collective *c = &use->collective;
  const double seconds = c->kind->closed_form_s(c, new.latency_s, new.bandwidth_Bps);
  if (seconds > use->closed_form_s) use->closed_form_s = seconds;
}

static inline void add_to_round(rh_round_time *time, bool within, int64_t messages, int64_t bytes)
{
  time->messages += messages;
  time->wire_bytes += bytes;
  if (within)
    time->within_bytes += bytes;
  else
    time->between_bytes += bytes;
}

void slot_add(const rh_schedule *schedule, round_slot *slot, int32_t from, int32_t to, int64_t messages, int64_t bytes)
{
  const rh_platform *platform = schedule->def.platform;
  const bool within = rh_platform_zone_of(platform, from) == rh_platform_zone_of(platform, to);
  add_to_round(&slot->time, within, messages, bytes);
}

/* Notes for finding rounds that repeat. */
static void note_for_rounds(lane *lane, const operation *operation, double start_s, double finish_s)
{
  rh_schedule *schedule = lane->schedule;
  rounds_note(lane, operation->round, start_s, finish_s);
  schedule->traffic.counting = rounds_counting(schedule, operation->round); /* no more, once notes are given up */
  if (operation->kind != OPERATION_COLLECTIVE || !operation->use->lone.owned) rounds_share(schedule, operation->round);
}

/* Books a transfer that its sender has seen end. */
static void book_transfer(lane *lane, const operation *operation, channel *to, int64_t bytes, double start_s,
                          double finish_s)
{
  rh_schedule *schedule = lane->schedule;
  start_s += schedule->skipped_s;
  finish_s += schedule->skipped_s;
  schedule->messages++;
  if (schedule->rounds.periods > 0) note_for_rounds(lane, operation, start_s, finish_s);
  if (!to->told) rh_traffic_ends(&schedule->traffic, lane->rank, to->peer, to->route);
  to->told = true;
  rh_traffic_transfer(&schedule->traffic, lane->rank, to->peer, to->route, bytes, start_s, finish_s);
  add_to_round(&slot_of(schedule, operation->round)->time, to->within, 1, bytes);
  if (operation->kind == OPERATION_COLLECTIVE) {
    operation->use->messages++;
    operation->use->wire_bytes += bytes;
    use_note_route(operation->use, to->route);
  }
  if (schedule->def.event != NULL)
    tell_event(schedule, &(rh_event){.rank = to->peer,
                                     .lane = RH_LANE_COMMUNICATION,
                                     .label = operation->label,
                                     .round = operation->round,
                                     .peer = lane->rank,
                                     .bytes = bytes,
                                     .start_s = start_s,
                                     .finish_s = finish_s});
}

static void reserve_transfers(lane *lane, int32_t count)
{
  if (count <= lane->transfers_size) return;
  lane->transfers = realloc(lane->transfers, (size_t)count * sizeof *lane->transfers);
  RH_ASSERT(lane->transfers != NULL);
  for (int32_t i = lane->transfers_size; i < count; i++)
    lane->transfers[i] = (transfer){0};
  lane->transfers_size = count;
}

static bool wait_comm(lane *lane, sg_comm_t comm, wait_kind kind, int32_t peer, double *start_s, double *finish_s)
{
  char why[256];
  lane->wait = kind;
  lane->wait_peer = peer;
  const bool done = rh_shim_comm_wait(comm, start_s, finish_s, why, sizeof why);
  if (!done)
    schedule_fail(lane->schedule, rh_error(RH_EINVAL, "a transfer between ranks %d and %d failed: %s", (int)lane->rank,
                                           (int)peer, why));
  lane->wait = WAIT_NOTHING;
  return done;
}

static int32_t rank_of(const rh_collective *c, int32_t position)
{
  return c != NULL ? rh_collective_rank(c, position) : position;
}

/* Starts all transfers of a step together and waits for them. Tells the times (SimGrid's) of the last one
 * sent, else of the last one received; of none: now. */
static bool do_step(lane *lane, const operation *operation, const rh_step *step, const rh_collective *c,
                    double *start_s, double *finish_s)
{
  const int32_t sends = step->send_count, receives = step->receive_count;
  void *const sink = &lane->schedule->sink;
  const bool empty_eager = step->send_bytes == 0 && lane->schedule->def.protocol == RH_PROTOCOL_EAGER;
  reserve_transfers(lane, sends + receives);
  transfer *out = lane->transfers, *in = out + sends;
  /* new channels first: a table that grows moves what it holds, and SimGrid may switch actors as it makes a mailbox */
  for (int32_t i = 0; i < sends; i++)
    if (find_channel(lane, true, rank_of(c, step->send_to[i]), &out[i].slot) == NULL) return false;
  lane->busy = true;
  lane->start_s = simgrid_get_clock();
  for (int32_t i = 0; i < receives; i++) {
    const channel *from = find_channel(lane, false, rank_of(c, step->receive_from[i]), &in[i].slot);
    in[i].comm = sg_mailbox_get_async(from->mailbox, (void **)sink);
  }
  for (int32_t i = 0; i < sends; i++) {
    sg_mailbox_t mailbox = find_channel(lane, true, rank_of(c, step->send_to[i]), &out[i].slot)->mailbox;
    out[i].comm =
        empty_eager ? rh_shim_put_empty(mailbox, sink) : sg_mailbox_put_async(mailbox, sink, (long)step->send_bytes);
  }
  *start_s = *finish_s = lane->start_s;
  for (int32_t i = 0; i < sends; i++) {
    channel *to = &lane->out.slots[out[i].slot];
    if (!wait_comm(lane, out[i].comm, WAIT_SEND, to->peer, start_s, finish_s)) return false;
    book_transfer(lane, operation, to, step->send_bytes, *start_s, *finish_s);
  }
  double from_s, to_s; /* of a transfer that the sender tells of */
  for (int32_t i = 0; i < receives; i++) {
    const int32_t from = rank_of(c, step->receive_from[i]);
    const bool told = sends > 0;
    if (!wait_comm(lane, in[i].comm, WAIT_RECEIVE, from, told ? &from_s : start_s, told ? &to_s : finish_s))
      return false;
  }
  lane->busy = false;
  return true;
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static void leave_collective(rh_schedule *schedule, use *use)
{
  use->finish_s = schedule_now_s(schedule);
  use->done++;
  steady_leave(schedule, use);
  if (use->done < use->collective.size) return;
  if (schedule->done_last != NULL)
    schedule->done_last->next = use;
  else
    schedule->done_first = use;
  schedule->done_last = use;
  feeder_wake(schedule);
}

static bool do_collective(lane *lane, const operation *operation)
{
  use *use = operation->use;
  const rh_collective *c = &use->collective;
  const int64_t steps = c->size > 1 ? c->kind->steps(c) : 0;
  use->start_s = schedule_now_s(lane->schedule); /* the last one to enter is the one that stays */
  int64_t done = 0;                              /* steps; others are skipped, maybe while this one is in a step */
  if (!lone_enter(lane, operation, &done)) return false;
  steady_enter(lane->schedule, use);
  while (done + use->skipped < steps) {
    if (schedule_stopped(lane->schedule)) return false;
    rh_step step = {0};
    double start_s, finish_s;
    lane->wait_step = done + use->skipped;
    c->kind->step(c, operation->peer, lane->wait_step, &step);
    if (!do_step(lane, operation, &step, c, &start_s, &finish_s)) return false;
    steady_record(lane->schedule, use, operation->peer, done + use->skipped, start_s, finish_s);
    done++;
  }
  leave_collective(lane->schedule, use);
  return true;
}

static bool do_message(lane *lane, const operation *operation)
{
  rh_step step = {.one = {operation->peer, operation->peer}, .send_bytes = operation->bytes};
  step.send_to = step.receive_from = step.one;
  step.send_count = operation->kind == OPERATION_SEND;
  step.receive_count = operation->kind == OPERATION_RECEIVE;
  lane->wait_step = 0;
  double start_s, finish_s;
  return do_step(lane, operation, &step, NULL, &start_s, &finish_s);
}

static bool do_compute(lane *lane, const operation *operation)
{
  rh_schedule *schedule = lane->schedule;
  lane->start_s = simgrid_get_clock();
  lane->busy = true;
  if (operation->seconds > 0) sg_actor_execute(operation->seconds * schedule->fastest_flops);
  const double start_s = lane->start_s + schedule->skipped_s, finish_s = schedule_now_s(schedule);
  rounds_note(lane, operation->round, start_s, finish_s);
  rh_traffic_compute(&schedule->traffic, lane->rank, operation->label, start_s, finish_s);
  lane->busy = false; /* until it is told, nothing behind its start may be folded */
  if (schedule->def.event != NULL)
    tell_event(schedule, &(rh_event){.rank = lane->rank,
                                     .lane = RH_LANE_COMPUTE,
                                     .label = operation->label,
                                     .round = operation->round,
                                     .peer = -1,
                                     .start_s = start_s,
                                     .finish_s = finish_s});
  return true;
}

/* Drops the current operation: its round, the other lane and the feeder may have waited for it. */
static void finish_operation(lane *self)
{
  rh_schedule *schedule = self->schedule;
  const int64_t round = lane_current(self)->round;
  const int32_t rank = self->rank;
  const double now_s = schedule_now_s(schedule);
  steady_end(schedule);
  self->done++;
  schedule->end_s[rank] = schedule->elapsed_s = now_s;
  lane *other = lane_of(schedule, rank, self->kind == RH_LANE_COMPUTE ? RH_LANE_COMMUNICATION : RH_LANE_COMPUTE);
  if (other->asleep && other->wait == WAIT_TOKEN && self->done >= token_number(lane_current(other)->after))
    lane_wake(other);
  round_slot *slot = slot_of(schedule, round);
  if (--slot->pending[rank] > 0) return;
  if (slot->time.first_finish_s < 0) slot->time.first_finish_s = now_s;
  slot->time.finish_s = now_s;
  if (--slot->ranks_pending == 0 && round == schedule->delivered) feeder_wake(schedule);
}

/* Waits until there is an operation and what it comes after is done; false: the lane's end. */
static bool next_operation(lane *lane)
{
  rh_schedule *schedule = lane->schedule;
  while (!schedule_stopped(schedule)) {
    if (lane_may_go_on(lane)) {
      const rh_token after = lane_current(lane)->after;
      if (lane_of(schedule, lane->rank, token_lane(after))->done >= token_number(after)) {
        lane->wait = WAIT_NOTHING;
        return true;
      }
      lane->wait = WAIT_TOKEN;
    } else {
      if (!schedule->more && lane->done == lane->appended) return false;
      lane->wait = WAIT_WORK;
    }
    lane_sleep(lane);
  }
  return false;
}

void lane_main(int argc, char **argv)
{
  (void)argc, (void)argv;
  lane *lane = sg_actor_self_get_data();
  bool done = true;
  while (done && next_operation(lane)) {
    const operation operation = *lane_current(lane); /* a copy: the queue may grow meanwhile */
    steady_begin(lane->schedule);
    switch (operation.kind) {
    case OPERATION_COMPUTE:
      done = do_compute(lane, &operation);
      break;
    case OPERATION_COLLECTIVE:
      done = do_collective(lane, &operation);
      break;
    case OPERATION_SEND:
    case OPERATION_RECEIVE:
      done = do_message(lane, &operation);
      break;
    }
    if (done) finish_operation(lane);
  }
  lane->over = true;
}
