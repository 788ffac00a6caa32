/* The sections of a study and the keys that each has whatever it chooses, for listings. */
#ifndef RH_SECTION_ROWS_H
#define RH_SECTION_ROWS_H

#include "registry.h"

enum { RH_SECTION_ROWS_MAX = 64 };

typedef struct rh_section {
  const char *name;            /* "train" */
  const char *summary;         /* what its keys say, in a line */
  const rh_registry *registry; /* what it chooses, which has keys of its own; NULL: nothing */
} rh_section;

extern const rh_section rh_sections[]; /* the last has no name */

/* The section of that name; NULL if there is none. */
const rh_section *rh_section_find(const char *name);
/* For rh_text_nearest; no context. */
const char *rh_section_name(const void *context, size_t i);

/* The rows that all components of a section share, into rows [RH_SECTION_ROWS_MAX]; returns how many. Beside the fixed
 * ones these are the partition's, error feedback's, and the optimiser's, the learning rate's and the mask's. */
size_t rh_section_rows(const char *section, rh_option *rows);

#endif
