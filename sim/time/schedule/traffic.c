/* Traffic of links and ranks. See traffic.h. */
#include "traffic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double waiting_least =
    1e-12; /* of the elapsed time: as many roundings as 10,000 intervals may add up to */

void rh_traffic_init(rh_traffic *traffic, int32_t links, int32_t ranks)
{
  traffic->link_count = links;
  traffic->rank_count = ranks;
  traffic->links = calloc((size_t)links + 1, sizeof *traffic->links); /* + 1: a platform may have no link */
  traffic->ranks = calloc((size_t)ranks, sizeof *traffic->ranks);
  RH_ASSERT(traffic->links != NULL && traffic->ranks != NULL);
  for (int32_t i = 0; i < links; i++)
    traffic->links[i].ends = (rh_link_ends){RH_NOBODY, RH_NOBODY, RH_NOBODY, RH_NOBODY};
  rh_bins_init(&traffic->bins, links);
  rh_pairs_init(&traffic->pairs, ranks);
  traffic->floor_s = 0;
  traffic->told = 0;
  traffic->hold_s = INFINITY;
}

/* The floor costs a look at every rank, so it is asked for at most once in as many transfers; in between a list that is
 * full grows instead. */
double traffic_floor(rh_traffic *traffic)
{
  if (traffic->told >= traffic->rank_count) {
    traffic->floor_s = traffic->transfer_floor(traffic->context);
    traffic->told = 0;
  }
  return fmin(traffic->floor_s, traffic->hold_s);
}

static void fold_rank(rh_traffic *traffic, int32_t rank)
{
  rh_traffic_rank *r = &traffic->ranks[rank];
  const double floor_s = fmin(traffic_floor(traffic), traffic->compute_floor(traffic->context, rank));
  r->both_s += rh_busy_overlap(&r->compute, &r->communication, floor_s);
  rh_busy_fold(&r->compute, floor_s);
  rh_busy_fold(&r->encode, floor_s);
  rh_busy_fold(&r->decode, floor_s);
  rh_busy_fold(&r->communication, floor_s);
}

static void add_communication(rh_traffic *traffic, int32_t rank, double start_s, double finish_s)
{
  if (rh_busy_full(&traffic->ranks[rank].communication)) fold_rank(traffic, rank);
  rh_busy_add(&traffic->ranks[rank].communication, start_s, finish_s);
}

static void note_end(int32_t *known, int32_t seen)
{
  if (*known == RH_NOBODY)
    *known = seen;
  else if (*known != seen)
    *known = RH_SEVERAL;
}

static void note_ends(const rh_traffic *traffic, rh_link_ends *ends, int32_t from, int32_t to)
{
  note_end(&ends->from_rank, from);
  note_end(&ends->to_rank, to);
  if (traffic->zones == NULL) return;
  note_end(&ends->from_zone, traffic->zones[from]);
  note_end(&ends->to_zone, traffic->zones[to]);
}

void rh_traffic_spread(rh_traffic *traffic, const rh_route *route, int64_t bytes, double start_s, double finish_s)
{
  if (traffic->changing != NULL)
    traffic_spread_changing(traffic, route, bytes, start_s, finish_s);
  else
    rh_bins_add_all(&traffic->bins, route->links, route->link_count, bytes, start_s, finish_s);
}

static void count(rh_traffic *traffic, int32_t from, int32_t to, const rh_route *route, int64_t bytes, int64_t times)
{
  int64_t *ranks = traffic->counts + traffic->link_count;
  for (int32_t i = 0; i < route->link_count; i++)
    traffic->counts[route->links[i]] += times * bytes;
  ranks[from] += times * bytes;
  ranks[traffic->rank_count + to] += times * bytes;
  ranks[2 * traffic->rank_count + from] += times;
}

void rh_traffic_transfer(rh_traffic *traffic, int32_t from, int32_t to, const rh_route *route, int64_t bytes,
                         double start_s, double finish_s)
{
  for (int32_t i = 0; i < route->link_count; i++) {
    rh_traffic_link *link = &traffic->links[route->links[i]];
    link->bytes += bytes;
    if (rh_busy_full(&link->busy)) rh_busy_fold(&link->busy, traffic_floor(traffic));
    rh_busy_add(&link->busy, start_s, finish_s);
    if (traffic->changing != NULL) traffic_stall(traffic, route->links[i], start_s, finish_s);
  }
  rh_traffic_spread(traffic, route, bytes, start_s, finish_s);
  add_communication(traffic, from, start_s, finish_s);
  add_communication(traffic, to, start_s, finish_s);
  traffic->ranks[from].sent_bytes += bytes;
  traffic->ranks[from].sent_messages++;
  traffic->ranks[to].received_bytes += bytes;
  traffic->told++;
  rh_pairs_add(&traffic->pairs, from, to, bytes, traffic->counting);
  if (traffic->counting) count(traffic, from, to, route, bytes, 1);
}

void rh_traffic_ends(rh_traffic *traffic, int32_t from, int32_t to, const rh_route *route)
{
  for (int32_t i = 0; i < route->link_count; i++)
    note_ends(traffic, &traffic->links[route->links[i]].ends, from, to);
}

rh_traffic_part rh_traffic_part_of(const char *label)
{
  if (strcmp(label, RH_LABEL_ENCODE) == 0) return RH_PART_ENCODE;
  return strcmp(label, RH_LABEL_DECODE) == 0 ? RH_PART_DECODE : RH_PART_NONE;
}

void rh_traffic_compute(rh_traffic *traffic, int32_t rank, const char *label, double start_s, double finish_s)
{
  rh_traffic_rank *r = &traffic->ranks[rank];
  rh_busy *const parts[] = {[RH_PART_NONE] = NULL, [RH_PART_ENCODE] = &r->encode, [RH_PART_DECODE] = &r->decode};
  rh_busy *part = parts[rh_traffic_part_of(label)];
  if (rh_busy_full(&r->compute) || (part && rh_busy_full(part))) fold_rank(traffic, rank);
  rh_busy_add(&r->compute, start_s, finish_s);
  if (part) rh_busy_add(part, start_s, finish_s);
  traffic->told++;
}

void rh_traffic_lone(rh_traffic *traffic, int32_t from, int32_t to, const rh_route *route, int64_t bytes, int64_t times,
                     double lone_s)
{
  for (int32_t i = 0; i < route->link_count; i++) {
    rh_traffic_link *link = &traffic->links[route->links[i]];
    link->bytes += times * bytes;
    link->busy.folded_s += (double)times * lone_s;
    note_ends(traffic, &link->ends, from, to);
  }
  traffic->ranks[from].sent_bytes += times * bytes;
  traffic->ranks[from].sent_messages += times;
  traffic->ranks[to].received_bytes += times * bytes;
  rh_pairs_add(&traffic->pairs, from, to, times * bytes, traffic->counting);
  if (traffic->counting) count(traffic, from, to, route, bytes, times);
}

void rh_traffic_busy(rh_traffic *traffic, int32_t rank, const rh_busy *busy, double shift_s)
{
  traffic->ranks[rank].communication.folded_s += busy->folded_s;
  for (int32_t i = 0; i < busy->count; i++)
    add_communication(traffic, rank, busy->list[i].start_s + shift_s, busy->list[i].finish_s + shift_s);
}

rh_rank_time rh_traffic_rank_time(const rh_traffic *traffic, int32_t rank, double end_s)
{
  const rh_traffic_rank *r = &traffic->ranks[rank];
  rh_rank_time time = {.compute_s = rh_busy_seconds(&r->compute),
                       .encode_s = rh_busy_seconds(&r->encode),
                       .decode_s = rh_busy_seconds(&r->decode),
                       .communication_s = rh_busy_seconds(&r->communication),
                       .both_s = r->both_s + rh_busy_overlap(&r->compute, &r->communication, INFINITY),
                       .sent_bytes = r->sent_bytes,
                       .received_bytes = r->received_bytes,
                       .sent_messages = r->sent_messages};
  /* the sum of many intervals differs from their span by roundings, which are no waiting */
  const double waiting_s = end_s - (time.compute_s + time.communication_s - time.both_s);
  time.waiting_s = waiting_s > waiting_least * end_s ? waiting_s : 0;
  return time;
}

rh_link_time rh_traffic_link_time(const rh_traffic *traffic, int32_t link)
{
  const rh_traffic_link *l = &traffic->links[link];
  return (rh_link_time){.bytes = l->bytes,
                        .busy_s = rh_busy_seconds(&l->busy),
                        .stalled_s = rh_busy_seconds(&l->stalled),
                        .peak_bytes = rh_bins_peak(&traffic->bins, link),
                        .ends = l->ends};
}

/* --- spans that are skipped --------------------------------------------------------------------------------------- */

static double rank_cut(const rh_traffic *traffic, int32_t rank, double at_s)
{
  return fmin(at_s, traffic->compute_floor(traffic->context, rank));
}

/* What a mark holds and differences are formed of: seconds of links, and of five kinds of ranks. */
static size_t values_of(const rh_traffic *traffic)
{
  return (size_t)traffic->link_count + 5 * (size_t)traffic->rank_count;
}

void rh_traffic_mark_at(const rh_traffic *traffic, double at_s, rh_traffic_mark *mark)
{
  const int32_t links = traffic->link_count, ranks = traffic->rank_count;
  if (mark->links == NULL) {
    mark->links = calloc(values_of(traffic) + (size_t)ranks, sizeof *mark->links);
    RH_ASSERT(mark->links != NULL);
    mark->compute = mark->links + links;
    mark->encode = mark->compute + ranks;
    mark->decode = mark->encode + ranks;
    mark->communication = mark->decode + ranks;
    mark->both = mark->communication + ranks;
    mark->rank_at_s = mark->both + ranks;
  }
  mark->at_s = at_s;
  for (int32_t i = 0; i < links; i++)
    mark->links[i] = rh_busy_before(&traffic->links[i].busy, at_s);
  for (int32_t i = 0; i < ranks; i++) {
    const rh_traffic_rank *r = &traffic->ranks[i];
    const double rank_at_s = rank_cut(traffic, i, at_s);
    mark->rank_at_s[i] = rank_at_s;
    mark->compute[i] = rh_busy_before(&r->compute, rank_at_s);
    mark->encode[i] = rh_busy_before(&r->encode, rank_at_s);
    mark->decode[i] = rh_busy_before(&r->decode, rank_at_s);
    mark->communication[i] = rh_busy_before(&r->communication, rank_at_s);
    mark->both[i] = r->both_s + rh_busy_overlap(&r->compute, &r->communication, rank_at_s);
  }
}

void rh_traffic_mark_clear(rh_traffic_mark *mark)
{
  free(mark->links);
  *mark = (rh_traffic_mark){0};
}

void rh_traffic_add(rh_traffic *traffic, int32_t from, int32_t to, const rh_route *route, int64_t bytes, int64_t times)
{
  for (int32_t i = 0; i < route->link_count; i++)
    traffic->links[route->links[i]].bytes += times * bytes;
  rh_traffic_spread(traffic, route, times * bytes, traffic->span_start_s, traffic->span_finish_s);
  traffic->ranks[from].sent_bytes += times * bytes;
  traffic->ranks[from].sent_messages += times;
  traffic->ranks[to].received_bytes += times * bytes;
  rh_pairs_add(&traffic->pairs, from, to, times * bytes, traffic->counting);
  if (traffic->counting) count(traffic, from, to, route, bytes, times);
}

double rh_traffic_mark_since(const rh_traffic *traffic, double at_s, rh_traffic_mark *mark)
{
  rh_traffic_mark now = {0};
  rh_traffic_mark_at(traffic, at_s, &now);
  const size_t values = values_of(traffic);
  for (size_t i = 0; i < values; i++)
    mark->links[i] = now.links[i] - mark->links[i];
  double uneven_s = 0;
  for (int32_t i = 0; i < traffic->rank_count; i++)
    uneven_s = fmax(uneven_s, fabs(now.rank_at_s[i] - mark->rank_at_s[i] - (at_s - mark->at_s)));
  rh_traffic_mark_clear(&now);
  return uneven_s;
}

void rh_traffic_mark_divide(const rh_traffic *traffic, rh_traffic_mark *mark, int64_t parts)
{
  const size_t values = values_of(traffic);
  for (size_t i = 0; i < values; i++)
    mark->links[i] /= (double)parts;
}

void rh_traffic_skip(rh_traffic *traffic, const rh_traffic_mark *busy, double at_s, double span_s, int64_t times)
{
  const double all_s = (double)times * span_s, n = (double)times;
  for (int32_t i = 0; i < traffic->link_count; i++)
    rh_busy_skip(&traffic->links[i].busy, at_s, all_s, n * busy->links[i]);
  for (int32_t i = 0; i < traffic->rank_count; i++) {
    rh_traffic_rank *r = &traffic->ranks[i];
    const double rank_at_s = rank_cut(traffic, i, at_s);
    r->both_s += rh_busy_overlap(&r->compute, &r->communication, rank_at_s) + n * busy->both[i];
    rh_busy_skip(&r->compute, rank_at_s, all_s, n * busy->compute[i]);
    rh_busy_skip(&r->encode, rank_at_s, all_s, n * busy->encode[i]);
    rh_busy_skip(&r->decode, rank_at_s, all_s, n * busy->decode[i]);
    rh_busy_skip(&r->communication, rank_at_s, all_s, n * busy->communication[i]);
  }
  rh_bins_insert(&traffic->bins, at_s, all_s);
  traffic->span_start_s = at_s;
  traffic->span_finish_s = at_s + all_s;
  traffic->floor_s = at_s;
  traffic->hold_s = INFINITY;
}

void rh_traffic_count_begin(rh_traffic *traffic)
{
  const size_t values = (size_t)traffic->link_count + 3 * (size_t)traffic->rank_count;
  if (traffic->counts == NULL) traffic->counts = malloc(values * sizeof *traffic->counts);
  RH_ASSERT(traffic->counts != NULL);
  memset(traffic->counts, 0, values * sizeof *traffic->counts);
  rh_pairs_count_begin(&traffic->pairs);
}

int64_t rh_traffic_count_add(rh_traffic *traffic, int64_t times)
{
  const int64_t *sent = traffic->counts + traffic->link_count, *received = sent + traffic->rank_count,
                *messages = received + traffic->rank_count;
  int64_t sum = 0;
  for (int32_t i = 0; i < traffic->link_count; i++) {
    traffic->links[i].bytes += times * traffic->counts[i];
    if (traffic->counts[i] > 0)
      rh_bins_add(&traffic->bins, i, times * traffic->counts[i], traffic->span_start_s, traffic->span_finish_s);
  }
  for (int32_t i = 0; i < traffic->rank_count; i++) {
    traffic->ranks[i].sent_bytes += times * sent[i];
    traffic->ranks[i].received_bytes += times * received[i];
    traffic->ranks[i].sent_messages += times * messages[i];
    sum += times * messages[i];
  }
  rh_pairs_count_add(&traffic->pairs, times);
  return sum;
}

void rh_traffic_clear(rh_traffic *traffic)
{
  for (int32_t i = 0; i < traffic->link_count; i++) {
    rh_busy_clear(&traffic->links[i].busy);
    rh_busy_clear(&traffic->links[i].stalled);
  }
  for (int32_t i = 0; i < traffic->rank_count; i++) {
    rh_busy_clear(&traffic->ranks[i].compute);
    rh_busy_clear(&traffic->ranks[i].encode);
    rh_busy_clear(&traffic->ranks[i].decode);
    rh_busy_clear(&traffic->ranks[i].communication);
  }
  rh_bins_clear(&traffic->bins);
  rh_pairs_clear(&traffic->pairs);
  free(traffic->links);
  free(traffic->ranks);
  free(traffic->counts);
  *traffic = (rh_traffic){0};
}
