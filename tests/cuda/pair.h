/* A tensor twice: for `ref` in the program's memory, for the device in its own. Replicas lie with gaps between them;
 * gaps and outputs are NaN before a call, so that a value that is not written, a read outside an input and a write into
 * a gap all show. */
#ifndef PAIR_H
#define PAIR_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "rng.h"

extern const rh_backend *gpu;
extern rh_rng rng;
extern int shapes; /* random shapes of each operation */

static inline int64_t between(int64_t low, int64_t high)
{
  return low + rh_rng_below(&rng, (uint32_t)(high - low + 1));
}

typedef struct pair {
  rh_tensor host, device; /* both owned */
  int64_t count, n;
} pair;

static inline size_t pair_bytes(const pair *p)
{
  return (size_t)(p->count * p->host.stride) * sizeof(float);
}

static inline void *checked(void *memory)
{
  if (memory) return memory;
  fprintf(stderr, "no memory\n");
  exit(1);
}

static inline pair pair_poison(int64_t count, int64_t n)
{
  pair p = {.count = count, .n = n};
  /* now and then aligned, as rows of arenas are, for kernels that take four values at once */
  p.host.stride = p.device.stride = n % 4 == 0 ? n + 4 : n + between(1, 5);
  p.host.data = checked(malloc(pair_bytes(&p)));
  p.device.data = checked(gpu->alloc(pair_bytes(&p)));
  for (int64_t i = 0; i < count * p.host.stride; i++)
    p.host.data[i] = NAN;
  gpu->upload(p.device.data, p.host.data, pair_bytes(&p));
  return p;
}

/* The device's values become the host's. */
static inline void pair_send(const pair *p)
{
  gpu->upload(p->device.data, p->host.data, pair_bytes(p));
}

static inline pair pair_random(int64_t count, int64_t n)
{
  pair p = pair_poison(count, n);
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      p.host.data[r * p.host.stride + i] = (float)rh_rng_normal(&rng);
  pair_send(&p);
  return p;
}

static inline void pair_drop(pair *p)
{
  free(p->host.data);
  gpu->release(p->device.data);
  *p = (pair){0};
}

/* Ends the program with a message unless the device's values are the host's: within `tolerance` of the largest, or,
 * with 0, the same bits; gaps are as they were. Drops the pair. */
static inline void pair_agree(const char *what, pair *p, double tolerance)
{
  float *got = checked(malloc(pair_bytes(p)));
  double largest = 0;
  gpu->download(got, p->device.data, pair_bytes(p));
  for (int64_t i = 0; i < p->count * p->host.stride; i++)
    if (isfinite(p->host.data[i])) largest = fmax(largest, fabs((double)p->host.data[i]));
  for (int64_t i = 0; i < p->count * p->host.stride; i++) {
    const float want = p->host.data[i];
    const bool same =
        isnan(want) ? isnan(got[i]) : got[i] == want || fabs((double)got[i] - want) <= tolerance * largest;
    if (same) continue;
    fprintf(stderr, "%s: replica %lld of %lld, element %lld of %lld: %.9g, expected %.9g (tolerance %g of %.9g)%s%s\n",
            what, (long long)(i / p->host.stride), (long long)p->count, (long long)(i % p->host.stride),
            (long long)p->n, (double)got[i], (double)want, tolerance, largest, gpu->failure() ? ": " : "",
            gpu->failure() ? gpu->failure() : "");
    exit(1);
  }
  free(got);
  pair_drop(p);
}

/* Sums of n products of normal numbers: an error of 6e-8 for each, growing with sqrt(n) at random; relative to the
 * largest of many such sums. */
static inline double sum_tolerance(int64_t n)
{
  return 6e-8 * (8 + sqrt((double)n));
}

/* The tests of a file; each ends the program if it fails. */
void test_layers(void);
void test_factors(void);
void test_thin(void);
void test_rows(void);
void test_codes(void);
void test_models(void);
void test_replicas(void);

#endif
