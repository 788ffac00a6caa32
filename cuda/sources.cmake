# The module's sources, for nvcc and for a host compiler with tests/cuda/emulated.
set(RH_CUDA_SOURCES module.cu device.cu upload.cu backend_cuda.c elementwise.cu optimiser.cu rows.cu mix.cu dense.cu product.cu split.cu thin.cu graph.cu conv.cu
  conv_weights.cu pool.cu norm_forward.cu norm_backward.cu loss.cu
  code.cu code_measure.cu code_dither.cu code_quantise.cu code_half.cu code_topk_select.cu code_topk.cu code_randomk.cu quantise.cu)
