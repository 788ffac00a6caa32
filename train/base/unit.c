#include "unit.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

typedef struct spelling {
  const char *name;
  double factor; /* base units per one of these */
} spelling;

static const spelling seconds[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}};
static const spelling bytes[] = {{"B", 1},           {"kB", 1e3},           {"MB", 1e6},
                                 {"GB", 1e9},        {"TB", 1e12},          {"KiB", 1024},
                                 {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};
static const spelling bandwidths[] = {
    {"Bps", 1},        {"kBps", 1e3},        {"MBps", 1e6},           {"GBps", 1e9},  {"TBps", 1e12},
    {"KiBps", 1024},   {"MiBps", 1048576.0}, {"GiBps", 1073741824.0}, {"bps", 0.125}, {"kbps", 0.125e3},
    {"Mbps", 0.125e6}, {"Gbps", 0.125e9},    {"Tbps", 0.125e12}};
static const spelling speeds[] = {{"f", 1}, {"kf", 1e3}, {"Mf", 1e6}, {"Gf", 1e9}, {"Tf", 1e12}, {"Pf", 1e15}};

typedef struct dimension {
  const char *what; /* for messages */
  const spelling *list;
  size_t count;
  const char *names;
  const char *print[5]; /* ascending decimal prefixes for output */
  double smallest;      /* factor of print[0] */
} dimension;

static const dimension dimensions[] = {
    [RH_UNIT_NONE] = {"number", NULL, 0, "", {NULL}, 1},
    [RH_UNIT_SECOND] = {"time", seconds, 6, "ns us ms s min h", {"ns", "us", "ms", "s", NULL}, 1e-9},
    [RH_UNIT_BYTE] = {"size", bytes, 9, "B kB MB GB TB KiB MiB GiB TiB", {"B", "kB", "MB", "GB", "TB"}, 1},
    [RH_UNIT_BANDWIDTH] = {"bandwidth",
                           bandwidths,
                           13,
                           "Bps kBps MBps GBps TBps KiBps MiBps GiBps bps kbps Mbps Gbps Tbps",
                           {"Bps", "kBps", "MBps", "GBps", "TBps"},
                           1},
    [RH_UNIT_SPEED] = {"speed", speeds, 6, "f kf Mf Gf Tf Pf", {"f", "kf", "Mf", "Gf", "Tf"}, 1},
};

static const char *spelling_at(const void *context, size_t i)
{
  const dimension *d = context;
  return i < d->count ? d->list[i].name : NULL;
}

static const spelling *spelling_find(const dimension *d, const char *name)
{
  for (size_t i = 0; i < d->count; i++)
    if (strcmp(d->list[i].name, name) == 0) return &d->list[i];
  return NULL;
}

/* Splits text into a number and the trimmed rest; false if it does not start with a finite decimal number. */
static bool split(const char *text, double *number, char *rest, size_t size)
{
  while (isspace((unsigned char)*text))
    text++;
  char *end;
  *number = strtod(text, &end) + 0.0; /* -0 becomes 0: equal values are written alike */
  /* strtod also takes hexadecimal numbers, nan and inf: a configuration has no use for them */
  if (end == text || !isfinite(*number) || strpbrk(text, "xX") == text + 1) return false;
  while (isspace((unsigned char)*end))
    end++;
  snprintf(rest, size, "%s", end);
  for (size_t n = strlen(rest); n > 0 && isspace((unsigned char)rest[n - 1]); n--)
    rest[n - 1] = '\0';
  return true;
}

rh_status rh_unit_parse(const char *text, rh_unit unit, double *value)
{
  const dimension *d = &dimensions[unit];
  double number;
  char rest[64];
  if (!split(text, &number, rest, sizeof rest)) return rh_error(RH_EINVAL, "'%s' is not a number", text);
  if (unit == RH_UNIT_NONE) {
    if (rest[0]) return rh_error(RH_EINVAL, "'%s' is not a plain number: '%s' follows it", text, rest);
    *value = number;
    return RH_OK;
  }
  if (!rest[0]) return rh_error(RH_EUNIT, "'%s' has no unit; a %s needs one of: %s", text, d->what, d->names);
  const spelling *found = spelling_find(d, rest);
  if (!found) {
    const char *near = rh_text_nearest(rest, spelling_at, d);
    return near ? rh_error(RH_EUNIT, "'%s' has no known unit; did you mean '%s'?", text, near)
                : rh_error(RH_EUNIT, "'%s' has no known unit; a %s needs one of: %s", text, d->what, d->names);
  }
  *value = number * found->factor;
  if (!isfinite(*value)) return rh_error(RH_EINVAL, "'%s' is too large", text);
  return RH_OK;
}

const char *rh_unit_format(double value, rh_unit unit, char *buffer, size_t size)
{
  const dimension *d = &dimensions[unit];
  if (!isfinite(value)) {
    snprintf(buffer, size, "-");
  } else if (unit == RH_UNIT_NONE) {
    snprintf(buffer, size, "%.3g", value);
  } else {
    double scaled = fabs(value) / d->smallest;
    int prefix = 0;
    while (scaled >= 999.5 && prefix < 4 && d->print[prefix + 1]) {
      scaled /= 1000;
      prefix++;
    }
    if (value == 0 && unit == RH_UNIT_SECOND) prefix = 3; /* "0 s", not "0 ns" */
    int digits = scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
    if (unit == RH_UNIT_BYTE && prefix == 0) digits = 0;
    if (value == 0) digits = 0;
    if (value != 0 && scaled < 0.0995) /* below the smallest prefix */
      snprintf(buffer, size, "%s%.3g %s", value < 0 ? "-" : "", scaled, d->print[prefix]);
    else
      snprintf(buffer, size, "%s%.*f %s", value < 0 ? "-" : "", digits, scaled, d->print[prefix]);
  }
  return buffer;
}

const char *rh_unit_names(rh_unit unit)
{
  return dimensions[unit].names;
}
