#include "predict.h"

#include <math.h>

/* Operations a second of one core: a tenth of what bench_compute prints for large batches on AVX-512, since smaller
 * ones, older processors and what lies between the products take their share. */
static const double core_flops = 1e10;
/* Messages a second through the schedule on platforms of 64 to 1024 hosts (bench_network). */
static const double messages_per_s = 3e5;
/* Loading libraries, data set and platform. */
static const double start_s = 0.5;
/* Rounds of a collective that are simulated before its steady state is skipped, on direct networks (bench_network
 * --steady: 7 on ideal.xml, 21 on a fat tree). */
static const double steady_steps = 20;
/* Train samples behind the evaluated train loss, and test samples for a sampled replica, as execute.c has them. */
static const double train_samples = 2000, replica_samples = 1000;

static double step_operations(rh_work work)
{
  return work.flop + work.int8_op; /* simulated on f32 */
}

/* Operations of all evaluations: the mean model, and a sample of the replicas where there are several. */
static double evaluation_operations(const rh_run *run, const rh_setup *setup)
{
  const rh_train_options *o = &run->train;
  const double test = (double)(o->evaluate_samples > 0 ? o->evaluate_samples : setup->dataset.test.count);
  const double times = (double)o->rounds / (double)o->evaluate_every + 1;
  const double sampled = run->method->copies == RH_COPIES_ONE
                             ? 0
                             : fmin((double)o->evaluate_replicas, (double)run->platform.workers) * replica_samples;
  return times * (test + train_samples + sampled) * rh_model_forward_flop(&setup->model);
}

double rh_predict_wall_s(const rh_run *run, const rh_setup *setup, int64_t edges)
{
  const double workers = (double)run->platform.workers, rounds = (double)run->train.rounds;
  const double operations =
      rh_run_is_timing_only(run)
          ? 0
          : rounds * workers * step_operations(rh_model_step_work(&setup->model, run->train.batch)) +
                evaluation_operations(run, setup);
  const double ring = run->network.steady ? fmin(2 * (workers - 1), steady_steps) : 2 * (workers - 1);
  const double messages = rounds * (edges > 0 ? (double)edges : ring * workers);
  return start_s + operations / (core_flops * setup->threads) + messages / messages_per_s;
}
