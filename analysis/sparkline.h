/* A series of shares as one line of text: a digit is tenths (9: nine tenths or more), a dot is nothing at all. */
#ifndef RH_SPARKLINE_H
#define RH_SPARKLINE_H

#include "text.h"

enum { RH_SPARKLINE_WIDTH = 100 };

/* How many values share a character, so that the line has at most RH_SPARKLINE_WIDTH: they stand for their mean. */
int rh_sparkline_group(int count);
/* Appends the line. values [count], not negative. */
void rh_sparkline_write(const double *values, int count, rh_text *out);

#endif
