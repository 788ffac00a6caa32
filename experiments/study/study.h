/* A study: a YAML file that describes one or many runs. */
#ifndef RH_STUDY_H
#define RH_STUDY_H

#include "option.h"

typedef struct rh_study {
  char *name, *question;  /* owned; name defaults to the file's base name */
  char *file, *directory; /* owned */
  /* [count] settings of each run: those of `zip` in step, for each the product of `vary`, last key fastest, without
   * what `exclude` fits; then those of `include` */
  rh_settings *runs;
  size_t count;
  char **varied; /* [varied_count] keys that vary, zip or include and no --set decides; owned */
  size_t varied_count;
  rh_text warnings; /* lines about items of exclude that fit no run */
} rh_study;

/* A file as it is named, or one of the studies that come with the program; find_file.c. Owned by the caller. */
RH_CHECKED rh_status rh_study_find(const char *name, char **path);

enum {
  RH_STUDY_RUNS_ASK = 10000,   /* more are asked about: planning takes time and memory for each */
  RH_STUDY_RUNS_MAX = 10000000 /* more are refused */
};

/* Whether a study with so many runs is meant. */
typedef bool rh_study_confirm(const char *file, size_t runs);

bool rh_study_agree(const char *file, size_t runs);
/* Asks on the terminal; where there is none the answer is no. */
bool rh_study_ask(const char *file, size_t runs);

/* Reads a study with libfyaml and expands its lists. `sets` are "section.key=value" texts of --set, applied to all runs
 * (a key that is set is no longer varied).
 *
 * confirm     asked, before memory is taken for them, about more runs than RH_STUDY_RUNS_ASK; NULL: refuses them
 * returns     RH_EIO, RH_EFORMAT (malformed YAML) or RH_EINVAL with file:line:column, the line and a caret
 */
RH_CHECKED rh_status rh_study_open(const char *path, const char *const *sets, size_t set_count,
                                   rh_study_confirm *confirm, rh_study *study);
/* The same with confirm NULL. */
RH_CHECKED rh_status rh_study_read(const char *path, const char *const *sets, size_t set_count, rh_study *study);
/* Paths of the study's file and folder that hold in any working directory. */
RH_CHECKED rh_status rh_study_make_absolute(rh_study *study);
void rh_study_clear(rh_study *study);

#endif
