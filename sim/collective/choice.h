/* Which all-reduce a run uses: one algorithm throughout, or for each operation the one that MPI libraries would take.
 *
 * Symbols     N ranks of the operation, n elements, S bytes of the vector, P the largest power of two up to N
 *
 * `auto`, after the rules of two libraries whose thresholds are public (both for sums, which commute):
 *   1. S <= 2 KiB, or n < P                doubling            MPICH: MPIR_CVAR_ALLREDUCE_SHORT_MSG_SIZE, count < pof2
 *   2. N = P                               halving-doubling    MPICH
 *   3. S >= 10,000 bytes and n > N         ring                Open MPI: coll_tuned_decision_fixed, up to 1 MiB a rank;
 *                                                              beyond it, cuts the same ring into segments
 *   4. else                                halving-doubling    MPICH, which folds any N into P
 * Rule 3 comes after rule 2 because folding moves two whole vectors more, which a ring does not.
 *
 * source      Thakur, Rabenseifner & Gropp, Optimization of collective communication operations in MPICH, IJHPCA 19(1),
 *             2005, for 1, 2 and 4; Open MPI's tuned module, fixed decision, release 1.6 to 4.0, for 3
 */
#ifndef RH_CHOICE_H
#define RH_CHOICE_H

#include "collectives.h"

/* Names of enum rh_allreduce_choice, for an option. */
#define RH_ALLREDUCE_CHOICES "ring auto halving-doubling doubling tree double-tree two-level torus server"
enum rh_allreduce_choice {
  RH_ALLREDUCE_RING,
  RH_ALLREDUCE_AUTO,
  RH_ALLREDUCE_HALVING_DOUBLING,
  RH_ALLREDUCE_DOUBLING,
  RH_ALLREDUCE_TREE,
  RH_ALLREDUCE_DOUBLE_TREE,
  RH_ALLREDUCE_TWO_LEVEL,
  RH_ALLREDUCE_TORUS,
  RH_ALLREDUCE_SERVER,
  RH_ALLREDUCE_COUNT
};

/* All zero: rings. */
typedef struct rh_allreduce {
  int choice;                  /* enum rh_allreduce_choice */
  const int32_t *zone_of;      /* of two-level: by rank; borrowed; NULL: all ranks are in one */
  int32_t sides[RH_TORUS_MAX]; /* of torus: of all ranks; 0: two sides, as equal as the ranks allow */
  int32_t shards;              /* of server; fewer where a group has fewer ranks; 0: 1 */
} rh_allreduce;

/* Makes c the chosen all-reduce. Its size, group, bytes and element_bytes are set; a torus of a group, or of other
 * ranks than its sides make, has as many sides as the chosen one, as equal as they can be. */
void rh_allreduce_choose(const rh_allreduce *allreduce, rh_collective *c);

/* The kind of a choice; NULL: auto, which has none of its own. */
const rh_collective_kind *rh_allreduce_kind(int choice);

#endif
