#include "oplog_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

/* --- blobs -------------------------------------------------------------------------------------------------------- */

rh_status rh_oplog_new(int64_t most_bytes, rh_oplog **out)
{
  enum { FIRST = 1 << 10 };
  rh_oplog *log = calloc(1, sizeof *log);
  int64_t *table = calloc(FIRST, sizeof *table);
  *out = NULL;
  if (!log || !table) {
    free(log);
    free(table);
    return rh_error(RH_ENOMEM, "no memory for the log of the rounds");
  }
  log->most_bytes = most_bytes;
  log->table = table;
  log->table_size = FIRST;
  *out = log;
  return RH_OK;
}

void rh_oplog_free(rh_oplog *log)
{
  if (!log) return;
  for (int64_t i = 0; i < log->blob_count; i++) {
    free(log->blobs[i].data);
    free(log->blobs[i].graph);
  }
  free(log->blobs);
  free(log->table);
  free(log->rounds);
  free(log->words);
  free(log->base);
  free(log);
}

int64_t rh_oplog_rounds(const rh_oplog *log)
{
  return log->round_count;
}

bool rh_oplog_is_full(const rh_oplog *log)
{
  return log->full;
}

/* Room for one element more of a list; its new size. */
static void *grow(void *list, int64_t count, int64_t *room, size_t element)
{
  if (count < *room) return list;
  *room = *room ? 2 * *room : 64;
  void *more = realloc(list, (size_t)*room * element);
  RH_ASSERT(more && "memory is exhausted");
  return more;
}

/* The place of a content in the table: of the blob that has it, or where it would stand. */
static int64_t *find_place(const rh_oplog *log, const void *data, size_t bytes, uint64_t hash)
{
  RH_ASSERT(log);
  for (uint64_t i = hash;; i++) {
    int64_t *place = &log->table[i & (uint64_t)(log->table_size - 1)];
    if (*place == 0) return place;
    const blob *b = &log->blobs[*place - 1];
    if (b->hash == hash && b->bytes == bytes && memcmp(b->data, data, bytes) == 0) return place;
  }
}

static void double_table(rh_oplog *log)
{
  free(log->table);
  log->table_size *= 2;
  log->table = calloc((size_t)log->table_size, sizeof *log->table);
  RH_ASSERT(log->table && "memory is exhausted");
  for (int64_t i = 0; i < log->blob_count; i++) {
    const blob *b = &log->blobs[i];
    *find_place(log, b->data, b->bytes, b->hash) = i + 1;
  }
}

static int64_t intern(rh_oplog *log, const void *data, size_t bytes)
{
  const uint64_t hash = rh_hash_bytes(data, bytes, 0);
  int64_t *place = find_place(log, data, bytes, hash);
  if (*place) return *place - 1;
  char *copy = malloc(bytes + 1);
  RH_ASSERT(copy && "memory is exhausted");
  if (bytes) memcpy(copy, data, bytes);
  copy[bytes] = '\0';
  log->blobs = grow(log->blobs, log->blob_count, &log->blob_room, sizeof *log->blobs);
  log->blobs[log->blob_count++] = (blob){.hash = hash, .bytes = bytes, .data = copy};
  *place = log->blob_count;
  log->bytes += (int64_t)(bytes + sizeof(blob));
  if (2 * log->blob_count > log->table_size) double_table(log);
  return log->blob_count - 1;
}

const blob *oplog_blob(const rh_oplog *log, int64_t number, size_t least, size_t most)
{
  if (number < 0 || number >= log->blob_count) return NULL;
  const blob *b = &log->blobs[number];
  return b->bytes >= least && b->bytes <= most ? b : NULL;
}

int32_t rh_oplog_string(rh_oplog *log, const char *string)
{
  return string ? (int32_t)intern(log, string, strlen(string) + 1) : -1;
}

const char *rh_oplog_string_at(const rh_oplog *log, int32_t number)
{
  const blob *b = oplog_blob(log, number, 1, SIZE_MAX);
  return b && ((const char *)b->data)[b->bytes - 1] == '\0' ? b->data : NULL;
}

/* --- recording ---------------------------------------------------------------------------------------------------- */

static void add_word(rh_oplog *log, int64_t word)
{
  log->words = grow(log->words, log->word_count, &log->word_room, sizeof *log->words);
  log->words[log->word_count++] = word;
}

/* A token of a rank as a distance from where its lane stood before the round. */
static int64_t relative(const rh_oplog *log, int32_t rank, rh_token after)
{
  if (after == RH_AT_ONCE) return AT_ONCE;
  const int64_t lane = after & 1;
  return ((after >> 1) - (log->base[2 * rank + lane] >> 1)) * 2 + lane;
}

static void note_base(rh_oplog *log, const rh_schedule *schedule, int32_t workers)
{
  if (workers != log->workers) {
    free(log->base);
    log->base = malloc(2 * (size_t)workers * sizeof *log->base);
    RH_ASSERT(log->base && "memory is exhausted");
    log->workers = workers;
  }
  for (int32_t i = 0; i < workers; i++) {
    log->base[2 * i] = rh_schedule_last(schedule, i, RH_LANE_COMPUTE);
    log->base[2 * i + 1] = rh_schedule_last(schedule, i, RH_LANE_COMMUNICATION);
  }
}

void rh_oplog_begin(rh_oplog *log, const rh_schedule *schedule, int32_t workers)
{
  RH_ASSERT(!log->open);
  if (log->full) return;
  note_base(log, schedule, workers);
  log->open = true;
  log->word_count = 0;
  log->note = -1;
}

void rh_oplog_compute(rh_oplog *log, int32_t rank, double seconds, const char *label, rh_token after)
{
  int64_t bits;
  if (!log->open) return;
  memcpy(&bits, &seconds, sizeof bits);
  const int64_t words[COMPUTE_WORDS] = {WORD_COMPUTE, rank, bits, rh_oplog_string(log, label),
                                        relative(log, rank, after)};
  for (int i = 0; i < COMPUTE_WORDS; i++)
    add_word(log, words[i]);
}

void rh_oplog_send(rh_oplog *log, int32_t from, int32_t to, int64_t bytes, const char *label, rh_token after_from,
                   rh_token after_to)
{
  if (!log->open) return;
  const int64_t words[SEND_WORDS] = {WORD_SEND,
                                     from,
                                     to,
                                     bytes,
                                     rh_oplog_string(log, label),
                                     relative(log, from, after_from),
                                     relative(log, to, after_to)};
  for (int i = 0; i < SEND_WORDS; i++)
    add_word(log, words[i]);
}

static int64_t intern_graph(rh_oplog *log, const rh_neighbours *n)
{
  if (!n) return -1;
  const size_t workers = (size_t)n->workers;
  const int64_t words[G_WORDS] = {[G_WORKERS] = n->workers,
                                  [G_OUT_OFFSET] = intern(log, n->out_offset, (workers + 1) * sizeof *n->out_offset),
                                  [G_OUT] = intern(log, n->out, (size_t)n->out_offset[workers] * sizeof *n->out),
                                  [G_IN_OFFSET] = intern(log, n->in_offset, (workers + 1) * sizeof *n->in_offset),
                                  [G_IN] = intern(log, n->in, (size_t)n->in_offset[workers] * sizeof *n->in)};
  return intern(log, words, sizeof words);
}

void rh_oplog_collective(rh_oplog *log, const rh_collective *c, const rh_token *after)
{
  if (!log->open) return;
  const size_t size = (size_t)c->size;
  int64_t words[C_WORDS] = {[C_KIND] = rh_oplog_string(log, c->kind->name),
                            [C_SIZE] = c->size,
                            [C_BYTES] = c->bytes,
                            [C_ELEMENT] = c->element_bytes,
                            [C_SHARDS] = c->shards,
                            [C_ZONES] = c->zone_of != NULL,
                            [C_GROUP] = c->group ? intern(log, c->group, size * sizeof *c->group) : -1,
                            [C_BYTES_OF] = c->bytes_of ? intern(log, c->bytes_of, size * sizeof *c->bytes_of) : -1,
                            [C_GRAPH] = intern_graph(log, c->neighbours)};
  for (int k = 0; k < RH_TORUS_MAX; k++)
    words[C_SIDES + k] = c->sides[k];
  add_word(log, WORD_COLLECTIVE);
  add_word(log, intern(log, words, sizeof words));
  add_word(log, after ? c->size : 0);
  for (int32_t p = 0; after && p < c->size; p++)
    add_word(log, relative(log, rh_collective_rank(c, p), after[p]));
}

void rh_oplog_note(rh_oplog *log, const void *note, size_t bytes)
{
  if (log->open) log->note = intern(log, note, bytes);
}

void rh_oplog_end(rh_oplog *log, bool keep)
{
  if (!log->open) return;
  log->open = false;
  if (!keep) return;
  const int64_t operations = intern(log, log->words, (size_t)log->word_count * sizeof *log->words);
  log->full = log->bytes > log->most_bytes;
  if (log->full) return;
  log->rounds = grow(log->rounds, log->round_count, &log->round_room, sizeof *log->rounds);
  log->rounds[log->round_count++] = (round_entry){operations, log->note};
  log->bytes += (int64_t)sizeof *log->rounds;
}

const void *rh_oplog_note_of(const rh_oplog *log, int64_t t, size_t *bytes)
{
  RH_ASSERT(t >= 0 && t < log->round_count);
  const blob *b = oplog_blob(log, log->rounds[t].note, 0, SIZE_MAX);
  *bytes = b ? b->bytes : 0;
  return b ? b->data : NULL;
}

rh_status oplog_damaged(const char *what)
{
  return rh_error(RH_EFORMAT, "the log of the rounds is damaged: %s", what);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

void rh_oplog_write(const rh_oplog *log, void (*write)(void *context, const void *data, size_t bytes), void *context)
{
  const int64_t counts[2] = {log->blob_count, log->round_count};
  write(context, counts, sizeof counts);
  for (int64_t i = 0; i < log->blob_count; i++) {
    const uint64_t bytes = log->blobs[i].bytes;
    write(context, &bytes, sizeof bytes);
    write(context, log->blobs[i].data, log->blobs[i].bytes);
  }
  if (log->round_count) write(context, log->rounds, (size_t)log->round_count * sizeof *log->rounds);
}

/* Takes the next bytes; NULL if there are not so many. */
static const void *take(const char **at, size_t *left, uint64_t bytes)
{
  if (bytes > *left) return NULL;
  const void *taken = *at;
  *at += bytes;
  *left -= (size_t)bytes;
  return taken;
}

static rh_status read_blobs(rh_oplog *log, int64_t count, const char **at, size_t *left)
{
  for (int64_t i = 0; i < count; i++) {
    uint64_t bytes;
    const void *length = take(at, left, sizeof bytes);
    if (!length) return oplog_damaged("it ends too early");
    memcpy(&bytes, length, sizeof bytes);
    const void *data = take(at, left, bytes);
    if (!data) return oplog_damaged("it ends too early");
    if (intern(log, data, (size_t)bytes) != i) return oplog_damaged("a part is there twice");
  }
  return RH_OK;
}

rh_status rh_oplog_read(const void *data, size_t bytes, int64_t most_bytes, rh_oplog **out, size_t *used)
{
  rh_status status = RH_OK;
  rh_oplog *log = NULL;
  const char *at = data;
  size_t left = bytes;
  int64_t counts[2];
  *out = NULL;
  const void *head = take(&at, &left, sizeof counts);
  if (!head) return oplog_damaged("it ends too early");
  memcpy(counts, head, sizeof counts);
  const uint64_t most_rounds = left / sizeof(round_entry);
  if (counts[0] < 0 || counts[1] < 0 || (uint64_t)counts[1] > most_rounds)
    return oplog_damaged("it has too many rounds");
  RH_TRY(rh_oplog_new(most_bytes, &log));
  RH_ASSERT(log);
  RH_TRY(read_blobs(log, counts[0], &at, &left));
  const void *rounds = take(&at, &left, (uint64_t)counts[1] * sizeof(round_entry));
  if (!rounds) {
    status = oplog_damaged("it ends too early");
    goto done;
  }
  log->rounds = malloc((size_t)counts[1] * sizeof *log->rounds + 1);
  RH_ASSERT(log->rounds && "memory is exhausted");
  memcpy(log->rounds, rounds, (size_t)counts[1] * sizeof *log->rounds);
  log->round_count = log->round_room = counts[1];
  log->bytes += counts[1] * (int64_t)sizeof *log->rounds;
  *used = bytes - left;
done:
  if (status == RH_OK)
    *out = log;
  else
    rh_oplog_free(log);
  return status;
}
