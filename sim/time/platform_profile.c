/* What decides whether a state can repeat: does the platform change with time, and do transfers load their way back?
 * SimGrid keeps its profiles to itself, so the file is asked. */
#include <stdlib.h>
#include <string.h>

#include "platform_private.h"
#include "simgrid_shim.h"

/* Blanks out <!-- comments -->. */
static void drop_comments(char *text)
{
  for (char *begin = text; (begin = strstr(begin, "<!--")) != NULL;) {
    char *end = strstr(begin, "-->");
    const size_t length = end != NULL ? (size_t)(end + 3 - begin) : strlen(begin);
    memset(begin, ' ', length);
  }
}

/* Every way to give a profile in SimGrid's DTD. A name that stands elsewhere counts, too: no harm but the time that a
 * full simulation takes. */
bool rh_platform_has_profiles(const rh_platform *platform)
{
  static const char *const ways[] = {"availability_file", "speed_file",   "state_file",
                                     "bandwidth_file",    "latency_file", "trace_connect"};
  rh_text file = {0};
  if (rh_text_read_file(&file, platform->file) != RH_OK) return true; /* it is gone, who knows */
  char *text = rh_text_duplicate(rh_text_get(&file));
  drop_comments(text);
  bool found = false;
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
    found = found || strstr(text, ways[i]) != NULL;
  free(text);
  rh_text_clear(&file);
  return found;
}

bool rh_platform_cross_traffic(const rh_platform *platform)
{
  (void)platform;
  return rh_shim_setting_switch("network/crosstraffic");
}
