#include "pixels.h"

#include "blas_kernel.h"
#include "pixels_avx512.h"
#include "status.h"

enum { BYTES = 256, LINE = 64 /* bytes of a cache line */ };

static void look_up(const float value[BYTES], int64_t size, const uint8_t *bytes, float *row)
{
  for (int64_t k = 0; k < size; k++)
    row[k] = value[bytes[k]];
}

#ifdef RH_HAS_AVX512
/* One sample, while the bytes of a later one are fetched line by line. */
RH_AVX512 static void calculate(const rh_pixels *pixels, const uint8_t *bytes, const uint8_t *later, float *row)
{
  const rh_normaliser n = rh_normaliser_of(pixels);
  const int64_t size = pixels->size;
  int64_t k = 0;
  for (; k + LINE <= size; k += LINE) {
    __builtin_prefetch(later + k, 0, 2); /* to the second level: the first one waits for few lines at a time */
#pragma GCC unroll 4
    for (int64_t i = k; i < k + LINE; i += RH_LANES)
      _mm512_storeu_ps(row + i, rh_normalise(_mm_loadu_si128((const void *)(bytes + i)), &n));
  }
  __builtin_prefetch(later + k, 0, 2);
  __builtin_prefetch(later + size - 1, 0, 2);
  for (; k < size; k += RH_LANES) {
    const __mmask16 mask = rh_first_lanes(size - k);
    _mm512_mask_storeu_ps(row + k, mask, rh_normalise(_mm_maskz_loadu_epi8(mask, bytes + k), &n));
  }
}

/* Whether calculating gives the table's bits. */
static bool can_calculate(const rh_pixels *pixels, const float value[BYTES])
{
  uint8_t every[BYTES];
  float got[BYTES];
  if (rh_vector_of_processor() != RH_VECTOR_AVX512) return false;
  for (int i = 0; i < BYTES; i++)
    every[i] = (uint8_t)i;
  const rh_pixels all = {.size = BYTES, .mean = pixels->mean, .deviation = pixels->deviation};
  calculate(&all, every, every, got);
  for (int i = 0; i < BYTES; i++)
    if (got[i] != value[i]) return false;
  return true;
}
#else
static bool can_calculate(const rh_pixels *pixels, const float value[BYTES])
{
  (void)pixels, (void)value;
  return false;
}

static void calculate(const rh_pixels *pixels, const uint8_t *bytes, const uint8_t *later, float *row)
{
  (void)pixels, (void)bytes, (void)later, (void)row;
  RH_ASSERT(false);
}
#endif

/* What bytes become with a mean and a deviation. */
typedef struct table {
  float mean, deviation;
  bool there, calculated; /* filled in; made by `calculate` as well */
  float value[BYTES];
} table;

/* A table takes longer than two samples to make: a thread keeps the last one that it asked for. */
static const table *table_of(const rh_pixels *pixels)
{
  static _Thread_local table last;
  if (last.there && last.mean == pixels->mean && last.deviation == pixels->deviation) return &last;
  last = (table){.mean = pixels->mean, .deviation = pixels->deviation, .there = true};
  for (int byte = 0; byte < BYTES; byte++)
    last.value[byte] = ((float)byte / 255.0f - pixels->mean) / pixels->deviation;
  last.calculated = can_calculate(pixels, last.value);
  return &last;
}

bool rh_pixels_calculated(const rh_pixels *pixels)
{
  return table_of(pixels)->calculated;
}

/* Samples lie anywhere in memory: the next ones are fetched while one is worked on. */
static void fetch(int64_t size, const uint8_t *bytes)
{
  enum { MOST = 4096 };
  for (int64_t k = 0; k < size && k < MOST; k += LINE)
    __builtin_prefetch(bytes + k, 0, 2);
}

void rh_pixels_values(const rh_pixels *pixels, int64_t n, float *x)
{
  enum { AHEAD = 4 };
  const table *values = table_of(pixels);
  const int64_t size = pixels->size;
  for (int64_t i = 0; i < n && i < AHEAD; i++)
    fetch(size, rh_pixels_row(pixels, i));
  for (int64_t i = 0; i < n; i++) {
    const uint8_t *const bytes = rh_pixels_row(pixels, i);
    const uint8_t *const later = i + AHEAD < n ? rh_pixels_row(pixels, i + AHEAD) : bytes;
    if (values->calculated) {
      calculate(pixels, bytes, later, x + i * size);
    } else {
      fetch(size, later);
      look_up(values->value, size, bytes, x + i * size);
    }
  }
}
