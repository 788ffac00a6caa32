/* Checkpoints: what a run that was ended goes on from.
 *
 * A checkpoint after round k holds the log of rounds 0 .. k - 1 (sim/time/schedule/oplog.h), from which their time is
 * simulated again without mathematics, with what was recorded of them; the simulated times that were final; and the
 * values that round k starts from. Batches, draws and rates follow from seed and round and are not kept.
 *
 * Files       BASE.checkpoint and BASE.checkpoint-before, the last two. One is written under another name, brought to
 *             the disk and renamed, so that a process or machine that dies meanwhile leaves the two before.
 * Format      of one build on one machine: a line with its name, the run's id, the build, counts, times, the log, the
 *             parts of the values each with name and length, and a hash of all that
 */
#ifndef RH_CHECKPOINT_H
#define RH_CHECKPOINT_H

#include "oplog.h"
#include "parts.h"

typedef struct rh_checkpoint {
  const char *id;   /* of the run; borrowed */
  uint64_t build;   /* rh_checkpoint_build */
  rh_oplog *log;    /* rounds 0 .. k - 1 and their notes */
  double *finish_s; /* [finished] simulated times of the rounds that were final */
  int64_t finished; /* <= k */
  void (*values)(void *context,
                 const rh_parts *parts); /* tells the parts of all values; the same at saving and loading */
  void *context;
  bool keep_before; /* BASE.checkpoint was not whole: the next one replaces it, and the good one before it stays */
} rh_checkpoint;

/* What must be equal for a checkpoint to fit: the program's file and the kernel that computes. RH_EIO if the program
 * cannot be read. */
RH_CHECKED rh_status rh_checkpoint_build(const char *kernel, uint64_t *build);

/* Writes BASE.checkpoint; the one that was there becomes BASE.checkpoint-before, unless it was not whole when it
 * was opened.
 * returns     RH_EIO with the system's reason; the older ones are still there then */
RH_CHECKED rh_status rh_checkpoint_save(rh_checkpoint *checkpoint, const char *base);

/* A checkpoint's file, being read. */
typedef struct rh_checkpoint_file rh_checkpoint_file;

/* Opens the newest one of a base that is whole, with a line on stderr for one that is not, and reads log and times into
 * `checkpoint`, whose id and build must be set. *file is NULL if there is no checkpoint.
 * returns     RH_EFORMAT: none is whole; RH_EUNSUPPORTED: it is of another build or run */
RH_CHECKED rh_status rh_checkpoint_open(const char *base, int64_t log_bytes, rh_checkpoint *checkpoint,
                                        rh_checkpoint_file **file);
/* Overwrites the values with those of the file. RH_EFORMAT if it has others; they may be overwritten in part then. */
RH_CHECKED rh_status rh_checkpoint_load(const rh_checkpoint *checkpoint, rh_checkpoint_file *file);
void rh_checkpoint_close(rh_checkpoint_file *file); /* may be NULL */

/* Whether there is a checkpoint of a base. */
bool rh_checkpoint_exists(const char *base);
/* Removes all of a base's checkpoints. */
void rh_checkpoint_remove(const char *base);

#endif
