/* Messages that the device makes and reads against those of train/compress: the same bytes and the same values. */
#include "compressor.h"
#include "fold.h"
#include "pair.h"
#include "quantise.h"

enum { WORKER = 5, STEP = 3, SEGMENTS_MAX = 6 };

typedef struct coded {
  const rh_compressor *compressor;
  const char *options; /* "key=value key=value" */
} coded;

static const coded cases[] = {
    {&rh_compressor_fp16, ""},
    {&rh_compressor_bf16, ""},
    {&rh_compressor_int8, ""},
    {&rh_compressor_int8, "rounding=nearest"},
    {&rh_compressor_int, "bits=1"},
    {&rh_compressor_int, "bits=3 rounding=nearest"},
    {&rh_compressor_qsgd, ""},
    {&rh_compressor_qsgd, "bits=2 bucket=0"},
    {&rh_compressor_qsgd, "bits=5 bucket=100"},
    {&rh_compressor_terngrad, ""},
    {&rh_compressor_terngrad, "clip=0"},
    {&rh_compressor_sign, ""},
    {&rh_compressor_ef_sign, ""},
    {&rh_compressor_cosine, ""},
    {&rh_compressor_cosine, "bits=3"},
    {&rh_compressor_topk, ""},
    {&rh_compressor_topk, "ratio=0.3 scope=global"},
    {&rh_compressor_topk, "ratio=0.05 index=packed"},
    {&rh_compressor_topk, "ratio=0.1 index=u32"},
    {&rh_compressor_topk, "ratio=0.02 index=u16"},
    {&rh_compressor_topk, "ratio=0.2 index=bitmap"},
    {&rh_compressor_topk, "ratio=1"},
    {&rh_compressor_threshold, "threshold=1.5"},
    {&rh_compressor_threshold, "threshold=0.8 relative=on"},
    {&rh_compressor_threshold, "threshold=2.5 relative=on index=packed"},
    {&rh_compressor_threshold, "threshold=1 index=u16"},
    {&rh_compressor_threshold, "threshold=1e20 index=bitmap"},
    {&rh_compressor_threshold, "threshold=1e-30 index=u32"},
    {&rh_compressor_dgc, "ratio=0.05"},
    {&rh_compressor_dgc, "ratio=0.01 start=0.5 warmup=6 index=u32"},
    {&rh_compressor_randomk, "ratio=0.1"},
    {&rh_compressor_randomk, "ratio=0.3 scope=global scale=on"},
    {&rh_compressor_randomk, "ratio=1 scale=on"},
};

static void read_options(const coded *c, void *options)
{
  char text[128], *rest = text;
  rh_settings settings = {0};
  snprintf(text, sizeof text, "%s", c->options);
  for (char *word; (word = strtok_r(rest, " ", &rest));) {
    char key[64];
    char *const value = strchr(word, '=');
    snprintf(key, sizeof key, "compress.%.*s", (int)(value - word), word);
    rh_settings_set(&settings, key, value + 1, "test", NULL);
  }
  if (rh_option_read(c->compressor->options, c->compressor->option_count, "compress", &settings, options) != RH_OK) {
    fprintf(stderr, "%s\n", rh_error_message());
    exit(1);
  }
  rh_settings_clear(&settings);
}

/* What quantisers may meet: normal numbers, zeros, equal ones, the smallest and the largest floats, what is not
 * finite. */
static void fill(float *x, int64_t n, int kind)
{
  for (int64_t i = 0; i < n; i++) {
    const float value = (float)rh_rng_normal(&rng);
    x[i] = kind == 1 ? 0 : kind == 2 ? -0.25F : kind == 3 ? value * 1e-40F : kind == 4 ? value * 5e37F : value;
    if (kind == 5) x[i] = rintf(2 * value) / 2; /* ties, and zeros of both signs */
    if (kind == 6) x[i] = value * 1e-25F;
  }
  if (kind == 7) x[between(0, n - 1)] = INFINITY;
  if (kind == 8) x[between(0, n - 1)] = NAN;
  if (kind == 9) x[between(0, n - 1)] = 1e4F;
}

enum { KINDS = 10 };

static void failed(const coded *c, const char *what, int64_t r, int64_t at)
{
  fprintf(stderr, "compressor %s %s: %s: message %lld, at %lld%s%s\n", c->compressor->name, c->options, what,
          (long long)r, (long long)at, gpu->failure() ? ": " : "", gpu->failure() ? gpu->failure() : "");
  exit(1);
}

static rh_coding coding_of(const void *options, const rh_layout *layout, int64_t r, void *scratch)
{
  return (rh_coding){.options = options,
                     .layout = layout,
                     .rng = rh_rng_stream(9, RH_PURPOSE_COMPRESS, (uint32_t)(WORKER + r), STEP),
                     .shared = rh_rng_stream(9, RH_PURPOSE_SHARED, 0, STEP),
                     .step = STEP,
                     .momentum = 0.7,
                     .scratch = scratch};
}

/* The code's places, on the device; NULL: it has none. */
static uint32_t *new_places(const coded *c, const void *options, const rh_layout *layout, void *scratch)
{
  if (!c->compressor->draw) return NULL;
  const size_t bytes = (size_t)c->compressor->bound_bytes(options, layout);
  uint32_t *places = checked(malloc(bytes)), *device = checked(gpu->alloc(bytes));
  rh_coding coding = coding_of(options, layout, 0, scratch);
  c->compressor->draw(&coding, places);
  gpu->upload(device, places, bytes);
  free(places);
  return device;
}

/* One layout; segments of all kinds of lengths, and kinds of values in each. */
static void compare(const coded *c, const rh_layout *layout, int64_t count, bool finite)
{
  int64_t options[16] = {0}; /* aligned as any options are, and larger */
  rh_code code;
  read_options(c, options);
  if (!rh_compressor_code(c->compressor, options, layout, STEP, &code)) failed(c, "a device has no code for it", 0, 0);
  const int64_t bound = c->compressor->bound_bytes(options, layout), stride = (bound + 64) / 64 * 64;
  const size_t bytes = (size_t)(count * stride), scratch_bytes = (size_t)(count * gpu->code_scratch(&code));
  pair x = pair_random(count, layout->values), y = pair_poison(count, layout->values);
  uint8_t *wire = checked(malloc(bytes)), *got = checked(malloc(bytes)), *device = checked(gpu->alloc(bytes));
  int64_t *lengths = checked(calloc((size_t)count, sizeof *lengths)), *device_lengths;
  device_lengths = checked(gpu->alloc((size_t)count * sizeof *lengths));
  void *scratch = checked(gpu->alloc(scratch_bytes + 1)), *host_scratch = checked(malloc(1 << 22));
  for (int64_t r = 0; r < count; r++)
    for (int64_t s = 0, first = 0; s < layout->count; first += layout->length[s++])
      if (layout->length[s] > 0)
        fill(x.host.data + r * x.host.stride + first, layout->length[s], (int)between(0, finite ? 6 : KINDS - 1));
  pair_send(&x);
  const rh_rng stream = rh_rng_stream(9, RH_PURPOSE_COMPRESS, WORKER, STEP);
  uint32_t *const places = new_places(c, options, layout, host_scratch);
  const int64_t kept = c->compressor->state_values ? c->compressor->state_values(options, layout) : 0;
  pair state = pair_random(count, kept > 0 ? kept : 1);
  code.places = places;
  if (kept > 0) { /* momentum, and what waits */
    const rh_tensor waits = {state.device.data + layout->values, state.device.stride};
    gpu->combine(layout->values, count, 0.7, state.device, 1, x.device, state.device);
    gpu->add_scaled(layout->values, count, 1, state.device, waits);
  }
  gpu->encode(&code, &stream, count, kept > 0 ? state.device : x.device, device, stride, device_lengths, scratch);
  gpu->decode(&code, count, device, stride, y.device);
  gpu->download(got, device, bytes);
  gpu->download(lengths, device_lengths, (size_t)count * sizeof *lengths);
  for (int64_t r = 0; r < count; r++) {
    rh_coding coding = coding_of(options, layout, r, host_scratch);
    const int64_t length =
        c->compressor->encode(&coding, x.host.data + r * x.host.stride, state.host.data + r * state.host.stride, wire);
    if (length != lengths[r]) failed(c, "another length", r, lengths[r]);
    for (int64_t i = 0; finite && i < length; i++)
      if (wire[i] != got[r * stride + i]) failed(c, "another byte", r, i);
    c->compressor->decode(&coding, wire, length, y.host.data + r * y.host.stride);
  }
  pair_agree("decoded values", &y, 0);
  pair_agree("a compressor's state", &state, 0);
  pair_drop(&x);
  gpu->release(places);
  free(wire);
  free(got);
  free(lengths);
  free(host_scratch);
  gpu->release(device);
  gpu->release(device_lengths);
  gpu->release(scratch);
}

static void test_messages(const coded *c)
{
  static const int64_t plain[] = {1, 7, 64, 65, 200, 1024, 1100};
  for (int i = 0; i < shapes / 2 + 1; i++) {
    int64_t length[SEGMENTS_MAX], values = 0;
    const int32_t count = (int32_t)between(1, SEGMENTS_MAX);
    for (int32_t s = 0; s < count; s++) {
      length[s] = plain[between(0, 6)] + (i % 3 ? 0 : between(0, 900));
      if (s > 0 && i % 4 == 3) length[s] = 0;
      values += length[s];
    }
    compare(c, &(rh_layout){count, length, length, values}, between(1, 4), i % 2 == 0);
  }
  const bool places = strcmp(c->compressor->name, "topk") == 0 || strcmp(c->compressor->name, "threshold") == 0;
  if (shapes <= 2 && !places) return;
  const int64_t large[] = {70000, 10, 9000};
  compare(c, &(rh_layout){3, large, large, 79010}, 2, true);
}

/* Sums in half precision, in two parts; levels are compared as test_fold does. */
static rh_coding half_coding;
static const rh_compressor *half;

static void copy_row(void *context, const void *from, void *to)
{
  (void)context;
  memcpy(to, from, (size_t)half_coding.layout->values * 2);
}

static void add_row(void *context, const void *from, void *to)
{
  (void)context;
  half->sum->add(half_coding.layout->values, from, to);
}

static void test_half_sums(const rh_compressor *compressor, rh_code_kind kind)
{
  for (int i = 0; i < shapes; i++) {
    const int64_t n = between(1, 300), count = between(1, 40), part = between(0, count),
                  stride = (2 * n + 63) / 64 * 64;
    const rh_layout layout = {1, &n, &n, n};
    const size_t bytes = (size_t)(count * stride), level_bytes = (size_t)(RH_FOLD_LEVELS * n) * 2;
    uint8_t *rows = checked(calloc(bytes, 1)), *device = checked(gpu->alloc(bytes));
    uint16_t *levels = checked(calloc(level_bytes, 1)), *got = checked(malloc(level_bytes));
    uint16_t *device_levels = checked(gpu->alloc(level_bytes));
    half = compressor;
    half_coding = (rh_coding){.layout = &layout};
    rh_fold fold = {.levels = levels, .row_bytes = 2 * n, .copy = copy_row, .add = add_row};
    for (int64_t r = 0; r < count; r++) {
      float x[300];
      for (int64_t k = 0; k < n; k++)
        x[k] = (float)rh_rng_normal(&rng) * 100;
      compressor->sum->contribute(&half_coding, NULL, 0, x, rows + r * stride);
      rh_fold_add(&fold, rows + r * stride);
    }
    gpu->upload(device, rows, bytes);
    if (part > 0) gpu->fold_halves(kind, n, part, device, stride, 0, device_levels);
    if (part < count)
      gpu->fold_halves(kind, n, count - part, device + part * stride, stride, (uint64_t)part, device_levels);
    gpu->download(got, device_levels, level_bytes);
    for (int k = 0; k < RH_FOLD_LEVELS; k++)
      if (fold.rows >> k & 1 && memcmp(got + k * n, levels + k * n, (size_t)n * 2) != 0) {
        fprintf(stderr, "sums of %s: level %d of %lld rows differs\n", compressor->name, k, (long long)count);
        exit(1);
      }
    free(rows);
    free(levels);
    free(got);
    gpu->release(device);
    gpu->release(device_levels);
  }
}

/* The majority of signs, with ties, values that are none, and more values than a tile has. */
static void test_vote(void)
{
  const coded sign = {&rh_compressor_sign, "magnitude=0.5"};
  int64_t options[16] = {0};
  read_options(&sign, options);
  for (int i = 0; i < shapes; i++) {
    const int64_t n = between(1, 900);
    const rh_layout layout = {1, &n, &n, n};
    rh_code code;
    if (!rh_compressor_code(sign.compressor, options, &layout, STEP, &code)) failed(&sign, "no code", 0, 0);
    pair x = pair_random(1, n);
    for (int64_t k = 0; k < n; k++)
      x.host.data[k] = k % 3 ? x.host.data[k] : k % 7 ? 1e-9F : k % 2 ? NAN : 0;
    pair_send(&x);
    rh_coding coding = {
        .options = options, .layout = &layout, .shared = rh_rng_stream(9, RH_PURPOSE_SHARED, 0, (uint64_t)i)};
    gpu->vote(&code, &coding.shared, x.device.data);
    sign.compressor->combine(&coding, x.host.data);
    pair_agree("vote", &x, 0);
  }
}

/* Rows divided by numbers of their own. */
static void test_divide(void)
{
  for (int i = 0; i < shapes; i++) {
    const int64_t n = between(1, 500), count = between(1, 9);
    pair x = pair_random(count, n);
    float divisors[9];
    for (int64_t r = 0; r < count; r++) {
      divisors[r] = 0.1F + rh_rng_f32(&rng);
      for (int64_t k = 0; k < n; k++)
        x.host.data[r * x.host.stride + k] /= divisors[r];
    }
    gpu->divide(n, count, divisors, x.device, x.device);
    pair_agree("divide", &x, 0);
  }
}

/* Quantising in 8 bits: ranges of samples, of all values, of those that are not zero, and running ones; NaN shows. */
static void test_quantise(void)
{
  enum { COUNT = 3 };
  for (int i = 0; i < 6 * shapes; i++) {
    const int64_t samples = i % 3 ? between(1, 9) : 1, n = between(1, 300), values = samples * n;
    const rh_quantising q = {i % 3 == 1, i % 6 == 3, i % 3 == 2, samples, n, values};
    const rh_rng stream = rh_rng_stream(9, RH_PURPOSE_ROUND, WORKER, (uint64_t)i);
    pair x = pair_random(COUNT, values), y = pair_poison(COUNT, values);
    rh_range running[COUNT] = {RH_RANGE_NONE, {-1, 2}, {0, 0.5F}}, got[COUNT];
    for (int64_t k = 0; k < COUNT * x.host.stride; k += q.nonzero ? 2 : 1000000)
      x.host.data[k] = 0;
    if (i % 7 == 6) x.host.data[between(0, values - 1)] = i % 2 ? NAN : INFINITY;
    for (int64_t k = 0; i % 8 == 7 && k < values; k++)
      x.host.data[k] = -3;
    pair_send(&x);
    rh_range *const device = checked(gpu->alloc(sizeof running));
    gpu->upload(device, running, sizeof running);
    gpu->quantise(&q, &stream, COUNT, x.device, y.device, q.nonzero ? NULL : device, 1);
    gpu->download(got, device, sizeof got);
    for (int64_t r = 0; r < COUNT; r++) {
      const float *const from = x.host.data + r * x.host.stride;
      float *const to = y.host.data + r * y.host.stride;
      rh_range range = q.nonzero     ? rh_range_of_nonzero(from, values)
                       : samples > 1 ? rh_range_of_samples(from, samples, n)
                                     : rh_range_of(from, values);
      if (q.evaluates && rh_range_is_known(running[r])) range = running[r];
      if (!q.evaluates && !q.nonzero) running[r] = rh_range_follow(running[r], range);
      rh_rng mine = rh_rng_stream(9, RH_PURPOSE_ROUND, (uint32_t)(WORKER + r), (uint64_t)i);
      if (q.stochastic)
        rh_quantise_stochastic(range, &mine, values, from, to);
      else if (q.nonzero)
        rh_quantise_nearest_nonzero(range, values, from, to);
      else
        rh_quantise_nearest(range, values, from, to);
      const bool same =
          isnan(running[r].lo) ? isnan(got[r].lo) : got[r].lo == running[r].lo && got[r].hi == running[r].hi;
      if (q.nonzero || same) continue;
      fprintf(stderr, "running range %g .. %g, expected %g .. %g\n", (double)got[r].lo, (double)got[r].hi,
              (double)running[r].lo, (double)running[r].hi);
      exit(1);
    }
    pair_agree("quantised values", &y, 0);
    pair_drop(&x);
    gpu->release(device);
  }
}

void test_codes(void)
{
  if (gpu->quantise) test_quantise();
  if (!gpu->encode) return;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    test_messages(&cases[i]);
  test_half_sums(&rh_compressor_fp16, RH_CODE_FP16);
  test_half_sums(&rh_compressor_bf16, RH_CODE_BF16);
  test_vote();
  test_divide();
}
