/* What encoding and decoding cost, as multiples of a plain copy (memcpy) of the same tensor by the same core.
 *
 * Three cases: a model of 20,522 values in two tensors, in the second-level cache; a tensor of 1,048,576 values, again
 * and again, whatever cache holds it; and the same, out of cache: 16 such tensors with their messages in turn, 64 MiB
 * each. Seconds are the thread's own, so that others on the machine disturb less; each figure is the best of several
 * rounds. An argument names the only compressor to measure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compressor.h"

enum { LARGE = 1 << 20, SMALL = 20522, TENSORS = 16, ROUNDS = 7 };

static double now_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Tensors, messages and decoded tensors of one case. */
typedef struct fixture {
  rh_layout layout;
  int tensors;    /* worked on in turn */
  int calls;      /* timed at once */
  int64_t stride; /* bytes between tensors, and between messages */
  char *x, *wire, *y;
  int64_t bytes[TENSORS]; /* of the messages */
} fixture;

typedef struct work {
  const rh_compressor *compressor; /* NULL: copies */
  const void *options;
  float *state;
  void *scratch;
  bool decodes;
} work;

static void do_one(fixture *f, const work *w, int k)
{
  const int64_t at = k * f->stride;
  rh_coding coding = {.options = w->options,
                      .layout = &f->layout,
                      .rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, (uint64_t)k),
                      .shared = rh_rng_stream(2, RH_PURPOSE_TEST, 0, (uint64_t)k),
                      .momentum = 0.9,
                      .scratch = w->scratch};
  if (!w->compressor)
    memcpy(f->y + at, f->x + at, (size_t)f->layout.values * sizeof(float));
  else if (w->decodes)
    w->compressor->decode(&coding, (const uint8_t *)f->wire + at, f->bytes[k], (float *)(f->y + at));
  else
    f->bytes[k] = w->compressor->encode(&coding, (const float *)(f->x + at), w->state, (uint8_t *)f->wire + at);
}

/* Seconds of one call, the best of several rounds. */
static double seconds(fixture *f, const work *w)
{
  double best = 1e30;
  for (int round = 0; round < ROUNDS; round++) {
    const double start_s = now_s();
    for (int call = 0; call < f->calls; call++)
      do_one(f, w, call % f->tensors);
    const double s = (now_s() - start_s) / f->calls;
    if (s < best) best = s;
  }
  return best;
}

static rh_status measure(const rh_compressor *c, const rh_settings *settings, const char *label, fixture *f)
{
  rh_status status = RH_OK;
  work w = {.compressor = c};
  void *options = calloc(1, c->options_size + 1);
  RH_ASSERT(options);
  RH_TRY(rh_option_read(c->options, c->option_count, "compress", settings, options));
  if (c->check) RH_TRY(c->check(options, &f->layout));
  if (c->bound_bytes(options, &f->layout) > f->stride) goto done; /* grows: nothing to keep it in */
  w.options = options;
  if (c->state_values) w.state = calloc((size_t)c->state_values(options, &f->layout) + 1, sizeof *w.state);
  if (c->scratch_bytes) w.scratch = aligned_alloc(64, (size_t)(c->scratch_bytes(options, &f->layout) + 127) / 64 * 64);
  const work copy = {0};
  const double before_s = seconds(f, &copy), encode_s = seconds(f, &w);
  w.decodes = true;
  const double decode_s = seconds(f, &w), after_s = seconds(f, &copy);
  const double copy_s = before_s < after_s ? before_s : after_s, ns = 1e9 / (double)f->layout.values;
  printf("%-10s %-18s %9.3f %9.3f %9.3f %8.1f %8.1f %10.3f\n", c->name, label, copy_s * ns, encode_s * ns,
         decode_s * ns, encode_s / copy_s, decode_s / copy_s, (double)f->bytes[0] / (double)f->layout.values);
done:
  free(w.state);
  free(w.scratch);
  free(options);
  return status;
}

/* What is measured beside the defaults, of every compressor that has the option. */
static const struct {
  const char *option, *key, *value, *label;
} variants[] = {
    {"bits", "compress.bits", "3", "bits 3"},
    {"rounding", "compress.rounding", "nearest", "rounding nearest"},
    {"ratio", "compress.ratio", "0.0001", "ratio 0.0001"},
    {"threshold", "compress.threshold", "2.5758", "threshold 2.5758"}, /* 1 % of a normal distribution */
};

/* Every compressor, or the one of that name, with its defaults, and with the variants of the options that it has. */
static rh_status measure_all(fixture *f, const char *name)
{
  rh_status status = RH_OK;
  rh_settings settings = {0};
  for (size_t i = 0; rh_compressors[i]; i++) {
    const rh_compressor *c = rh_compressors[i];
    if (!c->encode || !c->decode || (name && strcmp(name, c->name) != 0)) continue;
    RH_TRY(measure(c, &settings, "", f));
    for (size_t k = 0; k < c->option_count; k++)
      for (size_t v = 0; v < RH_COUNT(variants); v++) {
        if (strcmp(c->options[k].name, variants[v].option) != 0) continue;
        rh_settings_set(&settings, variants[v].key, variants[v].value, "bench", NULL);
        RH_TRY(measure(c, &settings, variants[v].label, f));
        rh_settings_clear(&settings);
      }
  }
done:
  rh_settings_clear(&settings);
  return status;
}

static rh_status run(const char *title, int32_t count, const int64_t *lengths, const int64_t *rows, int tensors,
                     int calls, const char *name)
{
  fixture f = {.layout = {.count = count, .length = lengths, .rows = rows}, .tensors = tensors, .calls = calls};
  for (int32_t s = 0; s < count; s++)
    f.layout.values += lengths[s];
  f.stride = (f.layout.values * (int64_t)sizeof(float) * 5 / 4 + 8192) / 64 * 64;
  const size_t bytes = (size_t)(f.stride * tensors);
  f.x = aligned_alloc(64, bytes);
  f.wire = aligned_alloc(64, bytes);
  f.y = aligned_alloc(64, bytes);
  RH_ASSERT(f.x && f.wire && f.y);
  memset(f.wire, 1, bytes); /* every page is there before the clock starts */
  memset(f.y, 1, bytes);
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  for (int k = 0; k < tensors; k++)
    for (int64_t i = 0; i < f.layout.values; i++)
      ((float *)(f.x + k * f.stride))[i] = (float)rh_rng_normal(&rng);
  double load[1] = {0};
  if (getloadavg(load, 1) != 1) load[0] = -1;
  printf("%s; load average %.2f (numbers of a busy machine are not to be trusted)\n", title, load[0]);
  printf("%-29s %9s %9s %9s %17s %10s\n%-29s %29s %8s %8s %10s\n", "", "copy", "encode", "decode", "times the copy",
         "bytes", "", "ns a value", "encode", "decode", "a value");
  rh_status status = measure_all(&f, name);
  free(f.x);
  free(f.wire);
  free(f.y);
  return status;
}

int main(int argc, char **argv)
{
  rh_status status = RH_OK;
  const char *name = argc > 1 ? argv[1] : NULL;
  const int64_t one[] = {LARGE}, one_rows[] = {1024}, two[] = {SMALL - 10, 10}, two_rows[] = {1, 10};
  RH_TRY(run("20,522 values in two tensors", 2, two, two_rows, 1, 200, name));
  RH_TRY(run("1,048,576 values, always the same", 1, one, one_rows, 1, 8, name));
  RH_TRY(run("1,048,576 values, out of cache", 1, one, one_rows, TENSORS, TENSORS, name));
done:
  if (status != RH_OK) fprintf(stderr, "%s\n", rh_error_message());
  return status == RH_OK ? 0 : 1;
}
