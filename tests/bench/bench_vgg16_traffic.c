/* What AB-training would send for VGG16 on CIFAR-10, by arithmetic alone: phases, factors and collectives are the
 * program's own, no training and no simulation.
 *
 *     bench_vgg16_traffic [COMPRESSION]     44.14 unless given; 0: all singular values are kept
 *
 * The paper's run: 8 ranks in 2 nodes of 4, one group a node, 150 epochs of 100 steps, Tw 4330, Ts 759, Td 60, the mode
 * with-stale, 44.14 : 1. Every rank cut is taken to find the same ranks: the same share of each weight's singular
 * values. Seconds are the collectives' closed forms with 200 Gbit/s and 1 us, InfiniBand HDR between HoreKa's nodes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../train/vgg16.h"
#include "ab_phase.h"
#include "collectives.h"

enum { RANKS = 8, NODE = 4, EPOCHS = 150, EPOCH_STEPS = 100, VALUE_BYTES = 4, INDEX_BYTES = 8 };
static const rh_ab_periods periods = {.warm_up = 4330, .synchronise = 759, .rebound = 60};
static const double latency_s = 1e-6, bandwidth_Bps = 200e9 / 8;

/* One use of something, or many of them. */
typedef struct cost {
  int64_t wire_bytes, between_bytes; /* of all ranks; those between nodes */
  double seconds;
} cost;

static cost plus(cost a, cost b)
{
  return (cost){a.wire_bytes + b.wire_bytes, a.between_bytes + b.between_bytes, a.seconds + b.seconds};
}

static cost times(int64_t count, cost a)
{
  return (cost){count * a.wire_bytes, count * a.between_bytes, (double)count * a.seconds};
}

/* A collective of the first `size` ranks. */
static cost cost_of(const rh_collective_kind *kind, int32_t size, int64_t bytes, int64_t element_bytes)
{
  const rh_collective c = {.kind = kind, .size = size, .bytes = bytes, .element_bytes = element_bytes};
  cost sum = {.wire_bytes = kind->wire_bytes(&c), .seconds = kind->closed_form_s(&c, latency_s, bandwidth_Bps)};
  for (int64_t k = 0; k < kind->steps(&c); k++)
    for (int32_t p = 0; p < size; p++) {
      rh_step step;
      kind->step(&c, p, k, &step);
      for (int32_t i = 0; i < step.send_count; i++)
        if (step.send_to[i] / NODE != p / NODE) sum.between_bytes += step.send_bytes;
    }
  return sum;
}

static cost ring(int32_t size, int64_t values)
{
  return cost_of(&rh_allreduce_ring, size, VALUE_BYTES * values, VALUE_BYTES);
}

/* Everybody takes rank 0's parameters and waits for all. */
static cost change(int64_t values)
{
  return plus(cost_of(&rh_broadcast_binomial, RANKS, VALUE_BYTES * values, VALUE_BYTES),
              cost_of(&rh_barrier_dissemination, RANKS, 0, 1));
}

/* How often each thing happens; [1] at the cut ranks, [0] at full ones. */
typedef struct counts {
  int64_t full, ab[2], synchronise[2], enter[2];
} counts;

static counts count_phases(int64_t steps)
{
  counts n = {0};
  bool in_ab = false, cut = false;
  for (int64_t t = 0; t < steps; t++) {
    const rh_ab_change change = rh_ab_change_after(&periods, t, in_ab);
    if (change == RH_AB_LEAVE) n.synchronise[cut]++;
    if (change == RH_AB_ENTER || change == RH_AB_ENTER_CUT) n.enter[cut = change == RH_AB_ENTER_CUT]++;
    if (change != RH_AB_STAY) in_ab = change != RH_AB_LEAVE;
    if (in_ab)
      n.ab[cut]++;
    else
      n.full++;
  }
  return n;
}

/* Prints a row and returns the cost of all its uses. */
static cost row(const char *what, int64_t count, int32_t ranks, cost each)
{
  const cost all = times(count, each);
  printf("| %s | %lld | %.3f | %.3f | %.3f | %.1f | %.2f |\n", what, (long long)count,
         1e-6 * (double)each.wire_bytes / ranks, 1e-6 * (double)each.between_bytes, 1e3 * each.seconds,
         1e-9 * (double)all.between_bytes, all.seconds);
  return all;
}

static int64_t values_of(const rh_factors *f)
{
  return f->a_values + f->b_values + f->dense_values;
}

/* Steps in AB. Both groups are at it at the same time, A's with more bytes: time is that of A's. */
static cost steps_row(const char *ranks, int64_t count, const rh_factors *f)
{
  char what[64];
  snprintf(what, sizeof what, "AB step, A-group, %s ranks", ranks);
  cost a = row(what, count, NODE, ring(NODE, f->a_values + f->dense_values));
  snprintf(what, sizeof what, "AB step, B-group, %s ranks", ranks);
  cost b = row(what, count, NODE, ring(NODE, f->b_values + f->dense_values));
  b.seconds = 0;
  return plus(a, b);
}

static void print_compression(const rh_factors *f, double compression, int64_t share)
{
  printf("P = F + D = %lld + %lld = %lld values, %d of %d weights factorised\n", (long long)f->full_values,
         (long long)f->dense_values, (long long)(f->full_values + f->dense_values), f->count, VGG16_WEIGHTS);
  printf("%.2f : 1 takes %lld/4096 = %.2f %% of each weight's singular values: %lld values, %.2f : 1\n", compression,
         (long long)share, 100 * (double)share / 4096, (long long)values_of(f), 1 / rh_factors_ratio(f));
  printf("m x n: rank:");
  for (int k = 0; k < f->count; k++)
    printf(" %lldx%lld: %lld%s", (long long)f->list[k].m, (long long)f->list[k].n, (long long)f->list[k].rank,
           k < f->count - 1 ? "," : "\n\n");
}

static void print_summary(const counts *n, cost plain, cost steps_ab, cost between, cost hidden)
{
  const cost all = plus(plus(steps_ab, between), hidden);
  const int64_t in_ab = n->ab[0] + n->ab[1];
  printf("\nsteps in AB: %lld of %lld, %.1f %%\n", (long long)in_ab, (long long)(in_ab + n->full),
         100 * (double)in_ab / (double)(in_ab + n->full));
  printf("between nodes: %.1f GB, in FULL throughout %.1f GB: saved %.2f %% (%.2f %% without the hidden %.2f GB)\n",
         1e-9 * (double)all.between_bytes, 1e-9 * (double)plain.between_bytes,
         100 * (1 - (double)all.between_bytes / (double)plain.between_bytes),
         100 * (1 - (double)(all.between_bytes - hidden.between_bytes) / (double)plain.between_bytes),
         1e-9 * (double)hidden.between_bytes);
  printf("sent by all ranks, inside nodes too: %.1f GB, in FULL throughout %.1f GB: saved %.2f %%\n",
         1e-9 * (double)all.wire_bytes, 1e-9 * (double)plain.wire_bytes,
         100 * (1 - (double)all.wire_bytes / (double)plain.wire_bytes));
  printf("seconds: %.1f between nodes and %.1f in AB steps, were nodes no faster inside; in FULL throughout %.1f\n",
         between.seconds + hidden.seconds, steps_ab.seconds, plain.seconds);
}

int main(int argc, char **argv)
{
  const double compression = argc > 1 ? strtod(argv[1], NULL) : 44.14;
  const int64_t steps = EPOCHS * EPOCH_STEPS;
  rh_segment segments[VGG16_SEGMENTS];
  rh_factors full, cut;
  vgg16_segments(segments);
  rh_factors_plan_segments(segments, VGG16_SEGMENTS, true, &full);
  cut = full;
  const int64_t share = vgg16_compress(&cut, compression);
  print_compression(&cut, compression, share);

  const counts n = count_phases(steps);
  const int64_t P = full.full_values + full.dense_values;
  RH_ASSERT(n.ab[0] + n.ab[1] == rh_ab_count(&periods, steps));
  puts("| what | times | MB sent per rank | MB between nodes | ms | GB between nodes, in all | s, in all |");
  puts("|---|---|---|---|---|---|---|");
  cost between = row("FULL step", n.full, RANKS, ring(RANKS, P));
  cost steps_ab = steps_row("full", n.ab[0], &full);
  steps_ab = plus(steps_ab, steps_row("cut", n.ab[1], &cut));
  between = plus(between, row("SYNC, full ranks", n.synchronise[0], RANKS, ring(RANKS, values_of(&full))));
  between = plus(between, row("SYNC, cut ranks", n.synchronise[1], RANKS, ring(RANKS, values_of(&cut))));
  const cost indices = times(cut.count, cost_of(&rh_allreduce_doubling, RANKS, INDEX_BYTES, INDEX_BYTES));
  cost hidden = row("hidden: AB entered, full ranks", n.enter[0], RANKS, change(values_of(&full)));
  hidden =
      plus(hidden, row("hidden: AB entered, cut ranks", n.enter[1], RANKS, plus(indices, change(values_of(&cut)))));
  hidden = plus(hidden, row("hidden: AB left", n.synchronise[0] + n.synchronise[1], RANKS, change(P)));
  print_summary(&n, times(steps, ring(RANKS, P)), steps_ab, between, hidden);
  return 0;
}
