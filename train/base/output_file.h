/* Files that a command writes its results to: there whole, or as they were before.
 *
 * A file is written beside its place, brought to the disk and renamed, so that a full disk, an I/O error or a kill
 * leaves no half of it under its name.
 */
#ifndef RH_OUTPUT_FILE_H
#define RH_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "status.h"

/* A file that is being written. */
typedef struct rh_output_file {
  FILE *file;        /* to write to; owned */
  char *path, *part; /* its name, and the one beside it until it is complete; owned */
} rh_output_file;

/* A renamed file would take the place of a device or a pipe.
 * returns     RH_EIO if `path` is there and no regular file; one that is not there yet is fine */
RH_CHECKED rh_status rh_output_file_check(const char *path);

/* Whether a file could be written there, before hours are spent on what it is to hold: one is begun, and removed.
 * returns     RH_EIO as rh_output_file_begin */
RH_CHECKED rh_status rh_output_file_try(const char *path);

/* Opens a file beside `path`. RH_EIO as rh_output_file_check, or with the system's reason. */
RH_CHECKED rh_status rh_output_file_begin(const char *path, rh_output_file *output);
/* Closes it, and gives it its name if `written` is RH_OK and all of it came to the disk; else it is removed.
 * returns     `written` if that is no RH_OK, with its message; RH_EIO with the file's name and the system's reason */
RH_CHECKED rh_status rh_output_file_end(rh_output_file *output, rh_status written);

/* Both, for bytes that are there. Where the disk is full, it asks rh_output_file_on_full_disk's function. */
RH_CHECKED rh_status rh_output_file_write(const char *path, const void *data, size_t bytes);

/* Whether to wait for space on the disk of `path`, on which `waited_s` have been spent. */
typedef bool rh_output_wait(const char *path, double waited_s);
/* Who decides that; NULL, as at the start: nobody, and a full disk is an error. */
void rh_output_file_on_full_disk(rh_output_wait *wait);

#endif
