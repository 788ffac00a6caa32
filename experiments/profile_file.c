/* Profiles as JSON, which YAML 1.2 contains. */
#include <libfyaml.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

/* The finite number `key` of an entry; false if it has none. */
static bool number(struct fy_node *entry, const char *key, double *value)
{
  struct fy_node *node = fy_node_mapping_lookup_by_string(entry, key, FY_NT);
  size_t length = 0;
  const char *text = node ? fy_node_get_scalar(node, &length) : NULL;
  char buffer[64];
  if (!text || length == 0 || length >= sizeof buffer) return false;
  memcpy(buffer, text, length);
  buffer[length] = '\0';
  char *end;
  *value = strtod(buffer, &end);
  return *end == '\0' && isfinite(*value);
}

static char *text_of(struct fy_node *entry, const char *key)
{
  struct fy_node *node = fy_node_mapping_lookup_by_string(entry, key, FY_NT);
  size_t length = 0;
  const char *text = node ? fy_node_get_scalar(node, &length) : NULL;
  if (!text || length == 0) return NULL;
  rh_text copy = {0};
  rh_text_append_bytes(&copy, text, length);
  return copy.data;
}

static rh_status read_entry(struct fy_node *entry, const char *where, int index, rh_profile *profile)
{
  double samples, median_s, low_s, high_s;
  char *name = text_of(entry, "name");
  bool ok = name && number(entry, "samples", &samples) && number(entry, "median_s", &median_s) &&
            number(entry, "low_s", &low_s) && number(entry, "high_s", &high_s) && samples >= 1 && samples < 1e9 &&
            median_s > 0;
  if (ok) rh_profile_set(profile, name, (int32_t)samples, median_s, low_s, high_s);
  free(name);
  return ok ? RH_OK
            : rh_error(RH_EFORMAT, "%s: durations[%d]: name, samples, median_s, low_s and high_s are needed", where,
                       index);
}

static void print_nothing(struct fy_diag *diag, void *user, const char *text, size_t length)
{
  (void)diag, (void)user, (void)text, (void)length;
}

/* libfyaml's diagnostics without its printing. */
static struct fy_diag *quiet_diagnostics(void)
{
  struct fy_diag_cfg quiet;
  fy_diag_cfg_default(&quiet);
  quiet.fp = NULL;
  quiet.output_fn = print_nothing;
  struct fy_diag *diag = fy_diag_create(&quiet);
  RH_ASSERT(diag && "memory is exhausted");
  return diag;
}

rh_status rh_profile_read(const char *text, const char *where, rh_profile *profile)
{
  rh_status status = RH_OK;
  struct fy_diag *diag = quiet_diagnostics();
  struct fy_parse_cfg quiet = {.flags = FYPCF_QUIET, .diag = diag};
  struct fy_document *document = fy_document_build_from_string(&quiet, text, strlen(text));
  struct fy_node *root = document ? fy_document_root(document) : NULL;
  struct fy_node *list = root ? fy_node_mapping_lookup_by_string(root, "durations", FY_NT) : NULL;
  if (!list || !fy_node_is_sequence(list)) {
    status = rh_error(RH_EFORMAT, "%s: no profile: a JSON object with a list 'durations' is needed", where);
    goto done;
  }
  profile->device = text_of(root, "device");
  void *at = NULL;
  int index = 0;
  for (struct fy_node *entry; (entry = fy_node_sequence_iterate(list, &at));)
    RH_TRY(read_entry(entry, where, index++, profile));
done:
  fy_document_destroy(document);
  fy_diag_destroy(diag);
  if (status != RH_OK) rh_profile_clear(profile);
  return status;
}
