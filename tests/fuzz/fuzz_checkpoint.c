/* Checkpoints. The first byte's lowest bit says whether the hash at the end is made to fit, so that what lies behind it
 * is reached, too; run and build are those that the file names. All rounds of a log that is accepted are appended to a
 * schedule of two ranks. The file itself must stay as it is. */
#include <string.h>

#include "checkpoint.h"
#include "collectives.h"
#include "execute_pending.h"
#include "hash.h"

#include "fuzz.h"

enum { RANKS = 2, ID_AT = 32, BUILD_AT = 64, HEADER = 88, ROUNDS_MOST = 64, LOG_MOST = 1 << 24 };

typedef struct replay {
  const rh_oplog *log;
  rh_schedule *schedule;
} replay;

static double values[6], train_loss;

static void tell(void *context, const rh_parts *parts)
{
  const bool *any = context;
  if (!*any) return;
  rh_part(parts, "train_loss", &train_loss, sizeof train_loss);
  rh_part(parts, "values", values, sizeof values);
}

/* Appends all rounds at once; nothing is simulated. */
static rh_status produce(void *context, int64_t round, bool *more)
{
  static rh_pending_round pending;
  const rh_oplog_world world = {.find = rh_collective_find};
  const replay *r = context;
  (void)round;
  for (int64_t t = 0; t < rh_oplog_rounds(r->log) && t < ROUNDS_MOST; t++) {
    const char *reason;
    if (rh_pending_read(r->log, t, &pending, more, &reason) != RH_OK) break;
    if (rh_oplog_replay(r->log, t, &world, RANKS, r->schedule) != RH_OK) break;
  }
  return RH_EINTERRUPTED;
}

static rh_status no_time(void *context, const rh_round_time *time)
{
  (void)context, (void)time;
  abort();
}

static void replay_all(const rh_oplog *log)
{
  static rh_platform *platform;
  const rh_platform_def def = {.file = RH_SOURCE_DIR "/platforms/ideal.xml", .model = "", .workers = RANKS};
  if (!platform && rh_platform_load(&def, &platform) != RH_OK) abort();
  replay r = {.log = log};
  const rh_schedule_def schedule_def = {
      .platform = platform, .lead = 1, .context = &r, .produce = produce, .round_done = no_time};
  if (rh_schedule_new(&schedule_def, &r.schedule) != RH_OK) abort();
  if (rh_schedule_run(r.schedule) == RH_OK) abort();
  rh_schedule_free(r.schedule);
}

static bool is_unchanged(const char *path, const uint8_t *data, size_t size)
{
  uint64_t now;
  return rh_hash_file(path, &now) == RH_OK && now == rh_hash_bytes(data, size, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1 + HEADER + sizeof(uint64_t)) return 0;
  bool any = (data[0] & 2) != 0;
  char id[BUILD_AT - ID_AT + 1] = "";
  rh_checkpoint checkpoint = {.id = id, .values = tell, .context = &any};
  rh_checkpoint_file *file;
  const size_t bytes = size - 1;
  uint8_t *mended = malloc(bytes);
  if (!mended) abort();
  memcpy(mended, data + 1, bytes);
  const uint64_t hash = rh_hash_bytes(mended, bytes - sizeof hash, 0); /* inputs are smaller than a block */
  if (data[0] & 1) memcpy(mended + bytes - sizeof hash, &hash, sizeof hash);
  memcpy(id, mended + ID_AT, sizeof id - 1);
  memcpy(&checkpoint.build, mended + BUILD_AT, sizeof checkpoint.build);
  char base[96];
  snprintf(base, sizeof base, "%s", fuzz_path("run"));
  const char *path = fuzz_file("run.checkpoint", mended, bytes);
  if (rh_checkpoint_open(base, LOG_MOST, &checkpoint, &file) == RH_OK && file) {
    if (rh_checkpoint_load(&checkpoint, file) == RH_OK) replay_all(checkpoint.log);
    rh_oplog_free(checkpoint.log);
    free(checkpoint.finish_s);
    rh_checkpoint_close(file);
  }
  if (!is_unchanged(path, mended, bytes)) abort();
  free(mended);
  return 0;
}
