/* The phases of AB-training: which part of the model is trained in which round.
 *
 * Symbols     t finished optimiser steps, Tw warm-up steps, Ts synchronisation period, Td rebound length (steps)
 *
 *     after step t, the first rule that applies
 *       t < Tw                      stay FULL
 *       t == Tw                     enter AB, all ranks kept
 *       t % Ts == 0                 synchronise, then FULL
 *       t > Ts and t % Ts == Td     enter AB with the rank cut; no effect while in AB
 *
 * Source      Coquelin et al., AB-training, arXiv 2405.01067, and its authors' code
 */
#ifndef RH_AB_PHASE_H
#define RH_AB_PHASE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

typedef struct rh_ab_periods {
  int64_t warm_up;     /* Tw >= 0; 0: the first step is AB's already */
  int64_t synchronise; /* Ts */
  int64_t rebound;     /* Td, 0 < Td < Ts */
} rh_ab_periods;

typedef enum rh_ab_change {
  RH_AB_STAY,      /* in the phase that it is */
  RH_AB_ENTER,     /* FULL -> AB with all ranks */
  RH_AB_ENTER_CUT, /* FULL -> AB with the rank cut */
  RH_AB_LEAVE      /* synchronise; AB -> FULL */
} rh_ab_change;

/* RH_EINVAL unless 0 < Td < Ts. */
RH_CHECKED rh_status rh_ab_check_periods(const rh_ab_periods *periods);

/* What happens after step t (t >= 0; t = 0 is before the first step), being in AB or not. */
rh_ab_change rh_ab_change_after(const rh_ab_periods *periods, int64_t t, bool in_ab);

/* Steps in AB of the first `steps` steps. */
int64_t rh_ab_count(const rh_ab_periods *periods, int64_t steps);

#endif
