#include "message.h"

#include <stdlib.h>
#include <string.h>

rh_status rh_message_init(rh_message *message, const rh_world *world)
{
  const rh_replicas_def *def = rh_replicas_get_def(world->replicas);
  *message = (rh_message){.world = world};
  message->bound = world->compressor->bound_bytes(world->compressor_options, &world->layout);
  message->wire = malloc((size_t)def->threads * (size_t)message->bound);
  message->bytes = calloc((size_t)world->workers, sizeof *message->bytes);
  if (message->wire && message->bytes) return RH_OK;
  rh_message_clear(message);
  return rh_error(RH_ENOMEM, "no memory for the messages of %d workers", world->workers);
}

void rh_message_clear(rh_message *message)
{
  free(message->wire);
  free(message->bytes);
  *message = (rh_message){0};
}

void rh_message_send(rh_message *message, int thread, int32_t worker, int64_t t, const float *x, float *decoded)
{
  const rh_world *w = message->world;
  uint8_t *wire = message->wire + (int64_t)thread * message->bound;
  rh_rng rng = rh_rng_stream(w->seed, RH_PURPOSE_COMPRESS, (uint32_t)worker, (uint64_t)t);
  int64_t bytes = w->compressor->encode(w->compressor_options, &w->layout, x, &rng, wire);
  RH_ASSERT(bytes <= message->bound);
  w->compressor->decode(w->compressor_options, &w->layout, wire, bytes, decoded);
  memset(decoded + w->model->parameters, 0, (size_t)(w->model->stride - w->model->parameters) * sizeof *decoded);
  message->bytes[worker] = bytes;
}
