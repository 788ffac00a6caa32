/* The universal scalability law, fitted. See scaling.h. */
#include <gsl/gsl_multifit.h>
#include <math.h>

#include "scaling.h"

enum { TERMS = 3, POINTS_LEAST = 3 };

/* Coefficients 1/gamma, sigma/gamma and kappa/gamma of the terms that are used; 0 of the others. */
typedef struct solution {
  double c[TERMS], error[TERMS];
} solution;

static double term(int k, double N)
{
  return k == 0 ? 1 : k == 1 ? N - 1 : N * (N - 1);
}

/* Weighted least squares: the residual of N / X in units of N / X itself. */
static solution solve(const rh_scaling_series *s, const bool *used)
{
  size_t count = 0, columns[TERMS];
  for (size_t k = 0; k < TERMS; k++)
    if (used[k]) columns[count++] = k;
  const size_t n = (size_t)s->count;
  gsl_matrix *A = gsl_matrix_alloc(n, count), *covariance = gsl_matrix_alloc(count, count);
  gsl_vector *y = gsl_vector_alloc(n), *c = gsl_vector_alloc(count);
  gsl_multifit_linear_workspace *work = gsl_multifit_linear_alloc(n, count);
  RH_ASSERT(A && covariance && y && c && work);
  for (size_t i = 0; i < n; i++) {
    const double N = s->points[i].workers, inverse = s->points[i].rate.estimate / N;
    gsl_vector_set(y, i, 1);
    for (size_t j = 0; j < count; j++)
      gsl_matrix_set(A, i, j, inverse * term((int)columns[j], N));
  }
  double residual;
  solution solution = {.error = {NAN, NAN, NAN}};
  gsl_multifit_linear(A, y, c, covariance, &residual, work);
  for (size_t j = 0; j < count; j++) {
    solution.c[columns[j]] = gsl_vector_get(c, j);
    if (n > count) solution.error[columns[j]] = sqrt(gsl_matrix_get(covariance, j, j));
  }
  gsl_multifit_linear_free(work);
  gsl_matrix_free(A);
  gsl_matrix_free(covariance);
  gsl_vector_free(y);
  gsl_vector_free(c);
  return solution;
}

/* Shares that come out negative are left out, the more negative one first: then the rest is fitted anew. */
static solution solve_positive(const rh_scaling_series *s)
{
  bool used[TERMS] = {true, true, true};
  for (;;) {
    const solution found = solve(s, used);
    int worst = 0;
    for (int k = 1; k < TERMS; k++)
      if (used[k] && found.c[k] < 0 && (worst == 0 || found.c[k] * term(k, 2) < found.c[worst] * term(worst, 2)))
        worst = k;
    if (worst == 0) return found;
    used[worst] = false;
  }
}

static void fit(rh_scaling_series *s)
{
  const solution found = solve_positive(s);
  s->fitted = found.c[0] > 0;
  if (!s->fitted) return;
  s->gamma = 1 / found.c[0];
  s->serial = found.c[1] / found.c[0];
  s->pairwise = found.c[2] / found.c[0];
  s->serial_error = found.error[1] / found.c[0];
  s->pairwise_error = found.error[2] / found.c[0];
  for (int i = 0; i < s->count; i++) {
    rh_scaling_point *p = &s->points[i];
    const double N = p->workers;
    p->fitted = s->gamma * N / (1 + s->serial * (N - 1) + s->pairwise * N * (N - 1));
    s->deviation = fmax(s->deviation, fabs(p->rate.estimate / p->fitted - 1));
  }
  if (s->pairwise > 0) { /* a serial share of 1 and more: one worker is best */
    const double N = s->best_workers = fmax(1, sqrt(fmax(0, 1 - s->serial) / s->pairwise));
    s->ceiling = s->gamma * N / (1 + s->serial * (N - 1) + s->pairwise * N * (N - 1));
  } else if (s->serial > 0) {
    s->ceiling = s->gamma / s->serial;
  }
  s->ceiling *= s->points[0].workers / s->points[0].rate.estimate;
}

void rh_scaling_fit(rh_scaling_series *s)
{
  s->fitted = false;
  s->gamma = s->serial = s->pairwise = s->serial_error = s->pairwise_error = NAN;
  s->deviation = 0;
  s->best_workers = s->ceiling = INFINITY;
  const rh_scaling_point *first = &s->points[0];
  for (int i = 0; i < s->count; i++) {
    rh_scaling_point *p = &s->points[i];
    p->speed_up = p->rate.estimate / first->rate.estimate * first->workers;
    p->efficiency = p->speed_up / p->workers;
    p->fitted = NAN;
  }
  if (s->count >= POINTS_LEAST) fit(s);
}
