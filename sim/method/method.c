#include <math.h>
#include <string.h>

#include "world.h"

const rh_method *const rh_methods[] = {&rh_method_ab,       &rh_method_allreduce,   &rh_method_dpsgd,
                                       &rh_method_choco,    &rh_method_deepsqueeze, &rh_method_dcd,
                                       &rh_method_qg_dsgdm, &rh_method_sgp,         NULL};

const rh_method *rh_method_find(const char *name)
{
  for (size_t i = 0; rh_methods[i]; i++)
    if (strcmp(rh_methods[i]->name, name) == 0) return rh_methods[i];
  return NULL;
}

rh_collective rh_world_allreduce(const rh_world *world, const int32_t *group, int32_t size, int64_t bytes,
                                 int64_t element_bytes)
{
  rh_collective c = {.size = size, .group = group, .bytes = bytes, .element_bytes = element_bytes};
  rh_allreduce_choose(&world->allreduce, &c);
  return c;
}

void rh_world_take_losses(rh_world *world, const double *loss)
{
  world->train_loss = rh_world_has_values(world) ? 0 : (double)NAN;
  for (int32_t i = 0; i < world->workers; i++)
    world->train_loss += loss[i] / world->workers;
}
