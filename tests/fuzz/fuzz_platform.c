/* Platform files, through the probe, in a process of its own: whatever SimGrid does to a file, `rehearse` has a message
 * that says so. Each input costs a process, so there are few. */
#include <string.h>

#include "probe.h"
#include "process.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  rh_probe probe;
  const rh_platform_def def = {.file = fuzz_file("net.xml", data, size), .model = "", .workers = 2};
  rh_process_set_self(RH_PROGRAM);
  if (rh_probe_platform(&def, NULL, true, &probe) != RH_OK && !*rh_error_message()) abort();
  return 0;
}
