/* |lambda_2| by power iteration.
 *
 * Symbols     W = W_P-1 ... W_0 product of a period, M = W - J, A = M^T M (symmetric, positive semidefinite), r
 *             Rayleigh quotient of x, |.| Euclidean norm
 * Idea        x <- A x / |A x| converges to the eigenvector of A's largest eigenvalue, the square of what is sought.
 *             Some eigenvalue of A lies within |A x - r x| of r, so that residual is the stopping rule.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "edges.h"
#include "graph.h"
#include "rng.h"

enum { ITERATIONS_MAX = 200000 };

/* The graphs of a period, and room for a vector between two of them. */
typedef struct product {
  const rh_graph *graphs;
  int32_t period, n;
  double *between; /* [n] */
} product;

static double mean_of(const double *x, int32_t n)
{
  double mean = 0;
  for (int32_t i = 0; i < n; i++)
    mean += x[i];
  return mean / n;
}

/* y = W_k x */
static void mix(const rh_graph *g, const double *x, double *y)
{
  for (int32_t i = 0; i < g->workers; i++) {
    double sum = g->own[i] * x[i];
    for (int32_t k = g->neighbours.in_offset[i]; k < g->neighbours.in_offset[i + 1]; k++)
      sum += g->weight[k] * x[g->neighbours.in[k]];
    y[i] = sum;
  }
}

/* y = W_k^T x */
static void mix_transposed(const rh_graph *g, const double *x, double *y)
{
  for (int32_t i = 0; i < g->workers; i++)
    y[i] = g->own[i] * x[i];
  for (int32_t i = 0; i < g->workers; i++)
    for (int32_t k = g->neighbours.in_offset[i]; k < g->neighbours.in_offset[i + 1]; k++)
      y[g->neighbours.in[k]] += g->weight[k] * x[i];
}

/* y = M x, or M^T x. */
static void apply(const product *p, bool transposed, const double *x, double *y)
{
  const double mean = mean_of(x, p->n);
  const double *from = x;
  for (int32_t k = 0; k < p->period; k++) {
    const rh_graph *g = &p->graphs[transposed ? p->period - 1 - k : k];
    if (k > 0) {
      memcpy(p->between, y, (size_t)p->n * sizeof *y);
      from = p->between;
    }
    (transposed ? mix_transposed : mix)(g, from, y);
  }
  for (int32_t i = 0; i < p->n; i++)
    y[i] -= mean;
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

/* The largest singular value of M. */
static rh_status largest(const product *p, double *value)
{
  rh_status status = RH_OK;
  const int32_t n = p->n;
  double *x = rh_graph_allocate((size_t)n, sizeof *x), *y = rh_graph_allocate((size_t)n, sizeof *y);
  double *z = rh_graph_allocate((size_t)n, sizeof *z);
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_GRAPH, 0, 0);
  for (int32_t i = 0; i < n; i++)
    x[i] = rh_rng_f64(&rng) - 0.5;
  normalise(x, n);
  for (int iteration = 0;; iteration++) {
    apply(p, false, x, y);
    apply(p, true, y, z);
    double r = dot(x, z, n), residual = 0;
    for (int32_t i = 0; i < n; i++)
      residual += (z[i] - r * x[i]) * (z[i] - r * x[i]);
    *value = sqrt(fmax(r, 0));
    /* 1e-30: W is J to rounding, and the answer 0 */
    if (r < 1e-30 || sqrt(residual) < 1e-6 * r) break;
    if (iteration == ITERATIONS_MAX) {
      status = rh_error(RH_EUNSUPPORTED, "graph '%s' of %d workers: |lambda_2| did not converge in %d iterations",
                        p->graphs[0].name, n, ITERATIONS_MAX);
      break;
    }
    memcpy(x, z, (size_t)n * sizeof *x);
    normalise(x, n);
  }
  if (*value < 1e-12) *value = 0;
  free(x);
  free(y);
  free(z);
  return status;
}

static rh_status numeric(const rh_graph *graphs, int32_t period, double *lambda2)
{
  const int32_t n = graphs[0].workers;
  product p = {.graphs = graphs, .period = period, .n = n, .between = rh_graph_allocate((size_t)n, sizeof(double))};
  rh_status status = largest(&p, lambda2);
  if (period > 1) *lambda2 = pow(*lambda2, 1.0 / period);
  free(p.between);
  return status;
}

rh_status rh_graph_lambda2_numeric(const rh_graph *graph, double *lambda2)
{
  return numeric(graph, 1, lambda2);
}

rh_status rh_graph_sequence_lambda2_numeric(const rh_graph_sequence *sequence, double *lambda2)
{
  return numeric(sequence->graphs, sequence->period, lambda2);
}

rh_status rh_graph_lambda2(const rh_graph *graph, double *lambda2)
{
  if (graph->lambda2 < 0) return rh_graph_lambda2_numeric(graph, lambda2);
  *lambda2 = graph->lambda2;
  return RH_OK;
}

rh_status rh_graph_sequence_lambda2(const rh_graph_sequence *sequence, double *lambda2)
{
  if (sequence->lambda2 < 0) return rh_graph_sequence_lambda2_numeric(sequence, lambda2);
  *lambda2 = sequence->lambda2;
  return RH_OK;
}
