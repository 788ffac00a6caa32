/* Which options differ between runs, from their configurations ("section.key=value" lines). */
#ifndef RH_VARIED_H
#define RH_VARIED_H

#include "store.h"

/* A piece of a configuration; borrowed. data NULL: the key is not there. */
typedef struct rh_piece {
  const char *data;
  size_t length;
} rh_piece;

rh_piece rh_configuration_value(const char *configuration, const char *key);
/* The line at *cursor, cut at its first '='; moves on; false at the end. Lines without '=' are skipped. */
bool rh_configuration_next(const char **cursor, rh_piece *key, rh_piece *value);
/* Appends the configuration as a JSON object of texts. */
void rh_configuration_write_json(const char *configuration, rh_text *out);
bool rh_piece_equal(rh_piece a, rh_piece b);

/* Keys with two different values among the runs, in order of appearance. A key that only some runs have (an option of
 * one compressor) counts if its values differ where it is. */
typedef struct rh_varied {
  char **keys; /* [count] owned */
  int count;
} rh_varied;

void rh_varied_find(const rh_run_list *runs, rh_varied *varied);
void rh_varied_clear(rh_varied *varied);

/* Whether a varied key changed no result at all: runs that differ in it alone agree; where no two runs differ in it
 * alone, all agree. Judged by the runs that are done. */
bool rh_varied_changed_nothing(const rh_run_list *runs, const rh_varied *varied, int key);

#endif
