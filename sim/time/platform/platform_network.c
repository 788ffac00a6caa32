/* Nodes and lines from routes. See network.h. */
#include <stdlib.h>
#include <string.h>

#include "platform_network.h"

#define UNKNOWN (-1)

/* A cable: one link, or the two directions of one. */
typedef struct cable {
  int32_t ends[2]; /* junctions, in the direction of its first link; UNKNOWN until it is used */
} cable;

typedef struct search {
  const rh_platform *platform;
  int32_t *cable_of;  /* [links] */
  bool *backwards;    /* [links] the cable's other direction */
  cable *cables;      /* [links] */
  bool *crossed;      /* [links] used in any route */
  int32_t *host_node; /* [workers] the first rank on the same host */
  /* Junctions: ranks first, then one for each Wi-Fi link, then switches; united as routes show that they are one. */
  int32_t *parent;
  int32_t junctions, size;
  uint64_t *spokes; /* [spoke_count] station's junction << 32 | link */
  size_t spoke_count, spoke_size;
} search;

static void *allocate(size_t count, size_t size)
{
  void *memory = calloc(count > 0 ? count : 1, size);
  RH_ASSERT(memory != NULL);
  return memory;
}

static int32_t find(search *s, int32_t junction)
{
  while (s->parent[junction] != junction)
    junction = s->parent[junction] = s->parent[s->parent[junction]];
  return junction;
}

static int32_t add_junction(search *s)
{
  if (s->junctions == s->size) {
    s->size = 2 * s->size + 1;
    s->parent = realloc(s->parent, (size_t)s->size * sizeof *s->parent);
    RH_ASSERT(s->parent != NULL);
  }
  s->parent[s->junctions] = s->junctions;
  return s->junctions++;
}

/* Hosts and the air have a place of their own: two of them are never one. */
static bool is_fixed(const search *s, int32_t junction)
{
  return junction < s->platform->workers + s->platform->link_count;
}

static void unite(search *s, int32_t a, int32_t b)
{
  a = find(s, a);
  b = find(s, b);
  if (a == b || (is_fixed(s, a) && is_fixed(s, b))) return;
  if (is_fixed(s, b))
    s->parent[a] = b;
  else
    s->parent[b] = a;
}

static int32_t air_of(const search *s, int32_t link)
{
  return s->platform->workers + link;
}

static void add_spoke(search *s, int32_t station, int32_t link)
{
  if (station == air_of(s, link)) return;
  if (s->spoke_count == s->spoke_size) {
    s->spoke_size = s->spoke_size ? 2 * s->spoke_size : 64;
    s->spokes = realloc(s->spokes, s->spoke_size * sizeof *s->spokes);
    RH_ASSERT(s->spokes != NULL);
  }
  s->spokes[s->spoke_count++] = (uint64_t)station << 32 | (uint32_t)link;
}

/* --- cables ------------------------------------------------------------------------------------------------------- */

static int32_t find_link(const rh_platform *platform, const char *name)
{
  int32_t low = 0, high = platform->link_count;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    const int order = rh_text_compare_natural(rh_platform_link_name(platform, middle), name);
    if (order == 0) return middle;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return -1;
}

static void find_cables(search *s)
{
  static const char down[] = "_DOWN", up[] = "_UP";
  for (int32_t l = 0; l < s->platform->link_count; l++) {
    const char *name = rh_platform_link_name(s->platform, l);
    const size_t length = strlen(name), cut = sizeof down - 1;
    s->cable_of[l] = l;
    s->cables[l] = (cable){{UNKNOWN, UNKNOWN}};
    if (length <= cut || strcmp(name + length - cut, down) != 0) continue;
    rh_text other = {0};
    rh_text_append_bytes(&other, name, length - cut);
    rh_text_append(&other, "%s", up);
    const int32_t partner = find_link(s->platform, rh_text_get(&other));
    rh_text_clear(&other);
    if (partner < 0) continue;
    s->cable_of[l] = partner;
    s->backwards[l] = true;
  }
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

/* Which end of a known cable a route enters that comes from `at`: the one that is there; by the link's direction; the
 * one from which the next cable, or the goal, is farther. */
static int entry(search *s, int32_t link, int32_t at, int32_t next, int32_t goal)
{
  const cable *c = &s->cables[s->cable_of[link]];
  const int32_t first = find(s, c->ends[0]), second = find(s, c->ends[1]);
  if (first == at && second != at) return 0;
  if (second == at && first != at) return 1;
  if (s->backwards[link]) return 1;
  if (s->cable_of[link] != link) return 0;
  if (goal == first) return 1;
  if (goal == UNKNOWN && next != UNKNOWN) {
    const cable *n = &s->cables[s->cable_of[next]];
    if (n->ends[0] != UNKNOWN && (find(s, n->ends[0]) == first || find(s, n->ends[1]) == first)) return 1;
  }
  return 0;
}

/* Follows one link from `at`; goal: where it ends, if that is known. Returns where it ends. */
static int32_t follow(search *s, int32_t link, int32_t at, int32_t next, int32_t goal)
{
  cable *c = &s->cables[s->cable_of[link]];
  if (c->ends[0] == UNKNOWN) {
    c->ends[s->backwards[link]] = at;
    c->ends[!s->backwards[link]] = goal == UNKNOWN ? add_junction(s) : goal;
    return c->ends[!s->backwards[link]];
  }
  const int in = entry(s, link, at, next, goal);
  unite(s, c->ends[in], at);
  if (goal != UNKNOWN) unite(s, c->ends[!in], goal);
  return find(s, c->ends[!in]);
}

static void walk(search *s, int32_t from, int32_t to, const rh_route *route)
{
  int32_t at = from;
  for (int32_t i = 0; i < route->link_count; i++) {
    const int32_t link = route->links[i], next = i + 1 < route->link_count ? route->links[i + 1] : UNKNOWN;
    s->crossed[link] = true;
    if (s->platform->links[link].wifi) {
      add_spoke(s, find(s, at), link);
      at = air_of(s, link);
      if (next == UNKNOWN) add_spoke(s, to, link);
      continue;
    }
    const bool into_air = next != UNKNOWN && s->platform->links[next].wifi;
    const int32_t goal = next == UNKNOWN ? to : into_air ? air_of(s, next) : UNKNOWN;
    at = find(s, follow(s, link, find(s, at), into_air ? UNKNOWN : next, goal));
  }
}

static int by_pair(const void *a, const void *b)
{
  const route_entry *x = *(const route_entry *const *)a, *y = *(const route_entry *const *)b;
  return (x->pair > y->pair) - (x->pair < y->pair);
}

/* All routes in the order of their pairs: that of the table depends on who asked first. */
static void walk_all(search *s)
{
  const rh_platform *p = s->platform;
  const route_entry **list = allocate(p->route_count, sizeof *list);
  size_t count = 0;
  for (size_t i = 0; i < p->route_size; i++)
    if (p->routes[i].route) list[count++] = &p->routes[i];
  qsort(list, count, sizeof *list, by_pair);
  for (size_t i = 0; i < count; i++) {
    const int32_t from = s->host_node[list[i]->pair >> 32], to = s->host_node[list[i]->pair & UINT32_MAX];
    if (from != to) walk(s, from, to, list[i]->route);
  }
  free(list);
}

/* --- the network -------------------------------------------------------------------------------------------------- */

static int32_t add_node(rh_network *n, const search *s, int32_t junction)
{
  const int32_t workers = s->platform->workers;
  rh_network_node *node = &n->nodes[n->node_count];
  *node = (rh_network_node){.kind = RH_NODE_SWITCH, .name = "", .rank = -1};
  if (junction < workers)
    *node = (rh_network_node){RH_NODE_HOST, rh_platform_host(s->platform, junction), junction, 0, 0};
  else if (is_fixed(s, junction))
    *node = (rh_network_node){RH_NODE_AIR, rh_platform_link_name(s->platform, junction - workers), -1, 0, 0};
  return n->node_count++;
}

static int by_value(const void *a, const void *b)
{
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void add_line(rh_network *n, const search *s, int32_t *node_of, int32_t link, int32_t from, int32_t to)
{
  if (node_of[from] == UNKNOWN) node_of[from] = add_node(n, s, from);
  if (node_of[to] == UNKNOWN) node_of[to] = add_node(n, s, to);
  n->lines[n->line_count++] = (rh_network_line){link, node_of[from], node_of[to]};
}

static void collect(search *s, rh_network *n)
{
  const int32_t workers = s->platform->workers;
  int32_t *node_of = allocate((size_t)s->junctions, sizeof *node_of);
  for (int32_t i = 0; i < s->junctions; i++)
    node_of[i] = UNKNOWN;
  n->nodes = allocate((size_t)s->junctions, sizeof *n->nodes);
  n->lines = allocate((size_t)s->platform->link_count + s->spoke_count, sizeof *n->lines);
  for (int32_t i = 0; i < workers; i++)
    if (s->host_node[i] == i) node_of[i] = add_node(n, s, i);
  for (int32_t l = 0; l < s->platform->link_count; l++) {
    if (!s->crossed[l] || s->platform->links[l].wifi) continue;
    const cable *c = &s->cables[s->cable_of[l]];
    const int32_t ends[2] = {find(s, c->ends[0]), find(s, c->ends[1])};
    add_line(n, s, node_of, l, ends[s->backwards[l]], ends[!s->backwards[l]]);
  }
  for (size_t i = 0; i < s->spoke_count; i++)
    s->spokes[i] = (uint64_t)(uint32_t)find(s, (int32_t)(s->spokes[i] >> 32)) << 32 | (s->spokes[i] & UINT32_MAX);
  if (s->spoke_count) qsort(s->spokes, s->spoke_count, sizeof *s->spokes, by_value);
  for (size_t i = 0; i < s->spoke_count; i++) {
    const int32_t link = (int32_t)(s->spokes[i] & UINT32_MAX);
    if (i > 0 && s->spokes[i] == s->spokes[i - 1]) continue;
    add_line(n, s, node_of, link, (int32_t)(s->spokes[i] >> 32), find(s, air_of(s, link)));
  }
  free(node_of);
}

static void search_begin(search *s, const rh_platform *platform)
{
  const size_t links = (size_t)platform->link_count;
  *s = (search){.platform = platform, .size = 2 * (platform->workers + platform->link_count) + 64};
  s->cable_of = allocate(links, sizeof *s->cable_of);
  s->backwards = allocate(links, sizeof *s->backwards);
  s->cables = allocate(links, sizeof *s->cables);
  s->crossed = allocate(links, sizeof *s->crossed);
  s->host_node = allocate((size_t)platform->workers, sizeof *s->host_node);
  s->parent = allocate((size_t)s->size, sizeof *s->parent);
  for (int32_t i = 0; i < platform->workers + platform->link_count; i++)
    add_junction(s);
  find_cables(s);
}

static int by_host(const void *a, const void *b)
{
  const uint64_t *x = a, *y = b; /* host's place, rank */
  return x[0] != y[0] ? (x[0] > y[0] ? 1 : -1) : (x[1] > y[1]) - (x[1] < y[1]);
}

/* Ranks on one host share its node. `places`: [workers] the host's among all hosts. */
static void share_hosts(search *s, const int32_t *places)
{
  const int32_t workers = s->platform->workers;
  uint64_t(*list)[2] = allocate((size_t)workers, sizeof *list);
  for (int32_t i = 0; i < workers; i++) {
    list[i][0] = (uint64_t)places[i];
    list[i][1] = (uint64_t)i;
  }
  qsort(list, (size_t)workers, sizeof *list, by_host);
  for (int32_t i = 0; i < workers; i++)
    s->host_node[list[i][1]] =
        i > 0 && list[i][0] == list[i - 1][0] ? s->host_node[list[i - 1][1]] : (int32_t)list[i][1];
  free(list);
}

/* The place of each rank's host among all hosts. */
static int32_t *find_places(const rh_platform *p)
{
  int32_t *places = allocate((size_t)p->workers, sizeof *places);
  for (int32_t i = 0; i < p->workers; i++) {
    const char *name = sg_host_get_name(p->ranks[i]);
    int32_t low = 0, high = p->host_count - 1;
    while (low < high) {
      const int32_t middle = low + (high - low) / 2;
      if (rh_text_compare_natural(sg_host_get_name(p->hosts[middle]), name) < 0)
        low = middle + 1;
      else
        high = middle;
    }
    places[i] = low;
  }
  return places;
}

void rh_network_find(const rh_platform *platform, rh_network *network)
{
  search s;
  network_graph graph;
  platform_shape shape = {.kind = SHAPE_OTHER};
  int32_t *places = find_places(platform);
  *network = (rh_network){0};
  search_begin(&s, platform);
  share_hosts(&s, places);
  walk_all(&s);
  collect(&s, network);
  if (platform_shape_read(platform, &shape) != RH_OK) shape.kind = SHAPE_OTHER;
  network_graph_find(network, &graph);
  network_layout(network, &graph, &shape, places);
  network_graph_clear(&graph);
  free(places);
  free(s.cable_of);
  free(s.backwards);
  free(s.cables);
  free(s.crossed);
  free(s.host_node);
  free(s.parent);
  free(s.spokes);
}

void rh_network_clear(rh_network *network)
{
  free(network->nodes);
  free(network->lines);
  *network = (rh_network){0};
}
