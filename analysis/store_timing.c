/* What `rehearse run --repeat-timing` found: times of one round of a run, with durations drawn anew. */
#include "store_private.h"

rh_status rh_store_put_timing_draws(rh_store *store, const char *id, const rh_timing_draws *draws)
{
  static const char forget[] = "DELETE FROM timing_draws WHERE run_id = ?";
  static const char put[] =
      "INSERT INTO timing_draws(run_id, draw, round, finish_s, mathematics_again) VALUES (?, ?, ?, ?, ?)";
  rh_binder b = {0};
  rh_status status;
  RH_ASSERT(store->writable);
  RH_TRY(rh_store_begin(store));
  RH_TRY(rh_store_prepare(store, forget, &b.statement));
  rh_bind_text(&b, id);
  RH_TRY(rh_store_finish(store, b.statement));
  for (int k = 0; k < draws->count; k++) {
    b = (rh_binder){0};
    RH_TRY(rh_store_prepare(store, put, &b.statement));
    rh_bind_text(&b, id);
    rh_bind_integer(&b, k + 1);
    rh_bind_integer(&b, draws->round);
    rh_bind_real(&b, draws->finish_s[k]);
    rh_bind_text(&b, draws->mathematics_again);
    RH_TRY(rh_store_finish(store, b.statement));
  }
  status = rh_store_commit(store);
done:
  if (status != RH_OK) rh_store_rollback(store);
  return status;
}
