/* Which host is which rank: the natural order of host names, a host file, or a deployment; and which zones hold them.
 *
 * A deployment is read here and not by SimGrid: its loader starts the actors while it reads, and aborts on a host that
 * the platform lacks. All that is wanted of the file is the `host` of each <actor> (once <process>), in file order.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "platform_private.h"
#include "simgrid_shim.h"

typedef struct host_names {
  const rh_platform *platform;
  const char *file;
  int32_t *taken; /* [host_count] how often each host was named */
  sg_host_t *list;
  int32_t count, size;
} host_names;

static const char *platform_host_name(const void *context, size_t i)
{
  const rh_platform *platform = context;
  return i < (size_t)platform->host_count ? sg_host_get_name(platform->hosts[i]) : NULL;
}

static int compare_name_with_host(const void *name, const void *host)
{
  return rh_text_compare_natural(name, sg_host_get_name(*(const sg_host_t *)host));
}

static void append_host(host_names *names, sg_host_t host)
{
  if (names->count == names->size) {
    names->size = names->size ? 2 * names->size : 64;
    names->list = realloc(names->list, (size_t)names->size * sizeof *names->list);
    RH_ASSERT(names->list);
  }
  names->list[names->count++] = host;
}

/* Appends a host by name, at most as often as it has cores. */
static rh_status take_host(host_names *names, const char *name, int line)
{
  const rh_platform *platform = names->platform;
  const sg_host_t *host =
      bsearch(name, platform->hosts, (size_t)platform->host_count, sizeof *host, compare_name_with_host);
  if (!host) {
    const char *nearest = rh_text_nearest(name, platform_host_name, platform);
    return rh_error(RH_EINVAL, "%s:%d: '%s' has no host '%s'%s%s%s", names->file, line, platform->file, name,
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
  }
  int32_t taken = ++names->taken[host - platform->hosts];
  if (taken > sg_host_core_count(*host))
    return rh_error(RH_EINVAL, "%s:%d: host '%s' is named %d times, but has %d core%s", names->file, line, name, taken,
                    sg_host_core_count(*host), sg_host_core_count(*host) == 1 ? "" : "s");
  append_host(names, *host);
  return RH_OK;
}

/* One name per line; `#` begins a comment; blank lines do not count. `text` is cut up. */
static rh_status read_hostfile(char *text, host_names *names)
{
  int line = 0;
  for (char *start = text, *next; start; start = next) {
    line++;
    next = strchr(start, '\n');
    if (next) *next++ = '\0';
    char *comment = strchr(start, '#');
    if (comment) *comment = '\0';
    while (isspace((unsigned char)*start))
      start++;
    size_t length = strlen(start);
    while (length > 0 && isspace((unsigned char)start[length - 1]))
      start[--length] = '\0';
    if (length == 0) continue;
    rh_status status = take_host(names, start, line);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

/* The hosts of <actor host="..."> and <process host="...">, outside of comments. `text` is cut up. */
static rh_status read_deployment(char *text, host_names *names)
{
  const char *counted = text;
  int line = 1;
  for (char *at = strchr(text, '<'), *end; at; at = strchr(end, '<')) {
    bool comment = strncmp(at, "<!--", 4) == 0;
    end = comment ? strstr(at, "-->") : strchr(at, '>');
    for (; counted < at; counted++)
      line += *counted == '\n';
    if (!end)
      return rh_error(RH_EFORMAT, "%s:%d: this %s does not end", names->file, line, comment ? "comment" : "tag");
    if (comment || (!platform_xml_tag(at, "<actor") && !platform_xml_tag(at, "<process"))) continue;
    char *host = platform_xml_attribute(at, end, "host");
    if (!host) return rh_error(RH_EFORMAT, "%s:%d: this actor has no host", names->file, line);
    rh_status status = take_host(names, host, line);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

static rh_status read_names(bool deployment, host_names *names)
{
  rh_text text = {0};
  rh_status status = RH_OK;
  RH_TRY(rh_text_read_file(&text, names->file));
  if (text.length > 0) RH_TRY(deployment ? read_deployment(text.data, names) : read_hostfile(text.data, names));
done:
  rh_text_clear(&text);
  return status;
}

static rh_status check_count(const host_names *names, bool listed, int32_t workers)
{
  if (workers < 0) return rh_error(RH_EINVAL, "%d workers: at least one is needed", workers);
  if (names->count == 0) return rh_error(RH_EINVAL, "'%s' %s no host", names->file, listed ? "names" : "has");
  if (workers > names->count)
    return rh_error(RH_EINVAL, "'%s' %s %d host%s, fewer than the %d workers that were asked for", names->file,
                    listed ? "names" : "has", names->count, names->count == 1 ? "" : "s", workers);
  return RH_OK;
}

/* A host's property `node`, else its zone. */
static const char *zone_name(sg_host_t host)
{
  const char *node = sg_host_get_property_value(host, "node");
  return node ? node : rh_shim_host_zone(host);
}

void platform_number_zones(rh_platform *platform)
{
  const int32_t workers = platform->workers;
  const char **names = malloc((size_t)workers * sizeof *names);
  platform->zone_of = malloc((size_t)workers * sizeof *platform->zone_of);
  RH_ASSERT(names && platform->zone_of);
  platform->zone_count = 0;
  for (int32_t rank = 0; rank < workers; rank++) {
    const char *name = zone_name(platform->ranks[rank]);
    int32_t zone = platform->zone_count - 1; /* most ranks are in the zone of the one before */
    while (zone >= 0 && strcmp(names[zone], name) != 0)
      zone--;
    if (zone < 0) names[zone = platform->zone_count++] = name;
    platform->zone_of[rank] = zone;
  }
  free(names);
}

rh_status platform_choose_ranks(rh_platform *platform, const rh_platform_def *def)
{
  const bool hostfile = def->hostfile && *def->hostfile, deployment = def->deployment && *def->deployment;
  host_names names = {.platform = platform, .file = platform->file};
  rh_status status = RH_OK;
  if (hostfile && deployment)
    return rh_error(RH_EINVAL, "'%s' and '%s': give a host file or a deployment, not both", def->hostfile,
                    def->deployment);
  names.taken = calloc((size_t)platform->host_count + 1, sizeof *names.taken);
  RH_ASSERT(names.taken);
  if (hostfile || deployment) {
    names.file = deployment ? def->deployment : def->hostfile;
    RH_TRY(read_names(deployment, &names));
  } else {
    for (int32_t i = 0; i < platform->host_count; i++)
      append_host(&names, platform->hosts[i]);
  }
  RH_TRY(check_count(&names, hostfile || deployment, def->workers));
  platform->ranks = names.list;
  platform->workers = def->workers ? def->workers : names.count;
  names.list = NULL;
done:
  free(names.taken);
  free(names.list);
  return status;
}
