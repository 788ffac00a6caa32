/* The CUDA module's answer about itself. */
#include "module.h"

#include <cuda_runtime.h>
#include <stdio.h>

extern "C" void rh_cuda_module_info(rh_cuda_info *info)
{
  *info = rh_cuda_info();
  info->version = RH_CUDA_MODULE_VERSION;
  info->name = "cuda";
  info->operations = "no operations yet";
  info->runtime = CUDART_VERSION;
  if (cudaDriverGetVersion(&info->driver) != cudaSuccess) info->driver = 0;
  cudaError_t error = cudaGetDeviceCount(&info->device_count);
  cudaDeviceProp properties;
  if (error == cudaSuccess && info->device_count > 0) error = cudaGetDeviceProperties(&properties, 0);
  if (error == cudaSuccess && info->device_count > 0) {
    snprintf(info->device, sizeof info->device, "%s", properties.name);
  } else {
    info->device_count = 0;
    snprintf(info->reason, sizeof info->reason, "%s",
             error == cudaSuccess ? "the driver lists no device" : cudaGetErrorString(error));
  }
}
