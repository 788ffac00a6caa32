/* What the commands that list what there is share: "[NAME] [--json]", and a name that there is none of. */
#ifndef RH_LISTING_H
#define RH_LISTING_H

#include <stdbool.h>

typedef struct rh_listing {
  const char *name; /* NULL: all of them; borrowed from argv */
  bool json;
} rh_listing;

/* Reads the command line.
 *
 * what        stands for NAME in usage, such as "SECTION"
 * doc         what the command does, in a sentence or two
 */
rh_listing rh_listing_parse(int argc, char **argv, const char *what, const char *doc);

/* Says that there is no `kind` of this name, with the nearest one (NULL: none is near), and returns the exit status. */
int rh_listing_unknown(const char *command, const char *kind, const char *name, const char *near);

#endif
