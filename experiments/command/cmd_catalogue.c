/* rehearse methods | models | compressors | datasets | collectives | graphs [NAME] [--json] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "listing.h"
#include "section_rows.h"

static const rh_registry *registry_of(const char *plural)
{
  for (size_t i = 0; rh_registries[i]; i++)
    if (strcmp(rh_registries[i]->plural, plural) == 0) return rh_registries[i];
  return NULL;
}

static size_t common_rows(const rh_registry *registry, rh_option *rows)
{
  return registry->section ? rh_section_rows(registry->section, rows) : 0;
}

static void describe(const rh_registry *registry, const rh_component *component, rh_text *out)
{
  rh_option rows[RH_SECTION_ROWS_MAX];
  const size_t count = common_rows(registry, rows);
  rh_text_append(out, "%s\n%s\n\n", component->name, component->summary);
  if (registry->key) rh_text_append(out, "%-12s %s: %s\n", "study", registry->key, component->name);
  if (registry->details) registry->details(component, false, out);
  rh_text_append(out, "%-12s %s\n", "source", component->source ? component->source : "our own");
  if (component->option_count > 0) {
    rh_text_append(out, "\nKeys of section %s for this %s:\n", registry->section, registry->singular);
    rh_option_describe(component->options, component->option_count, false, out);
  }
  if (count > 0) {
    rh_text_append(out, "\nKeys of section %s for every %s:\n", registry->section, registry->singular);
    rh_option_describe(rows, count, false, out);
  }
}

static void describe_json(const rh_registry *registry, const rh_component *component, rh_text *out)
{
  rh_text_append(out, "{\"name\": ");
  rh_text_append_json(out, component->name);
  rh_text_append(out, ", \"summary\": ");
  rh_text_append_json(out, component->summary);
  rh_text_append(out, ", \"source\": ");
  rh_text_append_json(out, component->source);
  rh_text_append(out, ", \"key\": ");
  rh_text_append_json(out, registry->key);
  if (registry->details) registry->details(component, true, out);
  rh_text_append(out, ", \"options\": ");
  rh_option_describe(component->options, component->option_count, true, out);
  if (registry->section) {
    rh_option rows[RH_SECTION_ROWS_MAX];
    const size_t count = common_rows(registry, rows);
    rh_text_append(out, ", \"common_options\": ");
    rh_option_describe(rows, count, true, out);
  }
  rh_text_append(out, "}");
}

/* Columns that names take, at least as many as in most listings. */
static int name_width(const rh_registry *registry)
{
  size_t width = 18;
  for (size_t i = 0; rh_registry_name(registry, i); i++)
    if (strlen(rh_registry_name(registry, i)) > width) width = strlen(rh_registry_name(registry, i));
  return (int)width;
}

static void list(const rh_registry *registry, bool json, rh_text *out)
{
  const int width = name_width(registry);
  rh_component component;
  if (json) rh_text_append(out, "[");
  for (size_t i = 0; registry->get(i, &component); i++) {
    if (json) {
      rh_text_append(out, "%s", i ? ",\n " : "");
      describe_json(registry, &component, out);
    } else {
      rh_text_append(out, "%-*s %s\n", width, component.name, component.summary);
    }
  }
  if (json)
    rh_text_append(out, "]\n");
  else
    rh_text_append(out, "\n'rehearse %s NAME' describes one.\n", registry->plural);
}

int rh_cmd_catalogue(int argc, char **argv)
{
  const char *command = strrchr(argv[0], ' ');
  const rh_registry *registry = registry_of(command ? command + 1 : argv[0]);
  RH_ASSERT(registry && "main dispatches only to listings that exist");
  const rh_listing asked = rh_listing_parse(
      argc, argv, "NAME", "Lists what a study can choose, or describes one: options, defaults, source.");

  rh_text out = {0};
  rh_component component;
  if (!asked.name) {
    list(registry, asked.json, &out);
  } else if (!rh_registry_find(registry, asked.name, &component)) {
    return rh_listing_unknown(registry->plural, registry->singular, asked.name,
                              rh_text_nearest(asked.name, rh_registry_name, registry));
  } else if (asked.json) {
    describe_json(registry, &component, &out);
    rh_text_append(&out, "\n");
  } else {
    describe(registry, &component, &out);
  }
  fputs(rh_text_get(&out), stdout);
  rh_text_clear(&out);
  return 0;
}
