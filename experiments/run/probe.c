/* The parent's side of the probe: never calls SimGrid. See probe.h. */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "probe_private.h"
#include "process.h"

rh_status rh_probe_run(const char *file, const char *const *argv, rh_text *out, bool *at_pair)
{
  rh_text said = {0};
  int exit_code;
  *at_pair = false;
  /* no limit: the child has its own, and says where it was */
  rh_status status = rh_process_run(argv, 0, rh_children_interrupted, out, &said, &exit_code);
  if (status == RH_OK && (exit_code != 0 || strstr(rh_text_get(&said), "Deprecated unit-less value")))
    status = rh_probe_translate(file, rh_text_get(&said), exit_code, at_pair);
  rh_text_clear(&said);
  return status;
}

/* Writes the edges as "from to" lines into a new temporary file; its path is owned by the caller. */
static rh_status write_pairs(const rh_neighbours *neighbours, char **path)
{
  const char *directory = getenv("TMPDIR");
  rh_text name = {0};
  rh_text_append(&name, "%s/rehearse-pairs-XXXXXX", directory && *directory ? directory : "/tmp");
  *path = name.data;
  int fd = mkstemp(*path);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
  if (!file) {
    rh_status status = rh_error(RH_EIO, "cannot make a temporary file '%s': %s", *path, strerror(errno));
    if (fd >= 0) close(fd);
    return status;
  }
  for (int32_t from = 0; from < neighbours->workers; from++)
    for (int32_t i = neighbours->out_offset[from]; i < neighbours->out_offset[from + 1]; i++)
      fprintf(file, "%d %d\n", from, neighbours->out[i]);
  bool failed = ferror(file);
  if (fclose(file) != 0 || failed) return rh_error(RH_EIO, "cannot write '%s': %s", *path, strerror(errno));
  return RH_OK;
}

/* The value of "key=..." in the child's output, into `value`. */
static bool read_value(const char *output, const char *key, char *value, size_t size)
{
  size_t length = strlen(key);
  for (const char *line = output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    if (strncmp(line, key, length) != 0 || line[length] != '=') continue;
    snprintf(value, size, "%.*s", (int)strcspn(line + length + 1, "\n"), line + length + 1);
    return true;
  }
  return false;
}

/* "plain=3" and "device=NAME" lines. */
static rh_status read_devices(const char *file, const char *output, rh_probe *probe)
{
  char plain[16];
  rh_text names = {0};
  if (!read_value(output, "plain", plain, sizeof plain))
    return rh_error(RH_EFORMAT, "%s: the probe does not say which devices its hosts are", file);
  probe->plain = (int32_t)strtol(plain, NULL, 10);
  for (const char *line = output; *line; line += strcspn(line, "\n"), line += *line == '\n')
    if (strncmp(line, "device=", 7) == 0) rh_text_append_bytes(&names, line + 7, strcspn(line + 7, "\n") + 1);
  const bool fits = names.length < sizeof probe->devices;
  snprintf(probe->devices, sizeof probe->devices, "%s", rh_text_get(&names));
  rh_text_clear(&names);
  return fits ? RH_OK
              : rh_error(RH_EUNSUPPORTED, "%s: the names of its hosts' devices take more than %zu characters", file,
                         sizeof probe->devices - 1);
}

static rh_status read_answer(const char *file, const char *output, rh_probe *probe)
{
  char hosts[16], links[16];
  if (!read_value(output, "model", probe->model, sizeof probe->model) ||
      !read_value(output, "version", probe->version, sizeof probe->version) ||
      !read_value(output, "hosts", hosts, sizeof hosts) || !read_value(output, "links", links, sizeof links))
    return rh_error(RH_EFORMAT, "%s: the probe ended well, but its answer is incomplete: '%s'", file, output);
  probe->hosts = (int32_t)strtol(hosts, NULL, 10);
  probe->links = (int32_t)strtol(links, NULL, 10);
  return read_devices(file, output, probe);
}

rh_status rh_probe_platform(const rh_platform_def *def, const rh_neighbours *neighbours, bool ring, rh_probe *probe)
{
  rh_text out = {0};
  rh_status status = RH_OK;
  char workers[16], *pairs = NULL;
  const char *argv[16] = {"rehearse", "_probe", "--workers", workers};
  int argc = 4;
  bool at_pair;
  if (def->workers < 1)
    return rh_error(RH_EINVAL, "platform.workers: %d workers: at least one is needed", def->workers);
  snprintf(workers, sizeof workers, "%d", def->workers);
  const char *const given[][2] = {
      {"--model", def->model}, {"--hostfile", def->hostfile}, {"--deployment", def->deployment}};
  for (size_t i = 0; i < 3; i++)
    if (given[i][1] && *given[i][1]) {
      argv[argc++] = given[i][0];
      argv[argc++] = given[i][1];
    }
  if (ring) argv[argc++] = "--ring";
  if (neighbours) {
    RH_TRY(write_pairs(neighbours, &pairs));
    argv[argc++] = "--pairs";
    argv[argc++] = pairs;
  }
  argv[argc++] = "--"; /* a file's name may begin with a dash */
  argv[argc] = def->file;
  RH_TRY(rh_probe_run(def->file, argv, &out, &at_pair));
  RH_TRY(read_answer(def->file, rh_text_get(&out), probe));
done:
  if (pairs) unlink(pairs);
  free(pairs);
  rh_text_clear(&out);
  return status;
}
