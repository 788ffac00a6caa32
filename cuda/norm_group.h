/* What both passes of a norm layer share: a block of threads measures one sample's group, and the gates of its values.
 * norm.h and backend_ref_norm.c have the formulas; here, too, sums and gates are in f64. For .cu files. */
#ifndef RH_CUDA_NORM_GROUP_H
#define RH_CUDA_NORM_GROUP_H

#include <math.h>

#include "launch.h"
#include "norm.h"

enum { NORM_LANES = RH_BLOCK / RH_NORM_CHUNKS /* threads that look at one chunk */ };

/* A norm as kernels want it. */
typedef struct norm_plan {
  rh_norm_kind kind;
  int64_t batch, channels, places, groups;
  int64_t in_group;    /* channels */
  int64_t values;      /* of a group */
  int64_t chunks;      /* of range-evonorm */
  double range_factor; /* sigma / mean range */
} norm_plan;

static inline norm_plan norm_plan_of(const rh_norm *n)
{
  norm_plan p;
  p.kind = n->kind;
  p.batch = n->batch;
  p.channels = n->channels;
  p.places = n->places;
  p.groups = n->groups;
  p.in_group = n->channels / n->groups;
  p.values = p.in_group * n->places;
  p.chunks = rh_norm_chunks(p.values);
  p.range_factor = n->kind == RH_NORM_RANGE_EVO ? rh_norm_range_factor(p.values) : 0;
  return p;
}

/* What a group's block shares. */
typedef struct norm_shared {
  double part[RH_BLOCK];
  float most[RH_BLOCK], least[RH_BLOCK];         /* by thread; then [chunk * NORM_LANES] of a chunk */
  int64_t most_at[RH_BLOCK], least_at[RH_BLOCK]; /* places of the first of them */
} norm_shared;

/* The block's sum of one value a thread, as a tree; every thread gets it. */
static __device__ inline double norm_sum(norm_shared *s, double value)
{
  s->part[threadIdx.x] = value;
  __syncthreads();
  for (int width = RH_BLOCK / 2; width > 0; width /= 2) {
    if (threadIdx.x < width) s->part[threadIdx.x] += s->part[threadIdx.x + width];
    __syncthreads();
  }
  const double all = s->part[0];
  __syncthreads();
  return all;
}

/* Whether a extreme value `a` at place i comes before `b` at j, by sign the largest or the smallest: NaN first, then
 * the more extreme, then the lower place. */
static __device__ inline bool norm_before(float sign, float a, int64_t i, float b, int64_t j)
{
  if (a != a || b != b) return a != a && (b == b || i < j);
  return sign * a > sign * b || (a == b && i < j);
}

/* Every chunk's first maximum and minimum into most[chunk * NORM_LANES] and its like. */
static __device__ inline void norm_extremes(const norm_plan *p, norm_shared *s, const float *x)
{
  const int t = (int)threadIdx.x;
  const int64_t chunk = t / NORM_LANES, lane = t % NORM_LANES;
  if (chunk < p->chunks) {
    const int64_t from = chunk * p->values / p->chunks, end = (chunk + 1) * p->values / p->chunks;
    int64_t high = from, low = from;
    for (int64_t i = from + lane; i < end; i += NORM_LANES) {
      if (norm_before(1, x[i], i, x[high], high)) high = i;
      if (norm_before(-1, x[i], i, x[low], low)) low = i;
    }
    s->most[t] = x[high];
    s->most_at[t] = high;
    s->least[t] = x[low];
    s->least_at[t] = low;
  }
  __syncthreads();
  for (int width = NORM_LANES / 2; width > 0; width /= 2) {
    const int other = t + width;
    if (chunk < p->chunks && lane < width) {
      if (norm_before(1, s->most[other], s->most_at[other], s->most[t], s->most_at[t])) {
        s->most[t] = s->most[other];
        s->most_at[t] = s->most_at[other];
      }
      if (norm_before(-1, s->least[other], s->least_at[other], s->least[t], s->least_at[t])) {
        s->least[t] = s->least[other];
        s->least_at[t] = s->least_at[other];
      }
    }
    __syncthreads();
  }
}

/* Mean and scale of a group. */
typedef struct norm_scale {
  double mean, s;
} norm_scale;

static __device__ inline norm_scale norm_measure(const norm_plan *p, norm_shared *s, const float *x)
{
  norm_scale of;
  double sum = 0, squares = 0;
  for (int64_t i = threadIdx.x; i < p->values; i += RH_BLOCK)
    sum += x[i];
  of.mean = norm_sum(s, sum) / (double)p->values;
  if (p->kind == RH_NORM_RANGE_EVO) {
    norm_extremes(p, s, x);
    double range = 0;
    for (int64_t k = 0; k < p->chunks; k++)
      range += ((double)s->most[k * NORM_LANES] - s->least[k * NORM_LANES]) / (double)p->chunks;
    of.s = range * p->range_factor + RH_NORM_EPSILON;
    return of;
  }
  for (int64_t i = threadIdx.x; i < p->values; i += RH_BLOCK)
    squares += (x[i] - of.mean) * (x[i] - of.mean);
  of.s = sqrt(norm_sum(s, squares) / (double)p->values + RH_NORM_EPSILON);
  return of;
}

/* q of one value, and its derivatives. */
typedef struct norm_gate {
  double q, dx, dv;
} norm_gate;

static __device__ inline norm_gate norm_gate_of(rh_norm_kind kind, double x, double v, double mean)
{
  norm_gate gate;
  gate.q = x - mean;
  gate.dx = 1;
  gate.dv = 0;
  if (kind == RH_NORM_EVO_S0) {
    const double h = 1 / (1 + exp(-v * x)), slope = h * (1 - h);
    gate.q = x * h;
    gate.dx = h + v * x * slope;
    gate.dv = x * x * slope;
  } else if (kind == RH_NORM_RANGE_EVO) {
    const double line = v * x / 6 + 0.5;
    const bool below = line <= 0, above = line >= 1; /* a NaN is neither */
    gate.q = below ? 0 : above ? x : x * line;
    gate.dx = below ? 0 : above ? 1 : line + v * x / 6;
    gate.dv = below || above ? 0 : x * x / 6;
  }
  return gate;
}

#endif
