/* The network as a picture, after the run. See execute_network.h. */
#include "execute_network.h"

#include <stdlib.h>

#include "network.h"

static int descending(const void *a, const void *b)
{
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x < y) - (x > y);
}

/* The fewest bytes that a link in the picture carries, so that at most RH_EXECUTE_LINES_MAX lines are in it. */
static int64_t least_bytes(const rh_schedule *schedule, const rh_network *network)
{
  if (network->line_count <= RH_EXECUTE_LINES_MAX) return 0;
  int64_t *bytes = malloc((size_t)network->line_count * sizeof *bytes);
  RH_ASSERT(bytes != NULL);
  for (int32_t i = 0; i < network->line_count; i++)
    bytes[i] = rh_schedule_link_time(schedule, network->lines[i].link).bytes;
  qsort(bytes, (size_t)network->line_count, sizeof *bytes, descending);
  const int64_t least = bytes[RH_EXECUTE_LINES_MAX] + 1;
  free(bytes);
  return least;
}

static rh_node_row *find_nodes(const rh_network *network)
{
  static const char *const kinds[] = {[RH_NODE_HOST] = "host", [RH_NODE_SWITCH] = "switch", [RH_NODE_AIR] = "air"};
  rh_node_row *rows = malloc(((size_t)network->node_count + 1) * sizeof *rows);
  RH_ASSERT(rows != NULL);
  for (int32_t i = 0; i < network->node_count; i++) {
    const rh_network_node *n = &network->nodes[i];
    rows[i] = (rh_node_row){.kind = kinds[n->kind], .name = n->name, .rank = n->rank, .x = n->x, .y = n->y};
  }
  return rows;
}

/* The lines of the picture, *count of them. */
static rh_line_row *find_lines(const rh_schedule *schedule, const rh_platform *platform, const rh_network *network,
                               int32_t *count)
{
  const int64_t least = least_bytes(schedule, network);
  rh_line_row *rows = malloc(((size_t)network->line_count + 1) * sizeof *rows);
  RH_ASSERT(rows != NULL);
  *count = 0;
  for (int32_t i = 0; i < network->line_count; i++) {
    const rh_network_line *l = &network->lines[i];
    if (rh_schedule_link_time(schedule, l->link).bytes < least) continue;
    rows[(*count)++] = (rh_line_row){rh_platform_link_name(platform, l->link), l->from, l->to};
  }
  return rows;
}

static rh_status record_picture(const rh_schedule *schedule, const rh_platform *platform, const rh_network *network,
                                const rh_recorder *recorder)
{
  rh_network_row row = {.layout = network->layout, .node_count = network->node_count};
  rh_node_row *nodes = find_nodes(network);
  rh_line_row *lines = find_lines(schedule, platform, network, &row.line_count);
  row.nodes = nodes;
  row.lines = lines;
  row.lines_left_out = network->line_count - row.line_count;
  const rh_status status = recorder->network(recorder->context, &row);
  free(nodes);
  free(lines);
  return status;
}

static rh_status record_pairs(const rh_pairs *pairs, const rh_recorder *recorder)
{
  rh_status status = RH_OK;
  for (int32_t i = 0; i < pairs->side * pairs->side; i++) {
    const rh_pair_row row = {.from = i / pairs->side * pairs->block,
                             .to = i % pairs->side * pairs->block,
                             .block = pairs->block,
                             .bytes = pairs->bytes[i]};
    if (row.bytes > 0) RH_TRY(recorder->pair(recorder->context, &row));
  }
done:
  return status;
}

rh_status rh_execute_network(const rh_schedule *schedule, const rh_platform *platform, const rh_recorder *recorder)
{
  rh_network network;
  rh_network_find(platform, &network);
  rh_status status;
  RH_TRY(record_picture(schedule, platform, &network, recorder));
  status = record_pairs(rh_schedule_pairs(schedule), recorder);
done:
  rh_network_clear(&network);
  return status;
}
