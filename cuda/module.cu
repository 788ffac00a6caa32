/* The CUDA module's answers about itself, and its opening. */
#include "device.h"

#include <stdio.h>

extern "C" const rh_backend rh_backend_cuda;

extern "C" void rh_cuda_module_info(rh_cuda_info *info)
{
  *info = rh_cuda_info();
  info->version = RH_CUDA_MODULE_VERSION;
  info->name = "cuda";
  info->operations = "steps of all models in f32, TF32 and bf16";
  info->runtime = CUDART_VERSION;
  if (cudaDriverGetVersion(&info->driver) != cudaSuccess) info->driver = 0;
  if (rh_cuda_unusable(info->reason, sizeof info->reason)) return;
  cudaDeviceProp properties;
  if (cudaGetDeviceCount(&info->device_count) != cudaSuccess ||
      cudaGetDeviceProperties(&properties, 0) != cudaSuccess) {
    info->device_count = 0;
    snprintf(info->reason, sizeof info->reason, "the device does not answer; nvidia-smi tells more");
    return;
  }
  snprintf(info->device, sizeof info->device, "%s", properties.name);
}

static bool open_device(char *reason, size_t size)
{
  cudaError_t error = cudaSetDevice(0);
  if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&rh_cuda.stream, cudaStreamNonBlocking);
  /* cuBLAS's own workspace is taken from it, so that its choice of kernel, and with it the bits, does not depend on the
   * memory that is left. */
  const size_t workspace = RH_CUDA_BLAS_WORKSPACE;
  if (error == cudaSuccess) error = cudaMalloc(&rh_cuda.blas_workspace, workspace);
  if (error != cudaSuccess) {
    snprintf(reason, size, "the GPU cannot be used: %s; nvidia-smi shows who else uses it", cudaGetErrorString(error));
    return false;
  }
  cublasStatus_t status = cublasCreate(&rh_cuda.blas);
  if (status == CUBLAS_STATUS_SUCCESS) status = cublasSetStream(rh_cuda.blas, rh_cuda.stream);
  if (status == CUBLAS_STATUS_SUCCESS) status = cublasSetWorkspace(rh_cuda.blas, rh_cuda.blas_workspace, workspace);
  if (status == CUBLAS_STATUS_SUCCESS) status = cublasLtCreate(&rh_cuda.blas_lt);
  if (status == CUBLAS_STATUS_SUCCESS) status = cublasSetAtomicsMode(rh_cuda.blas, CUBLAS_ATOMICS_NOT_ALLOWED);
  if (status != CUBLAS_STATUS_SUCCESS) {
    snprintf(reason, size, "cuBLAS cannot be used: %s", cublasGetStatusString(status));
    return false;
  }
  return true;
}

static void name_kernel(void)
{
  static const char *const products[] = {"fp32", "TF32", "bf16"};
  cudaDeviceProp properties;
  int version = 0;
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) snprintf(properties.name, sizeof properties.name, "GPU");
  if (cublasGetVersion(rh_cuda.blas, &version) != CUBLAS_STATUS_SUCCESS) version = 0;
  snprintf(rh_cuda.kernel, sizeof rh_cuda.kernel, "cuBLAS %d.%d.%d %s, %.128s", version / 10000, version / 100 % 100,
           version % 100, products[rh_cuda.products], properties.name);
}

extern "C" const rh_backend *rh_cuda_module_open(rh_cuda_products products, char *reason, size_t size)
{
  if (size > 0) reason[0] = 0;
  if (!rh_cuda.open) {
    if (rh_cuda_unusable(reason, size) || !open_device(reason, size)) return nullptr;
    rh_cuda.open = true;
  }
  rh_cuda.products = products;
  name_kernel();
  return &rh_backend_cuda;
}
