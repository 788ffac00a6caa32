/* Work that is called again and again with the same arguments, as one: a CUDA graph.
 *
 * A step of a small model is some forty kernels of a few microseconds, about as long as it takes to launch them. The
 * first time a piece of work is called as it is, since libraries choose and load kernels then; the second time it is
 * recorded; from then on the record is launched. A record holds addresses, so that a release of any memory forgets
 * all of them. Where recording fails work is called as it is for the rest of the run, which is said once.
 */
#include <string.h>

#include "launch.h"

enum { RECORDS = 32, KEY = 128 };

typedef struct record {
  unsigned char key[KEY];
  size_t bytes;
  rh_cuda_products products;
  cudaGraphExec_t graph; /* NULL: the work was called once */
} record;

static struct {
  record list[RECORDS];
  int count, next;
  record *at_work; /* what is being recorded */
  bool off;
} records;

static record *find(const void *key, size_t bytes)
{
  for (int i = 0; i < records.count; i++) {
    record *const r = &records.list[i];
    if (r->bytes == bytes && r->products == rh_cuda.products && memcmp(r->key, key, bytes) == 0) return r;
  }
  return nullptr;
}

static void add(const void *key, size_t bytes)
{
  record *const r = &records.list[records.count < RECORDS ? records.count++ : records.next++ % RECORDS];
  if (r->graph) cudaGraphExecDestroy(r->graph);
  *r = record();
  memcpy(r->key, key, bytes);
  r->bytes = bytes;
  r->products = rh_cuda.products;
}

static void give_up(void)
{
  records.off = true;
  records.at_work = nullptr;
  rh_cuda.recording = rh_cuda.recording_failed = false;
  cudaGetLastError();
  rh_cuda_note("this driver does not record steps as CUDA graphs: every kernel is launched by itself");
}

extern "C" bool rh_cuda_begin_work(const void *key, size_t bytes)
{
  if (records.off || rh_cuda_failed() || bytes > KEY) return true;
  record *const r = find(key, bytes);
  if (!r) {
    add(key, bytes);
    return true;
  }
  if (r->graph) {
    rh_cuda_check(cudaGraphLaunch(r->graph, rh_cuda.stream), "a recorded step");
    return false;
  }
  if (cudaStreamBeginCapture(rh_cuda.stream, cudaStreamCaptureModeRelaxed) != cudaSuccess) {
    give_up();
    return true;
  }
  records.at_work = r;
  rh_cuda.recording = true;
  return true;
}

extern "C" bool rh_cuda_end_work(void)
{
  record *const r = records.at_work;
  cudaGraph_t graph = nullptr;
  if (!r) return true;
  const bool ended = cudaStreamEndCapture(rh_cuda.stream, &graph) == cudaSuccess && graph;
  const bool whole = ended && !rh_cuda.recording_failed && cudaGraphInstantiate(&r->graph, graph, 0) == cudaSuccess;
  if (graph) cudaGraphDestroy(graph);
  if (!whole) {
    r->graph = nullptr;
    give_up();
    return false;
  }
  records.at_work = nullptr;
  rh_cuda.recording = false;
  rh_cuda_check(cudaGraphLaunch(r->graph, rh_cuda.stream), "a recorded step");
  return true;
}

extern "C" void rh_cuda_forget_work(void)
{
  for (int i = 0; i < records.count; i++) {
    if (records.list[i].graph) cudaGraphExecDestroy(records.list[i].graph);
    records.list[i] = record();
  }
  records.count = records.next = 0;
}
