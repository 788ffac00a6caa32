/* Links, after the run; events. See execute_traffic.h. */
#include "execute_traffic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bins.h"
#include "store.h"

#include "run.h"

/* What a link could carry in a span of time, and how loaded it was. */
static double load_of(const rh_platform *platform, int32_t link, int64_t bytes, double from_s, double to_s)
{
  const rh_capacity *capacity = rh_platform_link_capacity(platform, link);
  const double nominal_bytes = rh_platform_link_bandwidth(platform, link) * (to_s - from_s);
  if (!(to_s > from_s)) return 0;
  if (capacity == NULL) return (double)bytes / nominal_bytes;
  const double could_bytes = rh_capacity_bytes(capacity, from_s, to_s);
  return rh_capacity_is_down(capacity, could_bytes / (to_s - from_s)) ? 0 : (double)bytes / could_bytes;
}

typedef struct candidate {
  int32_t link;
  double load;
} candidate;

/* The most loaded first; equals in the order of links. */
static int compare(const void *a, const void *b)
{
  const candidate *x = a, *y = b;
  if (x->load != y->load) return x->load > y->load ? -1 : 1;
  return (x->link > y->link) - (x->link < y->link);
}

typedef struct named {
  const char *name;
  int32_t link;
} named;

static int compare_names(const void *a, const void *b)
{
  return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

/* All links in the byte order of their names, which is the key's: a row put at the end of its table costs half of one
 * put somewhere in it. Owned by the caller. */
static named *find_order(const rh_platform *platform)
{
  const int32_t links = rh_platform_link_count(platform);
  named *order = malloc(((size_t)links + 1) * sizeof *order);
  RH_ASSERT(order != NULL);
  for (int32_t l = 0; l < links; l++)
    order[l] = (named){rh_platform_link_name(platform, l), l};
  qsort(order, (size_t)links, sizeof *order, compare_names);
  return order;
}

/* "rank 3", "zone left" or "": what all transfers over a link have in common at one end. Zones are told where ranks are
 * in more than one. */
static void name_end(const rh_platform *platform, const int32_t *rank_in, int32_t rank, int32_t zone, rh_text *out)
{
  rh_text_clear(out);
  if (rank >= 0)
    rh_text_append(out, "rank %d", (int)rank);
  else if (zone >= 0 && rh_platform_zone_count(platform) > 1)
    rh_text_append(out, "zone %s", rh_platform_zone(platform, rank_in[zone]));
}

/* A rank of each zone; owned by the caller. */
static int32_t *find_ranks(const rh_platform *platform)
{
  int32_t *rank_in = calloc((size_t)rh_platform_zone_count(platform), sizeof *rank_in);
  RH_ASSERT(rank_in != NULL);
  for (int32_t rank = rh_platform_workers(platform) - 1; rank >= 0; rank--)
    rank_in[rh_platform_zone_of(platform, rank)] = rank;
  return rank_in;
}

/* Fills a link's row but for its ends; false: nothing crossed it. */
static bool fill_row(const rh_platform *platform, int32_t link, const rh_link_time *time, double elapsed_s,
                     rh_link_row *row)
{
  if (time->bytes == 0 && time->busy_s == 0) return false; /* such links are not listed */
  const rh_capacity *capacity = rh_platform_link_capacity(platform, link);
  double bandwidth_Bps = rh_platform_link_bandwidth(platform, link);
  if (capacity != NULL && elapsed_s > 0) bandwidth_Bps = rh_capacity_bytes(capacity, 0, elapsed_s) / elapsed_s;
  *row = (rh_link_row){.name = rh_platform_link_name(platform, link),
                       .bandwidth_Bps = bandwidth_Bps,
                       .latency_s = rh_platform_link_latency(platform, link),
                       .down_s = capacity != NULL ? rh_capacity_down_s(capacity, elapsed_s) : 0,
                       .stalled_s = time->stalled_s,
                       .bytes = time->bytes,
                       .busy_s = time->busy_s,
                       .load = load_of(platform, link, time->bytes, 0, elapsed_s)};
  return true;
}

/* Loads of a link in its bins [RH_BINS_MAX]; returns their bytes, *count of them. A message's bytes are spread evenly
 * over its time, so a bin may hold more than its link can carry where messages overlap in part: then it is full. */
static const int64_t *find_loads(const rh_schedule *schedule, const rh_platform *platform, int32_t link, double *loads,
                                 int32_t *count)
{
  const int64_t *bytes = rh_schedule_link_bins(schedule, link, count);
  const double bin_s = rh_schedule_bin_s(schedule), most = rh_platform_link_fatpipe(platform, link) ? INFINITY : 1;
  for (int32_t k = 0; k < *count; k++)
    loads[k] = fmin(most, load_of(platform, link, bytes[k], k * bin_s, (k + 1) * bin_s));
  return bytes;
}

static rh_status record_series(const rh_schedule *schedule, const rh_platform *platform, const rh_recorder *recorder,
                               candidate *candidates, int32_t count)
{
  rh_status status = RH_OK;
  qsort(candidates, (size_t)count, sizeof *candidates, compare);
  for (int32_t i = 0; i < count && i < RH_EXECUTE_SERIES_MAX; i++) {
    double loads[RH_BINS_MAX];
    rh_series_row row = {.link = rh_platform_link_name(platform, candidates[i].link), .loads = loads};
    row.bytes = find_loads(schedule, platform, candidates[i].link, loads, &row.count);
    RH_TRY(recorder->series(recorder->context, &row));
  }
done:
  return status;
}

rh_status rh_execute_links(const rh_schedule *schedule, const rh_platform *platform, const rh_recorder *recorder)
{
  const int32_t links = rh_platform_link_count(platform);
  const double elapsed_s = rh_schedule_elapsed_s(schedule);
  rh_status status = RH_OK;
  rh_text from = {0}, to = {0};
  double loads[RH_BINS_MAX];
  uint8_t load_bytes[RH_BINS_MAX];
  int32_t *rank_in = find_ranks(platform), count = 0;
  named *order = find_order(platform);
  candidate *candidates = malloc(((size_t)links + 1) * sizeof *candidates);
  RH_ASSERT(candidates != NULL);
  for (int32_t i = 0; i < links; i++) {
    const int32_t l = order[i].link;
    const rh_link_time time = rh_schedule_link_time(schedule, l);
    rh_link_row row;
    if (!fill_row(platform, l, &time, elapsed_s, &row)) continue;
    name_end(platform, rank_in, time.ends.from_rank, time.ends.from_zone, &from);
    name_end(platform, rank_in, time.ends.to_rank, time.ends.to_zone, &to);
    row.from_where = rh_text_get(&from);
    row.to_where = rh_text_get(&to);
    row.bin_loads = load_bytes;
    (void)find_loads(schedule, platform, l, loads, &row.bin_count);
    row.peak_load = row.load; /* the last bin may end after the run and so look emptier than it was */
    for (int32_t k = 0; k < row.bin_count; k++) {
      row.peak_load = fmax(row.peak_load, loads[k]);
      load_bytes[k] = rh_load_byte(loads[k]);
    }
    RH_TRY(recorder->link(recorder->context, &row));
    candidates[count++] = (candidate){l, row.load};
  }
  status = record_series(schedule, platform, recorder, candidates, count);
done:
  free(candidates);
  free(order);
  free(rank_in);
  rh_text_clear(&from);
  rh_text_clear(&to);
  return status;
}

const char rh_execute_events_cut[] = "only the first " RH_TEXT_OF(
    RH_TRACE_MAX) " steps and messages of the rounds in run.trace are recorded: name fewer";

rh_status rh_execute_event(const rh_event *event, const rh_recorder *recorder)
{
  const rh_event_row row = {.round = event->round + 1,
                            .rank = event->rank,
                            .compute = event->lane == RH_LANE_COMPUTE,
                            .kind = event->label,
                            .peer = event->peer,
                            .bytes = event->bytes,
                            .start_s = event->start_s,
                            .finish_s = event->finish_s};
  return recorder->event(recorder->context, &row);
}
