/* Sections of a study, for listings. See section_rows.h. */
#include "section_rows.h"

#include <string.h>

#include "dataset.h"
#include "run.h"

const rh_section rh_sections[] = {
    {"platform", "which network, and who works on it", NULL},
    {"network", "how messages travel, where the platform's file is not to decide", NULL},
    {"graph", "who exchanges models with whom, under methods that gossip", &rh_registry_graphs},
    {"data", "what is learned from, and who holds which part", &rh_registry_datasets},
    {"model", "what is trained", &rh_registry_models},
    {"train", "by which method, and how a worker steps", &rh_registry_methods},
    {"compress", "what messages are made of", &rh_registry_compressors},
    {"time", "where the seconds of computing come from", NULL},
    {"run", "what computes, with what; seed, files of models, traces", NULL},
    {"stop", "when a run ends before its last round", NULL},
    {NULL, NULL, NULL},
};

const rh_section *rh_section_find(const char *name)
{
  for (const rh_section *s = rh_sections; s->name; s++)
    if (strcmp(s->name, name) == 0) return s;
  return NULL;
}

const char *rh_section_name(const void *context, size_t i)
{
  (void)context;
  return i < RH_COUNT(rh_sections) ? rh_sections[i].name : NULL;
}

static void add_rows(const rh_option *more, size_t more_count, rh_option *rows, size_t *count)
{
  RH_ASSERT(*count + more_count <= RH_SECTION_ROWS_MAX);
  for (size_t i = 0; i < more_count; i++)
    rows[(*count)++] = more[i];
}

size_t rh_section_rows(const char *section, rh_option *rows)
{
  size_t count = 0, fixed_count = 0;
  const rh_option *fixed = rh_run_section(section, &fixed_count);
  add_rows(fixed, fixed_count, rows, &count);
  if (strcmp(section, "data") == 0) add_rows(rh_partition_options, rh_partition_option_count, rows, &count);
  if (strcmp(section, "compress") == 0) add_rows(rh_feedback_rows, rh_feedback_row_count, rows, &count);
  if (strcmp(section, "train") == 0) {
    add_rows(rh_optimiser_rows, rh_optimiser_row_count, rows, &count);
    add_rows(rh_rate_rows, rh_rate_row_count, rows, &count);
    add_rows(rh_mask_rows, rh_mask_row_count, rows, &count);
  }
  return count;
}
