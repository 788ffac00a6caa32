#include "listing.h"

#include <argp.h>
#include <stdio.h>

#include "commands.h"

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
  rh_listing *listing = state->input;
  if (key == RH_KEY_JSON) {
    listing->json = true;
  } else if (key == ARGP_KEY_ARG) {
    if (listing->name) argp_error(state, "one name at most, not '%s' as well", arg);
    listing->name = arg;
  } else {
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

rh_listing rh_listing_parse(int argc, char **argv, const char *what, const char *doc)
{
  static const struct argp_option options[] = {{"json", RH_KEY_JSON, 0, 0, "print JSON", 0}, {0}};
  char words[32];
  snprintf(words, sizeof words, "[%s]", what);
  const struct argp parser = {.options = options, .parser = parse_option, .args_doc = words, .doc = doc};
  rh_listing listing = {0};
  argp_parse(&parser, argc, argv, 0, NULL, &listing);
  return listing;
}

int rh_listing_unknown(const char *command, const char *kind, const char *name, const char *near)
{
  fprintf(stderr, "rehearse %s: no %s '%s'", command, kind, name);
  if (near)
    fprintf(stderr, "; did you mean '%s'?\n", near);
  else
    fprintf(stderr, "; 'rehearse %s' lists them\n", command);
  return 2;
}
