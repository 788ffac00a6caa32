/* Profiles: durations as JSON. */
#include "profile_file.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  rh_text text = {0};
  rh_profile profile = {0};
  rh_text_append_bytes(&text, (const char *)data, size);
  if (rh_profile_read(rh_text_get(&text), "input", &profile) == RH_OK) {
    rh_text again = {0};
    rh_profile_write(&profile, &again); /* what was accepted can be written */
    rh_text_clear(&again);
    rh_profile_clear(&profile);
  }
  rh_text_clear(&text);
  return 0;
}
