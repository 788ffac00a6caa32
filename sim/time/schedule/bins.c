/* Bytes of links over time. See bins.h. */
#include "bins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

static const double first_width_s = 0x1p-40; /* about SimGrid's precision of 1e-12 s */

void rh_bins_init(rh_bins *bins, int32_t links)
{
  *bins = (rh_bins){.link_count = links, .limit = RH_BINS_MAX, .width_s = first_width_s};
  bins->bytes_of = calloc((size_t)links + 1, sizeof *bins->bytes_of); /* + 1: a platform may have no link */
  RH_ASSERT(bins->bytes_of != NULL);
}

void rh_bins_clear(rh_bins *bins)
{
  for (int32_t i = 0; i < bins->link_count; i++)
    free(bins->bytes_of[i]);
  free(bins->bytes_of);
  *bins = (rh_bins){0};
}

/* Twice the width: each two bins become one. */
static void fold(rh_bins *bins)
{
  bins->width_s *= 2;
  if (bins->used == 0) return;
  const int32_t limit = bins->limit, half = limit / 2;
  for (int32_t i = 0; i < bins->link_count; i++) {
    int64_t *b = bins->bytes_of[i];
    if (b == NULL) continue;
    for (int32_t k = 0; k < half; k++)
      b[k] = b[2 * k] + b[2 * k + 1];
    if (limit % 2 == 1) b[half] = b[limit - 1];
    const int32_t kept = half + limit % 2;
    memset(b + kept, 0, (size_t)(limit - kept) * sizeof *b);
  }
}

/* Room for one more link within the total: everybody's bins are halved as often as that takes. */
static void share(rh_bins *bins)
{
  while ((int64_t)(bins->used + 1) * bins->limit > RH_BINS_TOTAL && bins->limit > 1) {
    fold(bins);
    bins->limit = (bins->limit + 1) / 2;
    for (int32_t i = 0; i < bins->link_count; i++) {
      if (bins->bytes_of[i] == NULL) continue;
      bins->bytes_of[i] = realloc(bins->bytes_of[i], (size_t)bins->limit * sizeof **bins->bytes_of);
      RH_ASSERT(bins->bytes_of[i] != NULL);
    }
  }
}

static void reach(rh_bins *bins, double finish_s)
{
  while (finish_s > bins->limit * bins->width_s)
    fold(bins);
}

static void add_to(const rh_bins *bins, const int32_t *links, int32_t count, int32_t k, int64_t bytes)
{
  for (int32_t i = 0; i < count; i++)
    bins->bytes_of[links[i]][k] += bytes;
}

/* Every edge between bins has a whole number of the bytes before it, so that they add up. */
static void spread(const rh_bins *bins, const int32_t *links, int32_t count, int64_t bytes, double start_s,
                   double finish_s)
{
  const int32_t limit = bins->limit;
  const double width_s = bins->width_s, per_s = 1 / width_s, end = finish_s * per_s; /* exact: powers of two */
  int32_t first = (int32_t)(start_s * per_s), last = (int32_t)end;
  if (last == end) last--; /* an instant on an edge belongs to the bin before it */
  if (first > limit - 1) first = limit - 1;
  if (first >= last) {
    add_to(bins, links, count, last > 0 ? last : 0, bytes);
    return;
  }
  const double rate = (double)bytes / (finish_s - start_s);
  int64_t before = 0;
  for (int32_t k = first; k < last; k++) {
    int64_t until = (int64_t)(((k + 1) * width_s - start_s) * rate);
    if (until > bytes) until = bytes;
    add_to(bins, links, count, k, until - before);
    before = until;
  }
  add_to(bins, links, count, last, bytes - before);
}

static void make_room(rh_bins *bins, int32_t link)
{
  share(bins);
  bins->bytes_of[link] = calloc((size_t)bins->limit, sizeof **bins->bytes_of);
  RH_ASSERT(bins->bytes_of[link] != NULL);
  bins->used++;
}

void rh_bins_add_all(rh_bins *bins, const int32_t *links, int32_t count, int64_t bytes, double start_s, double finish_s)
{
  RH_ASSERT(start_s >= 0);
  if (count == 0 || bytes == 0 || !isfinite(finish_s)) return;
  for (int32_t i = 0; i < count; i++) {
    RH_ASSERT(links[i] >= 0 && links[i] < bins->link_count);
    if (bins->bytes_of[links[i]] == NULL) make_room(bins, links[i]);
  }
  reach(bins, finish_s);
  if (finish_s > bins->finish_s) bins->finish_s = finish_s;
  spread(bins, links, count, bytes, start_s, finish_s);
}

void rh_bins_add(rh_bins *bins, int32_t link, int64_t bytes, double start_s, double finish_s)
{
  rh_bins_add_all(bins, &link, 1, bytes, start_s, finish_s);
}

void rh_bins_insert(rh_bins *bins, double at_s, double span_s)
{
  if (bins->finish_s <= at_s) return;
  const double end_s = bins->finish_s;
  reach(bins, end_s + span_s);
  bins->finish_s += span_s;
  const double width_s = bins->width_s;
  const int32_t first = (int32_t)(at_s / width_s), last = (int32_t)ceil(end_s / width_s) - 1;
  for (int32_t i = 0; i < bins->link_count; i++) {
    int64_t *b = bins->bytes_of[i];
    if (b == NULL) continue;
    for (int32_t k = last; k >= first; k--) {
      if (b[k] == 0) continue;
      const double start_s = k * width_s, finish_s = fmin(start_s + width_s, end_s), from_s = fmax(start_s, at_s);
      const int64_t moved = (int64_t)((double)b[k] * ((finish_s - from_s) / (finish_s - start_s)));
      b[k] -= moved;
      spread(bins, &i, 1, moved, from_s + span_s, finish_s + span_s);
    }
  }
}

int64_t rh_bins_peak(const rh_bins *bins, int32_t link)
{
  int64_t most = 0;
  for (int32_t k = 0; bins->bytes_of[link] != NULL && k < bins->limit; k++)
    if (bins->bytes_of[link][k] > most) most = bins->bytes_of[link][k];
  return most;
}

const int64_t *rh_bins_of(const rh_bins *bins, int32_t link, int32_t *count)
{
  const int64_t *b = bins->bytes_of[link];
  *count = b != NULL ? bins->limit : 0;
  while (*count > 0 && b[*count - 1] == 0)
    --*count;
  return b;
}
