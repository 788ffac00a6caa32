/* A full disk pauses a write instead of failing it.
 *
 * SQLite rolls a transaction back when a write of its commit fails, and the rows are gone. So the pause is below it:
 * this VFS is SQLite's own, except that a write that finds no space asks whether to wait, and is tried again.
 */
#include <errno.h>
#include <string.h>

#include "store_private.h"

static rh_store_wait *wait_for_space; /* NULL: nobody waits */
static const int moment_ms = 500;

/* A file of ours: SQLite's is right behind it. */
typedef struct file {
  sqlite3_file base;
  const char *path; /* borrowed from SQLite, for the file's life; NULL for a temporary one */
} file;

static sqlite3_file *real_of(sqlite3_file *f)
{
  return (sqlite3_file *)(void *)((file *)(void *)f + 1);
}

/* Whether a result says that there is no space, or no more of it for this user. */
static bool is_full(sqlite3_file *real, int result)
{
  if ((result & 0xff) == SQLITE_FULL) return true;
  if (result == SQLITE_IOERR_SHMSIZE) return errno == ENOSPC || errno == EDQUOT;
  int cause = 0;
  if (result != SQLITE_IOERR_WRITE || real->pMethods->xFileControl(real, SQLITE_FCNTL_LAST_ERRNO, &cause) != SQLITE_OK)
    return false;
  return cause == EDQUOT;
}

/* Waits a moment, if somebody waits at all. */
static bool pause_for(sqlite3_file *f, int result, double *waited_s)
{
  const char *path = ((const file *)(void *)f)->path;
  if (!is_full(real_of(f), result) || !wait_for_space || !wait_for_space(path ? path : "a temporary file", *waited_s))
    return false;
  sqlite3_sleep(moment_ms);
  *waited_s += 1e-3 * moment_ms;
  return true;
}

static int close_file(sqlite3_file *f)
{
  return real_of(f)->pMethods->xClose(real_of(f));
}

static int read_file(sqlite3_file *f, void *data, int count, sqlite3_int64 offset)
{
  return real_of(f)->pMethods->xRead(real_of(f), data, count, offset);
}

static int write_file(sqlite3_file *f, const void *data, int count, sqlite3_int64 offset)
{
  double waited_s = 0;
  int result;
  do
    result = real_of(f)->pMethods->xWrite(real_of(f), data, count, offset);
  while (result != SQLITE_OK && pause_for(f, result, &waited_s));
  return result;
}

static int truncate_file(sqlite3_file *f, sqlite3_int64 size)
{
  return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int sync_file(sqlite3_file *f, int flags)
{
  return real_of(f)->pMethods->xSync(real_of(f), flags); /* not tried again: the pages that failed are lost */
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
  return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int lock_file(sqlite3_file *f, int level)
{
  return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int unlock_file(sqlite3_file *f, int level)
{
  return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int check_reserved(sqlite3_file *f, int *reserved)
{
  return real_of(f)->pMethods->xCheckReservedLock(real_of(f), reserved);
}

static int file_control(sqlite3_file *f, int operation, void *argument)
{
  return real_of(f)->pMethods->xFileControl(real_of(f), operation, argument);
}

static int sector_size(sqlite3_file *f)
{
  return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int characteristics(sqlite3_file *f)
{
  return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **at)
{
  double waited_s = 0;
  int result;
  do {
    errno = 0;
    result = real_of(f)->pMethods->xShmMap(real_of(f), region, size, extend, at);
  } while (result != SQLITE_OK && pause_for(f, result, &waited_s));
  return result;
}

static int shm_lock(sqlite3_file *f, int offset, int count, int flags)
{
  return real_of(f)->pMethods->xShmLock(real_of(f), offset, count, flags);
}

static void shm_barrier(sqlite3_file *f)
{
  real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int shm_unmap(sqlite3_file *f, int remove)
{
  return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static int fetch(sqlite3_file *f, sqlite3_int64 offset, int count, void **at)
{
  return real_of(f)->pMethods->xFetch(real_of(f), offset, count, at);
}

static int unfetch(sqlite3_file *f, sqlite3_int64 offset, void *at)
{
  return real_of(f)->pMethods->xUnfetch(real_of(f), offset, at);
}

static const sqlite3_io_methods methods = {.iVersion = 3,
                                           .xClose = close_file,
                                           .xRead = read_file,
                                           .xWrite = write_file,
                                           .xTruncate = truncate_file,
                                           .xSync = sync_file,
                                           .xFileSize = file_size,
                                           .xLock = lock_file,
                                           .xUnlock = unlock_file,
                                           .xCheckReservedLock = check_reserved,
                                           .xFileControl = file_control,
                                           .xSectorSize = sector_size,
                                           .xDeviceCharacteristics = characteristics,
                                           .xShmMap = shm_map,
                                           .xShmLock = shm_lock,
                                           .xShmBarrier = shm_barrier,
                                           .xShmUnmap = shm_unmap,
                                           .xFetch = fetch,
                                           .xUnfetch = unfetch};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
  sqlite3_vfs *real = vfs->pAppData;
  const int result = real->xOpen(real, name, real_of(f), flags, out_flags);
  const sqlite3_io_methods *theirs = real_of(f)->pMethods;
  /* SQLite's own of a disk are of version 3; others, of memory for example, are left alone */
  f->pMethods = theirs ? &methods : NULL;
  ((file *)(void *)f)->path = name;
  return result;
}

rh_status rh_store_vfs_register(void)
{
  static sqlite3_vfs ours;
  if (ours.zName) return RH_OK;
  sqlite3_vfs *real = sqlite3_vfs_find("unix");
  if (!real) return rh_error(RH_EUNSUPPORTED, "this SQLite has no file system of its own");
  ours = *real;
  ours.zName = "rehearse";
  ours.pNext = NULL;
  ours.pAppData = real;
  ours.szOsFile = (int)sizeof(file) + real->szOsFile;
  ours.xOpen = open_file;
  if (sqlite3_vfs_register(&ours, 1) == SQLITE_OK) return RH_OK;
  ours.zName = NULL;
  return rh_error(RH_ENOMEM, "SQLite takes no file system of ours");
}

void rh_store_on_full_disk(rh_store_wait *wait)
{
  wait_for_space = wait;
}
