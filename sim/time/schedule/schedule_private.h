/* The schedule's inside, for schedule.c (queues), execute.c (lanes as actors), feed.c (the producer's actor) and
 * deadlock.c. All of them run one at a time: SimGrid switches between actors only where one of them waits. */
#ifndef RH_SCHEDULE_PRIVATE_H
#define RH_SCHEDULE_PRIVATE_H

#include <simgrid/comm.h>
#include <simgrid/engine.h>
#include <simgrid/mailbox.h>
#include <simgrid/semaphore.h>

#include "fluid.h"
#include "lone.h"
#include "schedule.h"
#include "steady.h"
#include "steady_rounds.h"
#include "text.h"
#include "traffic.h"

typedef enum operation_kind {
  OPERATION_COMPUTE,
  OPERATION_SEND,
  OPERATION_RECEIVE,
  OPERATION_COLLECTIVE
} operation_kind;

/* Routes that a collective used and that no other one dominates: the closed form grows with latency and falls with
 * bandwidth, so the slowest is among them. */
enum { SLOWEST_MAX = 8 };
typedef struct slow_route {
  double latency_s, bandwidth_Bps;
} slow_route;

/* One appended collective, from its append to its delivery. */
typedef struct use {
  rh_collective collective;
  int64_t *bytes_of; /* owned copy, or NULL */
  void *plan;        /* owned, or NULL */
  int64_t round;
  int32_t entered, done; /* ranks */
  int64_t skipped;       /* steps, of every rank */
  bool alone, alike;     /* it was watched for a steady state; in like steps */
  bool traced;           /* or not, since events were asked for */
  lone lone;
  double start_s, finish_s;
  int64_t messages, wire_bytes;
  slow_route slowest[SLOWEST_MAX];
  int32_t slowest_count;
  double closed_form_s;      /* of routes for which `slowest` had no place */
  struct use *older, *newer; /* all that live */
  struct use *next;          /* that are done */
} use;

typedef struct operation {
  operation_kind kind;
  int32_t peer; /* of send and receive: the other rank; of a collective: own position */
  int64_t round;
  rh_token after;
  const char *label; /* borrowed */
  union {
    double seconds;
    int64_t bytes;
    use *use;
  };
} operation;

/* One direction between two ranks, as one of them sees it. */
typedef struct channel {
  int32_t peer; /* -1: free slot */
  bool within;  /* both ranks are in the same innermost zone */
  bool told;    /* the traffic knows that it is used */
  sg_mailbox_t mailbox;
  const rh_route *route; /* of the sending side; borrowed from the platform */
} channel;

/* Open addressing by peer. */
typedef struct channels {
  channel *slots; /* [size], a power of two; owned */
  int32_t count, size;
} channels;

typedef enum wait_kind {
  WAIT_NOTHING,
  WAIT_WORK,
  WAIT_TOKEN,
  WAIT_SEND,
  WAIT_RECEIVE,
  WAIT_OTHERS /* to enter a collective that is calculated */
} wait_kind;

/* A send or receive of the current step. The slot is where its channel was found last in the table: steps and rounds
 * that do the same again need not search. */
typedef struct transfer {
  sg_comm_t comm;
  int32_t slot;
} transfer;

enum { CACHE_LINE = 64 };

/* A lane's turn comes when all others had theirs, so its lines have left the nearest cache by then: what a step needs
 * stands together, on two of them. */
typedef struct lane {
  _Alignas(CACHE_LINE) rh_schedule *schedule;
  int32_t rank;
  rh_lane kind;
  transfer *transfers; /* [transfers_size], sends and then receives of the current step; owned; communication lane */
  int32_t transfers_size;
  /* what it waits for */
  wait_kind wait;
  int32_t wait_peer;
  bool asleep;     /* in `wake` */
  bool busy;       /* in an execution or a step, since start_s */
  bool over;       /* its actor has come to its end */
  bool taken_back; /* operations, just now */
  int64_t wait_step;
  double start_s;
  channels out, in;       /* of the communication lane */
  operation *queue;       /* ring [size], a power of two; owned */
  int64_t size;           /* operations */
  int64_t done, appended; /* operations since the start; queue[done & (size - 1)] is the current one */
  int64_t skipped;        /* operations that were appended, and taken back with rounds that are skipped */
  sg_actor_t actor;
  sg_sem_t wake;
} lane;

/* A round from its production to its delivery. */
typedef struct round_slot {
  rh_round_time time;
  int32_t ranks_pending;
  int32_t *pending; /* [workers] operations; owned */
} round_slot;

/* What collectives with the same peers were found to be (lone.h). */
enum { LONE_CACHE = 16 };
typedef struct lone_cache {
  bool known;
  uint64_t who;
  lone_verdict verdict;
  bool fluid;    /* can its transfers be calculated as a fluid? */
  bool restless; /* do its roundings grow? */
} lone_cache;

struct rh_schedule {
  rh_schedule_def def;
  int32_t workers;
  double fastest_flops;
  lane *lanes;   /* [2 workers], compute and communication of each rank */
  double *end_s; /* [workers] end of the last operation */
  double elapsed_s;
  double skipped_s; /* what SimGrid's clock is behind simulated time */
  steady steady;
  rounds rounds;
  lone_cache judged[LONE_CACHE];
  int64_t skipped_rounds; /* the rounds here count from 0 without them */
  int64_t messages;       /* simulated, not skipped */
  rh_traffic traffic;
  char *sink; /* where payloads of no meaning point to */

  round_slot *slots; /* [slot_count] */
  int64_t slot_count;
  int64_t produced, delivered; /* rounds */
  bool open;                   /* `produce` is running */
  bool logs;                   /* what it appends is recorded in def.log */
  bool more;

  use *newest;                                  /* of all that live */
  use *done_first, *done_last;                  /* waiting for delivery */
  rh_event *events;                             /* waiting for delivery; owned */
  int64_t event_count, event_size, event_total; /* waiting, and told with them since the start */
  bool events_cut;
  bool feeder_asleep;
  sg_sem_t feeder_wake;

  rh_status status; /* the first failure */
  rh_text message;
};

static inline lane *lane_of(rh_schedule *schedule, int32_t rank, rh_lane kind)
{
  return &schedule->lanes[2 * rank + (kind == RH_LANE_COMMUNICATION)];
}

static inline operation *lane_current(const lane *lane)
{
  return &lane->queue[lane->done & (lane->size - 1)];
}

static inline round_slot *slot_of(rh_schedule *schedule, int64_t round)
{
  return &schedule->slots[round % schedule->slot_count];
}

/* Simulated time. SimGrid's own clock, and every time that it tells, lacks what was skipped. */
static inline double schedule_now_s(const rh_schedule *schedule)
{
  return simgrid_get_clock() + schedule->skipped_s;
}

/* Are there events to tell of rounds that are not delivered yet? While there are, no round is skipped: the number of a
 * round here is its number. */
static inline bool schedule_traces(const rh_schedule *schedule)
{
  const rh_schedule_def *def = &schedule->def;
  return def->event != NULL && !schedule->events_cut &&
         (def->event_end == 0 || schedule->delivered + schedule->skipped_rounds < def->event_end);
}

/* Is there an operation, and was its round let go? Rounds may be produced farther ahead than `lead`. */
static inline bool lane_may_go_on(const lane *lane)
{
  const rh_schedule *schedule = lane->schedule;
  return lane->done < lane->appended && lane_current(lane)->round <= schedule->delivered + schedule->def.lead;
}

/* Tokens: operation number (from 1) and lane. */
static inline int64_t token_number(rh_token token)
{
  return token >> 1;
}

static inline rh_lane token_lane(rh_token token)
{
  return token & 1 ? RH_LANE_COMMUNICATION : RH_LANE_COMPUTE;
}

/* Records the first failure with the current error message and lets every actor come to its end. */
void schedule_fail(rh_schedule *schedule, rh_status status);
/* Has it failed, or was `stop` raised? */
bool schedule_stopped(rh_schedule *schedule);
/* Counts messages and bytes in a round. */
void slot_add(const rh_schedule *schedule, round_slot *slot, int32_t from, int32_t to, int64_t messages, int64_t bytes);
/* Keeps a route that a collective used, for its closed form. */
void use_note_route(use *use, const rh_route *route);
/* Hash over who sends to whom in a collective, whatever the bytes (steady_rounds.c). */
uint64_t collective_hash_who(const rh_collective *c);
/* The route to a rank to which `from` has sent. */
const rh_route *lane_route(rh_schedule *schedule, int32_t from, int32_t to);
/* No transfer told later begins before this (SimGrid's time). */
double schedule_floor_s(const rh_schedule *schedule);
void lane_sleep(lane *lane);
void lane_wake(lane *lane);
void feeder_wake(rh_schedule *schedule);
void schedule_free_use(rh_schedule *schedule, use *use);
/* Closed form of a collective over the slowest route that it used. */
/* feed.c: has the next round appended; who waits for work is not woken. */
rh_status produce_round(rh_schedule *schedule);
double use_closed_form(const use *use);

void lane_main(int argc, char **argv);   /* execute.c; actor data: its lane */
void feeder_main(int argc, char **argv); /* feed.c; actor data: the schedule */
/* The error about lanes that did not come to their end (deadlock.c). */
rh_status deadlock_error(rh_schedule *schedule);

#endif
