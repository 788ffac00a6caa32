/* Fetching what a thread will read next while it still calculates. Rows that lie far away, in the last-level cache or
 * in memory, come a few lines at a time between products that keep the core busy, not all at once when they are needed.
 * They go to the second-level cache. No value depends on it.
 */
#ifndef RH_AHEAD_H
#define RH_AHEAD_H

#include <stddef.h>
#include <stdint.h>

enum { RH_AHEAD_ROWS = 3, RH_AHEAD_LINE = 64 }; /* parameters and two moments; bytes of a cache line */

/* Names the rows that the calling thread will read next, instead of those named before; none: count 0.
 *
 * rows        [count], count <= RH_AHEAD_ROWS; they are never read, and need not be there any more
 * bytes       of each row
 */
void rh_ahead_set(int count, const void *const *rows, int64_t bytes);

/* Lines that a loop fetches, one each time round. */
typedef struct rh_ahead_lines {
  const char *line;
  int64_t step; /* bytes to the next one; 0: there is nothing to fetch, and `line` is a place that is read anyway */
} rh_ahead_lines;

/* The next so many lines of the calling thread's rows, for a loop that calculates and goes round as often. */
rh_ahead_lines rh_ahead_take(int64_t lines, const void *read_anyway);

static inline void rh_ahead_fetch(rh_ahead_lines *lines)
{
  __builtin_prefetch(lines->line, 0, 2);
  lines->line += lines->step;
}

#endif
