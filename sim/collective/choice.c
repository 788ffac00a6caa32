#include "choice.h"

#include <math.h>
#include <string.h>

/* Bytes up to which MPICH takes doubling, and from which Open MPI takes a ring. */
enum { SHORT_BYTES = 2048, RING_BYTES = 10000 };

static const rh_collective_kind *const kinds[RH_ALLREDUCE_COUNT] = {
    [RH_ALLREDUCE_RING] = &rh_allreduce_ring,
    [RH_ALLREDUCE_HALVING_DOUBLING] = &rh_allreduce_halving_doubling,
    [RH_ALLREDUCE_DOUBLING] = &rh_allreduce_doubling,
    [RH_ALLREDUCE_TREE] = &rh_allreduce_tree,
    [RH_ALLREDUCE_DOUBLE_TREE] = &rh_allreduce_double_tree,
    [RH_ALLREDUCE_TWO_LEVEL] = &rh_allreduce_two_level,
    [RH_ALLREDUCE_TORUS] = &rh_allreduce_torus,
    [RH_ALLREDUCE_SERVER] = &rh_allreduce_server,
};

const rh_collective_kind *rh_allreduce_kind(int choice)
{
  RH_ASSERT(choice >= 0 && choice < RH_ALLREDUCE_COUNT);
  return kinds[choice];
}

/* The rules of choice.h. */
static const rh_collective_kind *pick(const rh_collective *c)
{
  const int64_t N = c->size, elements = (c->bytes + c->element_bytes - 1) / c->element_bytes;
  int64_t power = 1;
  while (2 * power <= N)
    power *= 2;
  if (c->bytes <= SHORT_BYTES || elements < power) return &rh_allreduce_doubling;
  if (power < N && c->bytes >= RING_BYTES && elements > N) return &rh_allreduce_ring;
  return &rh_allreduce_halving_doubling;
}

/* Largest divisor of n not above its `root`-th root. */
static int32_t equal_side(int32_t n, int root)
{
  int32_t side = (int32_t)(pow(n, 1.0 / root) + 1e-9); /* a root that is whole may come out just below */
  while (n % side != 0)
    side--;
  return side;
}

static void choose_sides(const rh_allreduce *allreduce, rh_collective *c)
{
  int32_t product = 1;
  int count = 0;
  for (; count < RH_TORUS_MAX && allreduce->sides[count] > 0; count++)
    product *= allreduce->sides[count];
  memset(c->sides, 0, sizeof c->sides);
  if (count > 0 && product == c->size) {
    memcpy(c->sides, allreduce->sides, sizeof c->sides);
    return;
  }
  if (count == 0) count = 2;
  for (int32_t left = c->size, i = count - 1; i >= 0; i--) { /* the first is the longest */
    c->sides[i] = i > 0 ? equal_side(left, i + 1) : left;
    left /= c->sides[i];
  }
}

void rh_allreduce_choose(const rh_allreduce *allreduce, rh_collective *c)
{
  c->kind = rh_allreduce_kind(allreduce->choice);
  if (c->kind == NULL) c->kind = pick(c);
  c->zone_of = allreduce->zone_of;
  c->shards = allreduce->shards > 0 ? allreduce->shards : 1;
  if (c->shards > c->size) c->shards = c->size;
  if (c->kind == &rh_allreduce_torus) choose_sides(allreduce, c);
}
