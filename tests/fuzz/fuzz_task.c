/* Task files, which a planned study is made of. */
#include "task.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  rh_task task;
  if (rh_task_read(fuzz_file("1.task", data, size), &task) == RH_OK) rh_task_clear(&task);
  return 0;
}
