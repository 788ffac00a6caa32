/* Tests in processes of their own: SimGrid's engine is global, so one process holds one simulation.
 *
 *     static void ring_of_four(void **state)
 *     {
 *       IN_PROCESS();                       // the parent runs this very test in a child and returns here
 *       ... load a platform, simulate, assert ...
 *     }
 *     int main(int argc, char **argv)
 *     {
 *       const struct CMUnitTest tests[] = {...};
 *       in_process_begin(argc, argv);
 *       return cmocka_run_group_tests(tests, NULL, NULL);
 *     }
 */
#ifndef RH_IN_PROCESS_H
#define RH_IN_PROCESS_H

#include "cmocka_all.h"

#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child: what the parent passed to in_process_with; "" otherwise. In the parent: NULL. */
static const char *in_process_argument;

/* In the parent: runs the test `name` in a child with an argument, asserts that it passed, returns true. In the child:
 * returns false. */
static inline bool in_process_with(const char *name, const char *argument)
{
  if (in_process_argument != NULL) return false;
  /* a child that does not know it would start children of its own without end */
  if (getenv("REHEARSE_IN_PROCESS")) fail_msg("main does not begin with in_process_begin(argc, argv)");
  setenv("REHEARSE_IN_PROCESS", "1", 1);
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(length > 0);
  self[length] = '\0';
  char *arguments[] = {self, (char *)"--in-process", (char *)name, (char *)argument, NULL};
  extern char **environ;
  pid_t child;
  fflush(NULL);
  assert_int_equal(posix_spawn(&child, self, NULL, NULL, arguments, environ), 0);
  unsetenv("REHEARSE_IN_PROCESS");
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (status != 0)
    fail_msg("child ended with wait status %d; to repeat it: %s --in-process %s '%s'", status, self, name, argument);
  return true;
}

#define IN_PROCESS()                                                                                                   \
  do {                                                                                                                 \
    if (in_process_with(__func__, "")) return;                                                                         \
  } while (0)

#define in_process_begin(argc, argv)                                                                                   \
  do {                                                                                                                 \
    if ((argc) == 4 && strcmp((argv)[1], "--in-process") == 0) {                                                       \
      cmocka_set_test_filter((argv)[2]);                                                                               \
      in_process_argument = (argv)[3];                                                                                 \
    }                                                                                                                  \
  } while (0)

#endif
