/* From "kind, key=value, ..." to a file's text: the list of kinds, values of keys, refusals. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate_private.h"

static const rh_generator *const kinds[] = {
    &generate_fat_tree, &generate_dragonfly, &generate_torus,   &generate_gpu_pod, &generate_cloud,
    &generate_wan,      &generate_wifi_edge, &generate_unequal, &generate_boards,  &generate_leo};

const rh_generator *rh_generator_at(size_t i)
{
  return i < sizeof kinds / sizeof *kinds ? kinds[i] : NULL;
}

static const char *kind_name(const void *context, size_t i)
{
  (void)context;
  return rh_generator_at(i) ? rh_generator_at(i)->name : NULL;
}

static const char *key_name(const void *context, size_t i)
{
  const rh_generator *kind = context;
  return i < RH_GENERATOR_KEYS ? kind->keys[i].name : NULL;
}

/* "a, b, c" of what `get` lists, and the nearest to what was typed. */
static rh_status unknown(const char *what, const char *typed, const char *(*get)(const void *, size_t),
                         const void *context)
{
  rh_text list = {0};
  for (size_t i = 0; get(context, i); i++)
    rh_text_append(&list, "%s%s", i ? ", " : "", get(context, i));
  const char *nearest = rh_text_nearest(typed, get, context);
  rh_status status = rh_error(RH_EINVAL, "no %s '%s'; there are %s%s%s%s", what, typed, rh_text_get(&list),
                              nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
  rh_text_clear(&list);
  return status;
}

static int find_key(const rh_generator *kind, const char *name, size_t length)
{
  for (int i = 0; i < RH_GENERATOR_KEYS && kind->keys[i].name; i++)
    if (strlen(kind->keys[i].name) == length && strncmp(kind->keys[i].name, name, length) == 0) return i;
  return -1;
}

static rh_status check_word(const rh_generator_key *key, const char *text)
{
  const size_t length = strlen(text);
  for (const char *at = key->choices; *at; at += strcspn(at, " "), at += *at == ' ')
    if (strcspn(at, " ") == length && strncmp(at, text, length) == 0) return RH_OK;
  return rh_error(RH_EINVAL, "%s=%s: one of %s", key->name, text, key->choices);
}

static rh_status parse_value(const rh_generator_key *key, const char *text, double *value)
{
  char least[32], most[32];
  *value = NAN;
  if (strcmp(text, "auto") == 0 && strcmp(key->preset, "auto") == 0) return RH_OK;
  if (key->type == RH_KEY_WORD) return check_word(key, text);
  if (key->type == RH_KEY_SIZES) return RH_OK; /* generation_sizes looks at them */
  rh_status status = rh_unit_parse(text, key->type == RH_KEY_COUNT ? RH_UNIT_NONE : key->unit, value);
  if (status != RH_OK) {
    char *why = rh_text_duplicate(rh_error_message());
    status = rh_error(status, "%s=%s: %s", key->name, text, why);
    free(why);
    return status;
  }
  if (key->type == RH_KEY_COUNT && *value != floor(*value))
    return rh_error(RH_EINVAL, "%s=%s: a whole number is needed", key->name, text);
  if (*value >= key->least && *value <= key->most) return RH_OK;
  if (key->type == RH_KEY_COUNT)
    return rh_error(RH_EINVAL, "%s=%s: from %.0f to %.0f", key->name, text, key->least, key->most);
  return rh_error(RH_EINVAL, "%s=%s: from %s to %s", key->name, text,
                  rh_unit_format(key->least, key->unit, least, sizeof least),
                  rh_unit_format(key->most, key->unit, most, sizeof most));
}

static rh_status assign(rh_generation *g, const char *assignment)
{
  const size_t length = strcspn(assignment, "=");
  if (assignment[length] != '=')
    return rh_error(RH_EINVAL, "'%s': write key=value, for example %s=%s", assignment, g->kind->keys[0].name,
                    g->kind->keys[0].preset);
  const int i = find_key(g->kind, assignment, length);
  if (i < 0) {
    char what[64], *typed = rh_text_duplicate(assignment);
    typed[length] = '\0';
    snprintf(what, sizeof what, "key of %s", g->kind->name);
    rh_status status = unknown(what, typed, key_name, g->kind);
    free(typed);
    return status;
  }
  free(g->text[i]);
  g->text[i] = rh_text_duplicate(assignment + length + 1);
  return parse_value(&g->kind->keys[i], g->text[i], &g->value[i]);
}

static rh_status begin(rh_generation *g, const char *kind, const char *file)
{
  rh_status status = RH_OK;
  for (size_t i = 0; rh_generator_at(i) && !g->kind; i++)
    if (strcmp(rh_generator_at(i)->name, kind) == 0) g->kind = rh_generator_at(i);
  if (!g->kind) return unknown("kind of platform", kind, kind_name, NULL);
  g->file = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
  if (strstr(g->file, "--") || strpbrk(g->file, "\n\r"))
    return rh_error(RH_EINVAL,
                    "'%s': the name goes into an XML comment, which cannot hold two dashes in a row or a new line: "
                    "choose another",
                    g->file);
  for (int i = 0; i < RH_GENERATOR_KEYS && g->kind->keys[i].name; i++) {
    g->text[i] = rh_text_duplicate(g->kind->keys[i].preset);
    RH_TRY(parse_value(&g->kind->keys[i], g->text[i], &g->value[i]));
  }
done:
  return status;
}

rh_status rh_generate(const char *kind, size_t count, const char *const *assignments, const char *file,
                      rh_generated *out)
{
  rh_generation g = {.out = out};
  rh_status status = RH_OK;
  RH_TRY(begin(&g, kind, file));
  RH_ASSERT(g.kind);
  for (size_t i = 0; i < count; i++)
    RH_TRY(assign(&g, assignments[i]));
  RH_TRY(g.kind->write(&g, &out->xml));
done:
  for (int i = 0; i < RH_GENERATOR_KEYS; i++)
    free(g.text[i]);
  return status;
}

void rh_generated_clear(rh_generated *generated)
{
  rh_text_clear(&generated->xml);
  for (int32_t i = 0; i < generated->file_count; i++) {
    free(generated->files[i].name);
    rh_text_clear(&generated->files[i].text);
  }
  free(generated->files);
  *generated = (rh_generated){0};
}

rh_text *generation_side_file(rh_generation *g, const char *name)
{
  rh_generated *out = g->out;
  rh_text path = {0};
  const size_t whole = strlen(g->file);
  const bool xml = whole > 4 && strcmp(g->file + whole - 4, ".xml") == 0;
  /* a file without the ending cannot have a folder of the same name */
  rh_text_append(&path, "%.*s%s/%s", (int)(xml ? whole - 4 : whole), g->file, xml ? "" : ".files", name);
  out->files = realloc(out->files, (size_t)(out->file_count + 1) * sizeof *out->files);
  RH_ASSERT(out->files);
  out->files[out->file_count] = (rh_generated_file){.name = path.data};
  return &out->files[out->file_count++].text;
}

static int index_of(const rh_generation *g, const char *key)
{
  const int i = find_key(g->kind, key, strlen(key));
  RH_ASSERT(i >= 0);
  return i;
}

double generation_value(const rh_generation *g, const char *key)
{
  return g->value[index_of(g, key)];
}

int32_t generation_count(const rh_generation *g, const char *key)
{
  return (int32_t)generation_value(g, key);
}

const char *generation_text(const rh_generation *g, const char *key)
{
  return g->text[index_of(g, key)];
}

bool generation_auto(const rh_generation *g, const char *key)
{
  return strcmp(generation_text(g, key), "auto") == 0;
}

rh_status generation_sizes(const rh_generation *g, const char *key, int32_t least, int32_t most,
                           int32_t sizes[GENERATE_DIMENSIONS], int *count)
{
  const char *text = generation_text(g, key);
  char *end;
  *count = 0;
  for (const char *at = text;; at = end + 1) {
    long size = strtol(at, &end, 10);
    if (end == at || *at == '-' || *at == '+' || *at == ' ' || (*end != 'x' && *end != '\0') ||
        *count == GENERATE_DIMENSIONS)
      return rh_error(RH_EINVAL, "%s=%s: write up to %d sizes as 4x4 or 16x16x16", key, text, GENERATE_DIMENSIONS);
    if (size < least || size > most)
      return rh_error(RH_EINVAL, "%s=%s: each size is from %d to %d", key, text, least, most);
    sizes[(*count)++] = (int32_t)size;
    if (*end == '\0') return RH_OK;
  }
}
