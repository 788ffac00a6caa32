/* The table of the cuda backend. One stream does all operations in order; replicas are what runs in parallel. */
#include "operations.h"

/* The device is one for all threads: items follow each other. */
static void parallel(int64_t items, int threads, bool (*body)(void *context, int64_t item, int thread), void *context)
{
  (void)threads;
  for (int64_t item = 0; item < items; item++)
    if (!body(context, item, 0)) return;
}

extern const rh_backend rh_backend_cuda;

const rh_backend rh_backend_cuda = {
    .name = "cuda",
    .summary = "cuBLAS and own kernels on an NVIDIA GPU, all replicas of a chunk at once",
    .kernel = rh_cuda_kernel,
    .tile = 1024, /* 2 GB of activations of the cnn at batch 32, and enough blocks for any GPU */
    .alloc = rh_cuda_alloc,
    .release = rh_cuda_release,
    .upload = rh_cuda_upload,
    .download = rh_cuda_download,
    .copy = rh_cuda_copy,
    .wait = rh_cuda_wait,
    .failure = rh_cuda_failure,
    .free_bytes = rh_cuda_free_bytes,
    .note = rh_cuda_take_note,
    .begin_work = rh_cuda_begin_work,
    .end_work = rh_cuda_end_work,
    .parallel = parallel,
    .dense_forward = rh_cuda_dense_forward,
    .dense_backward = rh_cuda_dense_backward,
    .conv_scratch = rh_cuda_conv_scratch,
    .conv_forward = rh_cuda_conv_forward,
    .conv_backward = rh_cuda_conv_backward,
    .conv_pool_scratch = rh_cuda_conv_pool_scratch,
    .conv_pool_forward = rh_cuda_conv_pool_forward,
    .conv_pool_backward = rh_cuda_conv_pool_backward,
    .relu_forward = rh_cuda_relu_forward,
    .relu_backward = rh_cuda_relu_backward,
    .pool_forward = rh_cuda_pool_forward,
    .pool_backward = rh_cuda_pool_backward,
    .norm_forward = rh_cuda_norm_forward,
    .norm_backward = rh_cuda_norm_backward,
    .softmax_cross_entropy = rh_cuda_softmax_cross_entropy,
    .sgd_step = rh_cuda_sgd_step,
    .adamw_step = rh_cuda_adamw_step,
    .add_scaled = rh_cuda_add_scaled,
    .scale = rh_cuda_scale,
    .combine = rh_cuda_combine,
    .product = rh_cuda_product,
    .prepare_split = rh_cuda_prepare_split,
    .split = rh_cuda_split,
    .resize = rh_cuda_resize,
    .weighted_sum = rh_cuda_weighted_sum,
    .gather = rh_cuda_gather,
    .fold_rows = rh_cuda_fold_rows,
    .squared_distances = rh_cuda_squared_distances,
    .add_doubles = rh_cuda_add_doubles,
    .clip = rh_cuda_clip,
    .mix = rh_cuda_mix,
    .pick = rh_cuda_pick,
    .divide = rh_cuda_divide,
    .quantise = rh_cuda_quantise,
    .thin_right = rh_cuda_thin_right,
    .thin_left = rh_cuda_thin_left,
    .thin_expand = rh_cuda_thin_expand,
    .thin_orthonormalise = rh_cuda_thin_orthonormalise,
    .code_scratch = rh_cuda_code_scratch,
    .encode = rh_cuda_encode,
    .decode = rh_cuda_decode,
    .fold_halves = rh_cuda_fold_halves,
    .vote = rh_cuda_vote,
};
