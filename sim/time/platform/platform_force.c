/* A layout by forces: nodes repel each other, lines pull. See network.h. */
#include <math.h>
#include <stdlib.h>

#include "platform_network.h"

#define PI 3.14159265358979323846

/* Pairs of nodes looked at in all steps together: a fraction of a second. */
static const double pairs_most = 3e8;
enum { STEPS_MOST = 400, STEPS_LEAST = 20 };

typedef struct force {
  rh_network *network;
  const network_graph *graph;
  int32_t *core; /* [core_count] nodes with more than one neighbour: the others hang on one of them */
  int32_t core_count;
  double *dx, *dy; /* [nodes] what pushes a node in this step */
} force;

static int32_t degree(const network_graph *g, int32_t node)
{
  return g->start[node + 1] - g->start[node];
}

/* Leaves count as the weight of what they hang on, so that a switch with many hosts keeps room for them. */
static double weight(const force *f, int32_t node)
{
  int32_t leaves = 0;
  for (int32_t k = f->graph->start[node]; k < f->graph->start[node + 1]; k++)
    leaves += degree(f->graph, f->graph->neighbours[k]) == 1;
  return 1 + sqrt((double)leaves);
}

static void repel(force *f, const double *weights)
{
  rh_network_node *nodes = f->network->nodes;
  for (int32_t a = 0; a < f->core_count; a++)
    for (int32_t b = a + 1; b < f->core_count; b++) {
      const int32_t i = f->core[a], k = f->core[b];
      const double x = nodes[i].x - nodes[k].x, y = nodes[i].y - nodes[k].y;
      const double push = weights[i] * weights[k] / fmax(x * x + y * y, 1e-4);
      f->dx[i] += x * push;
      f->dy[i] += y * push;
      f->dx[k] -= x * push;
      f->dy[k] -= y * push;
    }
}

static void attract(force *f)
{
  rh_network_node *nodes = f->network->nodes;
  for (int32_t a = 0; a < f->core_count; a++) {
    const int32_t i = f->core[a];
    for (int32_t k = f->graph->start[i]; k < f->graph->start[i + 1]; k++) {
      const int32_t near = f->graph->neighbours[k];
      if (degree(f->graph, near) == 1 && degree(f->graph, i) > 1) continue;
      const double x = nodes[near].x - nodes[i].x, y = nodes[near].y - nodes[i].y, pull = sqrt(x * x + y * y);
      f->dx[i] += x * pull;
      f->dy[i] += y * pull;
    }
    /* towards the middle, or parts that nothing joins would drift away */
    f->dx[i] -= 0.3 * nodes[i].x;
    f->dy[i] -= 0.3 * nodes[i].y;
  }
}

static void move(force *f, double most)
{
  for (int32_t a = 0; a < f->core_count; a++) {
    const int32_t i = f->core[a];
    const double length = sqrt(f->dx[i] * f->dx[i] + f->dy[i] * f->dy[i]);
    const double scale = length > most ? most / length : 1;
    f->network->nodes[i].x += f->dx[i] * scale;
    f->network->nodes[i].y += f->dy[i] * scale;
    f->dx[i] = f->dy[i] = 0;
  }
}

/* A spiral of seeds (Vogel, Mathematical Biosciences 44, 1979): no two nodes begin at one place, and none on a line. */
static void begin(force *f)
{
  for (int32_t a = 0; a < f->core_count; a++) {
    rh_network_node *node = &f->network->nodes[f->core[a]];
    const double angle = a * PI * (3 - sqrt(5.0)), radius = sqrt(a + 0.5);
    node->x = radius * cos(angle);
    node->y = radius * sin(angle);
  }
}

/* Around what they hang on, on the side that faces away from the middle; all around where there is no such side. */
static void hang_leaves(force *f)
{
  rh_network_node *nodes = f->network->nodes;
  const bool alone = f->core_count == 1;
  for (int32_t a = 0; a < f->core_count; a++) {
    const int32_t i = f->core[a];
    int32_t leaves = 0, k = 0;
    for (int32_t e = f->graph->start[i]; e < f->graph->start[i + 1]; e++)
      leaves += degree(f->graph, f->graph->neighbours[e]) == 1;
    const double out = atan2(nodes[i].y, nodes[i].x), span = alone ? 2 * PI : fmin(1.5 * PI, 0.5 + 0.3 * leaves);
    const double radius = fmax(0.9, 0.28 * leaves / span);
    for (int32_t e = f->graph->start[i]; e < f->graph->start[i + 1]; e++) {
      rh_network_node *leaf = &nodes[f->graph->neighbours[e]];
      if (degree(f->graph, f->graph->neighbours[e]) != 1) continue;
      const double angle = out + span * ((k++ + 0.5) / leaves - 0.5);
      leaf->x = nodes[i].x + radius * cos(angle);
      leaf->y = nodes[i].y + radius * sin(angle);
    }
  }
}

void network_force(rh_network *network, const network_graph *graph)
{
  const int32_t n = network->node_count;
  force f = {.network = network, .graph = graph};
  double *numbers = calloc(3 * (size_t)n + 1, sizeof *numbers);
  f.core = malloc(((size_t)n + 1) * sizeof *f.core);
  RH_ASSERT(numbers != NULL && f.core != NULL);
  f.dx = numbers + n;
  f.dy = f.dx + n;
  /* of two nodes that have only each other, the first is the core */
  for (int32_t i = 0; i < n; i++)
    if (degree(graph, i) != 1 ||
        (degree(graph, graph->neighbours[graph->start[i]]) == 1 && graph->neighbours[graph->start[i]] > i))
      f.core[f.core_count++] = i;
  for (int32_t a = 0; a < f.core_count; a++)
    numbers[f.core[a]] = weight(&f, f.core[a]);
  begin(&f);
  const double pairs = 0.5 * f.core_count * f.core_count + 1;
  const int32_t steps = (int32_t)fmin(STEPS_MOST, fmax(STEPS_LEAST, pairs_most / pairs));
  const double size = sqrt((double)f.core_count);
  for (int32_t t = 0; t < steps && f.core_count > 1; t++) {
    repel(&f, numbers);
    attract(&f);
    move(&f, 0.5 * size * (1 - (double)t / steps) + 1e-3);
  }
  hang_leaves(&f);
  free(f.core);
  free(numbers);
}
