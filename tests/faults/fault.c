/* A library to preload (LD_PRELOAD): one write to a regular file fails, below SQLite and stdio.
 *
 *     FAULT_AT       which write of the process fails, from 1 on; 0: none
 *     FAULT_KIND     enospc | eio | short (the first half is written)
 *     FAULT_WHO      argv[1] of the processes that are meant: "run", "_execute"
 *     FAULT_COUNT    file to append the number of writes to at the end of such a process
 *
 * Counted are write, pwrite, ftruncate, fsync and fdatasync, and what stdio writes when it is flushed or closed. Short
 * writes of anything but write and pwrite are errors (EIO). enospc: that write and all later ones, as on a disk that
 * stays full; the others: that one alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long writes, fault_at = -1;
static const char *kind;
static bool meant, reported;

static void report(void)
{
  const char *path = getenv("FAULT_COUNT");
  if (!meant || reported || !path) return;
  reported = true;
  char text[32];
  const int length = snprintf(text, sizeof text, "%ld\n", writes);
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  fault_at = 0;
  if (fd >= 0 && write(fd, text, (size_t)length) != length) abort();
  if (fd >= 0) close(fd);
}

static void begin(void)
{
  char line[4096];
  fault_at = 0;
  const char *at = getenv("FAULT_AT"), *who = getenv("FAULT_WHO");
  kind = getenv("FAULT_KIND");
  const int fd = open("/proc/self/cmdline", O_RDONLY);
  const ssize_t length = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
  if (fd >= 0) close(fd);
  line[length > 0 ? length : 0] = '\0';
  const size_t first = strlen(line) + 1;
  meant = who && length > (ssize_t)first && strcmp(line + first, who) == 0;
  if (at && kind && meant) fault_at = strtol(at, NULL, 10);
  atexit(report);
}

/* Whether this write is the one that fails. */
static bool strikes(int fd)
{
  struct stat info;
  if (fault_at < 0) begin();
  if (!meant || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) return false; /* closing it writes nothing */
  writes++;
  if (fault_at == 0) return false;
  return writes == fault_at || (writes > fault_at && strcmp(kind, "enospc") == 0);
}

static int error_of(void)
{
  return strcmp(kind, "enospc") == 0 ? ENOSPC : EIO;
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t count)
{
  static __typeof__(&write) real;
  if (!real) real = REAL(write);
  if (!strikes(fd)) return real(fd, data, count);
  if (strcmp(kind, "short") == 0 && count > 1) return real(fd, data, count / 2);
  errno = error_of();
  return -1;
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset)
{
  static __typeof__(&pwrite64) real;
  if (!real) real = REAL(pwrite64);
  if (!strikes(fd)) return real(fd, data, count, offset);
  if (strcmp(kind, "short") == 0 && count > 1) return real(fd, data, count / 2, offset);
  errno = error_of();
  return -1;
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset)
{
  return pwrite64(fd, data, count, offset);
}

#define FAILS(fd, call)                                                                                                \
  do {                                                                                                                 \
    if (!strikes(fd)) return call;                                                                                     \
    errno = error_of();                                                                                                \
    return -1;                                                                                                         \
  } while (0)

int ftruncate64(int fd, off64_t length)
{
  FAILS(fd, REAL(ftruncate64)(fd, length));
}

int ftruncate(int fd, off_t length)
{
  return ftruncate64(fd, length);
}

int fsync(int fd)
{
  FAILS(fd, REAL(fsync)(fd));
}

int fdatasync(int fd)
{
  FAILS(fd, REAL(fdatasync)(fd));
}

int fflush(FILE *file)
{
  if (!file || file == stdout || file == stderr) return REAL(fflush)(file);
  if (!strikes(fileno(file))) return REAL(fflush)(file);
  file->_flags |= 0x20; /* glibc's mark of a failed write, which ferror tells */
  errno = error_of();
  return EOF;
}

/* A file that cannot be closed in full is closed all the same, and lacks what was in the buffer. */
int fclose(FILE *file)
{
  if (!strikes(fileno(file))) return REAL(fclose)(file);
  __fpurge(file);
  REAL(fclose)(file);
  errno = error_of();
  return -1;
}

void _exit(int status)
{
  report();
  REAL(_exit)(status);
  __builtin_unreachable();
}
