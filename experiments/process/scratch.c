#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char lock_suffix[] = "lock";
enum { LOOKS = 3 }; /* tries for a lock, which rh_scratch_is_locked may hold for an instant */

/* Whether `fd` is still what `path` names. A lock's file may have been removed between opening and locking it. */
static bool is_at(int fd, const char *path)
{
  struct stat opened, named;
  return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

static int lock_fd(int fd, int operation)
{
  int result;
  do
    result = flock(fd, operation);
  while (result != 0 && errno == EINTR);
  return result;
}

rh_status rh_scratch_open(const char *db, rh_scratch *scratch)
{
  rh_text path = {0};
  rh_text_append(&path, "%s.runs/", db);
  *scratch = (rh_scratch){.path = path.data, .fd = -1};
  for (int tries = 0; tries < 1000; tries++) { /* a link to nowhere is never there */
    bool there = mkdir(scratch->path, 0777) == 0 || errno == EEXIST;
    scratch->fd = there ? open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (there && scratch->fd < 0 && errno == ENOENT) continue; /* another process has just removed it */
    if (scratch->fd < 0 || lock_fd(scratch->fd, LOCK_SH) != 0) break;
    if (is_at(scratch->fd, scratch->path)) return RH_OK;
    close(scratch->fd);
  }
  rh_status status = rh_error(RH_EIO, "%s: cannot be created: %s", scratch->path, strerror(errno));
  if (scratch->fd >= 0) close(scratch->fd);
  free(scratch->path);
  *scratch = (rh_scratch){.fd = -1};
  return status;
}

bool rh_scratch_alone(rh_scratch *scratch)
{
  return lock_fd(scratch->fd, LOCK_EX | LOCK_NB) == 0;
}

static void remove_files(const char *folder, const char *prefix)
{
  DIR *directory = opendir(folder);
  if (!directory) return; /* then there is nothing to remove */
  for (const struct dirent *entry; (entry = readdir(directory));)
    if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) unlinkat(dirfd(directory), entry->d_name, 0);
  closedir(directory);
}

/* What a process that was killed while it made DB left of it. */
static void remove_unfinished(const char *runs)
{
  rh_text prefix = {0};
  char *folder = rh_text_directory(runs);
  const size_t length = strlen(runs) - strlen(folder) - strlen(".runs");
  rh_text_append(&prefix, "%.*s.new-", (int)length, runs + strlen(folder));
  remove_files(*folder ? folder : ".", prefix.data);
  rh_text_clear(&prefix);
  free(folder);
}

void rh_scratch_close(rh_scratch *scratch)
{
  if (!scratch->path) return;
  if (rh_scratch_alone(scratch)) {
    rmdir(scratch->path); /* fails, as it should, while something is in it */
    scratch->path[strlen(scratch->path) - 1] = '\0';
    remove_unfinished(scratch->path);
  }
  close(scratch->fd);
  free(scratch->path);
  *scratch = (rh_scratch){.fd = -1};
}

void rh_scratch_remove_all(const rh_scratch *scratch, const char *name, const char *suffix)
{
  rh_text prefix = {0};
  rh_text_append(&prefix, "%s.%s", name, suffix);
  remove_files(scratch->path, prefix.data);
  rh_text_clear(&prefix);
}

char *rh_scratch_path(const rh_scratch *scratch, const char *name, const char *suffix)
{
  rh_text path = {0};
  rh_text_append(&path, "%s%s.%s", scratch->path, name, suffix);
  return path.data;
}

void rh_scratch_remove(const rh_scratch *scratch, const char *name, const char *suffix)
{
  char *path = rh_scratch_path(scratch, name, suffix);
  unlink(path);
  free(path);
}

static pid_t read_holder(int fd)
{
  char text[32];
  ssize_t length = pread(fd, text, sizeof text - 1, 0);
  text[length > 0 ? length : 0] = '\0';
  return (pid_t)strtol(text, NULL, 10);
}

rh_status rh_scratch_lock(const rh_scratch *scratch, const char *name, int *fd, pid_t *holder)
{
  rh_status status = RH_OK;
  char *path = rh_scratch_path(scratch, name, lock_suffix);
  const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
  *holder = 0;
  for (int looks = 0;;) {
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0) {
      status = rh_error(RH_EIO, "%s: cannot be created: %s", path, strerror(errno));
      break;
    }
    if (lock_fd(*fd, LOCK_EX | LOCK_NB) != 0) {
      if (++looks < LOOKS && nanosleep(&moment, NULL) == 0) {
        close(*fd);
        continue;
      }
      *holder = read_holder(*fd);
      close(*fd);
      *fd = -1;
      break;
    }
    if (is_at(*fd, path)) {
      rh_scratch_set_holder(*fd, getpid());
      break;
    }
    close(*fd);
  }
  free(path);
  return status;
}

bool rh_scratch_is_locked(const char *db, const char *name)
{
  rh_text path = {0};
  rh_text_append(&path, "%s.runs/%s.%s", db, name, lock_suffix);
  const int fd = open(path.data, O_RDONLY | O_CLOEXEC);
  /* a shared lock for an instant: who wants to work under it tries again (LOOKS) */
  const bool locked = fd >= 0 && lock_fd(fd, LOCK_SH | LOCK_NB) != 0;
  if (fd >= 0) close(fd);
  rh_text_clear(&path);
  return locked;
}

void rh_scratch_set_holder(int fd, pid_t holder)
{
  char text[32];
  int length = snprintf(text, sizeof text, "%-10ld\n", (long)holder); /* a longer number is overwritten whole */
  ssize_t written = pwrite(fd, text, (size_t)length, 0);
  (void)written; /* without it others are told of process 0 */
}

void rh_scratch_unlock(const rh_scratch *scratch, const char *name, int fd)
{
  if (fd < 0) return;
  rh_scratch_remove(scratch, name, lock_suffix);
  close(fd);
}

static int is_lock(const struct dirent *entry)
{
  const char *dot = strrchr(entry->d_name, '.');
  return dot && strcmp(dot + 1, lock_suffix) == 0;
}

rh_status rh_scratch_names(const rh_scratch *scratch, char ***names, size_t *count)
{
  struct dirent **entries = NULL;
  int found = scandir(scratch->path, &entries, is_lock, alphasort);
  *count = 0;
  if (found < 0) return rh_error(RH_EIO, "%s: cannot be read: %s", scratch->path, strerror(errno));
  *names = calloc((size_t)found + 1, sizeof **names);
  RH_ASSERT(*names && "memory is exhausted");
  for (int i = 0; i < found; i++) {
    *strrchr(entries[i]->d_name, '.') = '\0';
    (*names)[(*count)++] = rh_text_duplicate(entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);
  return RH_OK;
}
