/* Rounds of a log appended to a schedule again. What a file says is tried before it is used. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "oplog_private.h"

typedef struct reader {
  const rh_oplog *log;
  const rh_oplog_world *world;
  rh_schedule *schedule;
  int32_t workers;
  const rh_token *base; /* [2 workers] */
  rh_token *after;      /* [workers] scratch */
  const int64_t *words;
  int64_t count, at;
} reader;

/* The token that a kept distance stands for: of an operation that was appended. */
static bool absolute(const reader *r, int32_t rank, int64_t kept, rh_token *token)
{
  *token = RH_AT_ONCE;
  if (kept == AT_ONCE) return true;
  const int64_t lane = kept & 1, base = r->base[2 * rank + lane] >> 1, distance = (kept - lane) / 2;
  const int64_t last = rh_schedule_last(r->schedule, rank, lane ? RH_LANE_COMMUNICATION : RH_LANE_COMPUTE) >> 1;
  if (distance <= -base || distance > last - base) return false;
  *token = (base + distance) << 1 | lane;
  return true;
}

static bool is_rank(const reader *r, int64_t number)
{
  return number >= 0 && number < r->workers;
}

static rh_status replay_compute(reader *r, const int64_t *w)
{
  double seconds;
  rh_token after;
  memcpy(&seconds, &w[2], sizeof seconds);
  const char *label = rh_oplog_string_at(r->log, (int32_t)w[3]);
  if (!is_rank(r, w[1]) || !(seconds >= 0) || !isfinite(seconds) || !label || !absolute(r, (int32_t)w[1], w[4], &after))
    return oplog_damaged("a step of no rank, or without a time");
  rh_schedule_compute(r->schedule, (int32_t)w[1], seconds, label, after);
  return RH_OK;
}

static rh_status replay_send(reader *r, const int64_t *w)
{
  rh_token from, to;
  const char *label = rh_oplog_string_at(r->log, (int32_t)w[4]);
  if (!is_rank(r, w[1]) || !is_rank(r, w[2]) || w[1] == w[2] || w[3] < 0 || !label ||
      !absolute(r, (int32_t)w[1], w[5], &from) || !absolute(r, (int32_t)w[2], w[6], &to))
    return oplog_damaged("a message between no ranks");
  rh_schedule_send(r->schedule, (int32_t)w[1], (int32_t)w[2], w[3], label, from, to);
  return RH_OK;
}

/* An array of `count` numbers below `end` in a blob; NULL if it is none. */
static const int32_t *indices(const rh_oplog *log, int64_t number, size_t count, int32_t end)
{
  const blob *b = oplog_blob(log, number, count * sizeof(int32_t), count * sizeof(int32_t));
  const int32_t *list = b ? b->data : NULL;
  for (size_t i = 0; list && i < count; i++)
    if (list[i] < 0 || list[i] >= end) return NULL;
  return list;
}

static const int32_t *offsets(const rh_oplog *log, int64_t number, int32_t workers)
{
  const int32_t *list = indices(log, number, (size_t)workers + 1, INT32_MAX);
  if (!list || list[0] != 0) return NULL;
  for (int32_t i = 0; i < workers; i++)
    if (list[i + 1] < list[i]) return NULL;
  return list;
}

static const rh_neighbours *graph_at(const rh_oplog *log, int64_t number, int32_t workers)
{
  const blob *b = oplog_blob(log, number, G_WORDS * sizeof(int64_t), G_WORDS * sizeof(int64_t));
  if (!b) return NULL;
  if (b->graph) return b->graph->workers == workers ? b->graph : NULL;
  const int64_t *w = b->data;
  if (w[G_WORKERS] != workers) return NULL;
  rh_neighbours n = {.workers = workers,
                     .out_offset = offsets(log, w[G_OUT_OFFSET], workers),
                     .in_offset = offsets(log, w[G_IN_OFFSET], workers)};
  if (!n.out_offset || !n.in_offset) return NULL;
  n.out = indices(log, w[G_OUT], (size_t)n.out_offset[workers], workers);
  n.in = indices(log, w[G_IN], (size_t)n.in_offset[workers], workers);
  if (!n.out || !n.in) return NULL;
  rh_neighbours *graph = malloc(sizeof *graph);
  RH_ASSERT(graph && "memory is exhausted");
  *graph = n;
  log->blobs[number].graph = graph;
  return graph;
}

/* Whether lengths are lengths, and what some kinds divide by or look up is there. */
static bool is_complete(const rh_collective *c)
{
  for (int32_t p = 0; c->bytes_of && p < c->size; p++)
    if (c->bytes_of[p] < 0) return false;
  int64_t ranks = 1;
  for (int k = 0; k < RH_TORUS_MAX && c->sides[k] != 0; k++) {
    if (c->sides[k] < 1 || c->sides[k] > c->size / ranks) return false;
    ranks *= c->sides[k];
  }
  if (c->sides[0] != 0 && ranks != c->size) return false;
  if (strcmp(c->kind->name, "allreduce-server") == 0 && c->shards < 1) return false;
  return c->neighbours || strcmp(c->kind->name, "neighbour-exchange") != 0;
}

static bool read_collective(const reader *r, int64_t number, rh_collective *c)
{
  const rh_oplog *log = r->log;
  const blob *b = oplog_blob(log, number, C_WORDS * sizeof(int64_t), C_WORDS * sizeof(int64_t));
  if (!b) return false;
  const int64_t *w = b->data;
  const char *name = rh_oplog_string_at(log, (int32_t)w[C_KIND]);
  if (!name || w[C_SIZE] < 1 || w[C_SIZE] > r->workers || w[C_BYTES] < 0 || w[C_ELEMENT] < 1 || w[C_SHARDS] < 0 ||
      w[C_SHARDS] > w[C_SIZE])
    return false;
  *c = (rh_collective){.kind = r->world->find(name),
                       .size = (int32_t)w[C_SIZE],
                       .bytes = w[C_BYTES],
                       .element_bytes = w[C_ELEMENT],
                       .shards = (int32_t)w[C_SHARDS],
                       .zone_of = w[C_ZONES] ? r->world->zone_of : NULL};
  const size_t size = (size_t)c->size;
  if (w[C_GROUP] >= 0) c->group = indices(log, w[C_GROUP], size, r->workers);
  if (w[C_GRAPH] >= 0) c->neighbours = graph_at(log, w[C_GRAPH], c->size);
  const blob *bytes_of = oplog_blob(log, w[C_BYTES_OF], size * sizeof(int64_t), size * sizeof(int64_t));
  if (bytes_of) c->bytes_of = bytes_of->data;
  for (int k = 0; k < RH_TORUS_MAX; k++)
    c->sides[k] = (int32_t)w[C_SIDES + k];
  return c->kind && (w[C_GROUP] < 0 || c->group) && (w[C_GRAPH] < 0 || c->neighbours) &&
         (w[C_BYTES_OF] < 0 || c->bytes_of) && is_complete(c);
}

static rh_status replay_collective(reader *r, const int64_t *w)
{
  rh_collective c;
  const int64_t tokens = w[2];
  if (!read_collective(r, w[1], &c) || (tokens != 0 && tokens != c.size) || tokens > r->count - r->at)
    return oplog_damaged("a collective that cannot be");
  for (int32_t p = 0; p < tokens; p++)
    if (!absolute(r, rh_collective_rank(&c, p), r->words[r->at + p], &r->after[p]))
      return oplog_damaged("a collective waits for what never was");
  r->at += tokens;
  rh_schedule_collective(r->schedule, &c, tokens ? r->after : NULL);
  return RH_OK;
}

static rh_status replay_one(reader *r)
{
  static const int64_t length[] = {COMPUTE_WORDS, SEND_WORDS, COLLECTIVE_WORDS};
  static rh_status (*const replay[])(reader *, const int64_t *) = {replay_compute, replay_send, replay_collective};
  const int64_t *w = r->words + r->at;
  if (w[0] < 0 || w[0] > WORD_COLLECTIVE || length[w[0]] > r->count - r->at)
    return oplog_damaged("an operation of no known kind");
  r->at += length[w[0]];
  return replay[w[0]](r, w);
}

rh_status rh_oplog_replay(const rh_oplog *log, int64_t t, const rh_oplog_world *world, int32_t workers,
                          rh_schedule *schedule)
{
  rh_status status = RH_OK;
  RH_ASSERT(t >= 0 && t < log->round_count);
  const blob *b = oplog_blob(log, log->rounds[t].operations, 0, SIZE_MAX);
  rh_token *tokens = malloc(3 * (size_t)workers * sizeof *tokens);
  RH_ASSERT(tokens && "memory is exhausted");
  for (int32_t i = 0; i < workers; i++) {
    tokens[2 * i] = rh_schedule_last(schedule, i, RH_LANE_COMPUTE);
    tokens[2 * i + 1] = rh_schedule_last(schedule, i, RH_LANE_COMMUNICATION);
  }
  reader r = {.log = log,
              .world = world,
              .schedule = schedule,
              .workers = workers,
              .base = tokens,
              .after = tokens + 2 * (size_t)workers};
  if (!b || b->bytes % sizeof(int64_t)) {
    status = oplog_damaged("a round without operations");
  } else {
    r.words = b->data;
    r.count = (int64_t)(b->bytes / sizeof(int64_t));
  }
  while (status == RH_OK && r.at < r.count)
    status = replay_one(&r);
  free(tokens);
  return status;
}
