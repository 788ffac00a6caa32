/* Database files: what they are before SQLite touches them, and how a new one comes to be.
 *
 * SQLite's 100-byte header is read here directly, so that a file of somebody else is never opened, locked or recovered.
 * source      sqlite.org/fileformat.html, section 1.3
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema.h"
#include "store_private.h"

enum { HEADER_BYTES = 100, USER_VERSION_AT = 60, APPLICATION_AT = 68 };

static uint32_t big_endian(const unsigned char *bytes)
{
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static rh_status check_header(const char *path, const unsigned char *header, size_t length)
{
  if (length == 0) return rh_error(RH_EFORMAT, "%s: an empty file is no database; remove it or name another", path);
  if (length < HEADER_BYTES || memcmp(header, "SQLite format 3", 16) != 0)
    return rh_error(RH_EFORMAT, "%s: not a database", path);
  uint32_t application = big_endian(header + APPLICATION_AT), version = big_endian(header + USER_VERSION_AT);
  if (application != RH_SCHEMA_APPLICATION)
    return rh_error(RH_EFORMAT, "%s: a database of another application (application_id 0x%08x, ours is 0x%08x)", path,
                    application, RH_SCHEMA_APPLICATION);
  if (version != RH_SCHEMA_VERSION)
    return rh_error(RH_EFORMAT, "%s: has schema version %u, this program reads and writes version %d", path, version,
                    RH_SCHEMA_VERSION);
  return RH_OK;
}

rh_status rh_store_file_check(const char *path)
{
  if (path[0] == '\0') return rh_error(RH_EIO, "the name of the database is empty");
  struct stat info;
  if (stat(path, &info) != 0) {
    if (errno == ENOENT) return rh_error(RH_EIO, "%s: no such database", path);
    return rh_error(RH_EIO, "%s: %s", path, strerror(errno));
  }
  if (S_ISDIR(info.st_mode)) return rh_error(RH_EFORMAT, "%s: a directory, not a database", path);
  if (!S_ISREG(info.st_mode)) return rh_error(RH_EFORMAT, "%s: not a regular file, so no database", path);
  FILE *file = fopen(path, "rbe");
  if (!file) return rh_error(RH_EIO, "%s: cannot be read: %s", path, strerror(errno));
  unsigned char header[HEADER_BYTES];
  size_t length = fread(header, 1, sizeof header, file);
  bool failed = ferror(file) != 0;
  fclose(file);
  if (failed) return rh_error(RH_EIO, "%s: cannot be read", path);
  return check_header(path, header, length);
}

/* The directory of a path as a name that access() takes; owned by the caller. */
static char *directory_of(const char *path)
{
  char *directory = rh_text_directory(path);
  if (directory[0] != '\0') return directory;
  free(directory);
  return rh_text_duplicate("./");
}

static bool is_writable(const char *path)
{
  struct stat info;
  if (stat(path, &info) != 0 || access(path, W_OK) != 0) return false;
  return (info.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) != 0;
}

rh_status rh_store_file_check_writable(const char *path)
{
  if (!is_writable(path)) return rh_error(RH_EIO, "%s: is read-only", path);
  char *directory = directory_of(path);
  rh_status status = RH_OK;
  if (access(directory, W_OK) != 0)
    status = rh_error(RH_EIO, "%s: cannot be written to: its directory is read-only", path);
  free(directory);
  return status;
}

static bool has_companion(const char *path, const char *suffix)
{
  rh_text name = {0};
  rh_text_append(&name, "%s%s", path, suffix);
  bool there = access(rh_text_get(&name), F_OK) == 0;
  rh_text_clear(&name);
  return there;
}

void rh_store_file_uri(const char *path, bool read_only, rh_text *uri)
{
  /* "./" keeps a relative path from being taken for ":memory:"; "//" is an empty authority */
  rh_text_append(uri, path[0] == '/' ? "file://" : "file:./");
  for (const char *c = path; *c; c++) {
    bool plain =
        (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._~/", *c);
    rh_text_append(uri, plain ? "%c" : "%%%02X", (unsigned char)*c);
  }
  char *directory = directory_of(path);
  bool fixed = !is_writable(path) || access(directory, W_OK) != 0;
  free(directory);
  /* Where nobody can write and no WAL is left over, the file alone is all there is; SQLite needs no shared memory. */
  bool immutable = read_only && fixed && !has_companion(path, "-wal");
  rh_text_append(uri, "?mode=%s%s", read_only && !is_writable(path) ? "ro" : "rw", immutable ? "&immutable=1" : "");
}

static void remove_companions(const char *path)
{
  static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    rh_text name = {0};
    rh_text_append(&name, "%s%s", path, suffixes[i]);
    unlink(rh_text_get(&name)); /* usually there is none */
    rh_text_clear(&name);
  }
}

void rh_store_remove(const char *path)
{
  unlink(path);
  remove_companions(path);
}

/* Fills a new file with the schema; WAL is a lasting property of the file. */
static rh_status build(const char *path, const char *name)
{
  rh_text uri = {0};
  rh_store_file_uri(path, false, &uri);
  sqlite3 *db = NULL;
  rh_status status = RH_OK;
  int code = sqlite3_open_v2(rh_text_get(&uri), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL);
  rh_text_clear(&uri);
  if (code == SQLITE_OK) code = sqlite3_exec(db, rh_schema_sql, NULL, NULL, NULL);
  if (code == SQLITE_OK) code = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
  if (code != SQLITE_OK) status = rh_store_error(db, name);
  sqlite3_close(db);
  return status;
}

/* Gives the finished file its name. */
static rh_status publish(const char *temporary, const char *path, bool replace, bool *exists)
{
  if (replace) {
    remove_companions(path); /* before: a WAL that outlived its database must never meet the next one of that name */
    if (rename(temporary, path) == 0) return RH_OK;
    return rh_error(RH_EIO, "%s: cannot be replaced: %s", path, strerror(errno));
  }
  if (link(temporary, path) == 0) return RH_OK;
  if (errno == EEXIST) {
    *exists = true;
    return RH_OK;
  }
  /* file systems without hard links: the instant in which another file of that name could be lost is accepted */
  if (access(path, F_OK) != 0 && rename(temporary, path) == 0) return RH_OK;
  return rh_error(RH_EIO, "%s: cannot be created: %s", path, strerror(errno));
}

rh_status rh_store_file_create(const char *path, bool replace, bool *exists)
{
  static const char *const suffixes[] = {"-wal", "-journal"};
  *exists = false;
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes && !replace; i++)
    if (has_companion(path, suffixes[i]))
      return rh_error(RH_EIO,
                      "%s: cannot be created: '%s%s' is left of another database, whose rows SQLite would mix in; "
                      "move it away",
                      path, path, suffixes[i]);
  rh_text temporary = {0};
  rh_text_append(&temporary, "%s.new-%ld", path, (long)getpid());
  rh_status status = RH_OK;
  int file = open(rh_text_get(&temporary), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) {
    status = rh_error(RH_EIO, "%s: cannot be created: %s", path, strerror(errno));
  } else {
    close(file);
    status = build(rh_text_get(&temporary), path);
    if (status == RH_OK) status = publish(rh_text_get(&temporary), path, replace, exists);
    unlink(rh_text_get(&temporary));
    remove_companions(rh_text_get(&temporary));
  }
  rh_text_clear(&temporary);
  return status;
}
