/* Study files: read, expanded, and the first runs resolved. */
#include "run.h"
#include "study.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  rh_study study;
  const char *path = fuzz_file("study.yaml", data, size);
  if (rh_study_read(path, NULL, 0, &study) != RH_OK) return 0;
  for (size_t i = 0; i < study.count && i < 4; i++) {
    rh_run run;
    if (rh_run_resolve(&study.runs[i], study.name, study.question, study.directory, &run) == RH_OK) rh_run_clear(&run);
  }
  rh_study_clear(&study);
  return 0;
}
