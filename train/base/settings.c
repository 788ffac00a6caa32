#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "option.h"

static void setting_clear(rh_setting *setting)
{
  free(setting->key);
  free(setting->value);
  free(setting->where);
  free(setting->excerpt);
}

static rh_setting setting_new(const char *key, const char *value, const char *where, const char *excerpt)
{
  return (rh_setting){.key = rh_text_duplicate(key),
                      .value = rh_text_duplicate(value),
                      .where = rh_text_duplicate(where),
                      .excerpt = rh_text_duplicate(excerpt ? excerpt : "")};
}

const rh_setting *rh_settings_find(const rh_settings *settings, const char *key)
{
  for (size_t i = 0; i < settings->count; i++)
    if (strcmp(settings->list[i].key, key) == 0) return &settings->list[i];
  return NULL;
}

static void append(rh_settings *settings, rh_setting next)
{
  if (settings->count == settings->size) {
    settings->size = settings->size ? 2 * settings->size : 16;
    rh_setting *list = realloc(settings->list, settings->size * sizeof *list);
    RH_ASSERT(list && "memory is exhausted");
    settings->list = list;
  }
  settings->list[settings->count++] = next;
}

void rh_settings_set(rh_settings *settings, const char *key, const char *value, const char *where, const char *excerpt)
{
  rh_setting next = setting_new(key, value, where, excerpt);
  for (size_t i = 0; i < settings->count; i++) {
    if (strcmp(settings->list[i].key, key) != 0) continue;
    setting_clear(&settings->list[i]);
    settings->list[i] = next;
    return;
  }
  append(settings, next);
}

void rh_settings_copy(rh_settings *to, const rh_settings *from)
{
  RH_ASSERT(to->count == 0);
  for (size_t i = 0; i < from->count; i++) {
    const rh_setting *setting = &from->list[i];
    append(to, setting_new(setting->key, setting->value, setting->where, setting->excerpt));
  }
}

void rh_settings_clear(rh_settings *settings)
{
  for (size_t i = 0; i < settings->count; i++)
    setting_clear(&settings->list[i]);
  free(settings->list);
  *settings = (rh_settings){0};
}

rh_status rh_settings_error(rh_status code, const rh_setting *setting, const char *format, ...)
{
  char text[2048];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  const char *excerpt = setting->excerpt;
  return rh_error(code, "%s: %s: %s%s%.*s", setting->where, setting->key, text, excerpt[0] ? "\n" : "",
                  (int)(excerpt[0] ? strlen(excerpt) - (excerpt[strlen(excerpt) - 1] == '\n') : 0), excerpt);
}

rh_status rh_settings_locate_error(rh_status status, const rh_settings *settings)
{
  const char *message = rh_error_message();
  if (status == RH_OK) return status;
  for (size_t i = 0; i < settings->count; i++) {
    const size_t key = strlen(settings->list[i].key);
    if (strncmp(message, settings->list[i].key, key) != 0 || strncmp(message + key, ": ", 2) != 0) continue;
    return rh_settings_error(status, &settings->list[i], "%s", message + key + 2);
  }
  return status;
}
