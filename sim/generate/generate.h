/* Generators of platform files: `rehearse platform -g KIND key=value ... -o FILE.xml`. Plain text writers that know no
 * SimGrid; one kind of network per file.
 *
 * Every generated file carries the command that made it, a line on when to use it, the source of each number, and its
 * network model with the reason. All quantities in base units (s, byte/s, flop/s) until they are printed.
 */
#ifndef RH_GENERATE_H
#define RH_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "text.h"
#include "unit.h"

#define RH_GENERATOR_KEYS 10 /* most keys of a kind */

/* What a key takes. */
typedef enum rh_generator_type {
  RH_KEY_COUNT,    /* a whole number */
  RH_KEY_QUANTITY, /* a number with a unit */
  RH_KEY_WORD,     /* one of `choices` */
  RH_KEY_SIZES     /* "16x16x16" */
} rh_generator_type;

typedef struct rh_generator_key {
  const char *name;
  rh_generator_type type;
  rh_unit unit;        /* of a quantity */
  const char *preset;  /* as it would be typed; "auto": found from the other keys */
  double least, most;  /* inclusive, base units; of a word and of sizes unused */
  const char *choices; /* of a word: "ring torus" */
  const char *summary; /* one line for help texts */
} rh_generator_key;

typedef struct rh_generation rh_generation;

/* A file beside the platform, such as a link's profile: its path is relative to the platform's folder. */
typedef struct rh_generated_file {
  char *name; /* "leo-66/latency-0.profile"; owned */
  rh_text text;
} rh_generated_file;

typedef struct rh_generated {
  rh_text xml;
  rh_generated_file *files; /* [file_count] owned */
  int32_t file_count;
} rh_generated;

typedef struct rh_generator {
  const char *name;                         /* "fat-tree" */
  const char *summary;                      /* one line for help texts */
  rh_generator_key keys[RH_GENERATOR_KEYS]; /* ends with name NULL, unless full */
  /* Appends the whole file. RH_EINVAL for keys that contradict each other, with the cure. */
  rh_status (*write)(rh_generation *g, rh_text *xml);
} rh_generator;

/* The kinds, in the order of help texts; NULL past the end. */
const rh_generator *rh_generator_at(size_t i);

/* Writes a platform file as text.
 *
 * kind         "fat-tree", ...
 * assignments  [count] "key=value"; borrowed
 * file         what the text will be stored as; its last part goes into the command that the file carries
 * returns      RH_EINVAL or RH_EUNIT for an unknown kind or key (with the nearest), a value that is none, is out of
 *              range or does not go with the others
 */
RH_CHECKED rh_status rh_generate(const char *kind, size_t count, const char *const *assignments, const char *file,
                                 rh_generated *out);
void rh_generated_clear(rh_generated *generated);

#endif
