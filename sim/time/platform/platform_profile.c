/* What decides whether a state can repeat: does the platform change with time, and do transfers load their way back?
 * SimGrid keeps its profiles to itself, so the file is asked.
 *
 * A profile replaces what the file gives a link, from its first entry on, which is usually at 0 s: SimGrid 3.32 has
 * applied it when the platform is loaded, and has forgotten the file's. That is noted before, when SimGrid makes the
 * link; what a link really has is followed while the simulation runs. */
#include <math.h>
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
bool platform_reads_profiles(const rh_platform *platform)
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

/* ---- what the file gives links ---- */

typedef struct file_link {
  char *name; /* owned */
  int32_t order;
  double bandwidth_Bps, latency_s;
} file_link;

static file_link *file_links; /* of the process's platform; owned; until they are taken over */
static int32_t file_link_count, file_link_size;

static void note_link(void *context, const char *name, double bandwidth_Bps, double latency_s)
{
  (void)context;
  if (file_link_count == file_link_size) {
    file_link_size = file_link_size > 0 ? 2 * file_link_size : 256;
    file_links = realloc(file_links, (size_t)file_link_size * sizeof *file_links);
    RH_ASSERT(file_links);
  }
  file_links[file_link_count] = (file_link){rh_text_duplicate(name), file_link_count, bandwidth_Bps, latency_s};
  file_link_count++;
}

void platform_watch_links(void)
{
  rh_shim_watch_links(note_link, NULL);
}

/* By name; of those that were told twice the first comes first. */
static int compare_file_links(const void *a, const void *b)
{
  const file_link *x = a, *y = b;
  const int order = strcmp(x->name, y->name);
  return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static const file_link *find_file_link(const char *name)
{
  int32_t low = 0, high = file_link_count;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (strcmp(file_links[middle].name, name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low < file_link_count && strcmp(file_links[low].name, name) == 0 ? &file_links[low] : NULL;
}

/* ---- what links have ---- */

static void follow(void *context, sg_link_t sg_link, double at_s, double bandwidth_Bps)
{
  const rh_platform *platform = context;
  const int32_t index = platform_link_index(sg_link);
  if (index < 0 || platform->links[index].wifi) return;
  platform_link *link = &platform->links[index];
  if (!link->capacity) link->capacity = rh_capacity_new(link->bandwidth_Bps, link->bandwidth_Bps);
  rh_capacity_change(link->capacity, at_s, bandwidth_Bps);
}

void platform_follow_links(rh_platform *platform)
{
  qsort(file_links, (size_t)file_link_count, sizeof *file_links, compare_file_links);
  for (int32_t i = 0; i < platform->link_count; i++) {
    platform_link *link = &platform->links[i];
    const file_link *given = find_file_link(rh_shim_link_file_name(link->link));
    if (!given || link->wifi) continue;
    link->bandwidth_Bps = given->bandwidth_Bps;
    link->latency_s = given->latency_s;
    const double now_Bps = rh_shim_link_bandwidth(link->link);
    if (now_Bps != given->bandwidth_Bps) link->capacity = rh_capacity_new(now_Bps, given->bandwidth_Bps);
  }
  for (int32_t i = 0; i < file_link_count; i++)
    free(file_links[i].name);
  free(file_links);
  file_links = NULL;
  rh_shim_watch_changes(follow, platform);
}

bool rh_platform_has_profiles(const rh_platform *platform)
{
  return platform->profiles;
}

const rh_capacity *rh_platform_link_capacity(const rh_platform *platform, int32_t link)
{
  RH_ASSERT(link >= 0 && link < platform->link_count);
  return platform->links[link].capacity;
}

bool rh_platform_cross_traffic(const rh_platform *platform)
{
  (void)platform;
  return rh_shim_setting_switch("network/crosstraffic");
}
