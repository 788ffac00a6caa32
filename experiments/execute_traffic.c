/* Links, after the run; events. See execute_traffic.h. */
#include "execute_traffic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bins.h"
#include "store.h"

#include "run.h"

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
                     double bin_s, rh_link_row *row)
{
  if (time->bytes == 0 && time->busy_s == 0) return false; /* such links are not listed */
  const double bandwidth_Bps = rh_platform_link_bandwidth(platform, link);
  const double load = elapsed_s > 0 ? (double)time->bytes / (bandwidth_Bps * elapsed_s) : 0;
  *row = (rh_link_row){.name = rh_platform_link_name(platform, link),
                       .bandwidth_Bps = bandwidth_Bps,
                       .latency_s = rh_platform_link_latency(platform, link),
                       .bytes = time->bytes,
                       .busy_s = time->busy_s,
                       .load = load,
                       /* the last bin may end after the run and so look emptier than it was */
                       .peak_load = fmax(load, (double)time->peak_bytes / (bandwidth_Bps * bin_s))};
  return true;
}

/* Loads of a link in its bins, as bytes in loads [RH_BINS_MAX]; returns how many. */
static int32_t fill_loads(const rh_schedule *schedule, int32_t link, double bandwidth_Bps, uint8_t *loads)
{
  int32_t count;
  const int64_t *bytes = rh_schedule_link_bins(schedule, link, &count);
  const double full_bytes = bandwidth_Bps * rh_schedule_bin_s(schedule);
  for (int32_t k = 0; k < count; k++)
    loads[k] = rh_load_byte((double)bytes[k] / full_bytes);
  return count;
}

static rh_status record_series(const rh_schedule *schedule, const rh_platform *platform, const rh_recorder *recorder,
                               candidate *candidates, int32_t count)
{
  rh_status status = RH_OK;
  qsort(candidates, (size_t)count, sizeof *candidates, compare);
  for (int32_t i = 0; i < count && i < RH_EXECUTE_SERIES_MAX; i++) {
    rh_series_row row = {.link = rh_platform_link_name(platform, candidates[i].link)};
    row.bytes = rh_schedule_link_bins(schedule, candidates[i].link, &row.count);
    RH_TRY(recorder->series(recorder->context, &row));
  }
done:
  return status;
}

rh_status rh_execute_links(const rh_schedule *schedule, const rh_platform *platform, const rh_recorder *recorder)
{
  const int32_t links = rh_platform_link_count(platform);
  const double elapsed_s = rh_schedule_elapsed_s(schedule), bin_s = rh_schedule_bin_s(schedule);
  rh_status status = RH_OK;
  rh_text from = {0}, to = {0};
  uint8_t loads[RH_BINS_MAX];
  int32_t *rank_in = find_ranks(platform), count = 0;
  candidate *candidates = malloc(((size_t)links + 1) * sizeof *candidates);
  RH_ASSERT(candidates != NULL);
  for (int32_t l = 0; l < links; l++) {
    const rh_link_time time = rh_schedule_link_time(schedule, l);
    rh_link_row row;
    if (!fill_row(platform, l, &time, elapsed_s, bin_s, &row)) continue;
    name_end(platform, rank_in, time.ends.from_rank, time.ends.from_zone, &from);
    name_end(platform, rank_in, time.ends.to_rank, time.ends.to_zone, &to);
    row.from_where = rh_text_get(&from);
    row.to_where = rh_text_get(&to);
    row.bin_loads = loads;
    row.bin_count = fill_loads(schedule, l, row.bandwidth_Bps, loads);
    RH_TRY(recorder->link(recorder->context, &row));
    candidates[count++] = (candidate){l, row.load};
  }
  status = record_series(schedule, platform, recorder, candidates, count);
done:
  free(candidates);
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
