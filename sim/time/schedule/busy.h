/* Busy seconds: the exact union of intervals that arrive out of order, in bounded memory.
 *
 * What lies before a time that no later interval can precede is folded into one number; of the rest a short sorted list
 * of disjoint intervals is kept.
 */
#ifndef RH_BUSY_H
#define RH_BUSY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rh_interval {
  double start_s, finish_s;
} rh_interval;

typedef struct rh_busy {
  rh_interval *list; /* [count] disjoint, ascending; owned */
  int32_t count, size;
  double folded_s; /* of what was folded */
} rh_busy;

/* Adds an interval; none that begins before the last fold. Touching intervals become one. An empty one is nothing. */
static inline void rh_busy_add(rh_busy *busy, double start_s, double finish_s);
/* The same of an interval that does not begin within the last one of the list. */
void rh_busy_insert(rh_busy *busy, double start_s, double finish_s);
/* Will the next rh_busy_add have to grow the list? Time to fold. */
static inline bool rh_busy_full(const rh_busy *busy)
{
  return busy->count == busy->size && busy->count > 0;
}
/* Folds everything before floor_s: no interval added later begins before it. */
void rh_busy_fold(rh_busy *busy, double floor_s);
double rh_busy_seconds(const rh_busy *busy);
/* Seconds before until_s, which lies behind the last fold. */
double rh_busy_before(const rh_busy *busy, double until_s);
/* At at_s, before which no interval added later begins, a span of time is put in that holds more_s busy seconds: what
 * was before is folded, what comes after moves back by span_s. */
void rh_busy_skip(rh_busy *busy, double at_s, double span_s, double more_s);
/* Seconds before until_s that both hold, folded parts left out. */
double rh_busy_overlap(const rh_busy *a, const rh_busy *b, double until_s);
void rh_busy_clear(rh_busy *busy);

static inline void rh_busy_add(rh_busy *busy, double start_s, double finish_s)
{
  rh_interval *last = busy->count > 0 ? &busy->list[busy->count - 1] : NULL;
  if (last == NULL || start_s < last->start_s || start_s > last->finish_s)
    rh_busy_insert(busy, start_s, finish_s);
  else if (finish_s > last->finish_s)
    last->finish_s = finish_s;
}

#endif
