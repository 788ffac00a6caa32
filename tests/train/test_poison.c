/* The poison backend: each misuse of memory ends the program and says which; what is allowed goes on. */
#include "cmocka_all.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "poison.h"

static const rh_backend *const poison = &rh_backend_poison;

static rh_tensor take(int64_t values)
{
  rh_tensor t = {poison->alloc((size_t)values * sizeof(float)), values};
  RH_ASSERT(t.data);
  return t;
}

/* Runs a body in a child, which must end by this signal after these words on stderr. */
static void check_ends(int number, const char *words, void (*body)(void))
{
  int ends[2], state;
  char said[512] = {0};
  assert_int_equal(pipe(ends), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    signal(SIGABRT, SIG_DFL); /* cmocka has handlers of its own */
    signal(SIGSEGV, SIG_DFL);
    body();
    _exit(0);
  }
  close(ends[1]);
  for (ssize_t got, have = 0; (got = read(ends[0], said + have, sizeof said - 1 - (size_t)have)) > 0;)
    have += got;
  close(ends[0]);
  assert_int_equal(waitpid(child, &state, 0), child);
  if (!WIFSIGNALED(state) || WTERMSIG(state) != number || !strstr(said, words))
    fail_msg("expected signal %d and '%s': state %x, '%s'", number, words, (unsigned)state, said);
}

static volatile float sink;

static void read_released(void)
{
  rh_tensor t = take(10);
  poison->release(t.data);
  sink = t.data[3];
}

static void write_far_after(void)
{
  volatile float *values = take(16).data; /* one write after the other */
  for (int i = 0; i < 32; i++)
    values[i] = 1;
}

static void write_before(void)
{
  volatile float *values = take(1024).data; /* a whole page: the one before is not to be touched */
  for (int i = 0; i > -2000; i--)
    values[i] = 1;
}

/* Within the alignment of the end, which no page guards. */
static void write_just_after(void)
{
  rh_tensor t = take(10);
  t.data[10] = 1;
  poison->release(t.data);
}

static void release_twice(void)
{
  rh_tensor t = take(10);
  poison->release(t.data);
  poison->release(t.data);
}

static void release_middle(void)
{
  rh_tensor t = take(100);
  poison->release(t.data + 16);
}

static void release_of_others(void)
{
  static float of_the_program[4];
  poison->release(of_the_program);
}

static void operate_on_released(void)
{
  rh_tensor x = take(8), y = take(8);
  poison->release(x.data);
  poison->add_scaled(8, 1, 1, x, y);
}

/* Two replicas of 8, with room for one and a half. */
static void operate_beyond(void)
{
  rh_tensor x = take(12), y = take(16);
  x.stride = y.stride = 8;
  poison->relu_forward(8, 2, x, y);
}

static void label_beyond(void)
{
  rh_tensor z = take(4);
  int32_t *labels = poison->alloc(sizeof *labels);
  double loss;
  int64_t correct;
  poison->softmax_cross_entropy(2, 2, 1, z, labels, 2, 0, (rh_tensor){0}, &loss, &correct);
}

static const rh_backend *const device = &rh_backend_poison_device;

static void touch_device(void)
{
  const float *x = device->alloc(16);
  sink = x[2];
}

static void operate_on_the_programs(void)
{
  float x[4] = {0};
  const rh_tensor y = {device->alloc(sizeof x), 0};
  device->relu_forward(4, 1, (rh_tensor){x, 0}, y);
}

static void download_from_the_program(void)
{
  float x[4] = {0}, y[4];
  device->download(y, x, sizeof x);
}

static void upload_from_the_device(void)
{
  float *x = device->alloc(16), *y = device->alloc(16);
  device->upload(x, y, 16);
}

static void upload_beyond(void)
{
  const float x[5] = {0};
  device->upload(device->alloc(16), x, sizeof x);
}

static void operate_on_released_device(void)
{
  const rh_tensor x = {device->alloc(16), 0}, y = {device->alloc(16), 0};
  device->release(x.data);
  device->scale(4, 1, 2, x, y);
}

static void release_the_devices_as_own(void)
{
  poison->release(device->alloc(16));
}

static void mix_ups_end_the_program(void **state)
{
  (void)state;
  check_ends(SIGSEGV, "byte 8 of a block of 16 was touched, which lies on the device: use upload, download",
             touch_device);
  check_ends(SIGABRT, "relu_forward: x lies in the program's memory, not on the device", operate_on_the_programs);
  check_ends(SIGABRT, "download: from lies in the program's memory", download_from_the_program);
  check_ends(SIGABRT, "upload: from lies on the device, not in the program's memory", upload_from_the_device);
  check_ends(SIGABRT, "upload: to, 20 bytes from byte 0 of a block of 16, reaches outside its block", upload_beyond);
  check_ends(SIGABRT, "scale: x, 16 bytes from byte 0 of a block of 16, lies in a block that was released",
             operate_on_released_device);
  check_ends(SIGABRT, "release of memory that is none of this backend's", release_the_devices_as_own);
}

static void misuse_ends_the_program(void **state)
{
  (void)state;
  check_ends(SIGSEGV, "byte 12 of a block of 40 was touched, which was released before", read_released);
  check_ends(SIGSEGV, "byte 64 of a block of 64 was touched, which is outside of it", write_far_after);
  check_ends(SIGSEGV, "byte -4 of a block of 4096 was touched, which is outside of it", write_before);
  check_ends(SIGABRT, "byte 40 of a block of 40 was written", write_just_after);
  check_ends(SIGABRT, "a block was released twice", release_twice);
  check_ends(SIGABRT, "release of memory that does not begin a block", release_middle);
  check_ends(SIGABRT, "release of memory that is none of this backend's", release_of_others);
  check_ends(SIGABRT, "add_scaled: x, 32 bytes from byte 0 of a block of 32, lies in a block that was released",
             operate_on_released);
  check_ends(SIGABRT, "relu_forward: x, 64 bytes from byte 0 of a block of 48, reaches outside its block",
             operate_beyond);
  check_ends(SIGABRT, "softmax_cross_entropy: labels, 8 bytes from byte 0 of a block of 4, reaches outside",
             label_beyond);
}

/* Memory of the program's own is not its business; blocks come and go by the thousand. */
static void use_goes_on(void **state)
{
  (void)state;
  float x[4] = {1, -2, 3, -4}, y[4];
  const int64_t before = rh_poison_live();
  poison->relu_forward(4, 1, (rh_tensor){x, 0}, (rh_tensor){y, 0});
  assert_memory_equal(y, ((float[]){1, 0, 3, 0}), sizeof y);
  for (int i = 0; i < 5000; i++) {
    char *block = poison->alloc((size_t)(i % 3000));
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % 64, 0);
    for (int k = 0; k < i % 3000; k += 100)
      assert_int_equal(block[k], 0);
    memset(block, 1, (size_t)(i % 3000));
    poison->release(block);
  }
  poison->release(NULL);
  assert_int_equal(rh_poison_live(), before);
}

/* Outputs and scratch are NaN before they are written; what is both input and output is not. */
static void scratch_is_nan_and_inputs_stay(void **state)
{
  (void)state;
  const rh_conv c = {1, 1, 3, 3, 1, 2};
  assert_int_equal(poison->conv_scratch(&c), 4);
  rh_tensor x = take(9), w = take(4), b = take(1), y = take(4), scratch = take(4);
  for (int i = 0; i < 4; i++)
    w.data[i] = scratch.data[i] = 1;
  b.data[0] = 5;
  poison->conv_forward(&c, 1, x, w, b, y, scratch);
  for (int i = 0; i < 4; i++)
    assert_true(y.data[i] == 5 && isnan(scratch.data[i]));
  poison->scale(4, 1, 2, y, y);
  for (int i = 0; i < 4; i++)
    assert_true(y.data[i] == 10);
  const rh_tensor all[] = {x, w, b, y, scratch};
  for (int i = 0; i < 5; i++)
    poison->release(all[i].data);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(misuse_ends_the_program),
      cmocka_unit_test(mix_ups_end_the_program),
      cmocka_unit_test(use_goes_on),
      cmocka_unit_test(scratch_is_nan_and_inputs_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
