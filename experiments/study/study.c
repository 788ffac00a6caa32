/* From a study's YAML to the settings of its runs.
 *
 * A file is a mapping of sections; a section is a mapping of keys to values; `vary` and its like map "section.key" to
 * lists (study_lists.c), which study_expand.c makes runs of.
 */
#include "study_private.h"

#include <errno.h>

#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const sections[] = {"platform", "network",  "graph", "data", "model",
                                       "train",    "compress", "time",  "run",  "stop"};

/* What may stand at the top of a file: first the sections, then these. */
static const char *const others[] = {"name", "question", "vary", "zip", "include", "exclude"};

static const char *section_name(const void *context, size_t i)
{
  (void)context;
  return i < RH_COUNT(sections) ? sections[i] : NULL;
}

static const char *top_name(const void *context, size_t i)
{
  size_t count = RH_COUNT(sections);
  return i < count ? section_name(context, i) : i < count + RH_COUNT(others) ? others[i - count] : NULL;
}

/* Whether `key` is "section.name" with a section that exists. */
bool study_is_key(const char *key)
{
  const char *dot = strchr(key, '.');
  if (!dot || dot == key || !dot[1]) return false;
  for (size_t i = 0; i < RH_COUNT(sections); i++)
    if (strlen(sections[i]) == (size_t)(dot - key) && strncmp(sections[i], key, (size_t)(dot - key)) == 0) return true;
  return false;
}

/* Why `key` is no "section.name", with the nearest section. */
void study_explain_key(const char *key, rh_text *out)
{
  const char *dot = strchr(key, '.');
  if (!dot || dot == key || !dot[1]) {
    rh_text_append(out, "'%s' is not a key such as train.lr", key);
    return;
  }
  char section[64];
  snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
  const char *near = rh_text_nearest(section, section_name, NULL);
  rh_text_append(out, "'%s': no section '%s'%s%s%s", key, section, near ? "; did you mean '" : "", near ? near : "",
                 near ? "'?" : "");
}

void study_set_at(const study_reader *r, rh_settings *settings, const char *key, const char *value, rh_place place)
{
  rh_text where = {0}, excerpt = {0};
  rh_yaml_append_where(&r->yaml, place, &where);
  rh_yaml_append_excerpt(&r->yaml, place, &excerpt);
  rh_settings_set(settings, key, value, rh_text_get(&where), rh_text_get(&excerpt));
  rh_text_clear(&where);
  rh_text_clear(&excerpt);
}

static rh_status alias_error(const study_reader *r, rh_place place, const char *what)
{
  return rh_yaml_error(&r->yaml, RH_EUNSUPPORTED, place, "%s: aliases are not read; write the value out", what);
}

/* Line feeds and their like, which task files, terminals and file names have no use for. */
static bool holds_control(const char *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7F) return true;
  return false;
}

/* A scalar that has a value of its own. */
static rh_status read_any_scalar(const study_reader *r, struct fy_node *node, rh_place key_place, const char *what,
                                 char **value)
{
  rh_place place = rh_yaml_place(node, key_place);
  if (!node || fy_node_is_null(node)) return rh_yaml_error(&r->yaml, RH_EINVAL, key_place, "%s has no value", what);
  if (fy_node_is_alias(node)) return alias_error(r, place, what);
  if (!fy_node_is_scalar(node))
    return rh_yaml_error(&r->yaml, RH_EINVAL, place, "%s: expects one value, not a %s", what,
                         fy_node_is_mapping(node) ? "mapping" : "list");
  *value = rh_yaml_scalar(node);
  return RH_OK;
}

/* One that stands on one line. */
rh_status study_read_scalar(const study_reader *r, struct fy_node *node, rh_place key_place, const char *what,
                            char **value)
{
  rh_status status = read_any_scalar(r, node, key_place, what, value);
  if (status != RH_OK) return status;
  RH_ASSERT(*value);
  size_t length = 0;
  const char *bytes = fy_node_get_scalar(node, &length);
  if (!holds_control(bytes, length)) return RH_OK;
  free(*value);
  *value = NULL;
  return rh_yaml_error(&r->yaml, RH_EINVAL, rh_yaml_place(node, key_place),
                       "%s: holds a line feed or another control character", what);
}

/* The study's name or question: words on one line, however they are written. */
static rh_status read_words(const study_reader *r, struct fy_node *node, rh_place place, const char *what, char **value)
{
  rh_status status = read_any_scalar(r, node, place, what, value);
  if (status != RH_OK) return status;
  char *end = *value;
  for (const char *c = *value; *c; c++) {
    bool blank = holds_control(c, 1) || *c == ' ';
    if (!blank)
      *end++ = *c;
    else if (end > *value && end[-1] != ' ')
      *end++ = ' ';
  }
  if (end > *value && end[-1] == ' ') end--;
  *end = '\0';
  return **value ? RH_OK : rh_yaml_error(&r->yaml, RH_EINVAL, place, "%s is empty", what);
}

/* [100:0.1, 150:0.1] is the same as "100:0.1 150:0.1"; any other list belongs under `vary`. */
static rh_status read_pairs(const study_reader *r, struct fy_node *list, rh_place place, const char *key, char **value)
{
  rh_text text = {0};
  void *iterator = NULL;
  for (struct fy_node *item; (item = fy_node_sequence_iterate(list, &iterator));) {
    char *word = NULL;
    rh_status status = study_read_scalar(r, item, place, key, &word);
    if (status == RH_OK && !strchr(word, ':'))
      status = rh_yaml_error(&r->yaml, RH_EINVAL, rh_yaml_place(item, place),
                             "%s: expects one value; a list of values to try belongs under vary", key);
    if (status != RH_OK) {
      free(word);
      rh_text_clear(&text);
      return status;
    }
    rh_text_append(&text, "%s%s", text.length ? " " : "", word);
    free(word);
  }
  *value = rh_text_duplicate(rh_text_get(&text));
  rh_text_clear(&text);
  return RH_OK;
}

static rh_status read_section(study_reader *r, const char *section, struct fy_node *node, rh_place section_place)
{
  if (node && fy_node_is_alias(node)) return alias_error(r, section_place, section);
  if (!fy_node_is_mapping(node))
    return rh_yaml_error(&r->yaml, RH_EINVAL, section_place, "%s: expects keys with values, such as {key: value}",
                         section);
  void *iterator = NULL;
  for (struct fy_node_pair *pair; (pair = fy_node_mapping_iterate(node, &iterator));) {
    char *name = NULL, *value = NULL;
    rh_text key = {0};
    struct fy_node *item = fy_node_pair_value(pair);
    rh_place key_place = rh_yaml_place(fy_node_pair_key(pair), section_place);
    rh_status status = study_read_scalar(r, fy_node_pair_key(pair), section_place, section, &name);
    if (status == RH_OK) {
      rh_text_append(&key, "%s.%s", section, name);
      status = item && fy_node_is_sequence(item) ? read_pairs(r, item, key_place, key.data, &value)
                                                 : study_read_scalar(r, item, key_place, key.data, &value);
    }
    if (status == RH_OK) study_set_at(r, &r->base, key.data, value, rh_yaml_place(item, key_place));
    free(name);
    free(value);
    rh_text_clear(&key);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

static rh_status read_top(study_reader *r, const char *name, struct fy_node *value, rh_place place)
{
  if (strcmp(name, "name") == 0 || strcmp(name, "question") == 0) {
    char **field = strcmp(name, "name") == 0 ? &r->study->name : &r->study->question;
    return read_words(r, value, place, name, field);
  }
  if (strcmp(name, "vary") == 0) return study_read_lists(r, "vary", value, place);
  if (strcmp(name, "zip") == 0) return study_read_lists(r, "zip", value, place);
  if (strcmp(name, "include") == 0) return study_read_blocks(r, "include", value, place);
  if (strcmp(name, "exclude") == 0) {
    r->exclude_place = place;
    return study_read_blocks(r, "exclude", value, place);
  }
  for (size_t i = 0; i < RH_COUNT(sections); i++)
    if (strcmp(name, sections[i]) == 0) return read_section(r, name, value, place);
  const char *near = rh_text_nearest(name, top_name, NULL);
  return near ? rh_yaml_error(&r->yaml, RH_EINVAL, place, "no section '%s'; did you mean '%s'?", name, near)
              : rh_yaml_error(
                    &r->yaml, RH_EINVAL, place,
                    "no section '%s'; a study has name, question, vary, zip, include, exclude and the sections "
                    "platform, network, graph, data, model, train, compress, time, run, stop",
                    name);
}

static rh_status read_document(study_reader *r)
{
  if (!fy_node_is_mapping(r->yaml.root))
    return rh_yaml_error(&r->yaml, RH_EFORMAT, rh_yaml_place(r->yaml.root, (rh_place){0, 0}),
                         "not a study: expects sections such as 'platform: {file: ..., workers: ...}'");
  void *iterator = NULL;
  for (struct fy_node_pair *pair; (pair = fy_node_mapping_iterate(r->yaml.root, &iterator));) {
    char *name = NULL;
    rh_place place = rh_yaml_place(fy_node_pair_key(pair), (rh_place){0, 0});
    rh_status status = study_read_scalar(r, fy_node_pair_key(pair), place, "a section's name", &name);
    if (status == RH_OK) status = read_top(r, name, fy_node_pair_value(pair), place);
    free(name);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

/* --set: replaces what the file says, a list under `vary` or `zip` included. */
static rh_status apply_set(study_reader *r, const char *set)
{
  rh_status status = RH_OK;
  rh_text where = {0}, reason = {0};
  const char *equals = strchr(set, '=');
  if (holds_control(set, strlen(set))) {
    int shown = 0;
    while (set[shown] != '=' && !holds_control(set + shown, 1))
      shown++;
    return rh_error(RH_EINVAL, "--set %.*s: holds a line feed or another control character", shown, set);
  }
  rh_text_append(&where, "--set %s", set);
  char *key = rh_text_duplicate(set);
  key[equals ? (size_t)(equals - set) : strlen(set)] = '\0';
  if (!equals) {
    status = rh_error(RH_EINVAL, "%s: expects section.key=value", where.data);
  } else if (!study_is_key(key)) {
    study_explain_key(key, &reason);
    status = rh_error(RH_EINVAL, "%s: %s", where.data, reason.data);
  } else {
    rh_settings_set(&r->base, key, equals + 1, where.data, NULL);
    study_drop_key(r, key);
  }
  free(key);
  rh_text_clear(&where);
  rh_text_clear(&reason);
  return status;
}

/* "studies/edge-vs-hpc.yaml" -> "edge-vs-hpc" */
static char *base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  char *name = rh_text_duplicate(slash ? slash + 1 : path);
  char *dot = strrchr(name, '.');
  if (dot && dot != name) *dot = '\0';
  return name;
}

/* What a study file itself may have written: a model, in the folder where the command runs. A study is read from
 * anybody; paths are for the command line. */
static rh_status check_outputs(const rh_study *study)
{
  static const char suffix[] = ".safetensors", from_command[] = "--set ";
  for (size_t i = 0; i < study->count; i++) {
    const rh_setting *save = rh_settings_find(&study->runs[i], "run.save");
    if (!save || strncmp(save->where, from_command, sizeof from_command - 1) == 0) continue;
    const size_t length = strlen(save->value), end = sizeof suffix - 1;
    if (!strchr(save->value, '/') && length > end && strcmp(save->value + length - end, suffix) == 0) continue;
    return rh_settings_error(RH_EINVAL, save,
                             "a study names no path to write to, but a file such as model.safetensors in the folder "
                             "of the command; a path is for the command line: --save FILE");
  }
  return RH_OK;
}

rh_status rh_study_open(const char *path, const char *const *sets, size_t set_count, rh_study_confirm *confirm,
                        rh_study *study)
{
  rh_status status = RH_OK;
  study_reader r = {.study = study};
  struct stat info;
  *study = (rh_study){0};
  if (!*path) return rh_error(RH_EINVAL, "the name of the study's file is empty");
  if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
    return rh_error(RH_EUNSUPPORTED, "%s: is a directory; give one study file of it", path);

  RH_TRY(rh_yaml_read(path, &r.yaml));
  RH_TRY(read_document(&r));
  for (size_t i = 0; i < set_count; i++)
    RH_TRY(apply_set(&r, sets[i]));
  RH_TRY(study_expand(&r, confirm));
  RH_TRY(check_outputs(study));
  if (!study->name) study->name = base_name(path);
  if (!study->question) study->question = rh_text_duplicate("");
  study->file = rh_text_duplicate(path);
  study->directory = rh_text_directory(path);
done:
  study_block_clear(&r.product);
  study_blocks_clear(&r.included);
  study_blocks_clear(&r.excluded);
  rh_settings_clear(&r.base);
  rh_yaml_clear(&r.yaml);
  if (status != RH_OK) rh_study_clear(study);
  return status;
}

rh_status rh_study_read(const char *path, const char *const *sets, size_t set_count, rh_study *study)
{
  return rh_study_open(path, sets, set_count, NULL, study);
}

static rh_status make_absolute(char **path, const char *shown)
{
  char *absolute = realpath(**path ? *path : ".", NULL);
  if (!absolute) return rh_error(RH_EIO, "%s: cannot be found: %s", shown, strerror(errno));
  free(*path);
  *path = absolute;
  return RH_OK;
}

rh_status rh_study_make_absolute(rh_study *study)
{
  rh_text directory = {0};
  rh_status status = make_absolute(&study->directory, study->file);
  if (status == RH_OK) status = make_absolute(&study->file, study->file);
  if (status != RH_OK) return status;
  rh_text_append(&directory, "%s/", study->directory); /* file names are put behind it */
  free(study->directory);
  study->directory = directory.data;
  return RH_OK;
}

void rh_study_clear(rh_study *study)
{
  rh_text_clear(&study->warnings);
  for (size_t i = 0; i < study->count; i++)
    rh_settings_clear(&study->runs[i]);
  free(study->runs);
  for (size_t i = 0; i < study->varied_count; i++)
    free(study->varied[i]);
  free(study->varied);
  free(study->name);
  free(study->question);
  free(study->file);
  free(study->directory);
  *study = (rh_study){0};
}
