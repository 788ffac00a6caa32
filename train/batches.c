#include "batches.h"

#include <stdlib.h>
#include <string.h>

int64_t rh_batches_bytes(const rh_partition *partition)
{
  return partition->offset[partition->workers] * (int64_t)sizeof(int32_t) +
         partition->workers * (int64_t)sizeof(int64_t);
}

rh_status rh_batches_init(const rh_dataset *dataset, const rh_partition *partition, uint64_t seed, rh_batches *batches)
{
  const int32_t workers = partition->workers;
  *batches = (rh_batches){.dataset = dataset, .partition = partition, .seed = seed, .workers = workers};
  batches->order = calloc((size_t)partition->offset[workers], sizeof *batches->order);
  batches->epoch = calloc((size_t)workers, sizeof *batches->epoch);
  if (!batches->order || !batches->epoch) {
    rh_batches_clear(batches);
    return rh_error(RH_ENOMEM, "no memory for the order of %lld samples", (long long)partition->offset[workers]);
  }
  for (int32_t w = 0; w < workers; w++)
    batches->epoch[w] = -1;
  return RH_OK;
}

void rh_batches_clear(rh_batches *batches)
{
  free(batches->order);
  free(batches->epoch);
  *batches = (rh_batches){0};
}

/* Brings the worker's shard into the order of an epoch. It starts from the partition's order, so that an epoch's order
 * does not depend on those that were asked for before. */
static void order_epoch(rh_batches *batches, int32_t worker, int64_t epoch)
{
  if (batches->epoch[worker] == epoch) return;
  const int64_t first = batches->partition->offset[worker];
  const int64_t samples = batches->partition->offset[worker + 1] - first;
  rh_rng rng = rh_rng_stream(batches->seed, RH_PURPOSE_SHUFFLE, (uint32_t)worker, (uint64_t)epoch);
  memcpy(batches->order + first, batches->partition->indices + first, (size_t)samples * sizeof *batches->order);
  rh_rng_shuffle(&rng, batches->order + first, samples);
  batches->epoch[worker] = epoch;
}

/* The samples of a batch from its `done`-th on, as far as they are of one epoch; returns how many. */
static int64_t next_samples(rh_batches *batches, int32_t worker, int64_t t, int64_t batch, int64_t done,
                            const int32_t **indices)
{
  const int64_t first = batches->partition->offset[worker];
  const int64_t samples = batches->partition->offset[worker + 1] - first;
  RH_ASSERT(samples > 0 && t >= 0);
  const int64_t epoch = (t * batch + done) / samples, from = (t * batch + done) % samples;
  order_epoch(batches, worker, epoch);
  *indices = batches->order + first + from;
  return batch - done < samples - from ? batch - done : samples - from;
}

void rh_batches_gather(rh_batches *batches, int32_t worker, int64_t t, int64_t batch, float *x, int32_t *labels)
{
  const int64_t size = rh_shape_count(batches->dataset->shape);
  const int32_t *indices;
  for (int64_t done = 0, n; done < batch; done += n) {
    n = next_samples(batches, worker, t, batch, done, &indices);
    rh_samples_gather(batches->dataset, &batches->dataset->train, indices, n, x + done * size, labels + done);
  }
}

void rh_batches_prepare(rh_batches *batches, int32_t worker, int64_t t, int64_t batch)
{
  const int32_t *some;
  (void)next_samples(batches, worker, t, batch, 0, &some);
}

void rh_batches_indices(rh_batches *batches, int32_t worker, int64_t t, int64_t batch, int32_t *indices)
{
  const int32_t *some;
  for (int64_t done = 0, n; done < batch; done += n) {
    n = next_samples(batches, worker, t, batch, done, &some);
    memcpy(indices + done, some, (size_t)n * sizeof *indices);
  }
}
