/* Union of intervals. See busy.h. */
#include "busy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

enum { FIRST_SIZE = 8 };

static void grow(rh_busy *busy)
{
  busy->size = busy->size > 0 ? 2 * busy->size : FIRST_SIZE;
  busy->list = realloc(busy->list, (size_t)busy->size * sizeof *busy->list);
  RH_ASSERT(busy->list != NULL);
}

/* Removes intervals [from, to). */
static void cut(rh_busy *busy, int32_t from, int32_t to)
{
  if (from == to) return; /* perhaps of an empty list, which is nowhere */
  memmove(busy->list + from, busy->list + to, (size_t)(busy->count - to) * sizeof *busy->list);
  busy->count -= to - from;
}

void rh_busy_insert(rh_busy *busy, double start_s, double finish_s)
{
  if (!(finish_s > start_s)) return;
  /* [first, last) are the intervals that the new one touches; nearly always at the end of the list */
  int32_t last = busy->count;
  while (last > 0 && busy->list[last - 1].start_s > finish_s)
    last--;
  int32_t first = last;
  while (first > 0 && busy->list[first - 1].finish_s >= start_s)
    first--;
  if (first < last) {
    rh_interval *into = &busy->list[first];
    into->start_s = fmin(into->start_s, start_s);
    into->finish_s = fmax(busy->list[last - 1].finish_s, finish_s);
    cut(busy, first + 1, last);
    return;
  }
  if (busy->count == busy->size) grow(busy);
  memmove(busy->list + first + 1, busy->list + first, (size_t)(busy->count - first) * sizeof *busy->list);
  busy->list[first] = (rh_interval){.start_s = start_s, .finish_s = finish_s};
  busy->count++;
}

void rh_busy_fold(rh_busy *busy, double floor_s)
{
  int32_t gone = 0;
  while (gone < busy->count && busy->list[gone].finish_s <= floor_s) {
    busy->folded_s += busy->list[gone].finish_s - busy->list[gone].start_s;
    gone++;
  }
  cut(busy, 0, gone);
  if (busy->count > 0 && busy->list[0].start_s < floor_s) {
    busy->folded_s += floor_s - busy->list[0].start_s;
    busy->list[0].start_s = floor_s;
  }
}

double rh_busy_seconds(const rh_busy *busy)
{
  double seconds = busy->folded_s;
  for (int32_t i = 0; i < busy->count; i++)
    seconds += busy->list[i].finish_s - busy->list[i].start_s;
  return seconds;
}

double rh_busy_before(const rh_busy *busy, double until_s)
{
  double seconds = busy->folded_s;
  for (int32_t i = 0; i < busy->count && busy->list[i].start_s < until_s; i++)
    seconds += fmin(busy->list[i].finish_s, until_s) - busy->list[i].start_s;
  return seconds;
}

void rh_busy_skip(rh_busy *busy, double at_s, double span_s, double more_s)
{
  rh_busy_fold(busy, at_s);
  busy->folded_s += more_s;
  for (int32_t i = 0; i < busy->count; i++) {
    busy->list[i].start_s += span_s;
    busy->list[i].finish_s += span_s;
  }
}

double rh_busy_overlap(const rh_busy *a, const rh_busy *b, double until_s)
{
  double seconds = 0;
  for (int32_t i = 0, j = 0; i < a->count && j < b->count;) {
    const double start_s = fmax(a->list[i].start_s, b->list[j].start_s);
    const double finish_s = fmin(fmin(a->list[i].finish_s, b->list[j].finish_s), until_s);
    if (finish_s > start_s) seconds += finish_s - start_s;
    if (a->list[i].finish_s < b->list[j].finish_s)
      i++;
    else
      j++;
  }
  return seconds;
}

void rh_busy_clear(rh_busy *busy)
{
  free(busy->list);
  *busy = (rh_busy){0};
}
