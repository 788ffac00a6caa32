/* SimGrid's complaints about platform files, in words that say what to do. The texts are those of SimGrid 3.32; one
 * that is not known here is passed on as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "last_words.h"
#include "probe_private.h"

static const struct complaint {
  const char *sign; /* part of SimGrid's text */
  rh_status code;
  const char *meaning; /* in our words */
  const char *remedy;  /* "" if the sentence says it; may hold one %s: the file */
} complaints[] = {
    {"THIS FILE IS TOO OLD", RH_EFORMAT, "the file follows a platform format that SimGrid no longer reads",
     "convert it: simgrid_update_xml %s"},
    {"BIG FAT WARNING", RH_EFORMAT, "the <platform> tag has no version",
     "write <platform version=\"4.1\">, or convert an older file: simgrid_update_xml %s"},
    {"COMES FROM THE FUTURE", RH_EFORMAT, "the file follows a newer platform format than this SimGrid reads",
     "write <platform version=\"4.1\"> if it uses nothing newer"},
    {"Not a valid model!", RH_EINVAL, "a zone's routing is none that SimGrid has", "use for example Full or Floyd"},
    {"std::bad_alloc", RH_ENOMEM, "the platform needs more memory than there is", ""},
    {"Cannot open file '", RH_EIO, "a profile that the file names is missing",
     "put it there (paths are relative to the platform file) or remove the attribute that names it"},
    {"<include> tag was removed", RH_EFORMAT, "the file includes another one, which SimGrid no longer does",
     "paste the included file in its place"},
    {"Deprecated unit-less value", RH_EUNIT, "a quantity has no unit",
     "write bandwidths in Bps, latencies in s, speeds in f"},
    {"unknown unit", RH_EUNIT, "a quantity has a unit that SimGrid does not know",
     "write for example 12.5GBps, 100Gbps, 1us, 1Gf"},
    {"Invalid XML", RH_EFORMAT, "this is no platform file: malformed XML, or an element where none may be", ""},
    {" is invalid! Valid models are:", RH_EINVAL, "the file's network model does not exist", "use CM02, LV08 or SMPI"},
    {"Bad config key", RH_EINVAL, "the file's <config> sets what SimGrid does not have", ""},
    {"no link in the Constant network model", RH_EUNSUPPORTED,
     "the network model Constant gives every transfer the same duration, whatever its bytes and its route",
     "use CM02, LV08 or SMPI"},
    {"wifi rate levels", RH_EINVAL, "a host's property wifi_level is none of its link's rates",
     "levels count the rates of the link from 0"},
    {"does name a node", RH_EINVAL, "a route's end is neither a host nor a router of the file", "mend its name"},
    {"Link not found", RH_EINVAL, "a route crosses a link that the file does not give",
     "add the <link>, or mend its name"},
    {"There can't be route in an Empty zone", RH_EINVAL, "its zone has routing=\"None\"",
     "give the zone a routing and links"},
};

/* One message out of SimGrid's sentence. `where` is the file, or "file:line". */
static rh_status explain(const char *file, const char *where, const char *sentence)
{
  for (size_t i = 0; i < sizeof complaints / sizeof *complaints; i++) {
    const struct complaint *c = &complaints[i];
    if (!strstr(sentence, c->sign)) continue;
    rh_text remedy = {0};
    const char *place = strstr(c->remedy, "%s");
    if (*c->remedy) rh_text_append(&remedy, "; %.*s", place ? (int)(place - c->remedy) : 1000, c->remedy);
    if (place) rh_text_append(&remedy, "%s%s", file, place + strlen("%s"));
    rh_status status = rh_error(c->code, "%s: %s (SimGrid: %s)%s", where, c->meaning, sentence, rh_text_get(&remedy));
    rh_text_clear(&remedy);
    return status;
  }
  return rh_error(RH_EFORMAT, "%s: SimGrid refuses the file: %s", where, sentence);
}

/* A message of the child that carries an exception's words: "FILE: Parse error at FILE:LINE: SENTENCE\n...". */
static rh_status explain_exception(const char *file, const char *message)
{
  char *text = rh_text_duplicate(message), *sentence = text, *where = NULL;
  size_t length = strlen(file);
  if (strncmp(sentence, file, length) == 0 && strncmp(sentence + length, ": ", 2) == 0) sentence += length + 2;
  rh_last_words_cut(sentence);
  if (strncmp(sentence, "Parse error at ", 15) == 0) {
    where = sentence + 15;
    char *end = strncmp(where, file, length) == 0 ? strstr(where + length, ": ") : strstr(where, ": ");
    if (end) {
      *end = '\0';
      sentence = end + 2;
    }
  }
  rh_status status = explain(file, where ? where : file, sentence);
  free(text);
  return status;
}

static rh_status code_of_name(const char *name, size_t length)
{
  for (rh_status code = RH_OK; code <= RH_EINTERRUPTED; code++)
    if (strlen(rh_status_name(code)) == length && strncmp(rh_status_name(code), name, length) == 0) return code;
  return RH_EINVAL;
}

/* The child's own message (what SimGrid threw while it read the platform file is RH_EFORMAT); with what SimGrid said
 * before it, when the child was brought down at a pair. */
static rh_status pass_on(const char *file, const char *marked, const char *words)
{
  size_t name = strcspn(marked, " ");
  rh_status code = code_of_name(marked, name);
  const char *message = marked + name + (marked[name] == ' ');
  size_t length = strlen(message);
  while (length > 0 && message[length - 1] == '\n')
    length--;
  char *text = rh_text_duplicate(message);
  text[length] = '\0';
  size_t prefix = strlen(file);
  if (code == RH_EFORMAT && strncmp(text, file, prefix) == 0 && text[prefix] == ':')
    code = explain_exception(file, text);
  else if (words)
    code = rh_error(code, "%s (SimGrid: %s)", text, words);
  else
    code = rh_error(code, "%s", text);
  free(text);
  return code;
}

rh_status rh_probe_translate(const char *file, const char *said, int exit_code, bool *at_pair)
{
  const char *marked = strstr(said, RH_PROBE_MARK);
  char *words = rh_last_words(said);
  rh_status status;
  *at_pair = marked && (strstr(marked, "have no route") || strstr(marked, "not done with the route"));
  if (marked)
    status = pass_on(file, marked + strlen(RH_PROBE_MARK), *at_pair || exit_code > 128 ? words : NULL);
  else if (words)
    status = explain(file, file, words);
  else
    status = rh_error(RH_EFORMAT, "%s: SimGrid does not survive reading this file (%s %d) and does not say why", file,
                      exit_code > 128 ? "signal" : "status", exit_code > 128 ? exit_code - 128 : exit_code);
  free(words);
  return status;
}
