/* The transfers of one collective, when they share links: SimGrid's fluid model for them alone. Private to the
 * schedule.
 *
 * Symbols     p position, k step, t time
 * A transfer from p to q in step k starts when both are in that step (eager: when p is), waits for its latency, and
 * flows then at the rate that shares.h gives it, until its bytes are through. A position is ready for the next step
 * when all that it sends and hears in this one is over. Between two events all rates are constant, so it is enough to
 * go from event to event: SimGrid does the same, with actors, mailboxes and activities around each transfer, which take
 * nine tenths of its time.
 *
 * Times are those of a simulation but for roundings. As SimGrid does, events that are closer together than its
 * precision happen at once, at the time of the first.
 *
 * source      Velho & Legrand, Accuracy study and improvement of network simulation in the SimGrid framework, 2009
 */
#ifndef RH_FLUID_H
#define RH_FLUID_H

#include <stdbool.h>
#include <stdint.h>

#include "collective.h"
#include "platform.h"

typedef struct fluid_transfer {
  int32_t from, to; /* positions */
  int64_t step, bytes;
  const rh_route *route;
  double start_s, finish_s;
} fluid_transfer;

/* Told of each transfer when it is over, in the order of time. */
typedef struct fluid fluid;
typedef void (*fluid_visit)(void *context, const fluid *fluid, const fluid_transfer *transfer);

/* No transfer told later than the present one has started before. Costs a look at all that are under way. */
double fluid_floor_s(const fluid *fluid);

/* Can all of this collective's transfers be calculated so? What one position sends in a step the other one hears in the
 * same step; all links are shared (no Wi-Fi, no FATPIPE) and take time; all messages have a length. */
bool fluid_knows(const rh_collective *c, rh_platform *platform);

typedef struct fluid_def {
  const rh_collective *collective;
  rh_platform *platform;
  bool eager;
  const double *enter_s; /* [N] when positions enter */
  double rounding_s;     /* transfers take longer by up to that, each by another part of it; 0: not */
  fluid_visit visit;     /* NULL: nobody is told */
  void *context;
} fluid_def;

/* Steps between two marks. */
enum { FLUID_MARK = 32 };

/* def is borrowed. */
fluid *fluid_new(const fluid_def *def);
void fluid_free(fluid *fluid);
/* Marks are told of at step 0, every FLUID_MARK-th one, and at the end: so many there are. */
int64_t fluid_marks(const fluid *fluid);
/* Goes on until all positions have come to a mark; [N] when each of them did. */
const double *fluid_until(fluid *fluid, int64_t mark);
int64_t fluid_messages(const fluid *fluid); /* that are over */
/* SimGrid's times may be others (shares.h). */
bool fluid_doubtful(const fluid *fluid);

#endif
