/* Stopping a run and going on with it: when checkpoints are written, and what happens to the rounds that one holds. */
#ifndef RH_EXECUTE_RESUME_H
#define RH_EXECUTE_RESUME_H

#include "checkpoint.h"
#include "task.h"

/* Room for the log of the rounds in memory. Rounds that differ need it: 4096 ranks with messages of any length take
 * about a megabyte each. */
#define RH_RESUME_LOG_BYTES ((int64_t)256 << 20)

typedef struct rh_resume {
  const rh_task *task;      /* borrowed */
  rh_checkpoint checkpoint; /* log and times; owned */
  rh_checkpoint_file *file; /* until its values were taken; owned */
  int64_t resumed;          /* rounds that the log held at the start: their values are not computed again */
  int64_t known;            /* times that the checkpoint held */
  int64_t finish_room;
  double begin_s; /* wall clock of the first round that is simulated again */
  double saved_s; /* and of the last checkpoint */
  bool told;      /* that the last one could not be written */
} rh_resume;

/* Makes an empty log or, where the task says so and there is one, opens the checkpoint and takes its log.
 *
 * kernel      of the backend: checkpoints are of one
 * returns     RH_EFORMAT, RH_EUNSUPPORTED as rh_checkpoint_open
 */
RH_CHECKED rh_status rh_resume_begin(const rh_task *task, const char *kernel, rh_resume *resume);
/* Once all that has values is there: takes them from the checkpoint that was opened, if one was.
 *
 * values      tells all their parts (parts.h), now and when checkpoints are written; NULL: a run without values
 */
RH_CHECKED rh_status rh_resume_values(rh_resume *resume, void (*values)(void *context, const rh_parts *parts),
                                      void *context);
void rh_resume_end(rh_resume *resume);

/* Whether stopping now leaves a checkpoint: the task has a place for it, and the log holds all rounds. */
bool rh_resume_possible(const rh_resume *resume);

/* A round's time is final. RH_EFORMAT if the checkpoint had another one. */
RH_CHECKED rh_status rh_resume_time(rh_resume *resume, int64_t round, double finish_s);

/* Before a round: writes a checkpoint if the task asks for one every so often and it is time. What goes wrong is told
 * on stderr, and the run goes on. */
void rh_resume_keep(rh_resume *resume);
/* Writes a checkpoint. */
RH_CHECKED rh_status rh_resume_save(rh_resume *resume);
/* The run is stopped before its end, after `produced` rounds of which `finished` have their time: writes a checkpoint,
 * or leaves the one that it went on from, if it came no further; then it says how far it came. Failures are told on
 * stderr. */
void rh_resume_stop(rh_resume *resume, int64_t produced, int64_t finished);

#endif
