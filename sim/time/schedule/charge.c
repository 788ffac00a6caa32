#include "charge.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

/* First entry whose name is not before `name`. */
static int32_t lower_bound(const rh_profile *profile, const char *name)
{
  int32_t low = 0, high = profile->count;
  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    if (strcmp(profile->list[middle].name, name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

const rh_duration *rh_profile_find(const rh_profile *profile, const char *name)
{
  int32_t at = lower_bound(profile, name);
  return at < profile->count && strcmp(profile->list[at].name, name) == 0 ? &profile->list[at] : NULL;
}

static void make_room(rh_profile *profile, int32_t at)
{
  if (profile->count == profile->size) {
    profile->size = profile->size ? 2 * profile->size : 16;
    rh_duration *list = realloc(profile->list, (size_t)profile->size * sizeof *list);
    RH_ASSERT(list && "memory is exhausted");
    profile->list = list;
  }
  memmove(&profile->list[at + 1], &profile->list[at], (size_t)(profile->count - at) * sizeof *profile->list);
  profile->count++;
}

double rh_duration_spread(const rh_duration *duration)
{
  return (duration->high_s - duration->low_s) / duration->median_s;
}

bool rh_duration_disturbed(const rh_duration *duration)
{
  return rh_duration_spread(duration) > 0.25;
}

void rh_profile_put(rh_profile *profile, const rh_duration *duration)
{
  int32_t at = lower_bound(profile, duration->name);
  char *name = rh_text_duplicate(duration->name);
  if (at < profile->count && strcmp(profile->list[at].name, name) == 0) {
    free(profile->list[at].name);
  } else {
    make_room(profile, at);
  }
  profile->list[at] = *duration;
  profile->list[at].name = name;
}

void rh_profile_set(rh_profile *profile, const char *name, int32_t samples, double median_s, double low_s,
                    double high_s)
{
  char *copy = rh_text_duplicate(name);
  rh_profile_put(
      profile,
      &(rh_duration){.name = copy, .samples = samples, .median_s = median_s, .low_s = low_s, .high_s = high_s});
  free(copy);
}

static void clear_list(rh_profile *profile)
{
  for (int32_t i = 0; i < profile->count; i++)
    free(profile->list[i].name);
  free(profile->list);
  profile->list = NULL;
  profile->count = profile->size = 0;
}

void rh_profile_take_list(rh_profile *profile, rh_profile *from)
{
  clear_list(profile);
  profile->list = from->list;
  profile->count = from->count;
  profile->size = from->size;
  from->list = NULL;
  from->count = from->size = 0;
}

void rh_profile_clear(rh_profile *profile)
{
  clear_list(profile);
  free(profile->device);
  free(profile->backend);
  free(profile->about);
  free(profile->commands);
  *profile = (rh_profile){0};
}

static bool selected(const char *name, const char *const *names)
{
  if (!names) return true;
  for (; *names; names++)
    if (strcmp(*names, name) == 0) return true;
  return false;
}

/* Of what draws depend on. */
static uint64_t hash_fit(const rh_fit *fit, uint64_t hash)
{
  hash = rh_hash_text(rh_fit_name(fit->kind), hash);
  hash = rh_hash_bytes(&fit->a, sizeof fit->a, hash);
  hash = rh_hash_bytes(&fit->b, sizeof fit->b, hash);
  return rh_hash_bytes(fit->quantile_s, sizeof fit->quantile_s, hash);
}

uint64_t rh_profile_hash(const rh_profile *profile, const char *const *names)
{
  uint64_t hash = rh_hash_text(profile->device ? profile->device : "", 0);
  for (int32_t i = 0; i < profile->count; i++) {
    const rh_duration *d = &profile->list[i];
    if (!selected(d->name, names)) continue;
    hash = rh_hash_text(d->name, hash);
    hash = rh_hash_bytes(&d->median_s, sizeof d->median_s, hash);
    if (d->fit.kind != RH_FIT_NONE) hash = hash_fit(&d->fit, hash);
  }
  return hash;
}

rh_status rh_profile_seconds(const rh_profile *profile, const char *name, double *seconds)
{
  const rh_duration *found = rh_profile_find(profile, name);
  if (!found)
    return rh_error(RH_EINVAL, "no timing for '%s' in the profile; `rehearse run STUDY` measures what is missing",
                    name);
  if (!isfinite(found->median_s) || found->median_s <= 0)
    return rh_error(RH_EINVAL, "the timing of '%s' is %g s; no step takes that long: remove it from the profile", name,
                    found->median_s);
  *seconds = found->median_s;
  return RH_OK;
}

static void write_commands(const char *commands, rh_text *out)
{
  rh_text_append(out, ",\n \"commands\": [");
  for (const char *line = commands; *line;) {
    const size_t length = strcspn(line, "\n");
    rh_text one = {0};
    rh_text_append_bytes(&one, line, length);
    rh_text_append(out, "%s", line == commands ? "" : ",\n  ");
    rh_text_append_json(out, rh_text_get(&one));
    rh_text_clear(&one);
    line += length + (line[length] == '\n');
  }
  rh_text_append(out, "]");
}

static void write_number(const char *key, double value, rh_text *out)
{
  rh_text_append(out, ", \"%s\": ", key);
  rh_text_append_json_number(out, value);
}

static void write_fit(const rh_fit *fit, rh_text *out)
{
  rh_text_append(out, "{\"kind\": \"%s\"", rh_fit_name(fit->kind));
  if (fit->kind == RH_FIT_LOGNORMAL) {
    write_number("log_mean", fit->a, out);
    write_number("log_deviation", fit->b, out);
  } else if (fit->kind == RH_FIT_GAMMA) {
    write_number("shape", fit->a, out);
    write_number("scale_s", fit->b, out);
  } else {
    rh_text_append(out, ", \"quantiles_s\": [");
    for (int q = 0; q < RH_FIT_QUANTILES; q++) {
      rh_text_append(out, "%s", q ? ", " : "");
      rh_text_append_json_number(out, fit->quantile_s[q]);
    }
    rh_text_append(out, "]");
  }
  write_number("distance", fit->distance, out);
  rh_text_append(out, "}");
}

static void write_duration(const rh_duration *d, rh_text *out)
{
  rh_text_append(out, "{\"name\": ");
  rh_text_append_json(out, d->name);
  rh_text_append(out, ", \"samples\": %" PRId32, d->samples);
  write_number("median_s", d->median_s, out);
  write_number("low_s", d->low_s, out);
  write_number("high_s", d->high_s, out);
  if (d->fit.kind != RH_FIT_NONE) {
    rh_text_append(out, ",\n   \"fit\": ");
    write_fit(&d->fit, out);
  }
  rh_text_append(out, "}");
}

void rh_profile_write(const rh_profile *profile, rh_text *out)
{
  rh_text_append(out, "{\"device\": ");
  rh_text_append_json(out, profile->device ? profile->device : "");
  if (profile->backend) {
    rh_text_append(out, ",\n \"backend\": ");
    rh_text_append_json(out, profile->backend);
  }
  if (profile->about) rh_text_append(out, ",\n %s", profile->about);
  if (profile->commands) write_commands(profile->commands, out);
  rh_text_append(out, ",\n \"durations\": [");
  for (int32_t i = 0; i < profile->count; i++) {
    rh_text_append(out, "%s\n  ", i ? "," : "");
    write_duration(&profile->list[i], out);
  }
  rh_text_append(out, "]}\n");
}
