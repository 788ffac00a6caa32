/* test_races KIND: a kernel that does what races.cu is there to find; kind `none` does everything as it should.
 * Exit status: 0 nothing was found, 2 there is no such kind; else the emulation ends the program, saying what. */
#include "cuda_runtime.h"

enum { THREADS = 64, VALUES = 256 };

/* Each thread takes its neighbour's value. */
static __global__ void turn(bool waits, bool fills, float *x)
{
  __shared__ float values[THREADS];
  const unsigned t = threadIdx.x;
  if (fills || t > 0) values[t] = x[blockIdx.x * THREADS + t];
  if (waits) __syncthreads();
  x[blockIdx.x * THREADS + t] = values[(t + 1) % THREADS];
}

static __global__ void write(unsigned apart, unsigned offset, float *x)
{
  *(float *)((char *)(x + (blockIdx.x * THREADS + threadIdx.x) / apart) + offset) = 1;
}

static void launch_turn(unsigned blocks, bool waits, bool fills, float *x)
{
  emulated::launch("turn", dim3(blocks), dim3(THREADS), turn, waits, fills, x);
}

static void launch_write(unsigned blocks, unsigned threads, unsigned apart, unsigned offset, float *x)
{
  emulated::launch("write", dim3(blocks), dim3(threads), write, apart, offset, x);
}

int main(int argc, char **argv)
{
  const char *const kind = argc > 1 ? argv[1] : "";
  void *memory = NULL;
  if (cudaMalloc(&memory, VALUES * sizeof(float)) != cudaSuccess) return 2;
  float *const x = (float *)memory;
  const auto is = [&](const char *name) { return strcmp(kind, name) == 0; };
  if (is("none")) {
    launch_turn(3, true, true, x);
    launch_write(3, THREADS, 1, 0, x);
  } else if (is("no-barrier")) {
    launch_turn(1, false, true, x);
  } else if (is("unwritten")) {
    launch_turn(1, true, false, x);
  } else if (is("two-threads")) {
    launch_write(1, THREADS, 2, 0, x);
  } else if (is("two-blocks")) {
    launch_write(2, 1, VALUES, 0, x);
  } else if (is("misaligned")) {
    launch_write(1, 1, 1, 2, x);
  } else {
    return 2;
  }
  return 0;
}
