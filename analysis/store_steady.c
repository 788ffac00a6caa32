/* Below the closing table: how much of the network's time was simulated, and how much was skipped in steady states. */
#include "store_private.h"

rh_status rh_table_write_steady(rh_store *store, const rh_run_list *runs, rh_text *out)
{
  static const char sql[] = "SELECT simulated_messages, skipped_messages FROM runs WHERE id = ?";
  int64_t simulated = 0, skipped = 0;
  rh_status status = RH_OK;
  for (int32_t i = 0; i < runs->count && status == RH_OK; i++) {
    rh_binder b = {0};
    bool row = false;
    status = rh_store_prepare(store, sql, &b.statement);
    if (status != RH_OK) break;
    rh_bind_text(&b, runs->list[i].id);
    status = rh_store_next(store, b.statement, &row);
    if (row) {
      simulated += sqlite3_column_int64(b.statement, 0);
      skipped += sqlite3_column_int64(b.statement, 1);
    }
    sqlite3_reset(b.statement);
  }
  if (status == RH_OK && skipped > 0)
    rh_text_append(out,
                   "\nnetwork: of %lld messages %lld were simulated, the others calculated or skipped in steady states,"
                   " with the same times and bytes (network.steady)\n",
                   (long long)(simulated + skipped), (long long)simulated);
  return status;
}
