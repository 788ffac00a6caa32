/* What the store's files share: the connection, its cached statements, transactions, values to and from SQLite.
 *
 * Only store_*.c, show.c, scaling.c and the exports include this, and with it sqlite3.h. SQL is always a text constant;
 * values are bound.
 */
#ifndef RH_STORE_PRIVATE_H
#define RH_STORE_PRIVATE_H

#include <sqlite3.h>

#include "store.h"

enum { RH_STORE_STATEMENTS_MAX = 64 };

struct rh_store {
  sqlite3 *db;   /* owned */
  char *path;    /* owned; as given */
  char *run_id;  /* owned; the run begun in this store; NULL before */
  bool writable; /* false: opened for reading */
  int64_t collectives, events, warnings;
  double committed_s; /* clock at the last commit */
  double row_s;       /* clock when the row at work was begun */
  double spent_s;     /* on rows of the run and their commits */
  rh_text queue;      /* rows that wait (store_rows.c) */
  int statement_count;
  struct {
    const char *sql; /* a constant; its address is the key */
    sqlite3_stmt *statement;
  } statements[RH_STORE_STATEMENTS_MAX];
};

/* Files (store_file.c) */

/* Looks at a file without SQLite. RH_EIO: missing, unreadable; RH_EFORMAT: no database of ours, another version. */
RH_CHECKED rh_status rh_store_file_check(const char *path);
/* RH_EIO if the file or its directory must not be written to; so for root, too, when no one has the permission. */
RH_CHECKED rh_status rh_store_file_check_writable(const char *path);
/* Makes a complete empty database appear at `path`, in place of the one there if `replace`. Without it, *exists tells
 * that somebody was faster. On failure everything is as before. */
RH_CHECKED rh_status rh_store_file_create(const char *path, bool replace, bool *exists);
/* The file: URI of a path that is to be read; says "immutable" where SQLite could not make its shared memory. */
void rh_store_file_uri(const char *path, bool read_only, rh_text *uri);

/* Makes SQLite use files that pause on a full disk (store_vfs.c); once per process. */
RH_CHECKED rh_status rh_store_vfs_register(void);

/* Errors and statements (store.c) */

/* The last error of `db` in plain words with the file's name: RH_EIO, RH_EFORMAT, RH_ENOMEM or RH_EINVAL. */
rh_status rh_store_error(sqlite3 *db, const char *path);
RH_CHECKED rh_status rh_store_execute(rh_store *store, const char *sql);
/* The prepared statement of a constant; reset, without bindings; owned by the store. */
RH_CHECKED rh_status rh_store_prepare(rh_store *store, const char *sql, sqlite3_stmt **statement);
/* Steps to the end. Statements that give rows are stepped by their users. */
RH_CHECKED rh_status rh_store_finish(rh_store *store, sqlite3_stmt *statement);
/* Steps to the next row; *row = false after the last. */
RH_CHECKED rh_status rh_store_next(rh_store *store, sqlite3_stmt *statement, bool *row);

/* RH_EIO if the path names the open file no more: rows would go where nobody finds them. */
RH_CHECKED rh_status rh_store_check_place(rh_store *store);
RH_CHECKED rh_status rh_store_begin(rh_store *store); /* a transaction, if there is none */
RH_CHECKED rh_status rh_store_commit(rh_store *store);
void rh_store_rollback(rh_store *store);
double rh_store_clock(void); /* monotonic, s */

/* Binding the parameters of a statement in order. The first value that its column cannot hold is remembered. */
typedef struct rh_binder {
  sqlite3_stmt *statement;
  int count;       /* parameters bound */
  rh_text *queue;  /* where values go instead, if this is set: of a row that waits (store_rows.c) */
  size_t row;      /* of such a row: where in the queue it begins */
  const char *bad; /* name of the first value that is not finite but must be; NULL: none */
} rh_binder;

void rh_bind_text(rh_binder *binder, const char *value); /* NULL: "" */
void rh_bind_integer(rh_binder *binder, int64_t value);
void rh_bind_real(rh_binder *binder, double value);                      /* NaN: NULL */
void rh_bind_finite(rh_binder *binder, const char *name, double value);  /* a column that holds no NaN */
void rh_bind_hash(rh_binder *binder, uint64_t value, bool none_is_null); /* 16 digits; 0: NULL if so wished */

void rh_bind_blob(rh_binder *binder, const void *data, int32_t bytes); /* bytes 0: NULL; borrowed until the end */

double rh_column_real(sqlite3_stmt *statement, int column); /* NULL: NaN */
char *rh_column_text(sqlite3_stmt *statement, int column);  /* owned by the caller; NULL: "" */

/* A BLOB as two digits a byte, in quotes. */
void rh_store_append_hex(sqlite3_stmt *row, int column, rh_text *out);
void rh_store_row_write_json(sqlite3_stmt *row, rh_text *out); /* the present row as an object, names from columns */
/* Rows of the run in this store (store_rows.c). Starts one, whose first parameter is the run's id; what is bound is
 * copied. Ends it: the row waits to be written, and is committed within a second if others follow. RH_EINVAL: a value
 * is not finite, and the row is left out; errors of rows before it. */
void rh_store_begin_row(rh_store *store, const char *sql, rh_binder *binder);
RH_CHECKED rh_status rh_store_end_row(rh_store *store, const rh_binder *binder);
/* Writes rows that wait; and commits; and does both if a second has passed since the last commit (a flush). */
RH_CHECKED rh_status rh_store_write_rows(rh_store *store);
RH_CHECKED rh_status rh_store_flush_rows(rh_store *store);
rh_status rh_store_flush_in_time(void *context);
/* Values of a row that waits; the binder calls them. */
void rh_queue_integer(rh_text *queue, int64_t value);
void rh_queue_real(rh_text *queue, double value);
void rh_queue_text(rh_text *queue, const char *value);
void rh_queue_blob(rh_text *queue, const void *data, size_t bytes);
void rh_queue_null(rh_text *queue);

/* The recorder's rows of the network as a picture, of a link's loads over time, and of pairs (store_network.c). */
rh_status rh_store_put_network(void *context, const rh_network_row *row);
rh_status rh_store_put_series(void *context, const rh_series_row *row);
rh_status rh_store_put_pair(void *context, const rh_pair_row *row);

/* Rows of a profile (store_profile.c): inserts those of a JSON into (study, hash), hash text as in the schema. */
RH_CHECKED rh_status rh_store_put_profile(rh_store *store, const char *study, const char *hash,
                                          const char *profile_json);
/* Inserts a study, or sets its question. */
RH_CHECKED rh_status rh_store_put_study(rh_store *store, const char *study, const char *question);

#endif
