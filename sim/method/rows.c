#include "rows.h"

typedef struct job {
  rh_rows rows;
  int32_t most;
  rh_rows_body *body;
  void *context;
} job;

static bool call(void *context, int64_t item, int thread)
{
  const job *j = context;
  const int32_t from = (int32_t)item * j->most, left = j->rows.count - from;
  j->body(j->context, (rh_rows){j->rows.first + from, left < j->most ? left : j->most, thread});
  return true;
}

void rh_rows_each(const rh_world *world, rh_rows rows, int32_t most, rh_rows_body *body, void *context)
{
  if (!rh_world_has_values(world)) return;
  const rh_replicas_def *def = rh_replicas_get_def(world->replicas);
  job j = {rows, rh_backend_on_host(def->backend) ? 1 : most, body, context};
  def->backend->parallel((rows.count + j.most - 1) / j.most, def->threads, call, &j);
}
