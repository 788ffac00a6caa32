/* A second, independent forward pass: a whole model in double precision, layer by layer, as the definitions read. The
 * derivative of its loss by central differences is what the gradients of the backends are held to. */
#ifndef NAIVE_DOUBLE_H
#define NAIVE_DOUBLE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static inline void naive_dense(const rh_layer *layer, const double *params, const double *x, double *y)
{
  const int64_t inputs = rh_shape_count(layer->in);
  for (int64_t o = 0; o < layer->bias_count; o++) {
    y[o] = params[layer->bias_offset + o];
    for (int64_t i = 0; i < inputs; i++)
      y[o] += params[layer->weight_offset + o * inputs + i] * x[i];
  }
}

static inline void naive_conv(const rh_layer *layer, const double *params, const double *x, double *y)
{
  const rh_shape in = layer->in, out = layer->out;
  const int64_t k = layer->kernel;
  for (int64_t o = 0; o < out.channels; o++)
    for (int64_t row = 0; row < out.height; row++)
      for (int64_t column = 0; column < out.width; column++) {
        double sum = params[layer->bias_offset + o];
        for (int64_t tap = 0; tap < in.channels * k * k; tap++) {
          const int64_t channel = tap / (k * k), ky = tap / k % k, kx = tap % k;
          sum += params[layer->weight_offset + o * in.channels * k * k + tap] *
                 x[(channel * in.height + row + ky) * in.width + column + kx];
        }
        y[(o * out.height + row) * out.width + column] = sum;
      }
}

static inline void naive_pool(const rh_layer *layer, const double *x, double *y)
{
  const rh_shape in = layer->in, out = layer->out;
  const int64_t side = layer->kernel;
  for (int64_t c = 0; c < out.channels; c++)
    for (int64_t row = 0; row < out.height; row++)
      for (int64_t column = 0; column < out.width; column++) {
        double best = -INFINITY;
        for (int64_t tap = 0; tap < side * side; tap++)
          best = fmax(best, x[(c * in.height + row * side + tap / side) * in.width + column * side + tap % side]);
        y[(c * out.height + row) * out.width + column] = best;
      }
}

/* Range of a group of n values x: mean over 16 chunks (n / 2 below 32 values) of maximum less minimum. */
static inline double naive_range(int64_t n, const double *x)
{
  const int64_t chunks = n / 2 < 16 ? n / 2 : 16;
  double sum = 0;
  for (int64_t k = 0; k < chunks; k++) {
    double most = -INFINITY, least = INFINITY;
    for (int64_t i = k * n / chunks; i < (k + 1) * n / chunks; i++) {
      most = fmax(most, x[i]);
      least = fmin(least, x[i]);
    }
    sum += most - least;
  }
  return sum / (double)chunks;
}

static inline void naive_norm(const rh_layer *layer, const double *params, const double *x, double *y)
{
  const int64_t places = layer->out.height * layer->out.width, n = rh_shape_count(layer->out) / layer->groups;
  for (int64_t first = 0; first < rh_shape_count(layer->out); first += n) {
    double mean = 0, variance = 0, s;
    for (int64_t i = first; i < first + n; i++)
      mean += x[i] / (double)n;
    for (int64_t i = first; i < first + n; i++)
      variance += (x[i] - mean) * (x[i] - mean) / (double)n;
    s = sqrt(variance + 1e-5);
    if (layer->norm == RH_NORM_RANGE_EVO) {
      const int64_t chunks = n / 2 < 16 ? n / 2 : 16;
      const double length = (double)n / (double)chunks;
      s = 0.175 * (1 + sqrt(acos(-1) * log(4))) / sqrt(2 * log(length)) * naive_range(n, x + first) + 1e-5;
    }
    for (int64_t i = first; i < first + n; i++) {
      const double v = layer->norm == RH_NORM_GROUP ? 0 : params[layer->v_offset + i / places];
      double q = x[i] - mean;
      if (layer->norm == RH_NORM_EVO_S0) q = x[i] / (1 + exp(-v * x[i]));
      if (layer->norm == RH_NORM_RANGE_EVO) q = x[i] * fmin(fmax(v * x[i] / 6 + 0.5, 0), 1);
      y[i] = params[layer->weight_offset + i / places] * q / s + params[layer->bias_offset + i / places];
    }
  }
}

/* Mean softmax cross-entropy of a batch x [batch][input]. */
static inline double naive_loss(const rh_model *model, const double *params, int64_t batch, const float *x,
                                const int32_t *labels)
{
  enum { MOST = 1 << 16 };
  static double a[MOST], b[MOST];
  double loss = 0;
  for (int64_t n = 0; n < batch; n++) {
    double *from = a, *to = b;
    const int64_t inputs = rh_shape_count(model->input);
    for (int64_t i = 0; i < inputs; i++)
      from[i] = x[n * inputs + i];
    for (int l = 0; l < model->layer_count; l++) {
      const rh_layer *layer = &model->layers[l];
      RH_ASSERT(rh_shape_count(layer->out) <= MOST);
      if (layer->kind == &rh_layer_dense) naive_dense(layer, params, from, to);
      if (layer->kind == &rh_layer_conv) naive_conv(layer, params, from, to);
      if (layer->kind == &rh_layer_pool) naive_pool(layer, from, to);
      if (layer->kind == &rh_layer_norm) naive_norm(layer, params, from, to);
      if (layer->kind == &rh_layer_relu)
        for (int64_t i = 0; i < rh_shape_count(layer->out); i++)
          to[i] = fmax(from[i], 0);
      double *other = from;
      from = to;
      to = other;
    }
    double sum = 0;
    for (int64_t k = 0; k < model->classes; k++)
      sum += exp(from[k]);
    loss += log(sum) - from[labels[n]];
  }
  return loss / (double)batch;
}

/* d loss / d params[i] by central differences. params is restored. */
static inline double naive_derivative(const rh_model *model, double *params, int64_t i, int64_t batch, const float *x,
                                      const int32_t *labels)
{
  const double h = 1e-5, keep = params[i]; /* truncation h^2 = 1e-10, rounding 1e-16 / h = 1e-11 */
  params[i] = keep + h;
  const double above = naive_loss(model, params, batch, x, labels);
  params[i] = keep - h;
  const double below = naive_loss(model, params, batch, x, labels);
  params[i] = keep;
  return (above - below) / (2 * h);
}

#endif
