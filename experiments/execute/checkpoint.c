#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "process.h"
#include "text.h"

static const char magic[32] = "rehearse checkpoint 2\n";
enum { BLOCK = 1 << 20, ID_SIZE = 32 }; /* the hash is chained over blocks of the file */

typedef struct header {
  char magic[sizeof magic], id[ID_SIZE];
  uint64_t build;
  int64_t finished;
  uint64_t log_bytes; /* of the log, which follows the times */
} header;

rh_status rh_checkpoint_build(const char *kernel, uint64_t *build)
{
  rh_status status = RH_OK;
  char *self = NULL;
  uint64_t program = 0;
  RH_TRY(rh_process_self(&self));
  RH_TRY(rh_hash_file(self, &program));
  *build = rh_hash_text(kernel, program);
done:
  free(self);
  return status;
}

static char *path_of(const char *base, const char *suffix)
{
  rh_text path = {0};
  rh_text_append(&path, "%s.%s", base, suffix);
  return path.data;
}

static bool is_there(const char *base, const char *suffix)
{
  char *path = path_of(base, suffix);
  const bool there = access(path, F_OK) == 0;
  free(path);
  return there;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

typedef struct writer {
  FILE *file;
  char *block; /* [BLOCK] */
  size_t filled;
  uint64_t hash;
  bool failed;
} writer;

static void flush_block(writer *w)
{
  w->hash = rh_hash_bytes(w->block, w->filled, w->hash);
  if (fwrite(w->block, 1, w->filled, w->file) != w->filled) w->failed = true;
  w->filled = 0;
}

static void put(void *context, const void *data, size_t bytes)
{
  writer *w = context;
  for (const char *from = data; bytes > 0 && !w->failed;) {
    const size_t n = bytes < BLOCK - w->filled ? bytes : BLOCK - w->filled;
    memcpy(w->block + w->filled, from, n);
    w->filled += n;
    from += n;
    bytes -= n;
    if (w->filled == BLOCK) flush_block(w);
  }
}

static void put_part(void *context, const char *name, void *data, size_t bytes)
{
  const uint64_t lengths[2] = {strlen(name), bytes};
  put(context, lengths, sizeof lengths);
  put(context, name, (size_t)lengths[0]);
  put(context, data, bytes);
}

static void count(void *context, const void *data, size_t bytes)
{
  (void)data;
  *(uint64_t *)context += bytes;
}

static void put_all(writer *w, const rh_checkpoint *c)
{
  header h = {.build = c->build, .finished = c->finished};
  rh_oplog_write(c->log, count, &h.log_bytes);
  memcpy(h.magic, magic, sizeof magic);
  snprintf(h.id, sizeof h.id, "%s", c->id);
  put(w, &h, sizeof h);
  put(w, c->finish_s, (size_t)c->finished * sizeof *c->finish_s);
  rh_oplog_write(c->log, put, w);
  const rh_parts parts = {.context = w, .part = put_part};
  c->values(c->context, &parts);
  flush_block(w);
  if (fwrite(&w->hash, sizeof w->hash, 1, w->file) != 1) w->failed = true;
}

/* Renames are on the disk once their folder is. */
static void sync_folder(const char *base)
{
  char *folder = rh_text_directory(base);
  const int fd = open(folder[0] ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)fsync(fd);
    close(fd);
  }
  free(folder);
}

/* Gives the new file its name, and the one that has it the name `before`, unless that is NULL. */
static bool move(const char *fresh, const char *now, const char *before)
{
  if (before && rename(now, before) != 0 && errno != ENOENT) return false;
  return rename(fresh, now) == 0;
}

rh_status rh_checkpoint_save(rh_checkpoint *c, const char *base)
{
  rh_status status = RH_OK;
  char *fresh = path_of(base, "checkpoint-new"), *now = path_of(base, "checkpoint");
  char *before = path_of(base, "checkpoint-before");
  writer w = {.file = fopen(fresh, "wb"), .block = malloc(BLOCK)};
  RH_ASSERT(w.block && "memory is exhausted");
  if (w.file) put_all(&w, c);
  bool written = w.file && !w.failed && fflush(w.file) == 0 && fsync(fileno(w.file)) == 0;
  int reason = errno;
  if (w.file && fclose(w.file) != 0 && written) {
    written = false;
    reason = errno;
  }
  if (written && !move(fresh, now, c->keep_before ? NULL : before)) {
    written = false;
    reason = errno;
  }
  if (written) c->keep_before = false;
  if (!written) {
    status = rh_error(RH_EIO, "%s: the checkpoint cannot be written: %s", now, strerror(reason));
    unlink(fresh);
  }
  sync_folder(base);
  free(w.block);
  free(fresh);
  free(now);
  free(before);
  return status;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct rh_checkpoint_file {
  char *path;         /* owned */
  int fd;             /* read from, not mapped: a file that is cut off meanwhile is an error then, and no signal */
  header header;      /* checked */
  size_t values, end; /* where the values start, and where the hash does */
};

void rh_checkpoint_close(rh_checkpoint_file *f)
{
  if (!f) return;
  if (f->fd >= 0) close(f->fd);
  free(f->path);
  free(f);
}

static rh_status read_at(const rh_checkpoint_file *f, size_t at, void *data, size_t bytes)
{
  for (size_t have = 0; have < bytes;) {
    const ssize_t got = pread(f->fd, (char *)data + have, bytes - have, (off_t)(at + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return rh_error(RH_EIO, "%s: cannot be read: %s", f->path, strerror(errno));
    if (got == 0) return rh_error(RH_EFORMAT, "%s: no whole checkpoint: it ends too early", f->path);
    have += (size_t)got;
  }
  return RH_OK;
}

/* Opens a file of at least a header's size; *file is NULL on failure. */
static rh_status open_file(const char *base, const char *suffix, rh_checkpoint_file **file)
{
  rh_status status = RH_OK;
  struct stat info;
  rh_checkpoint_file *f = calloc(1, sizeof *f);
  RH_ASSERT(f && "memory is exhausted");
  f->path = path_of(base, suffix);
  f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
  *file = NULL;
  if (f->fd < 0 || fstat(f->fd, &info) != 0) {
    status = rh_error(RH_EIO, "%s: cannot be read: %s", f->path, strerror(errno));
  } else if (!S_ISREG(info.st_mode)) {
    status = rh_error(RH_EFORMAT, "%s: no checkpoint: it is no regular file", f->path);
  } else if ((size_t)info.st_size < sizeof f->header + sizeof(uint64_t)) {
    status = rh_error(RH_EFORMAT, "%s: no whole checkpoint: it ends too early", f->path);
  } else {
    f->end = (size_t)info.st_size - sizeof(uint64_t);
    *file = f;
    return RH_OK;
  }
  rh_checkpoint_close(f);
  return status;
}

static rh_status check_whole(rh_checkpoint_file *f)
{
  rh_status status = RH_OK;
  uint64_t kept, hash = 0;
  char *block = malloc(BLOCK);
  RH_ASSERT(f && block && "memory is exhausted");
  RH_TRY(read_at(f, 0, &f->header, sizeof f->header));
  if (memcmp(f->header.magic, magic, sizeof magic) != 0) {
    status = rh_error(RH_EFORMAT, "%s: no checkpoint of this version of rehearse", f->path);
    goto done;
  }
  for (size_t at = 0; at <= f->end; at += BLOCK) {
    const size_t bytes = f->end - at < BLOCK ? f->end - at : BLOCK;
    RH_TRY(read_at(f, at, block, bytes));
    hash = rh_hash_bytes(block, bytes, hash);
  }
  RH_TRY(read_at(f, f->end, &kept, sizeof kept));
  if (hash != kept)
    status = rh_error(RH_EFORMAT, "%s: no whole checkpoint: its hash does not fit its content", f->path);
done:
  free(block);
  return status;
}

static rh_status check_fits(rh_checkpoint_file *f, const rh_checkpoint *c)
{
  RH_ASSERT(f);
  header *h = &f->header;
  h->id[ID_SIZE - 1] = '\0';
  if (strcmp(h->id, c->id) != 0) return rh_error(RH_EUNSUPPORTED, "%s: the checkpoint of run %s", f->path, h->id);
  if (h->build != c->build)
    return rh_error(RH_EUNSUPPORTED,
                    "%s: written by another build of rehearse, or with another BLAS kernel; go on with that one, or "
                    "run without --resume, which starts from the beginning",
                    f->path);
  return RH_OK;
}

/* The times, and the log behind them. */
static rh_status read_log(rh_checkpoint_file *f, int64_t log_bytes, rh_checkpoint *c)
{
  rh_status status = RH_OK;
  const header *h = &f->header;
  const size_t room = f->end - sizeof *h;
  char *log = NULL;
  double *finish_s = NULL;
  size_t used;
  if (h->finished < 0 || (uint64_t)h->finished > room / sizeof *finish_s)
    return rh_error(RH_EFORMAT, "%s: damaged: it has too many times", f->path);
  const size_t bytes = (size_t)h->finished * sizeof *finish_s;
  if (h->log_bytes > room - bytes) return rh_error(RH_EFORMAT, "%s: damaged: its log is too long", f->path);
  finish_s = malloc(bytes + 1);
  log = malloc(h->log_bytes + 1);
  RH_ASSERT(finish_s && log && "memory is exhausted");
  RH_TRY(read_at(f, sizeof *h, finish_s, bytes));
  RH_TRY(read_at(f, sizeof *h + bytes, log, h->log_bytes));
  RH_TRY(rh_oplog_read(log, h->log_bytes, log_bytes, &c->log, &used));
  f->values = sizeof *h + bytes + h->log_bytes;
  if (used == h->log_bytes && h->finished <= rh_oplog_rounds(c->log)) {
    c->finish_s = finish_s;
    c->finished = h->finished;
    finish_s = NULL;
  } else {
    status = rh_error(RH_EFORMAT, "%s: damaged: its log and its times do not go together", f->path);
    rh_oplog_free(c->log);
    c->log = NULL;
  }
done:
  free(log);
  free(finish_s);
  return status;
}

rh_status rh_checkpoint_open(const char *base, int64_t log_bytes, rh_checkpoint *c, rh_checkpoint_file **file)
{
  static const char *const suffixes[] = {"checkpoint", "checkpoint-before"};
  rh_status status = RH_OK;
  *file = NULL;
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    rh_checkpoint_file *f = NULL;
    if (!is_there(base, suffixes[i])) continue;
    if (status != RH_OK) fprintf(stderr, "rehearse: %s; trying the one before it\n", rh_error_message());
    status = open_file(base, suffixes[i], &f);
    if (status == RH_OK) status = check_whole(f);
    if (status == RH_OK) status = check_fits(f, c);
    if (status == RH_OK) status = read_log(f, log_bytes, c);
    if (status == RH_OK) *file = f;
    c->keep_before = status == RH_OK && i > 0 && is_there(base, suffixes[0]);
    if (status != RH_OK) rh_checkpoint_close(f);
    if (status == RH_OK || status == RH_EUNSUPPORTED) return status;
  }
  return status;
}

/* Where reading the parts stands. */
typedef struct parts_reader {
  rh_checkpoint_file *file;
  size_t at;
  rh_status status;
} parts_reader;

static void get_part(void *context, const char *name, void *data, size_t bytes)
{
  parts_reader *r = context;
  const rh_checkpoint_file *f = r->file;
  uint64_t lengths[2];
  char found[NAME_MAX];
  if (r->status != RH_OK) return;
  const size_t name_length = strlen(name), whole = sizeof lengths + name_length + bytes;
  RH_ASSERT(name_length <= sizeof found);
  if (whole <= f->end - r->at) {
    r->status = read_at(f, r->at, lengths, sizeof lengths);
    if (r->status == RH_OK && lengths[0] == name_length)
      r->status = read_at(f, r->at + sizeof lengths, found, name_length);
    if (r->status != RH_OK) return;
    if (lengths[0] == name_length && lengths[1] == bytes && memcmp(found, name, name_length) == 0) {
      r->status = read_at(f, r->at + sizeof lengths + name_length, data, bytes);
      r->at += whole;
      return;
    }
  }
  r->status = rh_error(RH_EFORMAT, "%s: damaged: it does not hold %zu bytes of '%s' where they should be", f->path,
                       bytes, name);
}

rh_status rh_checkpoint_load(const rh_checkpoint *c, rh_checkpoint_file *file)
{
  parts_reader reader = {.file = file, .at = file->values};
  const rh_parts parts = {.context = &reader, .part = get_part};
  c->values(c->context, &parts);
  if (reader.status == RH_OK && reader.at != file->end)
    return rh_error(RH_EFORMAT, "%s: damaged: more values than this run has", file->path);
  return reader.status;
}

bool rh_checkpoint_exists(const char *base)
{
  return is_there(base, "checkpoint") || is_there(base, "checkpoint-before");
}

void rh_checkpoint_remove(const char *base)
{
  static const char *const suffixes[] = {"checkpoint", "checkpoint-before", "checkpoint-new"};
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    char *path = path_of(base, suffixes[i]);
    unlink(path);
    free(path);
  }
}
