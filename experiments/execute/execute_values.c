/* What a run computes beside its rounds: data and replicas at the start, evaluations, the model at the end. */
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "execute_private.h"
#include "model_file.h"

static const int64_t replica_samples = 1000; /* test samples for one of the sampled replicas */
static const int64_t train_samples = 2000;   /* train samples behind the evaluated train loss */

/* Accuracies of a seeded sample of replicas, the same in every round of a run. */
static rh_status score_sample(execution *e, rh_evaluation_row *row)
{
  rh_status status = RH_OK;
  int32_t workers = e->world.workers;
  int32_t count = (int32_t)fmin((double)e->run->train.evaluate_replicas, workers);
  int32_t *order = calloc((size_t)workers, sizeof *order);
  double *accuracy = calloc((size_t)count, sizeof *accuracy);
  RH_ASSERT(order && accuracy && "memory is exhausted");
  for (int32_t i = 0; i < workers; i++)
    order[i] = i;
  rh_rng rng = rh_rng_stream(e->world.seed, RH_PURPOSE_SAMPLE, 0, 0);
  rh_rng_shuffle(&rng, order, workers);
  for (int32_t k = 0; k < count; k++) {
    rh_score score;
    RH_TRY(rh_replicas_score_worker(e->replicas, order[k], &e->setup.dataset.test, replica_samples, &score));
    accuracy[k] = score.accuracy;
  }
  gsl_sort(accuracy, 1, (size_t)count);
  row->sample_count = count;
  row->accuracy_min = accuracy[0];
  row->accuracy_median = gsl_stats_median_from_sorted_data(accuracy, 1, (size_t)count);
  row->accuracy_max = accuracy[count - 1];
done:
  free(order);
  free(accuracy);
  return status;
}

/* The model that counts: the method's own, or the workers' mean, which is made either way. */
static rh_status find_model(execution *e, const float **model)
{
  rh_status status = rh_replicas_mean(e->replicas, e->mean);
  *model = e->run->method->evaluated ? e->run->method->evaluated(e->method_state) : NULL;
  if (!*model) *model = e->mean;
  return status;
}

rh_status execution_evaluate(execution *e, rh_evaluation_row *row)
{
  rh_status status = RH_OK;
  rh_score test, train;
  const rh_dataset *data = &e->setup.dataset;
  const float *model;
  RH_TRY(find_model(e, &model));
  RH_TRY(rh_replicas_score(e->replicas, model, &data->test, e->run->train.evaluate_samples, &test));
  RH_TRY(rh_replicas_score(e->replicas, model, &data->train, train_samples, &train));
  *row = (rh_evaluation_row){.test_loss = test.loss,
                             .test_accuracy = test.accuracy,
                             .train_loss = train.loss,
                             .sample_count = 1,
                             .accuracy_min = test.accuracy,
                             .accuracy_median = test.accuracy,
                             .accuracy_max = test.accuracy,
                             .consensus_distance = rh_replicas_consensus_distance(e->replicas, e->mean)};
  if (rh_replicas_copies(e->replicas) > 1) RH_TRY(score_sample(e, row));
done:
  return status;
}

bool execution_has_values(const execution *e)
{
  return e->replicas != NULL;
}

rh_status execution_prepare_values(execution *e)
{
  rh_status status = RH_OK;
  const rh_run *run = e->run;
  RH_TRY(rh_setup_init(run, &e->setup));
  RH_TRY(rh_run_graphs(run, &e->graphs));
  if (rh_run_is_timing_only(run)) return RH_OK;
  RH_TRY(rh_partition_new(&run->partition, &e->setup.dataset, (int32_t)run->platform.workers, (uint64_t)run->run.seed,
                          &e->partition));
  rh_replicas_def def = rh_setup_replicas(&e->setup, run, rh_platform_zone_count(e->platform));
  def.partition = &e->partition;
  if (!e->task->checkpoint)
    def.stop = e->stop; /* else a round is finished first: its values are what a checkpoint holds */
  RH_TRY(rh_replicas_new(&def, &e->replicas));
  e->mean = calloc((size_t)e->setup.model.stride, sizeof *e->mean);
  if (!e->mean) status = rh_error(RH_ENOMEM, "no memory for the mean model");
done:
  return status;
}

void execution_tell_values(void *context, const rh_parts *parts)
{
  execution *e = context;
  rh_part(parts, "train_loss", &e->world.train_loss, sizeof e->world.train_loss);
  rh_replicas_parts(e->replicas, parts);
  e->run->method->parts(e->method_state, parts);
}

rh_status execution_save_model(execution *e)
{
  rh_status status = RH_OK;
  const rh_run *run = e->run;
  const float *model;
  char rounds[32];
  if (!run->run.save[0]) return RH_OK;
  snprintf(rounds, sizeof rounds, "%" PRId64, e->produced);
  const char *const notes[] = {"format",  "rehearse",
                               "run",     run->id,
                               "study",   run->study,
                               "model",   e->setup.model.name,
                               "dataset", e->setup.dataset.name,
                               "method",  run->method->name,
                               "rounds",  rounds,
                               NULL};
  RH_TRY(find_model(e, &model));
  status = rh_model_write(&e->setup.model, model, notes, run->run.save);
done:
  return status;
}
