/* rehearse keys [SECTION] [--json]: what the sections of a study can say. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "listing.h"
#include "section_rows.h"

static void describe(const rh_section *section, rh_text *out)
{
  rh_option rows[RH_SECTION_ROWS_MAX];
  const size_t count = rh_section_rows(section->name, rows);
  const rh_registry *chosen = section->registry;
  rh_text_append(out, "%s: %s\n\n", section->name, section->summary);
  if (chosen)
    rh_text_append(out,
                   "  %-18s a %s; '"
                   "rehearse %s' lists them, 'rehearse %s NAME' the keys of one\n%20s default %s\n",
                   strchr(chosen->key, '.') + 1, chosen->singular, chosen->plural, chosen->plural, "",
                   chosen->fallback);
  rh_option_describe(rows, count, false, out);
}

static void describe_json(const rh_section *section, rh_text *out)
{
  rh_option rows[RH_SECTION_ROWS_MAX];
  const size_t count = rh_section_rows(section->name, rows);
  rh_text_append(out, "{\"name\": ");
  rh_text_append_json(out, section->name);
  rh_text_append(out, ", \"summary\": ");
  rh_text_append_json(out, section->summary);
  rh_text_append(out, ", \"chooses\": ");
  rh_text_append_json(out, section->registry ? section->registry->plural : NULL);
  rh_text_append(out, ", \"options\": ");
  rh_option_describe(rows, count, true, out);
  rh_text_append(out, "}");
}

static void list(bool json, rh_text *out)
{
  if (json) rh_text_append(out, "[");
  for (const rh_section *s = rh_sections; s->name; s++) {
    if (json) {
      rh_text_append(out, "%s", s == rh_sections ? "" : ",\n ");
      describe_json(s, out);
    } else {
      rh_text_append(out, "%-10s %s\n", s->name, s->summary);
    }
  }
  rh_text_append(out, json ? "]\n"
                           : "\n'rehearse keys SECTION' describes the keys of one. Beside sections a study has a name "
                             "and a question, and\nvary, zip, include and exclude, which make many runs of it "
                             "(experiments/studies.md).\n");
}

int rh_cmd_keys(int argc, char **argv)
{
  const rh_listing asked = rh_listing_parse(
      argc, argv, "SECTION", "Lists the sections of a study, or describes the keys of one: values, units, defaults.");
  const rh_section *section = asked.name ? rh_section_find(asked.name) : NULL;
  if (asked.name && !section)
    return rh_listing_unknown("keys", "section", asked.name, rh_text_nearest(asked.name, rh_section_name, NULL));
  rh_text out = {0};
  if (!section) {
    list(asked.json, &out);
  } else if (asked.json) {
    describe_json(section, &out);
    rh_text_append(&out, "\n");
  } else {
    describe(section, &out);
  }
  fputs(rh_text_get(&out), stdout);
  rh_text_clear(&out);
  return 0;
}
