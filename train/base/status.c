#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_SIZE = 4096 };

static _Thread_local char message[MESSAGE_SIZE];

rh_status rh_error(rh_status code, const char *format, ...)
{
  /* Arguments may point into the old message ("while reading: <message>"), so the new one is built aside. */
  char next[MESSAGE_SIZE];
  va_list args;
  va_start(args, format);
  vsnprintf(next, sizeof next, format, args);
  va_end(args);
  snprintf(message, sizeof message, "%s", next);
  return code;
}

const char *rh_error_message(void)
{
  return message;
}

const char *rh_status_name(rh_status code)
{
  static const char *const names[] = {"RH_OK",      "RH_EINVAL", "RH_ESHAPE",  "RH_EUNIT",        "RH_EIO",
                                      "RH_EFORMAT", "RH_ENOMEM", "RH_EDEVICE", "RH_EUNSUPPORTED", "RH_EINTERRUPTED"};
  return (size_t)code < sizeof names / sizeof names[0] ? names[code] : "unknown status";
}

void rh_assert_failed(const char *condition, const char *file, int line)
{
  fprintf(stderr, "rehearse: internal error at %s:%d: '%s' does not hold. Please report it with the command you ran.\n",
          file, line, condition);
  abort();
}
