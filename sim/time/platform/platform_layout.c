/* Where nodes of regular networks are drawn. See network.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform_network.h"

#define PI 3.14159265358979323846

static void *allocate(size_t count, size_t size)
{
  void *memory = calloc(count > 0 ? count : 1, size);
  RH_ASSERT(memory != NULL);
  return memory;
}

/* --- the graph ---------------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
  const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

void network_graph_find(const rh_network *n, network_graph *graph)
{
  const size_t nodes = (size_t)n->node_count;
  int32_t *fill = allocate(nodes + 1, sizeof *fill);
  graph->start = allocate(nodes + 1 + 2 * (size_t)n->line_count, sizeof *graph->start);
  graph->neighbours = graph->start + nodes + 1;
  for (int32_t i = 0; i < n->line_count; i++) {
    fill[n->lines[i].from]++;
    fill[n->lines[i].to]++;
  }
  for (int32_t i = 0, sum = 0; i < n->node_count; i++) {
    const int32_t count = fill[i];
    fill[i] = graph->start[i] = sum;
    sum += count;
    graph->start[i + 1] = sum;
  }
  for (int32_t i = 0; i < n->line_count; i++) {
    graph->neighbours[fill[n->lines[i].from]++] = n->lines[i].to;
    graph->neighbours[fill[n->lines[i].to]++] = n->lines[i].from;
  }
  /* each once */
  int32_t kept = 0, first = 0;
  for (int32_t i = 0; i < n->node_count; i++) {
    const int32_t last = graph->start[i + 1];
    qsort(graph->neighbours + first, (size_t)(last - first), sizeof *graph->neighbours, ascending);
    graph->start[i] = kept;
    for (int32_t k = first; k < last; k++)
      if (graph->neighbours[k] != i && (kept == graph->start[i] || graph->neighbours[kept - 1] != graph->neighbours[k]))
        graph->neighbours[kept++] = graph->neighbours[k];
    first = last;
  }
  graph->start[n->node_count] = kept;
  free(fill);
}

void network_graph_clear(network_graph *graph)
{
  free(graph->start);
  *graph = (network_graph){0};
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

typedef struct seat {
  int32_t node;
  double wish;
} seat;

static int by_wish(const void *a, const void *b)
{
  const seat *x = a, *y = b;
  if (x->wish != y->wish) return x->wish > y->wish ? 1 : -1;
  return (x->node > y->node) - (x->node < y->node);
}

/* Links to the nearest host, of every node. */
static int32_t find_depths(const rh_network *n, const network_graph *g, int32_t *depth)
{
  int32_t *queue = allocate((size_t)n->node_count, sizeof *queue), head = 0, tail = 0, deepest = 0;
  for (int32_t i = 0; i < n->node_count; i++) {
    depth[i] = n->nodes[i].kind == RH_NODE_HOST ? 0 : INT32_MAX;
    if (depth[i] == 0) queue[tail++] = i;
  }
  while (head < tail) {
    const int32_t i = queue[head++];
    for (int32_t k = g->start[i]; k < g->start[i + 1]; k++) {
      const int32_t next = g->neighbours[k];
      if (depth[next] != INT32_MAX) continue;
      deepest = depth[next] = depth[i] + 1;
      queue[tail++] = next;
    }
  }
  free(queue);
  return deepest;
}

/* Mean x of a node's neighbours one layer below. */
static double wished_x(const rh_network *n, const network_graph *g, const int32_t *depth, int32_t node)
{
  double sum = 0;
  int32_t count = 0;
  for (int32_t k = g->start[node]; k < g->start[node + 1]; k++)
    if (depth[g->neighbours[k]] == depth[node] - 1) {
      sum += n->nodes[g->neighbours[k]].x;
      count++;
    }
  return count ? sum / count : 0;
}

/* Hosts below, each layer of switches above the one that it joins, in the order of what hangs on it. */
static void place_layers(rh_network *n, const network_graph *g, const int32_t *places)
{
  const double width = 2.4;
  int32_t *depth = allocate((size_t)n->node_count, sizeof *depth);
  seat *row = allocate((size_t)n->node_count, sizeof *row);
  const int32_t deepest = find_depths(n, g, depth);
  for (int32_t layer = 0; layer <= deepest; layer++) {
    int32_t count = 0;
    for (int32_t i = 0; i < n->node_count; i++)
      if (depth[i] == layer) row[count++] = (seat){i, layer ? wished_x(n, g, depth, i) : places[n->nodes[i].rank]};
    qsort(row, (size_t)count, sizeof *row, by_wish);
    for (int32_t k = 0; k < count; k++) {
      n->nodes[row[k].node].x = width * (k + 0.5) / count;
      n->nodes[row[k].node].y = 1 - (double)layer / (deepest > 0 ? deepest : 1);
    }
  }
  free(row);
  free(depth);
}

/* --- circles and grids -------------------------------------------------------------------------------------------- */

static void place_on_circle(rh_network_node *node, double x, double y, double radius, double turn)
{
  node->x = x + radius * sin(2 * PI * turn);
  node->y = y - radius * cos(2 * PI * turn);
}

/* Nodes that are no hosts go to the mean of their neighbours; those that fall together move apart a little. */
static void place_between(rh_network *n, const network_graph *g, double apart)
{
  int32_t moved = 0;
  for (int32_t i = 0; i < n->node_count; i++) {
    if (n->nodes[i].kind == RH_NODE_HOST) continue;
    double x = 0, y = 0;
    int32_t count = 0;
    for (int32_t k = g->start[i]; k < g->start[i + 1]; k++) {
      const rh_network_node *near = &n->nodes[g->neighbours[k]];
      if (near->kind != RH_NODE_HOST) continue;
      x += near->x;
      y += near->y;
      count++;
    }
    n->nodes[i].x = (count ? x / count : 0) + apart * moved;
    n->nodes[i].y = count ? y / count : 0;
    moved++;
  }
}

static void place_star(rh_network *n, const network_graph *g)
{
  int32_t hosts = 0, k = 0;
  for (int32_t i = 0; i < n->node_count; i++)
    hosts += n->nodes[i].kind == RH_NODE_HOST;
  for (int32_t i = 0; i < n->node_count; i++)
    if (n->nodes[i].kind == RH_NODE_HOST) place_on_circle(&n->nodes[i], 0, 0, 1, (double)k++ / hosts);
  place_between(n, g, 0.12);
}

/* One dimension is a circle, two are a grid, more are grids beside and below each other. */
static void place_torus(rh_network *n, const network_graph *g, const platform_shape *s, const int32_t *places)
{
  const int32_t w = s->sizes[0], h = s->dimensions > 1 ? s->sizes[1] : 1, planes = s->hosts / (w * h);
  const int32_t columns = (int32_t)ceil(sqrt((double)planes));
  for (int32_t i = 0; i < n->node_count; i++) {
    if (n->nodes[i].kind != RH_NODE_HOST) continue;
    const int32_t place = places[n->nodes[i].rank], plane = place / (w * h), rest = place % (w * h);
    if (s->dimensions == 1) {
      place_on_circle(&n->nodes[i], 0, 0, w / (2 * PI), (double)place / w);
    } else {
      const int32_t row = rest / w, line = plane / columns;
      n->nodes[i].x = rest % w + (w + 1.5) * (plane % columns);
      n->nodes[i].y = row + (h + 1.5) * line;
    }
  }
  place_between(n, g, 0);
}

/* Towards its neighbours, for a switch on whose group no rank is. */
static void place_alone(rh_network *n, const network_graph *g, int32_t node)
{
  double x = 0, y = 0;
  const int32_t count = g->start[node + 1] - g->start[node];
  for (int32_t k = g->start[node]; k < g->start[node + 1]; k++) {
    x += n->nodes[g->neighbours[k]].x;
    y += n->nodes[g->neighbours[k]].y;
  }
  n->nodes[node].x = 0.4 * x / (count > 0 ? count : 1);
  n->nodes[node].y = 0.4 * y / (count > 0 ? count : 1);
}

static bool has_host(const rh_network *n, const network_graph *g, int32_t node)
{
  for (int32_t k = g->start[node]; k < g->start[node + 1]; k++)
    if (n->nodes[g->neighbours[k]].kind == RH_NODE_HOST) return true;
  return false;
}

/* Groups on a circle; of a group its switches on a smaller one, and their hosts around them. */
static void place_dragonfly(rh_network *n, const network_graph *g, const platform_shape *s, const int32_t *places)
{
  const int32_t switches = s->chassis * s->switches, per_group = switches * s->nodes;
  const double inner = 0.62 * sin(PI / (s->groups > 2 ? s->groups : 2));
  for (int32_t i = 0; i < n->node_count; i++) {
    if (n->nodes[i].kind != RH_NODE_HOST) continue;
    const int32_t place = places[n->nodes[i].rank], group = place / per_group, k = place % per_group;
    rh_network_node centre = {0};
    place_on_circle(&centre, 0, 0, 1, (double)group / s->groups);
    place_on_circle(&n->nodes[i], centre.x, centre.y, inner, (k + 0.5) / per_group);
  }
  for (int32_t i = 0; i < n->node_count; i++) {
    if (n->nodes[i].kind == RH_NODE_HOST) continue;
    for (int32_t k = g->start[i]; k < g->start[i + 1]; k++) {
      const rh_network_node *near = &n->nodes[g->neighbours[k]];
      if (near->kind != RH_NODE_HOST) continue;
      const int32_t place = places[near->rank], group = place / per_group, at = place % per_group / s->nodes;
      rh_network_node centre = {0};
      place_on_circle(&centre, 0, 0, 1, (double)group / s->groups);
      place_on_circle(&n->nodes[i], centre.x, centre.y, 0.7 * inner, (at + 0.5) / switches);
      break;
    }
  }
  for (int32_t i = 0; i < n->node_count; i++)
    if (n->nodes[i].kind != RH_NODE_HOST && !has_host(n, g, i)) place_alone(n, g, i);
}

void network_layout(rh_network *n, const network_graph *g, const platform_shape *shape, const int32_t *places)
{
  switch (shape->kind) {
  case SHAPE_STAR:
    n->layout = "star";
    place_star(n, g);
    break;
  case SHAPE_FAT_TREE:
    n->layout = "fat-tree";
    place_layers(n, g, places);
    break;
  case SHAPE_TORUS:
    n->layout = "torus";
    place_torus(n, g, shape, places);
    break;
  case SHAPE_DRAGONFLY:
    n->layout = "dragonfly";
    place_dragonfly(n, g, shape, places);
    break;
  default:
    n->layout = "force";
    network_force(n, g);
  }
}
