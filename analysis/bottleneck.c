/* What a run's seconds were spent on. See bottleneck.h. */
#include "bottleneck.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "unit.h"

static const double loaded = 0.5, larger = 0.5, counts = 1.0 / 3, straggles = 1.25, worth_saying = 0.1, waits = 0.1,
                    alike = 1e-3;
static const double tcp_window_B = 4194304; /* SimGrid's network/TCP-gamma unless it is configured */

const char *rh_bottleneck_name(rh_bottleneck_kind kind)
{
  static const char *const names[RH_BOTTLENECK_KINDS] = {"none", "compute", "straggler", "down",
                                                         "link", "waiting", "links",     "latency"};
  return names[kind];
}

static int compare(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median_compute(const rh_rank_row *ranks, int32_t count)
{
  double *seconds = malloc((size_t)count * sizeof *seconds);
  RH_ASSERT(seconds != NULL);
  for (int32_t i = 0; i < count; i++)
    seconds[i] = ranks[i].compute_s;
  qsort(seconds, (size_t)count, sizeof *seconds, compare);
  const double median = 0.5 * (seconds[(count - 1) / 2] + seconds[count / 2]);
  free(seconds);
  return median;
}

static void find_in_ranks(const rh_rank_row *ranks, int32_t count, rh_bottleneck *b)
{
  const double median_s = median_compute(ranks, count);
  double waiting_s = 0, hidden_s = 0;
  b->slowest = &ranks[0];
  for (int32_t i = 0; i < count; i++) {
    waiting_s += ranks[i].waiting_s;
    hidden_s += ranks[i].both_s;
    if (ranks[i].compute_s > b->slowest->compute_s) b->slowest = &ranks[i];
    b->straggler_count += ranks[i].compute_s > 0 && ranks[i].compute_s >= straggles * median_s;
  }
  b->compute = b->slowest->compute_s / b->elapsed_s;
  if (b->slowest->compute_s > 0) b->coding = (b->slowest->encode_s + b->slowest->decode_s) / b->slowest->compute_s;
  b->median_compute = median_s / b->elapsed_s;
  b->waiting = waiting_s / count / b->elapsed_s;
  b->hidden = hidden_s / count / b->elapsed_s;
}

/* The most loaded link; of those that are loaded alike the one that is busy longest, the first of several. */
static const rh_link_row *most_loaded(const rh_link_row *links, int32_t count)
{
  double load = 0;
  const rh_link_row *most = NULL;
  for (int32_t i = 0; i < count; i++)
    load = fmax(load, links[i].load);
  for (int32_t i = 0; i < count; i++) {
    if (links[i].load < load * (1 - alike)) continue;
    if (most == NULL || links[i].busy_s > most->busy_s * (1 + alike)) most = &links[i];
  }
  return most;
}

static void find_in_links(const rh_rank_row *ranks, int32_t rank_count, const rh_link_row *links, int32_t link_count,
                          rh_bottleneck *b)
{
  double communication_s = 0;
  for (int32_t i = 0; i < rank_count; i++)
    communication_s = fmax(communication_s, ranks[i].communication_s);
  for (int32_t i = 0; i < link_count; i++) {
    communication_s = fmax(communication_s, links[i].busy_s);
    if (links[i].stalled_s > (b->stalled != NULL ? b->stalled->stalled_s : 0)) b->stalled = &links[i];
  }
  if (b->stalled != NULL) b->communication_stalled = b->stalled->stalled_s / communication_s;
  b->link = most_loaded(links, link_count);
  if (b->link == NULL || !(b->link->busy_s > 0)) return;
  const double full_s = (double)b->link->bytes / b->link->bandwidth_Bps;
  b->communication_load = full_s / communication_s;
  b->busy_load = full_s / b->link->busy_s;
  if (b->link->down_s > 0) {
    b->communication_load = fmin(1, b->communication_load);
    b->busy_load = fmin(1, b->busy_load);
  }
}

void rh_bottleneck_find(const rh_rank_row *ranks, int32_t rank_count, const rh_link_row *links, int32_t link_count,
                        double elapsed_s, rh_bottleneck *b)
{
  *b = (rh_bottleneck){.elapsed_s = elapsed_s};
  if (rank_count == 0 || !(elapsed_s > 0) || !isfinite(elapsed_s)) return;
  find_in_ranks(ranks, rank_count, b);
  find_in_links(ranks, rank_count, links, link_count, b);
  const rh_bottleneck_kind compute = b->straggler_count > 0 ? RH_BOTTLENECK_STRAGGLER : RH_BOTTLENECK_COMPUTE;
  const rh_bottleneck_kind communication = b->communication_stalled >= loaded ? RH_BOTTLENECK_DOWN
                                           : b->communication_load >= loaded  ? RH_BOTTLENECK_LINK
                                           : b->busy_load < loaded            ? RH_BOTTLENECK_LATENCY
                                           : b->waiting >= waits              ? RH_BOTTLENECK_WAITING
                                                                              : RH_BOTTLENECK_LINKS;
  const bool computes = b->compute >= larger;
  b->kind = computes ? compute : communication;
  if (b->compute > counts && b->compute < 1 - counts) b->other = computes ? communication : compute;
}

/* --- in words ----------------------------------------------------------------------------------------------------- */

static void percent(rh_text *out, double share)
{
  const double nothing = 1e-9; /* a rounding, in seconds that were added up */
  if (share < nothing) share = 0;
  const char *format = share == 0 || share >= 0.0995 ? "%.0f %%" : share >= 0.001 ? "%.1f %%" : "%.2g %%";
  rh_text_append(out, format, 100 * share);
}

static void quoted(rh_text *out, const char *name)
{
  rh_text_append(out, "'");
  rh_text_append_visible(out, name);
  rh_text_append(out, "'");
}

/* ", the way out of zone left": what its transfers have in common. */
static void write_ends(const rh_link_row *link, rh_text *out)
{
  const char *from = link->from_where != NULL ? link->from_where : "",
             *to = link->to_where != NULL ? link->to_where : "";
  const bool inside = from[0] != '\0' && strcmp(from, to) == 0;
  if (from[0] == '\0' && to[0] == '\0') return;
  rh_text_append(out, inside            ? ", inside "
                      : from[0] == '\0' ? ", the way into "
                      : to[0] == '\0'   ? ", the way out of "
                                        : ", the way from ");
  rh_text_append_visible(out, from[0] != '\0' ? from : to);
  if (!inside && from[0] != '\0' && to[0] != '\0') {
    rh_text_append(out, " to ");
    rh_text_append_visible(out, to);
  }
}

static void write_coding(const rh_bottleneck *b, rh_text *out)
{
  if (b->coding < worth_saying) return;
  rh_text_append(out, "; of the slowest rank's computing ");
  percent(out, b->coding);
  rh_text_append(out, " is encoding and decoding of messages");
}

static void write_compute(const rh_bottleneck *b, rh_text *out)
{
  char seconds[64];
  rh_unit_format(b->elapsed_s, RH_UNIT_SECOND, seconds, sizeof seconds);
  rh_text_append(out, "computing: the slowest rank computes ");
  percent(out, b->compute);
  rh_text_append(out, " of the %s, the median rank ", seconds);
  percent(out, b->median_compute);
  write_coding(b, out);
  if (b->hidden > 0.005) {
    rh_text_append(out, "; ranks communicate at the same time for ");
    percent(out, b->hidden);
  }
}

static void write_straggler(const rh_bottleneck *b, rh_text *out)
{
  char seconds[64];
  rh_unit_format(b->elapsed_s, RH_UNIT_SECOND, seconds, sizeof seconds);
  rh_text_append(out, "a straggler: rank %d (", (int)b->slowest->rank);
  rh_text_append_visible(out, b->slowest->host);
  rh_text_append(out, ") computes ");
  percent(out, b->compute);
  rh_text_append(out, " of the %s", seconds);
  if (b->median_compute > 0)
    rh_text_append(out, ", %.2f times as long as the median rank", b->compute / b->median_compute);
  if (b->straggler_count > 1)
    rh_text_append(out, ", with %d more at %.2f times or above", (int)b->straggler_count - 1, straggles);
  write_coding(b, out);
  rh_text_append(out, "; ranks wait for ");
  percent(out, b->waiting);
  rh_text_append(out, " on average");
}

static void write_down(const rh_bottleneck *b, rh_text *out)
{
  char stalled[64], down[64], seconds[64];
  rh_unit_format(b->stalled->stalled_s, RH_UNIT_SECOND, stalled, sizeof stalled);
  rh_unit_format(b->stalled->down_s, RH_UNIT_SECOND, down, sizeof down);
  rh_unit_format(b->elapsed_s, RH_UNIT_SECOND, seconds, sizeof seconds);
  rh_text_append(out, "link ");
  quoted(out, b->stalled->name);
  write_ends(b->stalled, out);
  rh_text_append(out, ", which its profile has down for %s of the %s: messages wait %s for it to come back", down,
                 seconds, stalled);
}

/* Whether two shares read the same in whole percents. */
static bool same(double a, double b)
{
  return round(100 * a) == round(100 * b);
}

static void write_link(const rh_bottleneck *b, rh_text *out)
{
  const rh_link_row *link = b->link;
  const bool whole = same(b->communication_load, link->load), peaks = link->peak_load > 0;
  rh_text_append(out, "link ");
  quoted(out, link->name);
  write_ends(link, out);
  rh_text_append(out, ": it carries ");
  percent(out, b->communication_load);
  rh_text_append(out, " of what it can");
  if (whole && (!peaks || same(link->load, link->peak_load))) {
    rh_text_append(out, ", all the time");
    return;
  }
  rh_text_append(out, whole ? " over the whole run" : " while the run communicates, ");
  if (!whole) {
    percent(out, link->load);
    rh_text_append(out, " over the whole run");
  }
  if (!peaks) return;
  rh_text_append(out, ", ");
  percent(out, link->peak_load);
  rh_text_append(out, " at its peak");
}

static void write_waiting(const rh_bottleneck *b, rh_text *out)
{
  rh_text_append(out, "waiting: ranks wait for one another, ");
  percent(out, b->waiting);
  rh_text_append(out, " of the time on average; the most loaded link, ");
  quoted(out, b->link->name);
  write_ends(b->link, out);
  rh_text_append(out, ", is full while it is busy (");
  percent(out, b->busy_load);
  rh_text_append(out, "), but busy for only ");
  percent(out, b->link->busy_s / b->elapsed_s);
}

static void write_links(const rh_bottleneck *b, rh_text *out)
{
  rh_text_append(out, "communication, over now this and now that link: the most loaded one, ");
  quoted(out, b->link->name);
  write_ends(b->link, out);
  rh_text_append(out, ", carries ");
  percent(out, b->busy_load);
  rh_text_append(out, " of what it can while it is busy, but is busy for only ");
  percent(out, b->link->busy_s / b->elapsed_s);
  rh_text_append(out, "; ranks compute for at most ");
  percent(out, b->compute);
}

/* Over a long path TCP's window may hold a message up more than its latency does; rows do not say whether the network
 * model has one, so this says what it would let through. */
static void write_window(const rh_link_row *link, rh_text *out)
{
  char window[64], most[64], bandwidth[64];
  const double most_Bps = tcp_window_B / (2 * link->latency_s);
  if (!(link->latency_s > 0) || most_Bps >= link->bandwidth_Bps) return;
  rh_text_append(out,
                 "; where the network model has TCP's window (LV08, of %s unless the platform's file says another)"
                 " a message over it gets at most %s of its %s",
                 rh_unit_format(tcp_window_B, RH_UNIT_BYTE, window, sizeof window),
                 rh_unit_format(most_Bps, RH_UNIT_BANDWIDTH, most, sizeof most),
                 rh_unit_format(link->bandwidth_Bps, RH_UNIT_BANDWIDTH, bandwidth, sizeof bandwidth));
}

static void write_latency(const rh_bottleneck *b, rh_text *out)
{
  rh_text_append(out, "latency: no link is loaded");
  if (b->link != NULL) {
    rh_text_append(out, ", the most loaded one, ");
    quoted(out, b->link->name);
    rh_text_append(out, ", carries ");
    percent(out, b->busy_load);
    rh_text_append(out, " of what it can while it is busy");
    write_window(b->link, out);
  }
  rh_text_append(out, "; ranks wait for ");
  percent(out, b->waiting);
  rh_text_append(out, " on average and compute for at most ");
  percent(out, b->compute);
}

void rh_bottleneck_write(const rh_bottleneck *b, rh_text *out)
{
  static void (*const write[RH_BOTTLENECK_KINDS])(const rh_bottleneck *, rh_text *) = {
      [RH_BOTTLENECK_COMPUTE] = write_compute, [RH_BOTTLENECK_STRAGGLER] = write_straggler,
      [RH_BOTTLENECK_DOWN] = write_down,       [RH_BOTTLENECK_LINK] = write_link,
      [RH_BOTTLENECK_WAITING] = write_waiting, [RH_BOTTLENECK_LINKS] = write_links,
      [RH_BOTTLENECK_LATENCY] = write_latency};
  if (b->kind == RH_BOTTLENECK_NONE) return;
  rh_text_append(out, "The bottleneck is ");
  write[b->kind](b, out);
  rh_text_append(out, ".");
  if (b->other == RH_BOTTLENECK_NONE) return;
  rh_text_append(out, " Nearly as much comes from ");
  write[b->other](b, out);
  rh_text_append(out, ".");
}
