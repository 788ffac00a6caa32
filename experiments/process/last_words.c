#include "last_words.h"

#include <string.h>

#include "text.h"

void rh_last_words_cut(char *text)
{
  text[strcspn(text, "\r\n")] = '\0';
  char *stars = strstr(text, "******* ");
  if (stars) memmove(stars, stars + strlen("******* "), strlen(stars + strlen("******* ")) + 1);
  stars = strstr(text, " *********");
  if (stars) *stars = '\0';
}

char *rh_last_words(const char *said)
{
  const char *found = NULL;
  for (const char *at = said; (at = strstr(at, "/CRITICAL] ")); at++)
    found = at + strlen("/CRITICAL] ");
  const char *warning = strstr(said, "/WARNING] ");
  if (!found && warning) found = warning + strlen("/WARNING] ");
  if (!found) return NULL;
  char *words = rh_text_duplicate(found);
  rh_last_words_cut(words);
  return words;
}
