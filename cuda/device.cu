/* The device: memory, waiting, and what is said when it fails. */
#include "device.h"

#include <stdio.h>
#include <string.h>

#include "operations.h"

rh_cuda_device rh_cuda;

static const int least_capability = 80; /* 10 major + minor: what the module is compiled for (CMakeLists.txt) */

extern "C" bool rh_cuda_unusable(char *reason, size_t size)
{
  int driver = 0, count = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess) driver = 0;
  if (driver == 0) {
    snprintf(reason, size, "there is no NVIDIA driver; install one for CUDA %d.%d or newer", CUDART_VERSION / 1000,
             CUDART_VERSION % 1000 / 10);
    return true;
  }
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    snprintf(reason, size, "the driver serves CUDA %d.%d and this module needs %d.%d; install a newer driver",
             driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    return true;
  }
  if (error != cudaSuccess || count == 0) {
    snprintf(reason, size, "%s; nvidia-smi lists what the driver sees",
             error == cudaSuccess ? "the driver lists no device" : cudaGetErrorString(error));
    cudaGetLastError();
    return true;
  }
  cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) {
    snprintf(reason, size, "device 0 does not answer; nvidia-smi tells more");
    return true;
  }
  if (10 * properties.major + properties.minor < least_capability) {
    snprintf(reason, size, "%.100s has compute capability %d.%d, and this module needs %d.%d or newer", properties.name,
             properties.major, properties.minor, least_capability / 10, least_capability % 10);
    return true;
  }
  return false;
}

/* What a user can do about it. */
static const char *remedy(cudaError_t error)
{
  switch (error) {
  case cudaErrorMemoryAllocation:
    return "lower run.memory, or run fewer workers at once";
  case cudaErrorECCUncorrectable:
  case cudaErrorLaunchTimeout:
  case cudaErrorDeviceUninitialized:
  case cudaErrorUnknown:
  case cudaErrorDevicesUnavailable:
    return "the device was lost; what was recorded is kept: see the system's log, then run again with --resume";
  default:
    return "what was recorded is kept; run again with --resume, or with run.backend: cpu";
  }
}

/* What goes wrong while work is recorded is the record's failure, not the device's. */
static bool only_recording(bool good)
{
  if (!good && rh_cuda.recording) rh_cuda.recording_failed = true;
  return rh_cuda.recording;
}

extern "C" bool rh_cuda_check(cudaError_t error, const char *what)
{
  if (only_recording(error == cudaSuccess)) return true;
  if (error != cudaSuccess && !rh_cuda_failed())
    snprintf(rh_cuda.failure, sizeof rh_cuda.failure, "the GPU failed in %s: %s (%s)", what, cudaGetErrorString(error),
             remedy(error));
  return !rh_cuda_failed();
}

extern "C" bool rh_cuda_check_blas(cublasStatus_t status, const char *what)
{
  if (only_recording(status == CUBLAS_STATUS_SUCCESS)) return true;
  if (status != CUBLAS_STATUS_SUCCESS && !rh_cuda_failed())
    snprintf(rh_cuda.failure, sizeof rh_cuda.failure, "cuBLAS failed in %s: %s (%s)", what,
             cublasGetStatusString(status), remedy(cudaErrorUnknown));
  return !rh_cuda_failed();
}

extern "C" bool rh_cuda_check_solver(cusolverStatus_t status, const char *what)
{
  if (status != CUSOLVER_STATUS_SUCCESS && !rh_cuda_failed())
    snprintf(rh_cuda.failure, sizeof rh_cuda.failure, "cuSOLVER failed in %s with status %d (%s)", what, (int)status,
             remedy(cudaErrorUnknown));
  return !rh_cuda_failed();
}

extern "C" const char *rh_cuda_kernel(void)
{
  return rh_cuda.kernel;
}

/* An exhausted device is an answer, not a failure: the caller knows what would fit. */
extern "C" void *rh_cuda_alloc(size_t bytes)
{
  void *memory = nullptr;
  if (rh_cuda_failed()) return nullptr;
  const cudaError_t error = cudaMalloc(&memory, bytes > 0 ? bytes : 1);
  if (error != cudaSuccess) {
    cudaGetLastError();
    if (error != cudaErrorMemoryAllocation) rh_cuda_check(error, "an allocation");
    return nullptr;
  }
  rh_cuda_check(cudaMemsetAsync(memory, 0, bytes, rh_cuda.stream), "clearing memory");
  return memory;
}

extern "C" void rh_cuda_release(void *memory)
{
  if (!memory) return;
  rh_cuda_wait();
  rh_cuda_forget_work();
  cudaFree(memory);
}

extern "C" void rh_cuda_download(void *to, const void *from, size_t bytes)
{
  if (bytes > 0 && !rh_cuda_failed())
    rh_cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, rh_cuda.stream), "a download");
  rh_cuda_wait();
  if (rh_cuda_failed()) memset(to, 0, bytes); /* defined, until the failure is asked for */
}

extern "C" void rh_cuda_copy(void *to, const void *from, size_t bytes)
{
  if (bytes > 0 && !rh_cuda_failed())
    rh_cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, rh_cuda.stream), "a copy");
}

extern "C" void rh_cuda_wait(void)
{
  if (!rh_cuda_failed()) rh_cuda_check(cudaStreamSynchronize(rh_cuda.stream), "an operation");
}

extern "C" const char *rh_cuda_failure(void)
{
  return rh_cuda_failed() ? rh_cuda.failure : nullptr;
}

extern "C" void rh_cuda_note(const char *note)
{
  rh_cuda.note = note;
}

extern "C" const char *rh_cuda_take_note(void)
{
  const char *const note = rh_cuda.note;
  rh_cuda.note = nullptr;
  return note;
}

extern "C" int64_t rh_cuda_free_bytes(void)
{
  size_t available = 0, all = 0;
  if (rh_cuda_failed() || cudaMemGetInfo(&available, &all) != cudaSuccess) return 0;
  return (int64_t)available;
}
