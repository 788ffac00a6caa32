/* Tables of numbers with a column of labels, in text files with separated fields. */
#ifndef RH_CSV_H
#define RH_CSV_H

#include "text.h"

enum rh_csv_header { RH_CSV_AUTO, RH_CSV_YES, RH_CSV_NO };

typedef struct rh_csv_def {
  char separator;
  int header;        /* enum rh_csv_header; auto: the first line is one if no field but the label's is a number */
  const char *label; /* "first", "last", a column counted from 1, or a name of the header; borrowed */
} rh_csv_def;

typedef struct rh_csv {
  char *path; /* owned, as all that follows */
  char *text; /* that labels point into */
  int64_t count, features;
  float *values;       /* [count][features] in the order of the columns, without the label's */
  const char **labels; /* [count] */
  int64_t *lines;      /* [count] of the file, from 1 */
} rh_csv;

/* Reads a file, plain or gzipped. Fields may stand in double quotes, where "" is a quote; blanks around fields and
 * lines without anything do not count.
 *
 * returns     RH_EFORMAT with the file, the line and the field: another number of fields than in the first line, a
 *             field that is no finite number, an empty label, quotes that do not end; RH_EINVAL for a label's column
 *             that the file lacks; RH_EIO. On failure `table` is empty.
 */
RH_CHECKED rh_status rh_csv_read(const char *path, const rh_csv_def *def, rh_csv *table);
void rh_csv_clear(rh_csv *table);

#endif
