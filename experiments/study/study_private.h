/* What the files of a study's reading share: the lists of values to try, and the reader. For study*.c alone. */
#ifndef RH_STUDY_PRIVATE_H
#define RH_STUDY_PRIVATE_H

#include "study.h"
#include "yaml.h"

struct fy_node;

/* A value to try, with its place in the file. */
typedef struct study_value {
  char *text; /* owned */
  rh_place place;
} study_value;

/* A key with its values, in the order of writing. */
typedef struct study_list {
  char *key;           /* "section.key"; owned */
  const char *kind;    /* "vary", "zip": advances together with all others of zip; "include", "exclude" */
  study_value *values; /* [count]; owned; of exclude sorted by their text */
  size_t count, size;
} study_list;

/* Lists that belong together: those of `vary` and `zip`, those of one item of `include` or of `exclude`. */
typedef struct study_block {
  study_list *lists; /* [count]; owned */
  size_t count;
  rh_place place;
} study_block;

typedef struct study_blocks {
  study_block *list; /* [count]; owned */
  size_t count;
} study_blocks;

typedef struct study_reader {
  rh_yaml yaml;
  rh_settings base;      /* what all runs share */
  study_block product;   /* vary and zip */
  study_blocks included; /* runs beside the product: the product of each item's lists */
  study_blocks excluded; /* combinations that are left out of the product */
  rh_place exclude_place;
  rh_study *study; /* borrowed */
} study_reader;

/* study.c: a scalar of one line; what is no "section.name"; a setting with its place. */
RH_CHECKED rh_status study_read_scalar(const study_reader *r, struct fy_node *node, rh_place key_place,
                                       const char *what, char **value);
bool study_is_key(const char *key);
void study_explain_key(const char *key, rh_text *out);
void study_set_at(const study_reader *r, rh_settings *settings, const char *key, const char *value, rh_place place);

/* study_lists.c: a mapping of keys to lists, under `vary` or `zip`; a list of such mappings, under `include` or
 * `exclude`, where a value may stand for a list of one. */
RH_CHECKED rh_status study_read_lists(study_reader *r, const char *kind, struct fy_node *node, rh_place place);
RH_CHECKED rh_status study_read_blocks(study_reader *r, const char *kind, struct fy_node *node, rh_place place);
/* The list of a key that all lists of `zip` advance with; NULL: there is none. */
const study_list *study_find_zipped(const study_block *block);
bool study_is_zipped(const study_list *list);
/* --set: the key is varied no more. */
void study_drop_key(study_reader *r, const char *key);
void study_block_clear(study_block *block);
void study_blocks_clear(study_blocks *blocks);

/* study_expand.c: the runs' settings out of all that was read. confirm: as for rh_study_open. */
RH_CHECKED rh_status study_expand(study_reader *r, rh_study_confirm *confirm);

#endif
