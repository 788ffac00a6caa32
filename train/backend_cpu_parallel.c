/* Items over threads. Each thread has a run of neighbouring items, the same one in every call of as many, so that what
 * they work on, replicas above all, stays in its core's caches from round to round; whoever is done with its own helps
 * the next.
 */
#include <omp.h>
#include <stdatomic.h>

#include "backend_cpu.h"

enum { RUNS = 64, LINE = 64 }; /* runs at most: more threads share them */

/* A run's next item that nobody has taken, in a cache line of its own. */
typedef struct run {
  _Alignas(LINE) atomic_int_fast64_t next;
  int64_t end;
} run;

typedef struct job {
  bool (*body)(void *context, int64_t item, int thread);
  void *context;
  int runs;
  atomic_bool ended;
  run run[RUNS];
} job;

/* A thread's part: its own run, and what others have left of theirs. */
static void work(job *j, int thread)
{
  for (int k = 0; k < j->runs; k++) {
    run *const r = &j->run[(thread + k) % j->runs];
    for (int64_t item; !atomic_load_explicit(&j->ended, memory_order_relaxed) &&
                       (item = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed)) < r->end;)
      if (!j->body(j->context, item, thread)) atomic_store_explicit(&j->ended, true, memory_order_relaxed);
  }
}

void rh_cpu_parallel(int64_t items, int threads, bool (*body)(void *context, int64_t item, int thread), void *context)
{
  RH_ASSERT(threads > 0 && !omp_in_parallel());
  const int most = items < threads ? (int)items : threads;
  if (most <= 1) {
    for (int64_t item = 0; item < items && body(context, item, 0);)
      item++;
    return;
  }
  job j = {.body = body, .context = context, .runs = most < RUNS ? most : RUNS};
  for (int k = 0; k < j.runs; k++) {
    atomic_init(&j.run[k].next, items * k / j.runs);
    j.run[k].end = items * (k + 1) / j.runs;
  }
#pragma omp parallel num_threads(most)
  work(&j, omp_get_thread_num());
}
