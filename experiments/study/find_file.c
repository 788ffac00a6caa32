/* Where the files named in a study are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "run.h"
#include "share.h"
#include "study.h"

/* Regular files only: these are read several times, which a pipe does not survive. */
static bool is_file(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* The share directory beside the installed program: PREFIX/bin/rehearse -> PREFIX/share/rehearse/. */
static void append_own_share(rh_text *out)
{
  char *self = NULL;
  if (rh_process_self(&self) != RH_OK) return;
  char *bin = rh_text_directory(self);
  rh_text_append(out, "%s../share/rehearse/", bin);
  free(bin);
  free(self);
}

bool rh_share_directory(size_t i, rh_text *out)
{
  if (i == 0) append_own_share(out);
  if (i == 1) rh_text_append(out, "%s/", RH_SHARE_DIR);
  if (i == 2) rh_text_append(out, "%s/", RH_SOURCE_DIR);
  return i < 3;
}

/* Tries directory/name; on failure adds it to what was tried. */
static bool try_place(const char *directory, const char *kind, const char *name, rh_text *tried, char **path)
{
  rh_text place = {0};
  rh_text_append(&place, "%s%s%s%s", directory, kind, *kind ? "/" : "", name);
  bool found = is_file(place.data);
  if (found)
    *path = rh_text_duplicate(place.data);
  else
    rh_text_append(tried, "%s'%s'%s", tried->length ? ", " : "", place.data,
                   access(place.data, F_OK) == 0 ? " (not a regular file)" : "");
  rh_text_clear(&place);
  return found;
}

rh_status rh_study_find(const char *name, char **path)
{
  if (*name && access(name, F_OK) != 0) return rh_find_file(name, "", "experiments", path);
  *path = rh_text_duplicate(name);
  return RH_OK;
}

rh_status rh_find_file(const char *name, const char *directory, const char *kind, char **path)
{
  rh_text tried = {0};
  bool found = false;
  *path = NULL;
  if (!name[0]) return rh_error(RH_EINVAL, "the name of a file is empty");
  if (name[0] != '/' && directory[0]) found = try_place(directory, "", name, &tried, path);
  if (!found) found = try_place("", "", name, &tried, path);
  for (size_t i = 0; !found && name[0] != '/'; i++) {
    rh_text share = {0};
    bool more = rh_share_directory(i, &share);
    if (more) found = try_place(share.data, kind, name, &tried, path);
    rh_text_clear(&share);
    if (!more) break;
  }
  rh_status status = found ? RH_OK : rh_error(RH_EIO, "no file '%s'; tried %s", name, rh_text_get(&tried));
  rh_text_clear(&tried);
  return status;
}
