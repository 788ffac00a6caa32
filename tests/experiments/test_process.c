/* Child processes, with the shell in place of this program. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "cmocka_all.h"
#include "process.h"

static int use_shell(void **state)
{
  (void)state;
  rh_process_set_self("/bin/sh");
  return 0;
}

static int run(const char *script, double timeout_s, rh_text *out, rh_text *err, rh_status *status)
{
  const char *argv[] = {"", "-c", script, NULL};
  int code = -1;
  *status = rh_process_run(argv, timeout_s, NULL, out, err, &code);
  return code;
}

static void streams_and_status_come_back(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  rh_status status;
  assert_int_equal(run("echo one; echo two >&2; cat; exit 7", 0, &out, &err, &status), 7);
  assert_int_equal(status, RH_OK);
  assert_string_equal(rh_text_get(&out), "one\n"); /* cat ends at once: stdin is empty */
  assert_string_equal(rh_text_get(&err), "two\n");
  rh_text_clear(&out);
  rh_text_clear(&err);
}

static void output_larger_than_a_pipe_arrives(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  rh_status status;
  assert_int_equal(
      run("head -c 300000 /dev/zero | tr '\\0' x; head -c 200000 /dev/zero | tr '\\0' y >&2", 0, &out, &err, &status),
      0);
  assert_int_equal(out.length, 300000);
  assert_int_equal(err.length, 200000);
  rh_text_clear(&out);
  rh_text_clear(&err);
}

/* Whoever said how OpenMP's threads wait is obeyed; nobody: shortly. */
static void children_are_told_how_to_wait(void **state)
{
  (void)state;
  static const struct {
    const char *policy, *spins, *expected;
  } rows[] = {{"passive", NULL, "-passive\n"}, {NULL, "7", "7-\n"}, {NULL, NULL, "1000-\n"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    rh_text out = {0}, err = {0};
    rh_status status;
    unsetenv("OMP_WAIT_POLICY");
    unsetenv("GOMP_SPINCOUNT");
    if (rows[i].policy) setenv("OMP_WAIT_POLICY", rows[i].policy, 1);
    if (rows[i].spins) setenv("GOMP_SPINCOUNT", rows[i].spins, 1);
    assert_int_equal(run("echo $GOMP_SPINCOUNT-$OMP_WAIT_POLICY", 0, &out, &err, &status), 0);
    assert_string_equal(rh_text_get(&out), rows[i].expected);
    rh_text_clear(&out);
    rh_text_clear(&err);
  }
}

static void a_signal_is_128_and_its_number(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  rh_status status;
  assert_int_equal(run("kill -SEGV $$", 0, &out, &err, &status), 128 + SIGSEGV);
  assert_int_equal(status, RH_OK);
}

static void a_child_that_takes_too_long_is_killed(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  rh_status status;
  run("sleep 100", 0.05, &out, &err, &status);
  assert_int_equal(status, RH_EIO);
  assert_string_equal(rh_error_message(), "'rehearse -c' did not end within 0.05 s");
}

static rh_text said;

static bool cancelled_after_a_line(void)
{
  return strchr(rh_text_get(&said), '\n');
}

static void a_child_that_is_not_wanted_any_more_is_killed(void **state)
{
  (void)state;
  rh_text err = {0};
  int code = -1;
  const char *argv[] = {"", "-c", "echo $$; sleep 100", NULL};
  assert_int_equal(rh_process_run(argv, 0, cancelled_after_a_line, &said, &err, &code), RH_EINTERRUPTED);
  assert_string_equal(rh_error_message(), "interrupted");
  assert_int_equal(code, -1);
  pid_t child = atoi(rh_text_get(&said));
  assert_true(child > 0);
  assert_int_equal(kill(child, 0), -1); /* there is no such process any more */
  rh_text_clear(&said);
  rh_text_clear(&err);
}

static void a_missing_program_is_named(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  rh_status status;
  rh_process_set_self("/nowhere/rehearse");
  run("true", 0, &out, &err, &status);
  rh_process_set_self("/bin/sh");
  assert_int_equal(status, RH_EIO);
  assert_string_equal(rh_error_message(), "cannot start '/nowhere/rehearse -c': No such file or directory");
}

/* What the children of a pool said and how they ended. */
typedef struct record {
  const char *scripts[4];
  int code[4], lines[4], alive, most_alive;
  char last[4][16];
  rh_status answer; /* of done() */
} record;

static rh_status start(void *context, size_t task, rh_process *process)
{
  record *r = context;
  const char *argv[] = {"", "-c", r->scripts[task], NULL};
  if (++r->alive > r->most_alive) r->most_alive = r->alive;
  return rh_process_start(argv, -1, process);
}

static void line(void *context, size_t task, const char *text)
{
  record *r = context;
  r->lines[task]++;
  snprintf(r->last[task], sizeof r->last[task], "%s", text);
}

static rh_status done(void *context, size_t task, int exit_code, const char *err)
{
  record *r = context;
  r->alive--;
  r->code[task] = exit_code;
  assert_string_equal(err, "");
  return r->answer == RH_OK ? RH_OK : rh_error(r->answer, "done said no");
}

static void children_run_side_by_side(void **state)
{
  (void)state;
  record r = {.scripts = {"echo a; echo b", "exit 3", "printf c", "exit 0"}, .code = {-1, -1, -1, -1}};
  rh_children_def def = {.jobs = 2, .context = &r, .start = start, .line = line, .done = done};
  assert_int_equal(rh_children_run(&def, 4), RH_OK);
  assert_int_equal(r.most_alive, 2);
  assert_int_equal(r.code[0], 0);
  assert_int_equal(r.code[1], 3);
  assert_int_equal(r.lines[0], 2);
  assert_string_equal(r.last[0], "b");
  assert_string_equal(r.last[2], "c"); /* without a line feed */
}

static void a_failure_ends_the_others(void **state)
{
  (void)state;
  record r = {.scripts = {"exit 0", "sleep 100", "exit 0"}, .code = {-1, -1, -1, -1}, .answer = RH_EIO};
  rh_children_def def = {.jobs = 2, .context = &r, .start = start, .line = line, .done = done};
  assert_int_equal(rh_children_run(&def, 3), RH_EIO);
  assert_string_equal(rh_error_message(), "done said no");
  assert_int_equal(r.code[1], 128 + SIGTERM);
  assert_int_equal(r.code[2], -1); /* never started */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(streams_and_status_come_back),   cmocka_unit_test(output_larger_than_a_pipe_arrives),
      cmocka_unit_test(a_signal_is_128_and_its_number), cmocka_unit_test(a_child_that_takes_too_long_is_killed),
      cmocka_unit_test(a_missing_program_is_named),     cmocka_unit_test(children_run_side_by_side),
      cmocka_unit_test(a_failure_ends_the_others),      cmocka_unit_test(a_child_that_is_not_wanted_any_more_is_killed),
      cmocka_unit_test(children_are_told_how_to_wait),
  };
  return cmocka_run_group_tests(tests, use_shell, NULL);
}
