/* See platform_shape.h. SimGrid knows topologies while it builds links, and forgets them: the file is read again. */
#include "platform_shape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simgrid_shim.h"
#include "unit.h"

typedef struct kind_search {
  shape_kind kind;
  const char *host_zone; /* the one with all hosts */
} kind_search;

static void look_at_zone(void *context, const char *name, const char *kind)
{
  static const struct {
    const char *name;
    shape_kind kind;
  } kinds[] = {
      {"Star", SHAPE_STAR}, {"FatTree", SHAPE_FAT_TREE}, {"Torus", SHAPE_TORUS}, {"Dragonfly", SHAPE_DRAGONFLY}};
  kind_search *search = context;
  if (strcmp(name, search->host_zone) != 0) return;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].name, kind) == 0) search->kind = kinds[i].kind;
}

/* "4,4,2": numbers up to another character; returns where they end, NULL if there is none or too many. */
static char *read_numbers(char *at, int32_t *numbers, int32_t *count)
{
  for (*count = 0; *count < SHAPE_DIMENSIONS; at++) {
    char *end;
    long number = strtol(at, &end, 10);
    if (end == at || number < 1 || number > INT32_MAX) return NULL;
    numbers[(*count)++] = (int32_t)number;
    at = end;
    if (*at != ',') return at;
  }
  return NULL;
}

/* "12,4;1,1;12,1;8" */
static bool read_dragonfly(char *text, platform_shape *s)
{
  int32_t pair[SHAPE_DIMENSIONS], count;
  int32_t *const fields[4][2] = {
      {&s->groups, &s->global}, {&s->chassis, &s->black}, {&s->switches, &s->green}, {&s->nodes, NULL}};
  for (int i = 0; i < 4; i++) {
    text = read_numbers(text, pair, &count);
    if (!text || count != (i < 3 ? 2 : 1) || *text != (i < 3 ? ';' : '\0')) return false;
    text++;
    *fields[i][0] = pair[0];
    if (fields[i][1]) *fields[i][1] = pair[1];
  }
  return true;
}

/* "2;8,8;1,8;1,1" */
static bool read_fat_tree(char *text, platform_shape *s)
{
  int32_t levels[SHAPE_DIMENSIONS], count;
  text = read_numbers(text, levels, &count);
  if (!text || count != 1 || *text != ';') return false;
  int32_t *const lists[3] = {s->sizes, s->up, s->cables};
  for (int i = 0; i < 3; i++) {
    text = read_numbers(text + 1, lists[i], &s->dimensions);
    if (!text || s->dimensions != levels[0] || *text != (i < 2 ? ';' : '\0')) return false;
  }
  return true;
}

static bool read_parameters(char *text, platform_shape *s)
{
  if (s->kind == SHAPE_FAT_TREE) return read_fat_tree(text, s);
  if (s->kind == SHAPE_DRAGONFLY) return read_dragonfly(text, s);
  text = read_numbers(text, s->sizes, &s->dimensions);
  return text && *text == '\0';
}

/* The value of an attribute, found without being cut out of the tag. */
static char *copy_attribute(const char *tag, size_t length, const char *name)
{
  rh_text copy = {0};
  rh_text_append_bytes(&copy, tag, length);
  char *value = platform_xml_attribute(copy.data, copy.data + copy.length, name);
  value = value ? rh_text_duplicate(value) : NULL;
  rh_text_clear(&copy);
  return value;
}

static void read_cables(const char *tag, size_t length, platform_shape *s)
{
  char *bandwidth = copy_attribute(tag, length, "bw"), *latency = copy_attribute(tag, length, "lat");
  char *limiter = copy_attribute(tag, length, "limiter_link");
  if (!bandwidth || !latency || limiter || rh_unit_parse(bandwidth, RH_UNIT_BANDWIDTH, &s->bandwidth_Bps) != RH_OK ||
      rh_unit_parse(latency, RH_UNIT_SECOND, &s->latency_s) != RH_OK)
    s->bandwidth_Bps = s->latency_s = 0;
  free(bandwidth);
  free(latency);
  free(limiter);
}

/* The file's only <cluster>, outside of comments. */
static bool read_cluster(const char *text, platform_shape *s)
{
  const char *cluster = NULL, *cluster_end = NULL;
  for (const char *at = strchr(text, '<'), *end; at; at = strchr(end, '<')) {
    end = strncmp(at, "<!--", 4) == 0 ? strstr(at, "-->") : strchr(at, '>');
    if (!end) return false;
    if (!platform_xml_tag(at, "<cluster")) continue;
    if (cluster) return false;
    cluster = at;
    cluster_end = end;
  }
  if (!cluster) return false;
  const size_t length = (size_t)(cluster_end - cluster);
  char *parameters = copy_attribute(cluster, length, "topo_parameters");
  const bool known = parameters && read_parameters(parameters, s);
  free(parameters);
  if (known) read_cables(cluster, length, s);
  return known;
}

static int64_t host_count(const platform_shape *s)
{
  int64_t hosts = 1;
  if (s->kind == SHAPE_DRAGONFLY) return (int64_t)s->groups * s->chassis * s->switches * s->nodes;
  for (int32_t i = 0; i < s->dimensions; i++)
    hosts *= s->sizes[i];
  return hosts;
}

rh_status platform_shape_read(const rh_platform *platform, platform_shape *shape)
{
  rh_text text = {0};
  rh_status status = RH_OK;
  kind_search search = {.host_zone = rh_shim_host_zone(platform->hosts[0])};
  *shape = (platform_shape){.kind = SHAPE_OTHER, .hosts = platform->host_count};
  for (int32_t i = 1; i < platform->host_count; i++)
    if (rh_shim_host_zone(platform->hosts[i]) != search.host_zone) return RH_OK;
  rh_shim_zones(look_at_zone, &search);
  shape->kind = search.kind;
  if (shape->kind == SHAPE_OTHER || shape->kind == SHAPE_STAR) return RH_OK;
  RH_TRY(rh_text_read_file(&text, platform->file));
  if (!read_cluster(rh_text_get(&text), shape) || host_count(shape) != shape->hosts) shape->kind = SHAPE_OTHER;
done:
  rh_text_clear(&text);
  return status;
}

int32_t platform_shape_diameter(const platform_shape *s)
{
  int32_t links = 0;
  if (s->bandwidth_Bps == 0) return 0;
  if (s->kind == SHAPE_FAT_TREE) return s->sizes[s->dimensions - 1] > 1 ? 2 * s->dimensions : 0;
  for (int32_t i = 0; i < s->dimensions && s->kind == SHAPE_TORUS; i++)
    links += s->sizes[i] / 2;
  return links;
}

/* Cables between the levels, cut where they are fewest: half of them belong to either half of the subtrees. With m_i
 * nodes below a switch, w_i switches above a node and p_i cables to each, level i has w_1 .. w_i m_i .. m_h p_i. */
static double fat_tree_cables(const platform_shape *s)
{
  double least = INFINITY, above = 1;
  if (s->sizes[s->dimensions - 1] % 2 != 0) return 0;
  for (int32_t i = 0; i < s->dimensions; i++) {
    above *= s->up[i];
    double cables = above * s->cables[i];
    for (int32_t j = i; j < s->dimensions; j++)
      cables *= s->sizes[j];
    least = fmin(least, cables);
  }
  return least / 2;
}

/* Two rings of each line along the longest dimension are cut. Sizes of 2 have two cables of which routes use one. */
static double torus_cables(const platform_shape *s)
{
  int32_t longest = 0;
  for (int32_t i = 0; i < s->dimensions; i++)
    if (s->sizes[i] > longest) longest = s->sizes[i];
  return longest % 2 == 0 && longest > 2 ? 2. * s->hosts / longest : 0;
}

/* Half of the groups against the others, if no other straight cut has fewer cables: through the groups, or at the
 * hosts. */
static double dragonfly_cables(const platform_shape *s)
{
  const double between = s->groups / 2. * (s->groups / 2.) * s->global;
  const double within = s->groups * (s->switches / 2.) * (s->switches / 2.) * s->green;
  return s->groups % 2 == 0 && s->chassis == 1 && between <= within && between <= s->hosts / 2. ? between : 0;
}

double platform_shape_bisection(const platform_shape *s, const char **how)
{
  double cables = 0;
  *how = "";
  if (s->kind == SHAPE_FAT_TREE) {
    cables = fat_tree_cables(s);
    *how = "half of the cables of the thinnest level (Oehring et al., IPPS 1995)";
  } else if (s->kind == SHAPE_TORUS) {
    cables = torus_cables(s);
    *how = "2 N / k cables, k the longest size (Dally and Towles, Interconnection Networks, 2004)";
  } else if (s->kind == SHAPE_DRAGONFLY) {
    cables = dragonfly_cables(s);
    *how = "bundles between half of the groups and the others (Kim et al., ISCA 2008)";
  }
  return cables * s->bandwidth_Bps;
}
