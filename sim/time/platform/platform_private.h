/* The platform's inside, for platform*.c alone. */
#ifndef RH_PLATFORM_PRIVATE_H
#define RH_PLATFORM_PRIVATE_H

#include <simgrid/host.h>
#include <simgrid/link.h>

#include "capacity.h"
#include "platform.h"

typedef struct platform_link {
  sg_link_t link;
  double bandwidth_Bps;  /* what the file gives it, whatever its profile says; Wi-Fi: of level 0 */
  double latency_s;      /* likewise */
  rh_capacity *capacity; /* owned; NULL: it has not changed */
  int32_t stations;      /* of a Wi-Fi link */
  bool wifi;
} platform_link;

typedef struct route_entry {
  uint64_t pair; /* from << 32 | to */
  rh_route *route;
} route_entry;

struct rh_platform {
  char *file;
  char model[32];
  bool model_by_caller, model_by_file;
  double precision_s;
  double fastest_flops;

  int32_t host_count;
  sg_host_t *hosts; /* [host_count], natural order of names */
  int32_t workers;
  sg_host_t *ranks; /* [workers] */
  int32_t zone_count;
  int32_t *zone_of; /* [workers] by first rank */

  int32_t link_count;
  platform_link *links; /* [link_count], natural order of names */
  bool profiles;        /* does it change with time? */

  route_entry *routes; /* open addressing; route NULL: free */
  size_t route_count, route_size;
  int32_t longest_route; /* links */

  /* of a transfer that is alone */
  bool lone_known; /* do the next three say how long it takes? */
  double latency_factor, bandwidth_factor, window_bytes;
  double weight_bytes; /* a link adds as many over its bandwidth to the latency by which transfers are weighted */
};

/* Fills platform->ranks and workers from the host file, the deployment or the natural order (platform_ranks.c). */
RH_CHECKED rh_status platform_choose_ranks(rh_platform *platform, const rh_platform_def *def);

/* Reads how long a transfer takes that is alone (platform_route.c). */
void platform_read_rates(rh_platform *platform);

/* Does the platform's file name profiles? */
bool platform_reads_profiles(const rh_platform *platform);
/* Has SimGrid tell what the file gives links; before it is loaded. */
void platform_watch_links(void);
/* Puts it into platform->links, and follows the links' changes from now on. */
void platform_follow_links(rh_platform *platform);

/* Numbers the zones of the ranks (platform_ranks.c). */
void platform_number_zones(rh_platform *platform);

/* Does the start tag `tag` ("<cluster") begin here? */
bool platform_xml_tag(const char *at, const char *tag);

/* The value of `attribute` within the tag [tag, end), cut out of the text; NULL if it has none. */
char *platform_xml_attribute(char *tag, char *end, const char *attribute);

/* How many links of the file name a profile. */
int32_t platform_xml_profiles(const char *text);

/* The index of one of SimGrid's links in platform->links. */
int32_t platform_link_index(sg_link_t link);

#endif
