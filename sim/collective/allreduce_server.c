/* All-reduce by a parameter server in T shards: push, then pull. Every rank ends with the elementwise sum over ranks.
 *
 * Symbols     N ranks, T <= N shards, n elements of b bytes, c = ceil(n / T) elements of a shard, a latency and B
 *             bandwidth of the slowest route
 * Shard s lives on position s, which is a worker as well. Step 0: every p sends its part s of the vector to shard s,
 * all parts at once. Step 1: each shard sends its sum to everybody. A shard's port takes in N-1 messages, then gives
 * out N-1, while a worker's takes T-1 or T, which is never more. T = 1: one server; T = N: every link is used, and the
 * time is a ring's but for 2 N - 4 latencies. Parts are padded to the same length.
 *
 * messages    2 T (N-1)
 * bytes       2 T (N-1) c b
 * seconds     2 (a + (N-1) c b / B)
 * source      Li et al., Scaling distributed machine learning with the parameter server, OSDI 2014
 */
#include "parts.h"

#include <stdlib.h>

/* Lists that any position's peers are a part of: from p+1 on, N-1 others of N, T-1 others of T. */
typedef struct plan {
  int32_t *of_all, *of_shards; /* [2 N] 0..N-1 twice; [2 T] 0..T-1 twice */
  int32_t storage[];
} plan;

static void *new_plan(const rh_collective *c)
{
  const int32_t N = c->size, T = c->shards;
  RH_ASSERT(T >= 1 && T <= N);
  plan *made = malloc(sizeof *made + 2 * ((size_t)N + (size_t)T) * sizeof *made->storage);
  RH_ASSERT(made != NULL);
  made->of_all = made->storage;
  made->of_shards = made->storage + 2 * (size_t)N;
  for (int32_t i = 0; i < N; i++)
    made->of_all[i] = made->of_all[N + i] = i;
  for (int32_t i = 0; i < T; i++)
    made->of_shards[i] = made->of_shards[T + i] = i;
  return made;
}

static int64_t steps(const rh_collective *c)
{
  return c->size > 1 ? 2 : 0;
}

static void step(const rh_collective *c, int32_t p, int64_t k, rh_step *step)
{
  const plan *plan = c->plan;
  RH_ASSERT(plan != NULL);
  const int32_t N = c->size, T = c->shards;
  const bool push = k == 0, shard = p < T;
  const int32_t *shards = shard ? plan->of_shards + p + 1 : plan->of_shards, *all = plan->of_all + p + 1;
  const int32_t shard_count = shard ? T - 1 : T, all_count = shard ? N - 1 : 0;
  *step = (rh_step){.send_count = push ? shard_count : all_count,
                    .receive_count = push ? all_count : shard_count,
                    .send_to = push ? shards : all,
                    .receive_from = push ? all : shards,
                    .send_bytes = chunk_bytes(c, T),
                    .send_block = push ? -1 : p,
                    .receive_block = push ? p : -1,
                    .reduce = push};
}

static int64_t messages(const rh_collective *c)
{
  return 2 * (int64_t)c->shards * ((int64_t)c->size - 1);
}

static int64_t wire_bytes(const rh_collective *c)
{
  return messages(c) * chunk_bytes(c, c->shards);
}

static double closed_form_s(const rh_collective *c, double latency_s, double bandwidth_Bps)
{
  const double bytes = ((double)c->size - 1) * (double)chunk_bytes(c, c->shards);
  return (double)steps(c) * (latency_s + bytes / bandwidth_Bps);
}

const rh_collective_kind rh_allreduce_server = {
    .name = "allreduce-server",
    .operation = "all-reduce",
    .summary = "sum over ranks by a parameter server in T shards: everybody pushes all parts, then pulls the sums",
    .formula = "2 (a + (N-1) c b / B), c = ceil(n / T) elements of b bytes",
    .source = "Li et al., OSDI 2014 (parameter server)",
    .new_plan = new_plan,
    .steps = steps,
    .step = step,
    .messages = messages,
    .wire_bytes = wire_bytes,
    .closed_form_s = closed_form_s,
};
