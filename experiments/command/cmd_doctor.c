/* rehearse doctor [--json]: what this program is made of and runs on, what is missing and what mends it. */
#include <argp.h>
#include <dirent.h>
#include <gsl/gsl_version.h>
#include <libfyaml.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

#include "backend.h"
#include "blas_kernel.h"
#include "commands.h"
#include "cuda_module.h"
#include "machine.h"
#include "platform.h"
#include "process.h"
#include "share.h"
#include "unit.h"

/* The findings are written as they are made. */
typedef struct report {
  bool json;
  int count, missing;
  rh_text out;
} report;

/* One finding. remedy: what mends it, NULL where nothing is missing. */
static void add(report *r, const char *name, const char *value, const char *remedy)
{
  if (remedy) r->missing++;
  if (!r->json) {
    rh_text_append(&r->out, "%-3s %-14s %s\n", remedy ? "--" : "ok", name, value);
    if (remedy) rh_text_append(&r->out, "%-18s   to mend: %s\n", "", remedy);
    return;
  }
  rh_text_append(&r->out, "%s{\"name\": ", r->count++ ? ",\n " : "");
  rh_text_append_json(&r->out, name);
  rh_text_append(&r->out, ", \"value\": ");
  rh_text_append_json(&r->out, value);
  rh_text_append(&r->out, ", \"ok\": %s, \"remedy\": ", remedy ? "false" : "true");
  rh_text_append_json(&r->out, remedy);
  rh_text_append(&r->out, "}");
}

static void add_kernel(report *r)
{
  const char *kernel = rh_backend_cpu.kernel(), *replaced = rh_blas_kernel_replaced(),
             *asked = getenv("OPENBLAS_CORETYPE");
  const char *better = rh_blas_kernel_better(strrchr(kernel, ' ') + 1, rh_vector_of_processor());
  rh_text value = {0}, remedy = {0};
  rh_text_append(&value, "%s", kernel);
  if (replaced)
    rh_text_append(&value, " (by itself the library takes %s; OPENBLAS_CORETYPE=%s keeps that)", replaced, replaced);
  else if (asked)
    rh_text_append(&value, " (OPENBLAS_CORETYPE is %s)", asked);
  const bool taken = !asked || strcasecmp(asked, strrchr(kernel, ' ') + 1) == 0;
  if (!taken) rh_text_append(&remedy, "unset OPENBLAS_CORETYPE, or name a kernel that OpenBLAS has and runs here");
  if (better && taken)
    rh_text_append(&remedy, "unset OPENBLAS_CORETYPE (this processor runs %s, about twice as fast)", better);
  add(r, "BLAS kernel", value.data, remedy.data);
  rh_text_clear(&value);
  rh_text_clear(&remedy);
}

static void add_libraries(report *r)
{
  char text[64];
  unsigned xxhash = XXH_versionNumber();
  add(r, "rehearse", RH_VERSION, NULL);
  add(r, "network", rh_platform_version(), NULL);
  add_kernel(r);
  add(r, "GSL", gsl_version, NULL);
  add(r, "SQLite", sqlite3_libversion(), NULL);
  add(r, "libfyaml", fy_library_version(), NULL);
  snprintf(text, sizeof text, "%u.%u.%u", xxhash / 10000, xxhash / 100 % 100, xxhash % 100);
  add(r, "xxHash", text, NULL);
  add(r, "zlib", zlibVersion(), NULL);
}

static void add_machine(report *r)
{
  char text[64], memory[32];
  snprintf(text, sizeof text, "%d", rh_machine_cores());
  add(r, "cores", text, NULL);
  add(r, "memory", rh_unit_format((double)rh_machine_memory_bytes(), RH_UNIT_BYTE, memory, sizeof memory), NULL);
}

static void add_cuda(report *r)
{
  rh_cuda_info info = {0};
  rh_text value = {0};
  if (rh_cuda_module_load(&info) != RH_OK) {
    const bool needed = rh_cuda_driver_found();
    add(r, "CUDA",
        needed ? "no module that can be used; rehearse runs on the CPU"
               : "no NVIDIA driver here; rehearse runs on the CPU",
        needed ? rh_error_message() : NULL);
    return;
  }
  if (info.device_count == 0) {
    rh_text_append(&value, "module for CUDA %d.%d; no device, so rehearse runs on the CPU", info.runtime / 1000,
                   info.runtime % 1000 / 10);
    add(r, "CUDA", value.data, info.reason);
  } else {
    rh_text_append(&value, "%s, %d device%s, CUDA %d.%d, driver for %d.%d: %s", info.device, info.device_count,
                   info.device_count == 1 ? "" : "s", info.runtime / 1000, info.runtime % 1000 / 10, info.driver / 1000,
                   info.driver % 1000 / 10, info.operations);
    add(r, "CUDA", value.data, NULL);
  }
  rh_text_clear(&value);
}

/* Files in a directory whose names end with `suffix`; -1 if there is no such directory. */
static int count_files(const char *path, const char *suffix)
{
  DIR *directory = opendir(path);
  int count = 0;
  if (!directory) return -1;
  for (const struct dirent *entry; (entry = readdir(directory));) {
    size_t length = strlen(entry->d_name), tail = strlen(suffix);
    count += length > tail && strcmp(entry->d_name + length - tail, suffix) == 0;
  }
  closedir(directory);
  return count;
}

static void add_files(report *r, const char *kind, const char *suffix)
{
  int count = -1;
  rh_text path = {0}, value = {0};
  for (size_t i = 0; count <= 0; i++) {
    rh_text_clear(&path);
    if (!rh_share_directory(i, &path)) break;
    rh_text_append(&path, "%s", kind);
    count = count_files(path.data, suffix);
  }
  if (count > 0)
    rh_text_append(&value, "%d in %s", count, path.data);
  else
    rh_text_append(&value, "none found");
  add(r, kind, value.data, count > 0 ? NULL : "cmake --install BUILD_DIRECTORY");
  rh_text_clear(&path);
  rh_text_clear(&value);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  (void)arg;
  if (key != RH_KEY_JSON) return ARGP_ERR_UNKNOWN;
  *(bool *)state->input = true;
  return 0;
}

int rh_cmd_doctor(int argc, char **argv)
{
  static const struct argp_option options[] = {{"json", RH_KEY_JSON, 0, 0, "print JSON", 0}, {0}};
  static const struct argp parser = {
      options, parse_option, "", "Libraries, machine and files; what is missing and what mends it.", NULL, NULL, NULL};
  report r = {0};
  argp_parse(&parser, argc, argv, 0, NULL, &r.json);
  if (r.json) rh_text_append(&r.out, "[");
  add_libraries(&r);
  add_machine(&r);
  add_cuda(&r);
  add_files(&r, "platforms", ".xml");
  add_files(&r, "experiments", ".yaml");
  if (r.json) rh_text_append(&r.out, "]\n");
  fputs(rh_text_get(&r.out), stdout);
  rh_text_clear(&r.out);
  return 0;
}
