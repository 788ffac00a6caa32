#include "execute_resume.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

static double wall_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void no_values(void *context, const rh_parts *parts)
{
  (void)context, (void)parts;
}

rh_status rh_resume_begin(const rh_task *task, const char *kernel, rh_resume *r)
{
  rh_status status = RH_OK;
  *r = (rh_resume){.task = task, .checkpoint = {.id = task->run.id, .values = no_values}, .saved_s = wall_s()};
  if (!task->checkpoint) return RH_OK;
  RH_TRY(rh_checkpoint_build(kernel, &r->checkpoint.build));
  if (task->resume) RH_TRY(rh_checkpoint_open(task->checkpoint, RH_RESUME_LOG_BYTES, &r->checkpoint, &r->file));
  if (r->file) {
    r->resumed = rh_oplog_rounds(r->checkpoint.log);
    r->known = r->finish_room = r->checkpoint.finished;
  } else {
    RH_TRY(rh_oplog_new(RH_RESUME_LOG_BYTES, &r->checkpoint.log));
  }
done:
  return status;
}

rh_status rh_resume_values(rh_resume *r, void (*values)(void *context, const rh_parts *parts), void *context)
{
  rh_status status = RH_OK;
  if (values) r->checkpoint.values = values;
  r->checkpoint.context = context;
  if (r->file) status = rh_checkpoint_load(&r->checkpoint, r->file);
  r->begin_s = wall_s();
  rh_checkpoint_close(r->file);
  r->file = NULL;
  return status;
}

void rh_resume_end(rh_resume *r)
{
  rh_checkpoint_close(r->file);
  rh_oplog_free(r->checkpoint.log);
  free(r->checkpoint.finish_s);
  *r = (rh_resume){0};
}

bool rh_resume_possible(const rh_resume *r)
{
  return r->checkpoint.log && !rh_oplog_is_full(r->checkpoint.log);
}

rh_status rh_resume_time(rh_resume *r, int64_t round, double finish_s)
{
  rh_checkpoint *c = &r->checkpoint;
  if (!c->log) return RH_OK;
  if (round < r->known) {
    if (c->finish_s[round] == finish_s) return RH_OK;
    return rh_error(RH_EFORMAT,
                    "the checkpoint is of another simulation: round %" PRId64
                    " ended at %.17g s then and at %.17g s now; has the platform's file changed? Run without --resume",
                    round + 1, c->finish_s[round], finish_s);
  }
  if (c->finished == r->finish_room) {
    r->finish_room = r->finish_room ? 2 * r->finish_room : 64;
    c->finish_s = realloc(c->finish_s, (size_t)r->finish_room * sizeof *c->finish_s);
    RH_ASSERT(c->finish_s && "memory is exhausted");
  }
  RH_ASSERT(round == c->finished);
  c->finish_s[c->finished++] = finish_s;
  return RH_OK;
}

rh_status rh_resume_save(rh_resume *r)
{
  r->saved_s = wall_s();
  if (!rh_resume_possible(r))
    return rh_error(RH_ENOMEM,
                    "no checkpoint: the rounds differ so much that their log takes more than %" PRId64
                    " MiB; the run has to start again",
                    RH_RESUME_LOG_BYTES >> 20);
  return rh_checkpoint_save(&r->checkpoint, r->task->checkpoint);
}

/* Failures of the same kind in a row are one line. */
static void save_or_tell(rh_resume *r, const char *then)
{
  const bool failed = rh_resume_save(r) != RH_OK;
  if (failed && !r->told) fprintf(stderr, "rehearse: %s%s\n", rh_error_message(), then);
  r->told = failed;
}

void rh_resume_keep(rh_resume *r)
{
  if (!rh_resume_possible(r) || r->task->checkpoint_s <= 0 || wall_s() - r->saved_s < r->task->checkpoint_s) return;
  save_or_tell(r, "; the run goes on");
}

void rh_resume_stop(rh_resume *r, int64_t produced, int64_t finished)
{
  if (!r->checkpoint.log || produced == 0) return; /* there is nothing to go on from */
  if (produced > r->resumed) {
    r->told = false; /* a later reason counts, too */
    save_or_tell(r, "");
    return;
  }
  const double spent_s = wall_s() - r->begin_s;
  fprintf(stderr,
          "rehearse: stopped after %" PRId64 " of the %" PRId64
          " rounds that its checkpoint holds were simulated again, in %.1f s",
          finished, r->resumed, spent_s);
  if (finished > 0)
    fprintf(stderr, "; with less than about %.0f s it comes no further",
            ceil(spent_s * (double)r->resumed / (double)finished));
  fprintf(stderr, ". The checkpoint stays as it is, and --resume starts there again\n");
}
