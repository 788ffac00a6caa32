/* Rows of the network as a picture, and of who sent how much to whom. */
#include <math.h>

#include "store_private.h"

uint8_t rh_load_byte(double load)
{
  if (!(load > 0)) return 0;
  return (uint8_t)fmax(1, fmin(255, 255 + round(42 * log10(load))));
}

rh_status rh_store_put_network(void *context, const char *layout, int64_t lines_left_out)
{
  static const char sql[] = "INSERT INTO networks(run_id, layout, lines_left_out) VALUES (?, ?, ?)";
  rh_binder b = {0};
  rh_status status = rh_store_begin_row(context, sql, &b);
  if (status != RH_OK) return status;
  rh_bind_text(&b, layout);
  rh_bind_integer(&b, lines_left_out);
  return rh_store_end_row(context, &b);
}

rh_status rh_store_put_node(void *context, const rh_node_row *row)
{
  static const char sql[] =
      "INSERT INTO nodes(run_id, node, kind, name, rank, x, y) VALUES (?, ?, ?, ?, nullif(?, -1), ?, ?)";
  rh_binder b = {0};
  rh_status status = rh_store_begin_row(context, sql, &b);
  if (status != RH_OK) return status;
  rh_bind_integer(&b, row->node);
  rh_bind_text(&b, row->kind);
  rh_bind_text(&b, row->name);
  rh_bind_integer(&b, row->rank);
  rh_bind_finite(&b, "x", row->x);
  rh_bind_finite(&b, "y", row->y);
  return rh_store_end_row(context, &b);
}

rh_status rh_store_put_line(void *context, const rh_line_row *row)
{
  static const char sql[] = "INSERT INTO lines(run_id, line, link, from_node, to_node) VALUES (?, ?, ?, ?, ?)";
  rh_binder b = {0};
  rh_status status = rh_store_begin_row(context, sql, &b);
  if (status != RH_OK) return status;
  rh_bind_integer(&b, row->line);
  rh_bind_text(&b, row->link);
  rh_bind_integer(&b, row->from);
  rh_bind_integer(&b, row->to);
  return rh_store_end_row(context, &b);
}

rh_status rh_store_put_pair(void *context, const rh_pair_row *row)
{
  static const char sql[] = "INSERT INTO pairs(run_id, from_rank, to_rank, block, bytes) VALUES (?, ?, ?, ?, ?)";
  rh_binder b = {0};
  rh_status status = rh_store_begin_row(context, sql, &b);
  if (status != RH_OK) return status;
  rh_bind_integer(&b, row->from);
  rh_bind_integer(&b, row->to);
  rh_bind_integer(&b, row->block);
  rh_bind_integer(&b, row->bytes);
  return rh_store_end_row(context, &b);
}
