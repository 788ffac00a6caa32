/* A study: a YAML file that describes one or many runs. */
#ifndef RH_STUDY_H
#define RH_STUDY_H

#include "option.h"

typedef struct rh_study {
  char *name, *question;  /* owned; name defaults to the file's base name */
  char *file, *directory; /* owned */
  rh_settings *
      runs; /* [count] settings of each run: those of `zip` in step, for each the product of `vary`, last key fastest */
  size_t count;
  char **varied; /* [varied_count] keys that `vary` or `zip` and no --set decides; owned */
  size_t varied_count;
} rh_study;

/* A file as it is named, or one of the studies that come with the program; find_file.c. Owned by the caller. */
RH_CHECKED rh_status rh_study_find(const char *name, char **path);

/* Reads a study with libfyaml and expands `vary` and `zip`. `sets` are "section.key=value" texts of --set, applied to
 * all runs (a varied key that is set is no longer varied).
 *
 * returns     RH_EIO, RH_EFORMAT (malformed YAML) or RH_EINVAL with file:line:column, the line and a caret
 */
RH_CHECKED rh_status rh_study_read(const char *path, const char *const *sets, size_t set_count, rh_study *study);
void rh_study_clear(rh_study *study);

#endif
