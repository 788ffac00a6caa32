/* What tests of platforms share: files, loading, refusals. */
#ifndef RH_PLATFORM_FIXTURE_H
#define RH_PLATFORM_FIXTURE_H

#include "in_process.h"

#include <math.h>

#include "platform.h"

#define CATALOGUE RH_SOURCE_DIR "/platforms/"

#define HEAD                                                                                                           \
  "<?xml version='1.0'?>\n<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"                            \
  "<platform version=\"4.1\">\n"
#define CM02                                                                                                           \
  "<config><prop id=\"network/model\" value=\"CM02\"/><prop id=\"network/TCP-gamma\" value=\"-1\"/>"                   \
  "<prop id=\"network/crosstraffic\" value=\"0\"/></config>\n"
/* a (2 cores) and b are connected, c is alone */
#define THREE_HOSTS                                                                                                    \
  "<zone id=\"z\" routing=\"Full\"><host id=\"a\" speed=\"2Gf\" core=\"2\"/><host id=\"b\" speed=\"1Gf\"/>"            \
  "<host id=\"c\" speed=\"1Gf\"/><link id=\"l\" bandwidth=\"1MBps\" latency=\"1ms\"/>"                                 \
  "<route src=\"a\" dst=\"b\"><link_ctn id=\"l\"/></route></zone>\n"
#define TAIL "</platform>\n"

static char temporary[4][64]; /* files of this process */
static int temporary_count;

static inline void remove_temporary(void)
{
  while (temporary_count > 0)
    unlink(temporary[--temporary_count]);
}

/* A temporary file with this content, removed when the process ends. */
static inline char *write_file(const char *content)
{
  assert_true(temporary_count < 4);
  if (temporary_count == 0) atexit(remove_temporary);
  char *path = temporary[temporary_count++];
  snprintf(path, sizeof temporary[0], "/tmp/rehearse-test-XXXXXX");
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  FILE *file = fdopen(fd, "w");
  assert_non_null(file);
  assert_true(fputs(content, file) >= 0);
  assert_int_equal(fclose(file), 0);
  return path;
}

static inline rh_platform *load(const rh_platform_def *def)
{
  rh_platform *platform;
  if (rh_platform_load(def, &platform) != RH_OK) fail_msg("%s", rh_error_message());
  return platform;
}

/* Loading fails with this code, and a message that holds the three words. */
static inline void expect_refusal(const rh_platform_def *def, rh_status code, const char *one, const char *two,
                                  const char *three)
{
  rh_platform *platform;
  assert_int_equal(rh_platform_load(def, &platform), code);
  assert_null(platform);
  const char *const words[] = {one, two, three};
  for (int i = 0; i < 3; i++)
    if (!strstr(rh_error_message(), words[i])) fail_msg("'%s' is not in: %s", words[i], rh_error_message());
}

static inline const rh_route *route(rh_platform *platform, int32_t from, int32_t to)
{
  const rh_route *found;
  if (rh_platform_route(platform, from, to, &found) != RH_OK) fail_msg("%s", rh_error_message());
  return found;
}

static inline void assert_close(double value, double expected)
{
  if (!(fabs(value - expected) <= 1e-9 * fabs(expected))) fail_msg("%.15g, expected %.15g", value, expected);
}

#endif
