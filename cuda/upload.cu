/* Uploads. The program may change at once what it uploads, and the device goes on meanwhile: bytes are put into pinned
 * memory first, a ring of two halves, each of which is used again when the device has taken all of it. Of memory that
 * is not pinned CUDA says neither that it was read when a copy returns nor that a copy waits for nothing. */
#include <string.h>

#include "device.h"
#include "operations.h"

static const size_t HALF = 4 << 20, ALIGNED = 64; /* bytes */

static struct {
  char *memory; /* [2][HALF] pinned; NULL: none yet, or none to be had */
  bool tried;
  size_t at;
  cudaEvent_t taken[2]; /* by the device: what a half held */
  bool waits[2];        /* for that event, before it is used again */
} ring;

static bool open_ring(void)
{
  if (ring.tried) return ring.memory != nullptr;
  ring.tried = true;
  void *memory = nullptr;
  bool good = cudaMallocHost(&memory, 2 * HALF) == cudaSuccess;
  for (int half = 0; half < 2 && good; half++)
    good = cudaEventCreateWithFlags(&ring.taken[half], cudaEventDisableTiming) == cudaSuccess;
  if (good)
    ring.memory = (char *)memory;
  else
    cudaGetLastError();
  return good;
}

/* Bytes that were put into the ring at most: up to the end of the half. */
static size_t put(void *to, const char *from, size_t bytes)
{
  const size_t half = ring.at / HALF, room = HALF - ring.at % HALF, piece = bytes < room ? bytes : room;
  if (ring.at % HALF == 0 && ring.waits[half]) rh_cuda_check(cudaEventSynchronize(ring.taken[half]), "an upload");
  memcpy(ring.memory + ring.at, from, piece);
  rh_cuda_check(cudaMemcpyAsync(to, ring.memory + ring.at, piece, cudaMemcpyHostToDevice, rh_cuda.stream), "an upload");
  ring.at += (piece + ALIGNED - 1) / ALIGNED * ALIGNED;
  if (ring.at % HALF == 0) {
    ring.waits[half] = rh_cuda_check(cudaEventRecord(ring.taken[half], rh_cuda.stream), "an upload");
    ring.at %= 2 * HALF;
  }
  return piece;
}

extern "C" void rh_cuda_upload(void *to, const void *from, size_t bytes)
{
  if (bytes == 0 || rh_cuda_failed()) return;
  if (!open_ring()) {
    rh_cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, rh_cuda.stream), "an upload");
    rh_cuda_wait();
    return;
  }
  for (size_t done = 0; done < bytes && !rh_cuda_failed();)
    done += put((char *)to + done, (const char *)from + done, bytes - done);
}
