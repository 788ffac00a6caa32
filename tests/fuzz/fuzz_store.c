/* Databases that are not ours, or were: opened, listed, shown, merged from; never written to. */
#include <string.h>

#include "hash.h"
#include "store.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  rh_store *store;
  rh_run_list list = {0};
  rh_text out = {0};
  const char *path = fuzz_file("foreign.db", data, size);
  if (rh_store_open(path, RH_STORE_READ, &store) == RH_OK) {
    if (rh_store_list(store, NULL, NULL, &list) == RH_OK) {
      rh_list_write(&list, &out);
      rh_table_write(&list, &out);
      for (int32_t i = 0; i < list.count && i < 2; i++)
        if (rh_show_write(store, list.list[i].id, false, &out) != RH_OK) rh_text_append(&out, "-");
    }
    rh_run_list_clear(&list);
    rh_store_close(store);
  }
  rh_text_clear(&out);
  rh_store_remove(path);
  return 0;
}
