/* Strong and weak scaling: what more workers bring, and when they bring nothing more.
 *
 * Symbols     N workers, b samples of a worker's batch, T seconds of a round, X = N b / T samples a second,
 *             N_1 the fewest workers of a series, gamma what one worker alone would do, sigma and kappa shares
 * Runs that agree in everything but workers, batch and seed are a family. Of a family those with the same batch are a
 * series of weak scaling (more workers, more samples a round), those with the same N b one of strong scaling (more
 * workers, fewer samples each). The speed-up of N workers is X / X_1 x N_1 (an efficiency of 1 at N_1), in strong
 * scaling that is T_1 / T x N_1.
 *
 * The fit is Gunther's universal scalability law, X = gamma N / (1 + sigma (N - 1) + kappa N (N - 1)): sigma is the
 * share of a worker's time that only one at a time could spend (Amdahl's serial share), kappa what every pair of
 * workers costs by having to agree. It is linear in 1/gamma, sigma/gamma and kappa/gamma: least squares of N / X, each
 * weighted by its inverse, so that relative deviations count; negative shares are left out. With kappa > 0 X is largest
 * at N = sqrt((1 - sigma) / kappa); with sigma alone it never passes gamma / sigma.
 *
 * source      Gunther, A general theory of computational scalability based on rational functions, arXiv:0808.1431,
 *             2008; Amdahl, AFIPS 1967; Gustafson, CACM 31(5), 1988
 */
#ifndef RH_SCALING_H
#define RH_SCALING_H

#include "statistics.h"
#include "store.h"

typedef struct rh_scaling_def {
  const char *study; /* NULL: all runs */
  const char *free;  /* further keys in which runs of a family may differ, separated by commas; NULL: none */
  double level;      /* of intervals, 0.95 */
} rh_scaling_def;

/* The runs with so many workers. */
typedef struct rh_scaling_point {
  int32_t workers;
  int64_t batch; /* per worker */
  int runs;
  int timing_only;         /* of the runs: without values */
  rh_interval rate;        /* X: median over runs, interval from 6 on */
  double least, most;      /* of X over runs */
  double round_s;          /* T, median */
  double speed_up;         /* see above */
  double efficiency;       /* speed-up / N */
  double fitted;           /* X that the fit gives; NaN without */
  double compute;          /* shares of the ranks' time, mean over ranks and runs: computing, */
  double exposed;          /* communicating and not computing, */
  double waiting;          /* neither; NaN: not recorded */
  int reached;             /* runs that reached their target */
  double time_to_target_s; /* median over runs, INFINITY where most did not; NaN: no target */
} rh_scaling_point;

typedef enum rh_scaling_kind { RH_SCALING_WEAK, RH_SCALING_STRONG } rh_scaling_kind;

/* A fit that is off by more at some point says nothing of other numbers of workers. */
#define RH_SCALING_TRUSTED 0.1

typedef struct rh_scaling_series {
  rh_scaling_kind kind;
  char *label;              /* of the family: what it differs in from the others; owned */
  int64_t samples;          /* b in weak, N b in strong scaling */
  rh_scaling_point *points; /* [count] by workers; owned */
  int count;
  bool fitted;                         /* there are three different N at least */
  double gamma;                        /* samples a second */
  double serial, pairwise;             /* sigma, kappa; 0 .. */
  double serial_error, pairwise_error; /* standard errors; NaN with three points */
  double deviation;                    /* largest |X / fitted X - 1| */
  double best_workers;                 /* where X is largest; INFINITY: it grows for ever */
  double ceiling; /* of the speed-up, counted as in the points: at best_workers, or for ever more; INFINITY: none */
} rh_scaling_series;

typedef struct rh_scaling {
  rh_scaling_series *list; /* owned */
  int count;
} rh_scaling;

/* Of the runs that are done.
 *
 * returns     RH_EINVAL: no two runs that differ in their workers (or in batch and workers) alone; the message says
 *             which keys stood in the way
 */
RH_CHECKED rh_status rh_scaling_find(rh_store *store, const rh_scaling_def *def, rh_scaling *scaling);
void rh_scaling_clear(rh_scaling *scaling);

/* For a person, as a JSON object, as CSV with a header line (scaling_write.c). */
void rh_scaling_write(const rh_scaling *scaling, rh_text *out);
void rh_scaling_write_json(const rh_scaling *scaling, rh_text *out);
void rh_scaling_write_csv(const rh_scaling *scaling, rh_text *out);

/* scaling_fit.c: fills what the fit says from the points' workers and rates; speed-ups and efficiencies as well. */
void rh_scaling_fit(rh_scaling_series *series);

#endif
