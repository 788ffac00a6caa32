/* Edges in the making, and the neighbour lists made of them. */
#include "edges.h"

#include <stdlib.h>

void *rh_graph_allocate(size_t count, size_t size)
{
  void *memory = calloc(count ? count : 1, size);
  RH_ASSERT(memory && "memory is exhausted");
  return memory;
}

void rh_edges_add(rh_edges *edges, int32_t from, int32_t to)
{
  if (from == to) return;
  if (edges->count == edges->size) {
    edges->size = edges->size ? 2 * edges->size : 256;
    rh_edge *list = realloc(edges->list, edges->size * sizeof *list);
    RH_ASSERT(list && "memory is exhausted");
    edges->list = list;
  }
  edges->list[edges->count++] = (rh_edge){from, to};
}

void rh_edges_add_both(rh_edges *edges, int32_t i, int32_t j)
{
  rh_edges_add(edges, i, j);
  rh_edges_add(edges, j, i);
}

static int by_from(const void *left, const void *right)
{
  const rh_edge *a = left, *b = right;
  return a->from != b->from ? (a->from < b->from ? -1 : 1) : (a->to > b->to) - (a->to < b->to);
}

static int by_to(const void *left, const void *right)
{
  const rh_edge *a = left, *b = right;
  return a->to != b->to ? (a->to < b->to ? -1 : 1) : (a->from > b->from) - (a->from < b->from);
}

/* Rows of neighbours from edges sorted by `row` end. */
static void fill_rows(const rh_edges *edges, bool out, int32_t workers, const int32_t **offset, const int32_t **list)
{
  int32_t *start = rh_graph_allocate((size_t)workers + 1, sizeof *start);
  int32_t *ends = rh_graph_allocate(edges->count, sizeof *ends);
  for (size_t k = 0; k < edges->count; k++) {
    start[(out ? edges->list[k].from : edges->list[k].to) + 1]++;
    ends[k] = out ? edges->list[k].to : edges->list[k].from;
  }
  for (int32_t i = 0; i < workers; i++)
    start[i + 1] += start[i];
  *offset = start;
  *list = ends;
}

static void drop_duplicates(rh_edges *edges)
{
  size_t kept = 0;
  for (size_t k = 0; k < edges->count; k++)
    if (kept == 0 || by_from(&edges->list[kept - 1], &edges->list[k]) != 0) edges->list[kept++] = edges->list[k];
  edges->count = kept;
}

void rh_edges_neighbours(rh_edges *edges, int32_t workers, rh_neighbours *neighbours)
{
  neighbours->workers = workers;
  if (edges->count) qsort(edges->list, edges->count, sizeof *edges->list, by_from);
  drop_duplicates(edges);
  fill_rows(edges, true, workers, &neighbours->out_offset, &neighbours->out);
  if (edges->count) qsort(edges->list, edges->count, sizeof *edges->list, by_to);
  fill_rows(edges, false, workers, &neighbours->in_offset, &neighbours->in);
}

void rh_edges_clear(rh_edges *edges)
{
  free(edges->list);
  *edges = (rh_edges){0};
}

void rh_neighbours_clear(rh_neighbours *neighbours)
{
  /* owned by graphs; collectives see them as const */
  free((void *)neighbours->out_offset);
  free((void *)neighbours->out);
  free((void *)neighbours->in_offset);
  free((void *)neighbours->in);
  *neighbours = (rh_neighbours){0};
}

/* The first worker that cannot be reached from worker 0 along (out) or against the edges; -1: none. */
static int32_t unreached(const int32_t *offset, const int32_t *list, int32_t workers)
{
  bool *seen = rh_graph_allocate((size_t)workers, sizeof *seen);
  int32_t *queue = rh_graph_allocate((size_t)workers, sizeof *queue);
  int32_t count = 1, first = -1;
  seen[0] = true;
  for (int32_t head = 0; head < count; head++) {
    for (int32_t k = offset[queue[head]]; k < offset[queue[head] + 1]; k++) {
      if (seen[list[k]]) continue;
      seen[list[k]] = true;
      queue[count++] = list[k];
    }
  }
  for (int32_t i = 0; count < workers && first < 0; i++)
    if (!seen[i]) first = i;
  free(seen);
  free(queue);
  return first;
}

bool rh_neighbours_connected(const rh_neighbours *n, rh_edge *missing)
{
  *missing = (rh_edge){0, unreached(n->out_offset, n->out, n->workers)};
  if (missing->to >= 0) return false;
  *missing = (rh_edge){unreached(n->in_offset, n->in, n->workers), 0};
  return missing->from < 0;
}
