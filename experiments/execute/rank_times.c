#include "rank_times.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Ranks with the same device and speed. */
typedef struct kind {
  const char *device; /* borrowed from the platform; "": the run's */
  double scale;       /* from the device's seconds to those on the platform's fastest host, which schedules are told */
  rh_charge list[RH_NAMES_MAX];
  int count;
  rh_step_seconds seconds;
} kind;

struct rh_rank_times {
  const rh_run *run; /* borrowed */
  int32_t workers;
  kind *kinds; /* [kind_count] owned */
  int32_t kind_count;
  int32_t *kind_of;             /* [workers] owned */
  rh_step_seconds *drawn;       /* [workers] with jitter; owned */
  const rh_step_seconds **rows; /* [workers] owned; NULL where all ranks are alike */
};

char *rh_device_prefix(const rh_profile *profile, const char *device)
{
  const size_t length = strlen(device);
  for (int32_t i = 0; i < profile->count; i++) {
    const char *name = profile->list[i].name;
    if (strncmp(name, device, length) != 0 || strncmp(name + length, ": ", 2) != 0) continue;
    rh_text prefix = {0};
    rh_text_append_bytes(&prefix, name, length + 2 + strcspn(name + length + 2, "/"));
    return prefix.data;
  }
  return NULL;
}

static rh_status check_fits(const kind *k)
{
  for (int i = 0; i < k->count; i++)
    if (k->list[i].duration->fit.kind == RH_FIT_NONE)
      return rh_error(RH_EINVAL, "time.jitter: measured: '%s' has no fit: %d samples, and %d are needed",
                      k->list[i].duration->name, (int)k->list[i].duration->samples, (int)RH_FIT_SAMPLES);
  return RH_OK;
}

static rh_status fill_kind(const rh_run *run, const rh_setup *setup, const rh_profile *profile, double fastest_flops,
                           kind *k)
{
  rh_status status = RH_OK;
  char *prefix = *k->device ? rh_device_prefix(profile, k->device) : NULL;
  if (*k->device && !prefix) return rh_error(RH_EINVAL, "no timing of device '%s' is at hand", k->device);
  if (run->time.source == RH_TIME_FLOPS) /* what one operation takes, too */
    RH_TRY(rh_measure_seconds(run, setup, profile, fastest_flops, &k->seconds));
  RH_TRY(rh_measure_charges(run, setup, profile, prefix, fastest_flops, k->list, &k->count));
  rh_charges_add_up(k->list, k->count, &k->seconds);
  if (run->time.jitter_kind == RH_JITTER_MEASURED) status = check_fits(k);
done:
  free(prefix);
  return status;
}

/* The kind of a rank, added if it is new. */
static int32_t find_kind(rh_rank_times *times, const char *device, double scale)
{
  for (int32_t k = 0; k < times->kind_count; k++)
    if (times->kinds[k].scale == scale && strcmp(times->kinds[k].device, device) == 0) return k;
  times->kinds = realloc(times->kinds, ((size_t)times->kind_count + 1) * sizeof *times->kinds);
  RH_ASSERT(times->kinds && "memory is exhausted");
  times->kinds[times->kind_count] = (kind){.device = device, .scale = scale};
  return times->kind_count++;
}

static void scale_all(rh_step_seconds *seconds, double scale)
{
  double *field = (double *)seconds; /* it holds doubles alone */
  for (size_t i = 0; i < sizeof *seconds / sizeof *field; i++)
    field[i] *= scale;
}

rh_status rh_rank_times_new(const rh_run *run, const rh_setup *setup, const rh_platform *platform,
                            const rh_profile *profile, rh_rank_times **out)
{
  rh_status status = RH_OK;
  const bool counted = run->time.source == RH_TIME_FLOPS; /* of each host's own speed, whatever device it is */
  const double fastest_flops = rh_platform_fastest(platform), plain_flops = rh_platform_fastest_plain(platform);
  const int32_t workers = rh_platform_workers(platform);
  rh_rank_times *times = calloc(1, sizeof *times);
  RH_ASSERT(times && "memory is exhausted");
  times->run = run;
  times->workers = workers;
  times->kind_of = calloc((size_t)workers, sizeof *times->kind_of);
  RH_ASSERT(times->kind_of && "memory is exhausted");
  for (int32_t i = 0; i < workers; i++) {
    const char *device = counted ? "" : rh_platform_device(platform, i);
    const double scale = counted   ? 1
                         : *device ? rh_platform_speed(platform, i) / fastest_flops
                                   : plain_flops / fastest_flops;
    times->kind_of[i] = find_kind(times, device, scale);
  }
  for (int32_t k = 0; k < times->kind_count; k++) {
    RH_TRY(fill_kind(run, setup, profile, fastest_flops, &times->kinds[k]));
    if (times->kinds[k].scale != 1) scale_all(&times->kinds[k].seconds, times->kinds[k].scale);
  }
  const bool jitter = run->time.jitter_kind != RH_JITTER_OFF;
  if (jitter) times->drawn = calloc((size_t)workers, sizeof *times->drawn);
  if (jitter || times->kind_count > 1) times->rows = calloc((size_t)workers, sizeof *times->rows);
  if ((jitter && !times->drawn) || ((jitter || times->kind_count > 1) && !times->rows))
    status = rh_error(RH_ENOMEM, "no memory for the seconds of %d ranks", workers);
  for (int32_t i = 0; status == RH_OK && times->rows && i < workers; i++)
    times->rows[i] = jitter ? &times->drawn[i] : &times->kinds[times->kind_of[i]].seconds;
done:
  if (status != RH_OK) {
    rh_rank_times_free(times);
    times = NULL;
  }
  *out = times;
  return status;
}

void rh_rank_times_free(rh_rank_times *times)
{
  if (!times) return;
  free(times->kinds);
  free(times->kind_of);
  free(times->drawn);
  free(times->rows);
  free(times);
}

/* A lognormal of mean 1 and the given coefficient of variation. */
static double draw_factor(double variation, rh_rng *rng)
{
  const double variance = log1p(variation * variation);
  return exp(sqrt(variance) * rh_rng_normal(rng) - variance / 2);
}

static void draw_rank(rh_rank_times *times, int32_t rank, int64_t t)
{
  const rh_time_options *o = &times->run->time;
  const kind *k = &times->kinds[times->kind_of[rank]];
  rh_charge list[RH_NAMES_MAX];
  /* a stream's step has 56 bits: 16 for the drawing, 40 for the round */
  rh_rng rng = rh_rng_stream((uint64_t)times->run->run.seed, RH_PURPOSE_JITTER, (uint32_t)rank,
                             (uint64_t)o->draw << 40 | (uint64_t)t);
  for (int i = 0; i < k->count; i++) {
    list[i] = k->list[i];
    list[i].seconds =
        k->scale * (o->jitter_kind == RH_JITTER_MEASURED ? rh_fit_draw(&k->list[i].duration->fit, &rng)
                                                         : k->list[i].seconds * draw_factor(o->jitter_factor, &rng));
  }
  times->drawn[rank] = k->seconds;
  rh_charges_add_up(list, k->count, &times->drawn[rank]);
}

void rh_rank_times_set(rh_rank_times *times, int64_t t, rh_world *world)
{
  for (int32_t i = 0; times->drawn && i < times->workers; i++)
    draw_rank(times, i, t);
  world->seconds = times->kinds[0].seconds;
  world->rank_seconds = times->rows;
}
