#include "lowrank_device.h"
#include "measure_private.h"

static rh_tensor left_of(const measure_lowrank *l)
{
  return (rh_tensor){l->wire, 0};
}

static rh_tensor second_of(const measure_lowrank *l)
{
  return (rh_tensor){l->wire + rh_lowrank_sizes(&l->code).left, 0};
}

void measure_lowrank_start(const measure_lowrank *l)
{
  rh_lowrank_clear(l->rows, rh_lowrank_sizes(&l->code).right, 1, l->q);
  rh_lowrank_orthonormalise_right(l->rows, &l->code, 1, &l->shared, l->drawn, l->q);
}

void measure_lowrank_encode(const measure_lowrank *l, int phase)
{
  if (phase == 0) {
    rh_lowrank_left(l->rows, &l->code, 1, l->g, l->q, left_of(l));
    return;
  }
  rh_lowrank_orthonormalise_left(l->rows, &l->code, 1, left_of(l));
  rh_lowrank_second(l->rows, &l->code, 1, l->g, left_of(l), second_of(l));
}

void measure_lowrank_decode(const measure_lowrank *l)
{
  rh_lowrank_pick(l->rows, &l->code, 1, second_of(l), l->q);
  rh_lowrank_orthonormalise_right(l->rows, &l->code, 1, &l->shared, l->drawn, l->q);
  rh_lowrank_expand(l->rows, &l->code, 1, 1, left_of(l), second_of(l), l->y);
}
