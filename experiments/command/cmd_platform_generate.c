/* `rehearse platform -g KIND key=value ... -o FILE.xml`: writes a platform file, and the profiles beside it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "generate.h"
#include "output_file.h"
#include "platform_command.h"

/* A file beside the platform: its one folder is made if need be. */
static rh_status write_side_file(const char *folder, const rh_generated_file *side)
{
  rh_text path = {0};
  rh_status status = RH_OK;
  rh_text_append(&path, "%s%.*s", folder, (int)strcspn(side->name, "/"), side->name);
  if (mkdir(rh_text_get(&path), 0777) != 0 && errno != EEXIST) {
    status = rh_error(RH_EIO, "cannot make the folder '%s': %s", rh_text_get(&path), strerror(errno));
    goto done;
  }
  rh_text_append(&path, "%s", strchr(side->name, '/'));
  RH_TRY(rh_output_file_write(rh_text_get(&path), rh_text_get(&side->text), side->text.length));
done:
  rh_text_clear(&path);
  return status;
}

rh_status rh_platform_generate(const char *kind, size_t count, const char *const *assignments, const char *output)
{
  rh_generated generated = {0};
  rh_status status = RH_OK;
  char *folder = NULL;
  if (!output) return rh_error(RH_EINVAL, "where to? Give -o FILE.xml, or -o - for the terminal");
  const bool terminal = strcmp(output, "-") == 0;
  RH_TRY(rh_generate(kind, count, assignments, terminal ? "platform.xml" : output, &generated));
  if (terminal && generated.file_count > 0) {
    status = rh_error(RH_EINVAL, "%s writes %d files beside the platform: give -o FILE.xml", kind,
                      (int)generated.file_count);
    goto done;
  }
  if (terminal) {
    fputs(rh_text_get(&generated.xml), stdout);
    goto done;
  }
  folder = rh_text_directory(output);
  for (int32_t i = 0; i < generated.file_count; i++)
    RH_TRY(write_side_file(folder, &generated.files[i]));
  RH_TRY(rh_output_file_write(output, rh_text_get(&generated.xml),
                              generated.xml.length)); /* last: what it names is there */
done:
  free(folder);
  rh_generated_clear(&generated);
  return status;
}

/* "k^2 or k^3 (64)" of each key, one line each. */
static void append_keys(const rh_generator *kind, rh_text *out)
{
  for (int i = 0; i < RH_GENERATOR_KEYS && kind->keys[i].name; i++)
    rh_text_append(out, "    %-17s %s (%s)\n", kind->keys[i].name, kind->keys[i].summary, kind->keys[i].preset);
}

char *rh_platform_generate_help(void)
{
  rh_text out = {0};
  rh_text_append(&out, "Kinds for -g, their keys and what these are unless given:\n");
  for (size_t i = 0; rh_generator_at(i); i++) {
    rh_text_append(&out, "\n  %s: %s\n", rh_generator_at(i)->name, rh_generator_at(i)->summary);
    append_keys(rh_generator_at(i), &out);
  }
  return out.data;
}
