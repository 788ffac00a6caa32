/* What the commands that read a database share: its options, and the way from them to a printed answer.
 *
 * A command names one of the parsers below as child 0 of its own and, when argp says ARGP_KEY_INIT, sets
 * state->child_inputs[0] to an rh_query; one with no options of its own has no parser function and gives argp_parse the
 * query itself. */
#ifndef RH_QUERY_H
#define RH_QUERY_H

#include <argp.h>

#include "store.h"

typedef struct rh_query {
  const char *db;    /* borrowed from argv; --db, else rehearse.db */
  const char *run;   /* of rh_query_run: RUN, the beginning of an id */
  const char *study; /* of the others: --study; NULL: all */
  bool json, csv;    /* --json and --csv; json goes first */
} rh_query;

extern const struct argp_child rh_query_run[];     /* RUN, --db, --json */
extern const struct argp_child rh_query_runs[];    /* --db, --study, --json */
extern const struct argp_child rh_query_figures[]; /* --db, --study, --json, --csv */

/* Opens the query's database for reading, hands it to `write`, and prints what that appended to `out`.
 *
 * command     as the user typed it, for messages
 * returns     the exit status: 0, or 2 with the reason on stderr */
int rh_query_answer(const char *command, const rh_query *query,
                    rh_status (*write)(void *context, rh_store *store, rh_text *out), void *context);

#endif
