/* Softmax cross-entropy: a block is a replica, a thread a sample; exponentials and sums in f64. */
#include <math.h>

#include "launch.h"

enum { SAMPLES = 64 }; /* threads of a block */

typedef struct sample {
  double loss; /* of one sample, over the batch */
  int correct;
} sample;

/* One sample's logits z; dz its gradient, or NULL. As backend_ref.c reads. */
static __device__ sample sample_loss(int64_t batch, int64_t classes, const float *z, int32_t label, double smoothing,
                                     float *dz)
{
  int64_t best = 0;
  double sum = 0, loss;
  for (int64_t k = 1; k < classes; k++)
    if (z[k] > z[best]) best = k;
  for (int64_t k = 0; k < classes; k++)
    sum += exp((double)z[k] - z[best]);
  loss = (log(sum) + z[best] - z[label]) / (double)batch;
  for (int64_t k = 0; smoothing > 0 && k < classes; k++)
    loss += smoothing / (double)classes * ((double)z[label] - z[k]) / (double)batch;
  for (int64_t k = 0; dz && k < classes; k++) {
    const double target = (1 - smoothing) * (k == label ? 1 : 0) + smoothing / (double)classes;
    dz[k] = (float)((exp((double)z[k] - z[best]) / sum - target) / (double)batch);
  }
  sample s;
  s.loss = loss;
  s.correct = best == label ? 1 : 0;
  return s;
}

static __global__ void softmax_cross_entropy(int64_t batch, int64_t classes, int64_t count, rh_tensor logits,
                                             const int32_t *labels, int64_t label_stride, double smoothing,
                                             rh_tensor dlogits, double *loss, int64_t *correct)
{
  __shared__ double losses[SAMPLES];
  __shared__ int hits[SAMPLES];
  for (int64_t r = blockIdx.x; r < count; r += gridDim.x) {
    double sum = 0;
    int64_t all = 0;
    for (int64_t first = 0; first < batch; first += SAMPLES) {
      const int64_t n = first + threadIdx.x;
      sample s;
      s.loss = 0;
      s.correct = 0;
      if (n < batch) {
        float *const dz = rh_at(dlogits, r);
        s = sample_loss(batch, classes, rh_at(logits, r) + n * classes, labels[r * label_stride + n], smoothing,
                        dz ? dz + n * classes : nullptr);
      }
      losses[threadIdx.x] = s.loss;
      hits[threadIdx.x] = s.correct;
      __syncthreads();
      for (int k = 0; threadIdx.x == 0 && k < SAMPLES; k++) { /* in the order of samples */
        sum += losses[k];
        all += hits[k];
      }
      __syncthreads();
    }
    if (threadIdx.x == 0) {
      loss[r] = sum;
      correct[r] = all;
    }
  }
}

extern "C" void rh_cuda_softmax_cross_entropy(int64_t batch, int64_t classes, int64_t count, rh_tensor logits,
                                              const int32_t *labels, int64_t label_stride, double smoothing,
                                              rh_tensor dlogits, double *loss, int64_t *correct)
{
  RH_LAUNCH(softmax_cross_entropy, dim3((unsigned)(count < 65535 ? count : 65535)), SAMPLES, batch, classes, count,
            logits, labels, label_stride, smoothing, dlogits, loss, correct);
}
