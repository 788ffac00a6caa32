/* Profiles as JSON, which YAML 1.2 contains. */
#include "profile_file.h"

#include <libfyaml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output_file.h"
#include "run.h"

/* A node's finite number; false if it is none. */
static bool number_of(struct fy_node *node, double *value)
{
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

/* The finite number `key` of an entry; false if it has none. */
static bool number(struct fy_node *entry, const char *key, double *value)
{
  return number_of(fy_node_mapping_lookup_by_string(entry, key, FY_NT), value);
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

/* A list of texts, one per line; NULL if there is none. */
static char *lines_of(struct fy_node *root, const char *key)
{
  struct fy_node *list = fy_node_mapping_lookup_by_string(root, key, FY_NT);
  rh_text lines = {0};
  void *at = NULL;
  if (!list || !fy_node_is_sequence(list)) return NULL;
  for (struct fy_node *line; (line = fy_node_sequence_iterate(list, &at));) {
    size_t length = 0;
    const char *text = fy_node_get_scalar(line, &length);
    if (!text) continue;
    if (lines.length > 0) rh_text_append(&lines, "\n");
    rh_text_append_bytes(&lines, text, length);
  }
  return lines.data;
}

/* What no step's timing can be. */
static rh_status check_entry(const rh_duration *d, const char *where, int index, const rh_profile *profile)
{
  const rh_duration *other = rh_profile_find(profile, d->name);
  const size_t prefix = profile->backend ? strlen(profile->backend) : 0;
  if (!(d->median_s > 0))
    return rh_error(RH_EFORMAT, "%s: durations[%d]: '%s' takes %g s; no step takes that long: remove the entry", where,
                    index, d->name, d->median_s);
  if (d->low_s > d->median_s || d->median_s > d->high_s)
    return rh_error(RH_EFORMAT,
                    "%s: durations[%d]: '%s': its median, %g s, is outside its own quantiles, %g to %g s; measure it "
                    "again",
                    where, index, d->name, d->median_s, d->low_s, d->high_s);
  if (other)
    return rh_error(RH_EFORMAT, "%s: durations[%d]: '%s' is there twice; remove one of the two", where, index, d->name);
  const char *colon = strstr(d->name, ": ");
  if (colon && strcspn(d->name, "/") > (size_t)(colon - d->name)) return RH_OK; /* of a host's own device */
  if (profile->backend && (strncmp(d->name, profile->backend, prefix) != 0 || d->name[prefix] != '/'))
    return rh_error(RH_EFORMAT, "%s: durations[%d]: '%s' is not of the profile's backend, '%s'; one file, one device",
                    where, index, d->name, profile->backend);
  return RH_OK;
}

/* The numbers of a list, exactly `count` of them, none below the one before. */
static bool rising(struct fy_node *list, int count, double *values)
{
  void *at = NULL;
  int read = 0;
  if (!list || !fy_node_is_sequence(list) || fy_node_sequence_item_count(list) != count) return false;
  for (struct fy_node *item; (item = fy_node_sequence_iterate(list, &at)); read++)
    if (!number_of(item, &values[read]) || values[read] <= 0 || (read > 0 && values[read] < values[read - 1]))
      return false;
  return true;
}

/* A duration's fit, which need not be there. */
static rh_status read_fit(struct fy_node *entry, const char *where, int index, rh_fit *fit)
{
  struct fy_node *node = fy_node_mapping_lookup_by_string(entry, "fit", FY_NT);
  if (!node) return RH_OK;
  char *kind = text_of(node, "kind");
  fit->kind = kind ? rh_fit_kind_of(kind) : RH_FIT_NONE;
  free(kind);
  bool ok = number(node, "distance", &fit->distance);
  if (fit->kind == RH_FIT_LOGNORMAL)
    ok = ok && number(node, "log_mean", &fit->a) && number(node, "log_deviation", &fit->b) && fit->b > 0;
  else if (fit->kind == RH_FIT_GAMMA)
    ok = ok && number(node, "shape", &fit->a) && number(node, "scale_s", &fit->b) && fit->a > 0 && fit->b > 0;
  else if (fit->kind == RH_FIT_EMPIRICAL)
    ok = ok && rising(fy_node_mapping_lookup_by_string(node, "quantiles_s", FY_NT), RH_FIT_QUANTILES, fit->quantile_s);
  else
    ok = false;
  return ok ? RH_OK
            : rh_error(RH_EFORMAT,
                       "%s: durations[%d]: its fit is none of lognormal (log_mean, log_deviation), gamma (shape, "
                       "scale_s) and empirical (quantiles_s, %d of them, rising), each with its distance",
                       where, index, RH_FIT_QUANTILES);
}

static rh_status read_entry(struct fy_node *entry, const char *where, int index, rh_profile *profile)
{
  double samples;
  rh_duration d = {.name = text_of(entry, "name")};
  rh_status status = RH_OK;
  if (!d.name || !number(entry, "samples", &samples) || !number(entry, "median_s", &d.median_s) ||
      !number(entry, "low_s", &d.low_s) || !number(entry, "high_s", &d.high_s) || samples < 1 || samples > 1e9) {
    status =
        rh_error(RH_EFORMAT, "%s: durations[%d]: name, samples, median_s, low_s and high_s are needed", where, index);
    goto done;
  }
  d.samples = (int32_t)samples;
  RH_TRY(check_entry(&d, where, index, profile));
  RH_TRY(read_fit(entry, where, index, &d.fit));
  rh_profile_put(profile, &d);
done:
  free(d.name);
  return status;
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
  fy_diag_set_collect_errors(diag, true); /* libfyaml 0.7.12 crashes over some when it renders them for printing */
  return diag;
}

rh_status rh_profile_read(const char *text, const char *where, rh_profile *profile)
{
  rh_status status = RH_OK;
  if (rh_text_valid_utf8(text, strlen(text)) < strlen(text))
    return rh_error(RH_EFORMAT, "%s: no JSON: holds bytes that are no UTF-8 text", where);
  struct fy_diag *diag = quiet_diagnostics();
  struct fy_parse_cfg quiet = {.flags = FYPCF_QUIET, .diag = diag};
  struct fy_document *document = fy_document_build_from_string(&quiet, text, strlen(text));
  struct fy_node *root = document ? fy_document_root(document) : NULL;
  struct fy_node *list = root ? fy_node_mapping_lookup_by_string(root, "durations", FY_NT) : NULL;
  void *at = NULL;
  int index = 0;
  if (!root) {
    status = rh_error(RH_EFORMAT, "%s: no JSON; it may have been cut off", where);
    goto done;
  }
  if (!list || !fy_node_is_sequence(list)) {
    status = rh_error(RH_EFORMAT, "%s: no profile: a JSON object with a list 'durations' is needed", where);
    goto done;
  }
  profile->device = text_of(root, "device");
  profile->backend = text_of(root, "backend");
  profile->commands = lines_of(root, "commands");
  for (struct fy_node *entry; (entry = fy_node_sequence_iterate(list, &at));)
    RH_TRY(read_entry(entry, where, index++, profile));
done:
  fy_document_destroy(document);
  fy_diag_destroy(diag);
  if (status != RH_OK) rh_profile_clear(profile);
  return status;
}

rh_status rh_profile_write_file(const rh_profile *profile, const char *path)
{
  rh_text json = {0};
  rh_profile_write(profile, &json);
  const rh_status status = rh_output_file_write(path, rh_text_get(&json), json.length);
  rh_text_clear(&json);
  return status;
}

rh_status rh_profile_read_file(const char *path, rh_profile *profile)
{
  rh_text text = {0};
  rh_status status = rh_text_read_file(&text, path);
  if (status == RH_OK) status = rh_profile_read(rh_text_get(&text), path, profile);
  rh_text_clear(&text);
  return status;
}

void rh_profile_set_backend(rh_profile *profile)
{
  for (int32_t i = 0; i < profile->count && !profile->backend; i++) {
    const char *name = profile->list[i].name, *colon = strstr(name, ": ");
    const size_t length = strcspn(name, "/");
    rh_text backend = {0};
    if (colon && (size_t)(colon - name) < length) continue;
    rh_text_append_bytes(&backend, name, length);
    profile->backend = backend.data; /* the buffer changes hands */
  }
}

void rh_profile_add_command(rh_profile *profile, const char *command)
{
  const size_t length = strlen(command);
  for (const char *at = profile->commands; at; at = strchr(at, '\n')) {
    if (*at == '\n') at++;
    if (strncmp(at, command, length) == 0 && (at[length] == '\n' || at[length] == '\0')) return;
  }
  rh_text lines = {0};
  if (profile->commands) rh_text_append(&lines, "%s\n", profile->commands);
  rh_text_append(&lines, "%s", command);
  free(profile->commands);
  profile->commands = lines.data;
}

void rh_profile_warn_disturbed(const rh_profile *profile, const char *where)
{
  const rh_duration *worst = NULL;
  int count = 0;
  for (int32_t i = 0; i < profile->count; i++) {
    const rh_duration *d = &profile->list[i];
    if (!rh_duration_disturbed(d)) continue;
    count++;
    if (!worst || rh_duration_spread(d) > rh_duration_spread(worst)) worst = d;
  }
  if (worst)
    fprintf(stderr,
            "%s: %d of %d timings are disturbed, something else was running: nine in ten samples of '%s' are spread "
            "over %.0f %% of their median\n",
            where, count, (int)profile->count, worst->name, 100 * rh_duration_spread(worst));
}

rh_status rh_profile_find_file(const char *name, const char *directory, char **path)
{
  static const char kind[] = "experiments/profiles";
  rh_text with_end = {0};
  rh_status status = rh_find_file(name, directory, kind, path);
  if (status == RH_EIO) {
    char *tried = rh_text_duplicate(rh_error_message());
    rh_text_append(&with_end, "%s.json", name);
    status = rh_find_file(with_end.data, directory, kind, path);
    if (status != RH_OK) status = rh_error(status, "%s, with and without .json", tried);
    free(tried);
  }
  rh_text_clear(&with_end);
  return status;
}
