#include "optim.h"

#include <math.h>

#include "clones.h"

#define ROW(field) .name = #field, .offset = offsetof(rh_optimiser, field)

const rh_option rh_optimiser_rows[] = {
    {.name = "optimiser",
     .offset = offsetof(rh_optimiser, kind),
     .kind = RH_OPTION_CHOICE,
     .fallback = "sgd",
     .choices = "sgd adamw",
     .help = "how a gradient becomes a step"},
    {ROW(momentum), .kind = RH_OPTION_REAL, .fallback = "0.9", .min = 0, .max = 1, .help = "momentum of sgd"},
    {ROW(nesterov), .kind = RH_OPTION_SWITCH, .fallback = "off",
     .help = "of sgd: whether the step looks one step of the momentum ahead"},
    {ROW(beta1), .kind = RH_OPTION_REAL, .fallback = "0.9", .min = 0, .max = 0.999999,
     .help = "of adamw: what is kept of the mean of gradients in a step"},
    {ROW(beta2), .kind = RH_OPTION_REAL, .fallback = "0.999", .min = 0, .max = 0.999999,
     .help = "of adamw: what is kept of the mean of squared gradients in a step"},
    {ROW(epsilon), .kind = RH_OPTION_REAL, .fallback = "1e-8", .min = 1e-30, .max = 1,
     .help = "of adamw: added to the root of the mean square that a step is divided by"},
    {ROW(decay), .kind = RH_OPTION_REAL, .fallback = "0", .min = 0, .max = INFINITY,
     .help = "weight decay, added to the gradient (sgd) or to the step (adamw)"},
    {ROW(clip), .kind = RH_OPTION_REAL, .fallback = "0", .min = 0, .max = INFINITY,
     .help = "longest gradient that is stepped with, by its Euclidean norm; longer ones are scaled down to it; 0: any"},
};
const size_t rh_optimiser_row_count = RH_COUNT(rh_optimiser_rows);

int rh_optimiser_moments(const rh_optimiser *optimiser)
{
  return optimiser->kind == RH_OPTIMISER_ADAMW ? 2 : 1;
}

void rh_optimiser_step_rows(const rh_optimiser *optimiser, const rh_backend *backend, int64_t n, int64_t count,
                            rh_tensor x, const rh_tensor *moments, rh_tensor g, double lr, int64_t step)
{
  const rh_optimiser *o = optimiser;
  RH_ASSERT(step > 0);
  if (o->kind == RH_OPTIMISER_SGD) {
    const rh_sgd sgd = {.lr = lr, .momentum = o->momentum, .decay = o->decay, .nesterov = o->nesterov};
    backend->sgd_step(&sgd, n, count, x, moments[0], g);
    return;
  }
  const rh_adamw adamw = {
      .lr = lr, .beta1 = o->beta1, .beta2 = o->beta2, .epsilon = o->epsilon, .decay = o->decay, .step = step};
  backend->adamw_step(&adamw, n, count, x, moments[0], moments[1], g);
}

void rh_optimiser_step(const rh_optimiser *optimiser, const rh_backend *backend, int64_t n, float *x,
                       float *const *moments, const float *g, double lr, int64_t step)
{
  rh_tensor rows[RH_MOMENTS_MAX] = {0};
  for (int k = 0; k < rh_optimiser_moments(optimiser); k++)
    rows[k] = (rh_tensor){moments[k], n};
  rh_optimiser_step_rows(optimiser, backend, n, 1, (rh_tensor){x, n}, rows, (rh_tensor){(float *)g, n}, lr, step);
}

double rh_optimiser_clip(const rh_optimiser *optimiser, double squared_norm)
{
  const double norm = sqrt(squared_norm);
  return optimiser->clip > 0 && norm > optimiser->clip ? optimiser->clip / norm : 1;
}

enum { LANES = 16 };

/* lane[k] += squares of elements k, k + LANES, ...; n is a multiple of LANES. */
RH_CLONES static void add_squares(int64_t n, const float *g, double *restrict lane)
{
  for (int64_t i = 0; i < n; i += LANES)
    for (int64_t k = 0; k < LANES; k++)
      lane[k] += (double)g[i + k] * g[i + k];
}

double rh_squared_norm(int64_t n, const float *g)
{
  double lane[LANES] = {0}, sum = 0;
  const int64_t whole = n - n % LANES;
  add_squares(whole, g, lane);
  for (int64_t i = whole; i < n; i++)
    lane[i - whole] += (double)g[i] * g[i];
  for (int64_t k = 0; k < LANES; k++)
    sum += lane[k];
  return sum;
}
