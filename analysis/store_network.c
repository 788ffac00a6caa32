/* The network as a picture, loads of links over time, and who sent how much to whom.
 *
 * A picture is a document: its nodes and lines are two JSON arrays in one row, not tens of thousands of rows, and so is
 * a link's series. The views `nodes`, `lines` and `link_bins` show them as rows.
 */
#include <inttypes.h>
#include <math.h>

#include "store_private.h"

uint8_t rh_load_byte(double load)
{
  if (!(load > 0)) return 0;
  return (uint8_t)fmax(1, fmin(255, 255 + round(42 * log10(load))));
}

/* Nine digits place a node more finely than any picture shows it. */
static void append_nodes(const rh_network_row *row, rh_text *out)
{
  rh_text_append(out, "[");
  for (int32_t i = 0; i < row->node_count; i++) {
    const rh_node_row *node = &row->nodes[i];
    rh_text_append(out, i ? ",[" : "[");
    rh_text_append_json(out, node->kind);
    rh_text_append(out, ",");
    rh_text_append_json(out, node->name);
    if (node->rank < 0)
      rh_text_append(out, ",null,%.9g,%.9g]", node->x, node->y);
    else
      rh_text_append(out, ",%d,%.9g,%.9g]", node->rank, node->x, node->y);
  }
  rh_text_append(out, "]");
}

static void append_lines(const rh_network_row *row, rh_text *out)
{
  rh_text_append(out, "[");
  for (int32_t i = 0; i < row->line_count; i++) {
    rh_text_append(out, i ? ",[" : "[");
    rh_text_append_json(out, row->lines[i].link);
    rh_text_append(out, ",%d,%d]", row->lines[i].from, row->lines[i].to);
  }
  rh_text_append(out, "]");
}

rh_status rh_store_put_network(void *context, const rh_network_row *row)
{
  static const char sql[] = "INSERT INTO networks(run_id, layout, lines_left_out, node_list, line_list)"
                            " VALUES (?, ?, ?, ?, ?)";
  for (int32_t i = 0; i < row->node_count; i++)
    if (!isfinite(row->nodes[i].x) || !isfinite(row->nodes[i].y))
      return rh_error(RH_EINVAL, "the picture of the network: node %d has no place", i);
  rh_text nodes = {0}, lines = {0};
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  append_nodes(row, &nodes);
  append_lines(row, &lines);
  rh_bind_text(&b, row->layout);
  rh_bind_integer(&b, row->lines_left_out);
  rh_bind_text(&b, rh_text_get(&nodes));
  rh_bind_text(&b, rh_text_get(&lines));
  const rh_status status = rh_store_end_row(context, &b);
  rh_text_clear(&nodes);
  rh_text_clear(&lines);
  return status;
}

rh_status rh_store_put_series(void *context, const rh_series_row *row)
{
  static const char sql[] = "INSERT INTO link_series(run_id, link, bin_list) VALUES (?, ?, ?)";
  rh_text bins = {0};
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  rh_bind_text(&b, row->link);
  rh_text_append(&bins, "[");
  for (int32_t k = 0; k < row->count; k++) {
    if (row->bytes[k] == 0) continue;
    if (!isfinite(row->loads[k])) b.bad = "load";
    rh_text_append(&bins, "%s[%d,%" PRId64 ",%.9g]", bins.length > 1 ? "," : "", k, row->bytes[k], row->loads[k]);
  }
  rh_text_append(&bins, "]");
  rh_bind_text(&b, rh_text_get(&bins));
  const rh_status status = rh_store_end_row(context, &b);
  rh_text_clear(&bins);
  return status;
}

rh_status rh_store_put_pair(void *context, const rh_pair_row *row)
{
  static const char sql[] = "INSERT INTO pairs(run_id, from_rank, to_rank, block, bytes) VALUES (?, ?, ?, ?, ?)";
  rh_binder b;
  rh_store_begin_row(context, sql, &b);
  rh_bind_integer(&b, row->from);
  rh_bind_integer(&b, row->to);
  rh_bind_integer(&b, row->block);
  rh_bind_integer(&b, row->bytes);
  return rh_store_end_row(context, &b);
}
