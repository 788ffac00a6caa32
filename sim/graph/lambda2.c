/* |lambda_2| by power iteration.
 *
 * Symbols     M = W - J, A = M^T M (symmetric, positive semidefinite), r Rayleigh quotient of x, |.| Euclidean norm
 * Idea        x <- A x / |A x| converges to the eigenvector of A's largest eigenvalue, the square of what is sought.
 *             Some eigenvalue of A lies within |A x - r x| of r, so that residual is the stopping rule.
 */
#include <math.h>
#include <stdlib.h>

#include "graph.h"
#include "rng.h"

enum { ITERATIONS_MAX = 200000 };

/* y = M x */
static void apply(const rh_graph *g, const double *x, double *y)
{
  double mean = 0;
  for (int32_t i = 0; i < g->workers; i++)
    mean += x[i];
  mean /= g->workers;
  for (int32_t i = 0; i < g->workers; i++) {
    double sum = g->own[i] * x[i];
    for (int32_t k = g->neighbours.in_offset[i]; k < g->neighbours.in_offset[i + 1]; k++)
      sum += g->weight[k] * x[g->neighbours.in[k]];
    y[i] = sum - mean;
  }
}

/* y = M^T x */
static void apply_transposed(const rh_graph *g, const double *x, double *y)
{
  double mean = 0;
  for (int32_t i = 0; i < g->workers; i++)
    mean += x[i];
  mean /= g->workers;
  for (int32_t i = 0; i < g->workers; i++)
    y[i] = g->own[i] * x[i] - mean;
  for (int32_t i = 0; i < g->workers; i++)
    for (int32_t k = g->neighbours.in_offset[i]; k < g->neighbours.in_offset[i + 1]; k++)
      y[g->neighbours.in[k]] += g->weight[k] * x[i];
}

static double dot(const double *x, const double *y, int32_t n)
{
  double sum = 0;
  for (int32_t i = 0; i < n; i++)
    sum += x[i] * y[i];
  return sum;
}

static void normalise(double *x, int32_t n)
{
  double length = sqrt(dot(x, x, n));
  for (int32_t i = 0; i < n; i++)
    x[i] /= length;
}

rh_status rh_graph_lambda2_numeric(const rh_graph *graph, double *lambda2)
{
  rh_status status = RH_OK;
  int32_t n = graph->workers;
  double *x = calloc((size_t)n, sizeof *x), *y = calloc((size_t)n, sizeof *y), *z = calloc((size_t)n, sizeof *z);
  RH_ASSERT(x && y && z && "memory is exhausted");
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_GRAPH, 0, 0);
  for (int32_t i = 0; i < n; i++)
    x[i] = rh_rng_f64(&rng) - 0.5;
  normalise(x, n);
  for (int iteration = 0;; iteration++) {
    apply(graph, x, y);
    apply_transposed(graph, y, z);
    double r = dot(x, z, n), residual = 0;
    for (int32_t i = 0; i < n; i++)
      residual += (z[i] - r * x[i]) * (z[i] - r * x[i]);
    *lambda2 = sqrt(fmax(r, 0));
    /* 1e-30: W is J to rounding, and the answer 0 */
    if (r < 1e-30 || sqrt(residual) < 1e-6 * r) break;
    if (iteration == ITERATIONS_MAX) {
      status = rh_error(RH_EUNSUPPORTED, "graph '%s' of %d workers: |lambda_2| did not converge in %d iterations",
                        graph->name, n, ITERATIONS_MAX);
      break;
    }
    for (int32_t i = 0; i < n; i++)
      x[i] = z[i];
    normalise(x, n);
  }
  if (*lambda2 < 1e-12) *lambda2 = 0;
  free(x);
  free(y);
  free(z);
  return status;
}

rh_status rh_graph_lambda2(const rh_graph *graph, double *lambda2)
{
  if (graph->lambda2 < 0) return rh_graph_lambda2_numeric(graph, lambda2);
  *lambda2 = graph->lambda2;
  return RH_OK;
}
