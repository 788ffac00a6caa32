/* Comparing configurations over seeds: what each reached and when, and how it differs from a baseline.
 *
 * Runs that agree in everything but the seed are one configuration. Configurations are compared within a setting, which
 * is what they do not differ in by intention: platform, workers, network. A pair is two runs of one setting and seed.
 * "Not reached" is an observation, later than all others: it is counted, ordered and shown, never left out.
 */
#ifndef RH_COMPARE_H
#define RH_COMPARE_H

#include "statistics.h"
#include "store.h"

typedef struct rh_compare_def {
  const char *study;      /* NULL: all runs */
  const char *by;         /* keys that make a configuration, separated by commas; NULL: all that vary but the seed and
                             those of sections platform and network */
  const char *baseline;   /* part of a configuration's label; NULL: the first by name */
  double target_accuracy; /* 0..1; NaN: the runs' own target */
  double margin;          /* of equivalence in accuracy, 0.01 for one point */
  double level;           /* of intervals, 0.95 */
} rh_compare_def;

/* A configuration in a setting, against the baseline of the same setting. */
typedef struct rh_compared {
  char *setting, *label; /* "platform.file=...", "compress.name=qsgd"; owned */
  int runs, reached;     /* those that are done; those that reached the target */
  int diverged;          /* those whose training loss was no longer finite; their last accuracy counts, too */
  bool baseline;
  double *seconds, *bytes, *accuracy; /* [runs] by seed; seconds and bytes per worker to the target; owned */
  int64_t *seed;                      /* [runs] owned */
  int32_t *run;                       /* [runs] places in the list that was compared; owned */
  rh_interval time_s, wire_bytes;     /* medians; bytes per worker */
  rh_interval final_accuracy;         /* mean */
  int pairs;                          /* with the baseline, by seed; what follows is NaN without */
  rh_interval time_ratio;             /* median of this one's time / the baseline's, of pairs that both reached it */
  double time_p;                      /* sign test on times, Holm-corrected within the setting */
  rh_interval accuracy_difference;    /* mean, this one's - the baseline's */
  double accuracy_p;                  /* paired t test, Holm-corrected */
  double equivalence_p;               /* of a difference beyond the margin, Holm-corrected: small means equivalent */
} rh_compared;

typedef struct rh_comparison {
  rh_compare_def def;
  double target_accuracy; /* what was used; NaN: none */
  bool timing_only;       /* runs without values: times and bytes are those of all rounds, accuracies NaN */
  rh_compared *list;      /* owned; setting by setting, in order of names */
  int count;
} rh_comparison;

/* returns     RH_EINVAL: an unknown key or baseline, nothing to compare, runs with values and without; the message says
 *             what there is */
RH_CHECKED rh_status rh_compare(rh_store *store, const rh_compare_def *def, rh_comparison *comparison);
/* The same for runs that were chosen; `def->study` does not count. RH_EINVAL, too, if none of them is done. */
RH_CHECKED rh_status rh_compare_runs(rh_store *store, const rh_run_list *runs, const rh_compare_def *def,
                                     rh_comparison *comparison);
void rh_comparison_clear(rh_comparison *comparison);
/* Puts the list in order of names, settings first, with quantities by their size: 4 before 16, 100Mbps before 1Gbps
 * (compare_order.c). The baseline, unless it is named, is then the same configuration wherever that was run. */
void rh_comparison_sort(rh_comparison *comparison);

/* For a person, as a JSON object, as CSV with a header line (compare_write.c). */
void rh_comparison_write(const rh_comparison *comparison, rh_text *out);
void rh_comparison_write_json(const rh_comparison *comparison, rh_text *out);
void rh_comparison_write_csv(const rh_comparison *comparison, rh_text *out);

#endif
