/* The inside of a log: oplog.c keeps and writes it, oplog_replay.c reads it back. */
#ifndef RH_OPLOG_PRIVATE_H
#define RH_OPLOG_PRIVATE_H

#include "oplog.h"

/* Words of operations; a collective's tokens follow its own. */
enum { WORD_COMPUTE, WORD_SEND, WORD_COLLECTIVE };
enum { COMPUTE_WORDS = 5, SEND_WORDS = 7, COLLECTIVE_WORDS = 3 };
/* A collective as it is kept: numbers, and blobs of what it points to (-1: NULL). */
enum {
  C_KIND,
  C_SIZE,
  C_BYTES,
  C_ELEMENT,
  C_SHARDS,
  C_ZONES,
  C_GROUP,
  C_BYTES_OF,
  C_GRAPH,
  C_SIDES,
  C_WORDS = C_SIDES + RH_TORUS_MAX
};
/* A graph: its workers, and blobs of its four arrays. */
enum { G_WORKERS, G_OUT_OFFSET, G_OUT, G_IN_OFFSET, G_IN, G_WORDS };
#define AT_ONCE INT64_MIN

/* A run of bytes that the log holds. */
typedef struct blob {
  uint64_t hash;
  size_t bytes;
  void *data;           /* owned; a zero byte follows it */
  rh_neighbours *graph; /* that this blob describes, made when it is first asked for; owned */
} blob;

typedef struct round_entry {
  int64_t operations, note; /* blobs; note -1: none */
} round_entry;

struct rh_oplog {
  int64_t most_bytes, bytes;
  bool full;
  blob *blobs;
  int64_t blob_count, blob_room;
  int64_t *table; /* [table_size] blob + 1 by hash; a power of two */
  int64_t table_size;
  round_entry *rounds;
  int64_t round_count, round_room;
  /* of the round that is recorded */
  bool open;
  int64_t *words;
  int64_t word_count, word_room;
  rh_token *base; /* [2 workers] the last tokens before the round */
  int32_t workers;
  int64_t note;
};

/* A blob of at least `least` and at most `most` bytes; NULL if there is none of that number and size. */
const blob *oplog_blob(const rh_oplog *log, int64_t number, size_t least, size_t most);
/* RH_EFORMAT, with the log's name. */
rh_status oplog_damaged(const char *what);

#endif
