/* The schedule's queues. A lane's operations stand in a ring that is reused as they are done, so a run of any length
 * holds `lead` rounds at a time. See schedule.h. */
#include <malloc.h>
#include <math.h>
#include <simgrid/actor.h>
#include <simgrid/engine.h>
#include <simgrid/host.h>
#include <stdlib.h>
#include <string.h>
#include <xbt/config.h>

#include "oplog.h"
#include "schedule_private.h"
#include "simgrid_shim.h"

enum { QUEUE_SIZE = 8 };           /* first size; a power of two */
enum { FEEDER_STACK_KIB = 16384 }; /* it runs training code */

/* SimGrid clears the stacks that it allocates; mapped ones are clear and take only the pages that are used, which at
 * 16,384 ranks saves a third of memory and time (2.0 GB and 7.3 s to 1.3 GB and 4.3 s). For few ranks stacks from the
 * heap are some percent faster. */
enum { MANY_RANKS = 2048 };
enum { STACK_MAP_BYTES = 32 << 10 };   /* below a lane's stack of 64 KiB */
enum { MALLOC_MAP_BYTES = 128 << 10 }; /* glibc's default, also of what the heap grows by beyond a request */

double schedule_floor_s(const rh_schedule *schedule)
{
  double floor_s = simgrid_get_clock();
  for (int32_t rank = 0; rank < schedule->workers; rank++) {
    const lane *lane = &schedule->lanes[2 * rank + 1];
    if (lane->busy) floor_s = fmin(floor_s, lane->start_s);
  }
  return floor_s;
}

static double transfer_floor(const void *context)
{
  const rh_schedule *schedule = context;
  return schedule_floor_s(schedule) + schedule->skipped_s;
}

static double compute_floor(const void *context, int32_t rank)
{
  const rh_schedule *schedule = context;
  const lane *lane = &schedule->lanes[2 * rank];
  return (lane->busy ? lane->start_s : simgrid_get_clock()) + schedule->skipped_s;
}

static void init_lanes(rh_schedule *schedule)
{
  for (int32_t i = 0; i < 2 * schedule->workers; i++) {
    lane *lane = &schedule->lanes[i];
    lane->schedule = schedule;
    lane->rank = i / 2;
    lane->kind = i % 2 ? RH_LANE_COMMUNICATION : RH_LANE_COMPUTE;
    lane->size = QUEUE_SIZE;
    lane->queue = calloc(QUEUE_SIZE, sizeof *lane->queue);
    lane->wake = sg_sem_init(0);
    RH_ASSERT(lane->queue != NULL);
  }
}

rh_status rh_schedule_new(const rh_schedule_def *def, rh_schedule **schedule)
{
  RH_ASSERT(def->platform != NULL && def->produce != NULL);
  *schedule = NULL;
  if (def->lead < 1) return rh_error(RH_EINVAL, "a schedule's lead is at least 1 round, not %d", (int)def->lead);
  rh_schedule *s = calloc(1, sizeof *s);
  if (s == NULL) return rh_error(RH_ENOMEM, "no memory for a schedule");
  s->def = *def;
  s->workers = rh_platform_workers(def->platform);
  s->fastest_flops = rh_platform_fastest(def->platform);
  s->more = true;
  s->slot_count = (int64_t)def->lead + 1 + STEADY_PERIODS;
  s->steady.on = def->steady && !rh_platform_has_profiles(def->platform); /* a change of it would come too late */
  const size_t workers = (size_t)s->workers;
  s->lanes = aligned_alloc(CACHE_LINE, 2 * workers * sizeof *s->lanes);
  if (s->lanes != NULL) memset(s->lanes, 0, 2 * workers * sizeof *s->lanes);
  s->end_s = calloc(workers, sizeof *s->end_s);
  s->slots = calloc((size_t)s->slot_count, sizeof *s->slots);
  bool enough = s->lanes != NULL && s->end_s != NULL && s->slots != NULL;
  for (int64_t i = 0; enough && i < s->slot_count; i++) {
    s->slots[i].pending = calloc(workers, sizeof *s->slots[i].pending);
    enough = s->slots[i].pending != NULL;
  }
  if (!enough) {
    rh_schedule_free(s);
    return rh_error(RH_ENOMEM, "no memory for a schedule of %zu ranks and %d rounds of lead", workers, (int)def->lead);
  }
  s->feeder_wake = sg_sem_init(0);
  init_lanes(s);
  rounds_init(s);
  s->traffic = (rh_traffic){.transfer_floor = transfer_floor, .compute_floor = compute_floor, .context = s};
  s->traffic.zones = rh_platform_zones(def->platform);
  if (rh_platform_has_profiles(def->platform)) s->traffic.changing = def->platform;
  rh_traffic_init(&s->traffic, rh_platform_link_count(def->platform), s->workers);
  *schedule = s;
  return RH_OK;
}

void schedule_free_use(rh_schedule *schedule, use *use)
{
  if (use->newer != NULL)
    use->newer->older = use->older;
  else
    schedule->newest = use->older;
  if (use->older != NULL) use->older->newer = use->newer;
  lone_clear(&use->lone);
  free(use->bytes_of);
  free(use->plan);
  free(use);
}

static void clear_lane(lane *lane)
{
  if (lane->wake != NULL) sg_sem_destroy(lane->wake);
  free(lane->queue);
  free(lane->out.slots);
  free(lane->in.slots);
  free(lane->transfers);
}

void rh_schedule_free(rh_schedule *schedule)
{
  if (schedule == NULL) return;
  while (schedule->newest != NULL) {
    RH_ASSERT(schedule->newest->newer == NULL);
    schedule_free_use(schedule, schedule->newest);
  }
  for (int32_t i = 0; schedule->lanes != NULL && i < 2 * schedule->workers; i++)
    clear_lane(&schedule->lanes[i]);
  for (int64_t i = 0; schedule->slots != NULL && i < schedule->slot_count; i++)
    free(schedule->slots[i].pending);
  if (schedule->feeder_wake != NULL) sg_sem_destroy(schedule->feeder_wake);
  rh_traffic_clear(&schedule->traffic);
  steady_clear(&schedule->steady);
  rounds_clear(schedule);
  rh_text_clear(&schedule->message);
  free(schedule->events);
  free(schedule->slots);
  free(schedule->end_s);
  free(schedule->lanes);
  free(schedule);
}

/* --- appending ---------------------------------------------------------------------------------------------------- */

/* A token as the schedule keeps it: the number counts from the lane's operations that were not skipped. */
static rh_token keep_token(rh_schedule *schedule, int32_t rank, rh_token after)
{
  RH_ASSERT(after >= 0);
  const lane *lane = lane_of(schedule, rank, token_lane(after));
  const int64_t number = token_number(after) - lane->skipped;
  RH_ASSERT(number <= lane->appended); /* a token of this rank */
  return number > 0 ? number << 1 | (after & 1) : RH_AT_ONCE;
}

static rh_token append(rh_schedule *schedule, int32_t rank, rh_lane kind, operation operation)
{
  RH_ASSERT(schedule->open); /* only `produce` appends */
  RH_ASSERT(rank >= 0 && rank < schedule->workers);
  operation.after = keep_token(schedule, rank, operation.after);
  lane *lane = lane_of(schedule, rank, kind);
  rounds_hash(lane, &operation);
  if (lane->appended - lane->done == lane->size) {
    const int64_t size = 2 * lane->size;
    struct operation *queue = malloc((size_t)size * sizeof *queue);
    RH_ASSERT(queue != NULL);
    for (int64_t i = lane->done; i < lane->appended; i++)
      queue[i & (size - 1)] = lane->queue[i & (lane->size - 1)];
    free(lane->queue);
    lane->queue = queue;
    lane->size = size;
  }
  operation.round = schedule->produced;
  lane->queue[lane->appended & (lane->size - 1)] = operation;
  lane->appended++;
  round_slot *slot = slot_of(schedule, schedule->produced);
  if (slot->pending[rank]++ == 0) slot->ranks_pending++;
  return rh_schedule_last(schedule, rank, kind);
}

rh_token rh_schedule_compute(rh_schedule *schedule, int32_t rank, double seconds, const char *label, rh_token after)
{
  RH_ASSERT(seconds >= 0 && isfinite(seconds));
  if (schedule->logs) rh_oplog_compute(schedule->def.log, rank, seconds, label, after);
  return append(schedule, rank, RH_LANE_COMPUTE,
                (operation){.kind = OPERATION_COMPUTE, .label = label, .after = after, .seconds = seconds});
}

void rh_schedule_send(rh_schedule *schedule, int32_t from, int32_t to, int64_t bytes, const char *label,
                      rh_token after_from, rh_token after_to)
{
  RH_ASSERT(bytes >= 0 && from != to);
  if (schedule->logs) rh_oplog_send(schedule->def.log, from, to, bytes, label, after_from, after_to);
  append(schedule, from, RH_LANE_COMMUNICATION,
         (operation){.kind = OPERATION_SEND, .peer = to, .label = label, .after = after_from, .bytes = bytes});
  append(schedule, to, RH_LANE_COMMUNICATION,
         (operation){.kind = OPERATION_RECEIVE, .peer = from, .label = label, .after = after_to, .bytes = bytes});
}

void rh_schedule_collective(rh_schedule *schedule, const rh_collective *collective, const rh_token *after)
{
  RH_ASSERT(collective->size >= 1 && collective->bytes >= 0 && collective->element_bytes >= 1);
  if (schedule->logs) rh_oplog_collective(schedule->def.log, collective, after);
  use *use = calloc(1, sizeof *use);
  RH_ASSERT(use != NULL);
  use->collective = *collective;
  if (collective->bytes_of != NULL) {
    const size_t bytes = (size_t)collective->size * sizeof *use->bytes_of;
    use->bytes_of = malloc(bytes);
    RH_ASSERT(use->bytes_of != NULL);
    memcpy(use->bytes_of, collective->bytes_of, bytes);
    use->collective.bytes_of = use->bytes_of;
  }
  if (collective->kind->new_plan != NULL) {
    use->plan = collective->kind->new_plan(&use->collective);
    RH_ASSERT(use->plan != NULL);
    use->collective.plan = use->plan;
  }
  use->round = schedule->produced;
  use->older = schedule->newest;
  if (use->older != NULL) use->older->newer = use;
  schedule->newest = use;
  for (int32_t position = 0; position < collective->size; position++)
    append(schedule, rh_collective_rank(collective, position), RH_LANE_COMMUNICATION,
           (operation){.kind = OPERATION_COLLECTIVE,
                       .peer = position,
                       .label = collective->kind->name,
                       .after = after != NULL ? after[position] : RH_AT_ONCE,
                       .use = use});
}

rh_token rh_schedule_last(const rh_schedule *schedule, int32_t rank, rh_lane kind)
{
  const lane *lane = &schedule->lanes[2 * rank + (kind == RH_LANE_COMMUNICATION)];
  const int64_t number = lane->appended + lane->skipped;
  return number == 0 ? RH_AT_ONCE : (rh_token)(number << 1 | (kind == RH_LANE_COMMUNICATION));
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static sg_host_t host_of(rh_schedule *schedule, int32_t rank)
{
  return sg_host_by_name(rh_platform_host(schedule->def.platform, rank));
}

static sg_actor_t start_actor(const char *name, sg_host_t host, void *data, void (*code)(int, char **))
{
  sg_actor_t actor = sg_actor_init(name, host);
  sg_actor_set_data(actor, data);
  sg_actor_start(actor, code, 0, NULL);
  return actor;
}

/* sg_actor_set_stacksize moves the stack's top without allocating more (3.32), so the default is changed meanwhile. */
static void start_feeder(rh_schedule *schedule)
{
  const int stack_KiB = sg_cfg_get_int("contexts/stack-size");
  sg_cfg_set_int("contexts/stack-size", FEEDER_STACK_KIB);
  start_actor("feeder", host_of(schedule, 0), schedule, feeder_main);
  sg_cfg_set_int("contexts/stack-size", stack_KiB);
}

static void start_actors(rh_schedule *schedule)
{
  const bool many = schedule->workers >= MANY_RANKS;
  if (many) mallopt(M_MMAP_THRESHOLD, STACK_MAP_BYTES);
  if (many) mallopt(M_TOP_PAD, 0); /* else a third of the stacks fits into what the heap has grown by, and is cleared */
  start_feeder(schedule);
  for (int32_t i = 0; i < 2 * schedule->workers; i++) {
    lane *lane = &schedule->lanes[i];
    lane->actor = start_actor(lane->kind == RH_LANE_COMPUTE ? "compute" : "communication",
                              host_of(schedule, lane->rank), lane, lane_main);
  }
  if (many) mallopt(M_MMAP_THRESHOLD, MALLOC_MAP_BYTES);
  if (many) mallopt(M_TOP_PAD, MALLOC_MAP_BYTES);
}

static bool all_over(const rh_schedule *schedule)
{
  for (int32_t i = 0; i < 2 * schedule->workers; i++)
    if (!schedule->lanes[i].over) return false;
  return true;
}

rh_status rh_schedule_run(rh_schedule *schedule)
{
  rh_status status = RH_OK;
  RH_ASSERT(schedule->produced == 0);                   /* once */
  RH_TRY(rh_platform_check_on(schedule->def.platform)); /* SimGrid throws where an actor starts on a host that is off */
  start_actors(schedule);
  char why[256];
  bool deadlock;
  const bool ran = rh_shim_run(&deadlock, why, sizeof why);
  if (schedule->status != RH_OK)
    status = rh_error(schedule->status, "%s", rh_text_get(&schedule->message));
  else if (!ran)
    status = rh_error(RH_EINVAL, "SimGrid ended the simulation: %s", why);
  else if (deadlock || !all_over(schedule))
    status = deadlock_error(schedule);
done:
  return status;
}

double rh_schedule_elapsed_s(const rh_schedule *schedule)
{
  return schedule->elapsed_s;
}

rh_rank_time rh_schedule_rank_time(const rh_schedule *schedule, int32_t rank)
{
  RH_ASSERT(rank >= 0 && rank < schedule->workers);
  return rh_traffic_rank_time(&schedule->traffic, rank, schedule->end_s[rank]);
}

rh_link_time rh_schedule_link_time(const rh_schedule *schedule, int32_t link)
{
  RH_ASSERT(link >= 0 && link < schedule->traffic.link_count);
  return rh_traffic_link_time(&schedule->traffic, link);
}

const int64_t *rh_schedule_link_bins(const rh_schedule *schedule, int32_t link, int32_t *count)
{
  RH_ASSERT(link >= 0 && link < schedule->traffic.link_count);
  return rh_bins_of(&schedule->traffic.bins, link, count);
}

double rh_schedule_bin_s(const rh_schedule *schedule)
{
  return schedule->traffic.bins.width_s;
}

const rh_pairs *rh_schedule_pairs(const rh_schedule *schedule)
{
  return &schedule->traffic.pairs;
}
