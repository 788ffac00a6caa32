/* The little of XML that is read here and not by SimGrid: start tags and their attributes. */
#include <ctype.h>
#include <string.h>

#include "platform_private.h"

bool platform_xml_tag(const char *at, const char *tag)
{
  size_t length = strlen(tag);
  return strncmp(at, tag, length) == 0 && isspace((unsigned char)at[length]);
}

char *platform_xml_attribute(char *tag, char *end, const char *attribute)
{
  const size_t length = strlen(attribute);
  for (char *at = tag; at + length < end; at++) {
    if (!isspace((unsigned char)at[0]) || strncmp(at + 1, attribute, length) != 0) continue;
    char *value = at + 1 + length;
    while (value < end && isspace((unsigned char)*value))
      value++;
    if (value >= end || *value++ != '=') continue;
    while (value < end && isspace((unsigned char)*value))
      value++;
    if (value >= end || (*value != '"' && *value != '\'')) continue;
    char *close = memchr(value + 1, *value, (size_t)(end - value - 1));
    if (!close) return NULL;
    *close = '\0';
    return value + 1;
  }
  return NULL;
}

int32_t platform_xml_profiles(const char *text)
{
  int32_t count = 0;
  for (const char *at = strchr(text, '<'), *end; at; at = strchr(end, '<')) {
    end = strncmp(at, "<!--", 4) == 0 ? strstr(at, "-->") : strchr(at, '>');
    if (!end) break;
    if (!platform_xml_tag(at, "<link")) continue;
    const char *profile = strstr(at, "_file=");
    count += profile && profile < end;
  }
  return count;
}
