#include "ab_phase.h"

#include <inttypes.h>

rh_status rh_ab_check_periods(const rh_ab_periods *p)
{
  if (p->warm_up >= 0 && p->rebound > 0 && p->rebound < p->synchronise) return RH_OK;
  return rh_error(RH_EINVAL,
                  "train.ab_rebound %" PRId64 " must be at least 1 and less than train.ab_period %" PRId64
                  ": after a synchronisation the model is trained in full rank for `rebound` rounds, then in factors "
                  "until the next one",
                  p->rebound, p->synchronise);
}

rh_ab_change rh_ab_change_after(const rh_ab_periods *p, int64_t t, bool in_ab)
{
  if (t < p->warm_up) return RH_AB_STAY;
  if (t == p->warm_up) return RH_AB_ENTER;
  if (t % p->synchronise == 0) return in_ab ? RH_AB_LEAVE : RH_AB_STAY;
  if (!in_ab && t > p->synchronise && t % p->synchronise == p->rebound) return RH_AB_ENTER_CUT;
  return RH_AB_STAY;
}

int64_t rh_ab_count(const rh_ab_periods *p, int64_t steps)
{
  int64_t count = 0;
  bool in_ab = false;
  for (int64_t t = 0; t < steps; t++) {
    switch (rh_ab_change_after(p, t, in_ab)) {
    case RH_AB_STAY:
      break;
    case RH_AB_LEAVE:
      in_ab = false;
      break;
    case RH_AB_ENTER:
    case RH_AB_ENTER_CUT:
      in_ab = true;
      break;
    }
    count += in_ab;
  }
  return count;
}
