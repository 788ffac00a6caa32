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

static rh_status record_nodes(const rh_network *network, const rh_recorder *recorder)
{
  static const char *const kinds[] = {[RH_NODE_HOST] = "host", [RH_NODE_SWITCH] = "switch", [RH_NODE_AIR] = "air"};
  rh_status status = RH_OK;
  for (int32_t i = 0; i < network->node_count; i++) {
    const rh_network_node *n = &network->nodes[i];
    const rh_node_row row = {.node = i, .kind = kinds[n->kind], .name = n->name, .rank = n->rank, .x = n->x, .y = n->y};
    RH_TRY(recorder->node(recorder->context, &row));
  }
done:
  return status;
}

static rh_status record_lines(const rh_schedule *schedule, const rh_platform *platform, const rh_network *network,
                              const rh_recorder *recorder)
{
  rh_status status = RH_OK;
  const int64_t least = least_bytes(schedule, network);
  int64_t left_out = 0;
  for (int32_t i = 0; i < network->line_count && least > 0; i++)
    left_out += rh_schedule_link_time(schedule, network->lines[i].link).bytes < least;
  RH_TRY(recorder->network(recorder->context, network->layout, left_out));
  for (int32_t i = 0; i < network->line_count; i++) {
    const rh_network_line *l = &network->lines[i];
    if (rh_schedule_link_time(schedule, l->link).bytes < least) continue;
    const rh_line_row row = {.line = i, .link = rh_platform_link_name(platform, l->link), .from = l->from, .to = l->to};
    RH_TRY(recorder->line(recorder->context, &row));
  }
done:
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
  RH_TRY(record_lines(schedule, platform, &network, recorder));
  RH_TRY(record_nodes(&network, recorder));
  status = record_pairs(rh_schedule_pairs(schedule), recorder);
done:
  rh_network_clear(&network);
  return status;
}
