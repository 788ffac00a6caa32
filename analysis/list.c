/* `list`: one line, or one JSON object, per run. */
#include <math.h>
#include <stdio.h>

#include "grid.h"
#include "unit.h"
#include "varied.h"

enum { LIST_WIDTH = 120 };

static void add_number(rh_grid *grid, const char *format, double value)
{
  char buffer[64];
  snprintf(buffer, sizeof buffer, format, value);
  rh_grid_add_cell(grid, isnan(value) ? "-" : buffer);
}

void rh_list_write(const rh_run_list *runs, rh_text *out)
{
  if (runs->count == 0) {
    rh_text_append(out, "no runs\n");
    return;
  }
  rh_grid grid = {0};
  rh_grid_add_column(&grid, "id", RH_GRID_LEFT);
  rh_grid_add_column(&grid, "study", RH_GRID_LEFT | RH_GRID_SHRINK);
  rh_grid_add_column(&grid, "platform", RH_GRID_LEFT | RH_GRID_SHRINK);
  rh_grid_add_column(&grid, "workers", RH_GRID_RIGHT);
  rh_grid_add_column(&grid, "method", RH_GRID_LEFT | RH_GRID_SHRINK);
  rh_grid_add_column(&grid, "compressor", RH_GRID_LEFT | RH_GRID_SHRINK);
  rh_grid_add_column(&grid, "seed", RH_GRID_RIGHT | RH_GRID_SHRINK);
  rh_grid_add_column(&grid, "status", RH_GRID_LEFT);
  rh_grid_add_column(&grid, "accuracy", RH_GRID_RIGHT);
  rh_grid_add_column(&grid, "simulated", RH_GRID_RIGHT);
  rh_grid_add_column(&grid, "sent", RH_GRID_RIGHT);
  rh_grid_add_column(&grid, "wall", RH_GRID_RIGHT);
  for (int32_t i = 0; i < runs->count; i++) {
    const rh_run_summary *run = &runs->list[i];
    char buffer[64];
    snprintf(buffer, sizeof buffer, "%.8s", run->id);
    rh_grid_add_cell(&grid, buffer);
    rh_grid_add_cell(&grid, run->study);
    rh_grid_add_cell(&grid, run->platform);
    add_number(&grid, "%.0f", run->workers);
    rh_grid_add_cell(&grid, run->method);
    rh_grid_add_cell(&grid, run->compressor);
    snprintf(buffer, sizeof buffer, "%lld", (long long)run->seed);
    rh_grid_add_cell(&grid, buffer);
    rh_grid_add_cell(&grid, run->status);
    if (run->timing_only)
      rh_grid_add_cell(&grid, "timing only");
    else if (rh_run_diverged(run))
      rh_grid_add_cell(&grid, "diverged");
    else
      add_number(&grid, "%.1f %%", 100 * run->accuracy);
    rh_grid_add_cell(&grid, rh_unit_format(run->simulated_s, RH_UNIT_SECOND, buffer, sizeof buffer));
    rh_grid_add_cell(&grid, rh_unit_format((double)run->wire_bytes, RH_UNIT_BYTE, buffer, sizeof buffer));
    rh_grid_add_cell(&grid, rh_unit_format(run->wall_s, RH_UNIT_SECOND, buffer, sizeof buffer));
  }
  rh_grid_write(&grid, 0, LIST_WIDTH, out);
  rh_grid_clear(&grid);
}

static void write_text(rh_text *out, const char *name, const char *value)
{
  rh_text_append(out, "\"%s\": ", name);
  rh_text_append_json(out, value);
  rh_text_append(out, ", ");
}

static void write_integer(rh_text *out, const char *name, int64_t value)
{
  rh_text_append(out, "\"%s\": %lld, ", name, (long long)value);
}

static void write_real(rh_text *out, const char *name, double value)
{
  rh_text_append(out, "\"%s\": ", name);
  rh_text_append_json_number(out, value);
  rh_text_append(out, ", ");
}

static void write_run(const rh_run_summary *run, rh_text *out)
{
  rh_text_append(out, "{");
  write_text(out, "id", run->id);
  write_text(out, "study", run->study);
  write_text(out, "platform", run->platform);
  write_text(out, "network_model", run->network_model);
  write_integer(out, "workers", run->workers);
  write_text(out, "method", run->method);
  write_text(out, "compressor", run->compressor);
  write_text(out, "model", run->model);
  write_text(out, "dataset", run->dataset);
  write_text(out, "graph", run->graph);
  write_integer(out, "seed", run->seed);
  write_text(out, "status", run->status);
  write_text(out, "reason", run->reason);
  write_integer(out, "rounds", run->rounds);
  write_integer(out, "parameters", run->parameters);
  rh_text_append(out, "\"timing_only\": %s, ", run->timing_only ? "true" : "false");
  write_real(out, "accuracy", run->accuracy);
  write_real(out, "target_accuracy", run->target_accuracy);
  write_real(out, "time_to_target_s", run->time_to_target_s);
  write_real(out, "bytes_to_target", run->bytes_to_target);
  write_real(out, "simulated_s", run->simulated_s);
  write_integer(out, "wire_bytes", run->wire_bytes);
  write_real(out, "closed_form_ratio", run->closed_form_ratio);
  write_text(out, "busiest_link", run->busiest_link);
  write_real(out, "busiest_load", run->busiest_load);
  write_real(out, "wall_s", run->wall_s);
  write_integer(out, "peak_memory_bytes", run->peak_memory_bytes);
  write_text(out, "parameters_hash", run->parameters_hash);
  rh_text_append(out, "\"configuration\": ");
  rh_configuration_write_json(run->configuration, out);
  rh_text_append(out, "}");
}

void rh_list_write_json(const rh_run_list *runs, rh_text *out)
{
  rh_text_append(out, "[");
  for (int32_t i = 0; i < runs->count; i++) {
    rh_text_append(out, "%s\n  ", i ? "," : "");
    write_run(&runs->list[i], out);
  }
  rh_text_append(out, "%s]\n", runs->count ? "\n" : "");
}
