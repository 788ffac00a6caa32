/* Learning rates: the rate of every round, known before the training starts.
 *
 * Symbols     t round (0-based), T rounds in all, lr peak rate, w warm-up and c cool-down rounds, m smallest rate
 *
 *     steps     lr, multiplied by each factor of `lr_steps` whose round has come
 *     cosine    m + (lr - m) (1 + cos(pi (t - w) / (T - w - c))) / 2 between warm-up and cool-down
 *     both      t < w: m + (lr - m) (t + 1) / (w + 1), then the schedule;  t >= T - c: m (cosine), or the last
 *               rate of the steps
 */
#ifndef RH_RATE_H
#define RH_RATE_H

#include "option.h"

enum rh_rate_kind { RH_RATE_STEPS, RH_RATE_COSINE };

typedef struct rh_rate {
  double lr;
  int kind;            /* enum rh_rate_kind; option `lr_schedule` */
  rh_steps lr_steps;   /* of steps */
  int64_t lr_warmup;   /* w, rounds */
  int64_t lr_cooldown; /* c, rounds, of cosine */
  double lr_min;       /* m */
} rh_rate;

/* Rows `lr`, `lr_schedule`, `lr_steps`, `lr_warmup`, `lr_cooldown`, `lr_min` of section `train`. */
extern const rh_option rh_rate_rows[];
extern const size_t rh_rate_row_count;

/* Refuses warm-up and cool-down that leave no round between them, and lr_min > lr. */
RH_CHECKED rh_status rh_rate_check(const rh_rate *rate, int64_t rounds);

/* The learning rate of round t of `rounds`. */
double rh_rate_at(const rh_rate *rate, int64_t t, int64_t rounds);

#endif
