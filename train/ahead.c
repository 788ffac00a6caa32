#include "ahead.h"

#include "status.h"

/* What has not been fetched of a thread's rows. */
static _Thread_local struct {
  const char *row[RH_AHEAD_ROWS]; /* borrowed */
  int64_t bytes[RH_AHEAD_ROWS];   /* 0 or less: nothing */
} rest;

void rh_ahead_set(int count, const void *const *rows, int64_t bytes)
{
  RH_ASSERT(count >= 0 && count <= RH_AHEAD_ROWS);
  for (int k = 0; k < RH_AHEAD_ROWS; k++) {
    rest.row[k] = k < count ? rows[k] : NULL;
    rest.bytes[k] = k < count ? bytes : 0;
  }
}

rh_ahead_lines rh_ahead_take(int64_t lines, const void *read_anyway)
{
  for (int k = 0; k < RH_AHEAD_ROWS; k++) {
    if (rest.bytes[k] <= 0) continue;
    const char *const from = rest.row[k];
    rest.row[k] += lines * RH_AHEAD_LINE;
    rest.bytes[k] -= lines * RH_AHEAD_LINE;
    return (rh_ahead_lines){from, RH_AHEAD_LINE};
  }
  return (rh_ahead_lines){read_anyway, 0};
}
