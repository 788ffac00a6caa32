#include "rate.h"

#include <inttypes.h>
#include <math.h>

#define ROW(field) .name = #field, .offset = offsetof(rh_rate, field)
/* Whole numbers up to here are exact in a double, in which ranges are compared. */
#define ROUNDS_MAX 9007199254740992.0

const rh_option rh_rate_rows[] = {
    {ROW(lr), .kind = RH_OPTION_REAL, .fallback = "0.02", .min = 0, .max = INFINITY,
     .help = "learning rate; the default suits cnn on glyphs with sgd, for which 0.05 is too much"},
    {.name = "lr_schedule",
     .offset = offsetof(rh_rate, kind),
     .kind = RH_OPTION_CHOICE,
     .fallback = "steps",
     .choices = "steps cosine",
     .help = "how the learning rate falls: by the factors of lr_steps, or as half a cosine"},
    {ROW(lr_steps), .kind = RH_OPTION_STEPS, .fallback = "",
     .help = "of steps: from a round on the learning rate is multiplied, such as \"100:0.1 150:0.01\""},
    {ROW(lr_warmup), .kind = RH_OPTION_INTEGER, .fallback = "0", .min = 0, .max = ROUNDS_MAX,
     .help = "first rounds, in which the learning rate rises from lr_min towards lr in equal steps"},
    {ROW(lr_cooldown), .kind = RH_OPTION_INTEGER, .fallback = "0", .min = 0, .max = ROUNDS_MAX,
     .help = "last rounds, at lr_min (cosine) or at the last rate of the steps"},
    {ROW(lr_min), .kind = RH_OPTION_REAL, .fallback = "0", .min = 0, .max = INFINITY,
     .help = "learning rate at which a warm-up starts and a cosine ends"},
};
const size_t rh_rate_row_count = RH_COUNT(rh_rate_rows);

rh_status rh_rate_check(const rh_rate *rate, int64_t rounds)
{
  if (rate->lr_min > rate->lr)
    return rh_error(RH_EINVAL, "lr_min %g is larger than lr %g, the largest rate", rate->lr_min, rate->lr);
  if (rate->lr_warmup > 0 || rate->lr_cooldown > 0)
    if (rate->lr_warmup >= rounds || rate->lr_cooldown >= rounds - rate->lr_warmup)
      return rh_error(RH_EINVAL,
                      "lr_warmup %" PRId64 " and lr_cooldown %" PRId64 " leave none of %" PRId64
                      " rounds between them: together they must be fewer",
                      rate->lr_warmup, rate->lr_cooldown, rounds);
  return RH_OK;
}

static double stepped(const rh_rate *rate, int64_t t)
{
  double lr = rate->lr;
  for (int i = 0; i < rate->lr_steps.count; i++)
    if (t >= rate->lr_steps.step[i].from) lr *= rate->lr_steps.step[i].factor;
  return lr;
}

double rh_rate_at(const rh_rate *rate, int64_t t, int64_t rounds)
{
  static const double pi = 3.14159265358979323846;
  const int64_t w = rate->lr_warmup, c = rate->lr_cooldown;
  const double span = rate->lr - rate->lr_min;
  RH_ASSERT(t >= 0 && t < rounds);
  if (t < w) return rate->lr_min + span * (double)(t + 1) / (double)(w + 1);
  if (rate->kind == RH_RATE_STEPS) return stepped(rate, t >= rounds - c ? rounds - 1 : t);
  if (t >= rounds - c) return rate->lr_min;
  return rate->lr_min + span * (1 + cos(pi * (double)(t - w) / (double)(rounds - w - c))) / 2;
}
