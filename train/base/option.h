/* Options: one row per option drives parsing, defaults, range, help, listing and the nearest-name hint.
 *
 * A component (a method, a model, a compressor, ...) declares a struct and an array of rows that describe its fields.
 * Values arrive as text in `rh_settings`, each with the place where it was written, so that every complaint can name
 * file, line and column and show the line.
 */
#ifndef RH_OPTION_H
#define RH_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "text.h"
#include "unit.h"

typedef enum rh_option_kind {
  RH_OPTION_INTEGER = 1, /* int64_t */
  RH_OPTION_REAL,        /* double; with `unit` a quantity in base units */
  RH_OPTION_SWITCH,      /* bool; on | off | yes | no | true | false */
  RH_OPTION_CHOICE,      /* int; index into `choices` */
  RH_OPTION_TEXT,        /* const char *; borrowed from the settings, or the row's fallback */
  RH_OPTION_STEPS        /* rh_steps; "r:f r:f": from round r on, multiplied by f */
} rh_option_kind;

typedef struct rh_steps {
  int count; /* 0..RH_STEPS_MAX */
  struct {
    int64_t from; /* round, ascending */
    double factor;
  } step[16];
} rh_steps;
#define RH_STEPS_MAX 16

typedef struct rh_option {
  const char *name; /* key within its section */
  rh_option_kind kind;
  size_t offset;        /* of the field in the component's struct */
  const char *fallback; /* default, as text; NULL: must be given */
  double min, max;      /* inclusive range of numbers; both 0: no range */
  rh_unit unit;         /* of RH_OPTION_REAL */
  const char *choices;  /* of RH_OPTION_CHOICE: names separated by blanks, in the order of the enum */
  const char *help;     /* one sentence without a full stop; names the source of a surprising default */
} rh_option;

typedef struct rh_setting {
  char *key;     /* "section.name"; owned */
  char *value;   /* as written; owned */
  char *where;   /* "study.yaml:12:7" or "--set"; owned */
  char *excerpt; /* the line with a caret under the value, several lines ending in \n, or ""; owned */
} rh_setting;

typedef struct rh_settings {
  rh_setting *list; /* owned; in order of writing */
  size_t count, size;
} rh_settings;

/* Sets key to value, replacing an earlier value of the same key. Everything is copied. excerpt may be NULL. */
void rh_settings_set(rh_settings *settings, const char *key, const char *value, const char *where, const char *excerpt);
const rh_setting *rh_settings_find(const rh_settings *settings, const char *key); /* NULL if absent */
void rh_settings_copy(rh_settings *to, const rh_settings *from);                  /* `to` is empty or {0} */
void rh_settings_clear(rh_settings *settings);

/* An error about one setting: "where: key: <message>" followed by the excerpt. */
rh_status rh_settings_error(rh_status code, const rh_setting *setting, const char *format, ...) RH_PRINTF(3, 4);

/* An error whose message begins with a key of these settings, as "data.train_file: no file 'x'", is told again with the
 * setting's place; another stays as it is. Returns `status`. */
rh_status rh_settings_locate_error(rh_status status, const rh_settings *settings);

/* Fills `target` from the rows' defaults and the settings "section.name".
 *
 * returns     RH_EINVAL or RH_EUNIT, with the setting's place, for a value that does not fit its row; RH_EINVAL for a
 *             missing value without a default; keys of the section that no row describes are left to
 *             rh_option_check_known, since a section may be shared by several components
 */
RH_CHECKED rh_status rh_option_read(const rh_option *rows, size_t count, const char *section,
                                    const rh_settings *settings, void *target);

/* Refuses every setting of `section` that is in none of the row groups; names the nearest row.
 * groups is an array of `group_count` row arrays with their lengths. */
typedef struct rh_option_group {
  const rh_option *rows;
  size_t count;
} rh_option_group;
RH_CHECKED rh_status rh_option_check_known(const rh_option_group *groups, size_t group_count, const char *section,
                                           const rh_settings *settings);

/* Appends "section.name=value" lines, in row order, of the values in `target`, in canonical spelling: two spellings of
 * the same value give the same line. This text is stored as the resolved configuration and hashed into run ids. */
void rh_option_write(const rh_option *rows, size_t count, const char *section, const void *target, rh_text *out);

/* Appends a human-readable block (name, default, range, unit, help) of the rows, or a JSON array with json = true. */
void rh_option_describe(const rh_option *rows, size_t count, bool json, rh_text *out);

#define RH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
