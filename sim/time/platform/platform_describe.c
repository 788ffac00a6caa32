/* What `rehearse platform` says of a platform. Numbers are gathered first and then written as text or as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform_figures.h"
#include "rng.h"
#include "simgrid_shim.h"
#include "unit.h"

#define EXACT_RANKS   64   /* up to so many ranks every ordered pair's route is looked at */
#define SAMPLED_PAIRS 4096 /* of larger platforms */
#define ZONE_KINDS    16

typedef struct range {
  double low, high;
} range;

typedef struct zone_kind_count {
  char kind[24];
  int32_t count;
} zone_kind_count;

typedef struct route_survey {
  int64_t pairs, looked_at, without_route, without_link;
  bool exact;
  range latency_s, bandwidth_Bps, links;
  int32_t widest_from, widest_to;     /* a pair with the most links */
  int32_t no_route_from, no_route_to; /* the first pair without one; -1 */
} route_survey;

enum { DEVICES = 16 }; /* that are told by name */

/* Profiles that hosts name (property device). */
typedef struct device_survey {
  const char *name[DEVICES]; /* borrowed from the hosts */
  int32_t hosts[DEVICES], kinds;
  int32_t of_others; /* hosts with a device beyond those */
} device_survey;

typedef struct description {
  rh_platform *platform;
  rh_text comment; /* the file's head comment */
  range speed_flops, bandwidth_Bps, link_latency_s;
  int64_t cores;
  int32_t profiles;             /* links of the file that change over time */
  int32_t links, fatpipe, wifi; /* SimGrid's own loopback is not counted */
  zone_kind_count zones[ZONE_KINDS];
  int32_t zone_kinds, zone_count;
  const char *no_routes; /* why routes were not looked at */
  device_survey devices;
  route_survey routes;
  platform_figures figures;
} description;

static const range EMPTY_RANGE = {INFINITY, -INFINITY};

static void widen(range *r, double value)
{
  r->low = fmin(r->low, value);
  r->high = fmax(r->high, value);
}

static void count_device(device_survey *devices, const char *name)
{
  int32_t i = 0;
  while (i < devices->kinds && strcmp(devices->name[i], name) != 0)
    i++;
  if (i == DEVICES) {
    devices->of_others++;
    return;
  }
  if (i == devices->kinds) devices->name[devices->kinds++] = name;
  devices->hosts[i]++;
}

static void gather_hosts(description *d)
{
  for (int32_t i = 0; i < d->platform->host_count; i++) {
    widen(&d->speed_flops, sg_host_get_speed(d->platform->hosts[i]));
    d->cores += sg_host_core_count(d->platform->hosts[i]);
    const char *device = sg_host_get_property_value(d->platform->hosts[i], "device");
    if (device && *device) count_device(&d->devices, device);
  }
}

static void gather_links(description *d)
{
  for (int32_t i = 0; i < d->platform->link_count; i++) {
    const platform_link *link = &d->platform->links[i];
    if (strcmp(sg_link_get_name(link->link), "__loopback__") == 0) continue;
    d->links++;
    d->wifi += link->wifi;
    d->fatpipe += rh_shim_link_fatpipe(link->link);
    widen(&d->bandwidth_Bps, link->bandwidth_Bps);
    widen(&d->link_latency_s, link->latency_s);
  }
}

static void count_zone(void *context, const char *name, const char *kind)
{
  description *d = context;
  (void)name;
  int32_t i = 0;
  d->zone_count++;
  while (i < d->zone_kinds && strcmp(d->zones[i].kind, kind) != 0)
    i++;
  if (i == ZONE_KINDS) return;
  if (i == d->zone_kinds) snprintf(d->zones[d->zone_kinds++].kind, sizeof d->zones[i].kind, "%s", kind);
  d->zones[i].count++;
}

static void look_at_pair(description *d, int32_t from, int32_t to, void (*trying)(int32_t from, int32_t to))
{
  route_survey *s = &d->routes;
  const rh_route *route;
  if (trying) trying(from, to);
  s->looked_at++;
  rh_status status = rh_platform_route(d->platform, from, to, &route);
  if (status == RH_EUNSUPPORTED) {
    s->without_link++;
  } else if (status != RH_OK) {
    if (s->without_route++ == 0) {
      s->no_route_from = from;
      s->no_route_to = to;
    }
  } else {
    widen(&s->latency_s, route->latency_s);
    widen(&s->bandwidth_Bps, route->bandwidth_Bps);
    if (route->link_count > s->links.high) {
      s->widest_from = from;
      s->widest_to = to;
    }
    widen(&s->links, route->link_count);
  }
}

/* All ordered pairs of a small platform, else random ones, the same in every call. */
static void survey_routes(description *d, void (*trying)(int32_t from, int32_t to))
{
  const int32_t N = d->platform->workers;
  route_survey *s = &d->routes;
  s->pairs = (int64_t)N * (N - 1);
  s->exact = N <= EXACT_RANKS;
  if (s->exact) {
    for (int32_t from = 0; from < N; from++)
      for (int32_t to = 0; to < N; to++)
        if (from != to) look_at_pair(d, from, to, trying);
    return;
  }
  rh_rng rng = rh_rng_stream(0, RH_PURPOSE_SAMPLE, 0, 0);
  for (int i = 0; i < SAMPLED_PAIRS; i++) {
    int32_t from = (int32_t)rh_rng_below(&rng, (uint32_t)N);
    int32_t to = (int32_t)rh_rng_below(&rng, (uint32_t)N - 1);
    look_at_pair(d, from, to + (to >= from), trying);
  }
}

static size_t indentation(const char *line)
{
  return strspn(line, " \t");
}

/* The first comment of the file, if it comes before the first zone: line by line, without common indentation; and how
 * many links have profiles. */
static rh_status read_head_comment(const char *file, rh_text *comment, int32_t *profiles)
{
  rh_text text = {0};
  rh_status status = RH_OK;
  RH_TRY(rh_text_read_file(&text, file));
  *profiles = platform_xml_profiles(rh_text_get(&text));
  char *start = strstr(rh_text_get(&text), "<!--"), *zone = strstr(rh_text_get(&text), "<zone");
  char *cluster = strstr(rh_text_get(&text), "<cluster");
  char *end = start ? strstr(start, "-->") : NULL;
  if (!end || (zone && zone < start) || (cluster && cluster < start)) goto done;
  *end = '\0';
  start += strlen("<!--");
  size_t common = SIZE_MAX;
  const char *second = strchr(start, '\n');
  for (const char *line = second; line; line = strchr(line + 1, '\n'))
    if (!strchr("\n", line[1 + indentation(line + 1)]) && indentation(line + 1) < common)
      common = indentation(line + 1);
  bool first = true;
  for (char *line = start, *next; line; line = next, first = false) {
    next = strchr(line, '\n');
    if (next) *next++ = '\0';
    size_t skip = first ? indentation(line) : common < indentation(line) ? common : indentation(line);
    size_t length = strlen(line);
    while (length > skip && strchr(" \t\r", line[length - 1]))
      length--;
    if (length > skip || comment->length > 0) rh_text_append(comment, "%.*s\n", (int)(length - skip), line + skip);
  }
  while (comment->length > 0 && comment->data[comment->length - 1] == '\n')
    comment->data[--comment->length] = '\0';
done:
  rh_text_clear(&text);
  return status;
}

static const char *model_setter(const rh_platform *platform)
{
  return platform->model_by_caller ? "the caller" : platform->model_by_file ? "the file" : "nobody";
}

/* The network settings beside the model that change durations. */
static const char *const network_settings[] = {"network/TCP-gamma", "network/latency-factor",
                                               "network/bandwidth-factor", "network/weight-S"};

static void append_range(rh_text *out, range r, rh_unit unit)
{
  char low[32], high[32];
  if (r.low > r.high)
    rh_text_append(out, "-");
  else if (r.low == r.high)
    rh_text_append(out, "%s", rh_unit_format(r.low, unit, low, sizeof low));
  else
    rh_text_append(out, "%s .. %s", rh_unit_format(r.low, unit, low, sizeof low),
                   rh_unit_format(r.high, unit, high, sizeof high));
}

static void write_model_text(const description *d, rh_text *out)
{
  const rh_platform *p = d->platform;
  char tcp[32];
  double gamma = rh_shim_setting_number(network_settings[0]);
  if (p->model_by_file || p->model_by_caller)
    rh_text_append(out, "network model   %s, set by %s\n", p->model, model_setter(p));
  else
    rh_text_append(out,
                   "network model   not set by the file: a study must give network.model\n"
                   "                (SimGrid would take %s)\n",
                   p->model);
  rh_text_append(out, "                latency x %g, bandwidth x %g, window of a flow %s, reverse traffic %s\n",
                 rh_shim_setting_number(network_settings[1]), rh_shim_setting_number(network_settings[2]),
                 gamma > 0 ? rh_unit_format(gamma, RH_UNIT_BYTE, tcp, sizeof tcp) : "unlimited",
                 rh_shim_setting_switch("network/crosstraffic") ? "slows a flow (5 %)" : "is free");
}

static void write_links_text(const description *d, rh_text *out)
{
  char rate[32];
  if (d->links == 0) {
    rh_text_append(out, "links           none\n");
    return;
  }
  rh_text_append(out, "links           %d: ", d->links);
  append_range(out, d->bandwidth_Bps, RH_UNIT_BANDWIDTH);
  rh_text_append(out, ", latency ");
  append_range(out, d->link_latency_s, RH_UNIT_SECOND);
  if (d->fatpipe) rh_text_append(out, "; %d without sharing (FATPIPE)", d->fatpipe);
  rh_text_append(out, "\n");
  if (d->profiles)
    rh_text_append(out,
                   "profiles        %d links of the file change over time: here and in closed forms they are what the\n"
                   "                file gives them beside their profiles; loads of a run go by what they were in it\n",
                   d->profiles);
  for (int32_t i = 0; i < d->platform->link_count && d->wifi; i++) {
    const platform_link *link = &d->platform->links[i];
    if (link->wifi)
      rh_text_append(out, "Wi-Fi           %s: %d stations share %s\n", sg_link_get_name(link->link), link->stations,
                     rh_unit_format(link->bandwidth_Bps, RH_UNIT_BANDWIDTH, rate, sizeof rate));
  }
}

static void write_figures_text(const description *d, rh_text *out)
{
  char one[32], two[32], three[32];
  const platform_figures *f = &d->figures;
  if (isinf(f->bisection_Bps))
    rh_text_append(out, "bisection       no bound: some routes share no link with any other\n");
  else if (f->bisection_Bps > 0 && f->bisection_exact)
    rh_text_append(out, "bisection       %s one way: %s\n",
                   rh_unit_format(f->bisection_Bps, RH_UNIT_BANDWIDTH, one, sizeof one), f->how);
  else if (f->bisection_Bps > 0)
    rh_text_append(out,
                   "bisection       at most %s one way: links that carry %s between two halves, the least of %d\n"
                   "                halves\n",
                   rh_unit_format(f->bisection_Bps, RH_UNIT_BANDWIDTH, one, sizeof one),
                   f->cuts_sampled ? "all of a sample of the routes" : "all routes", f->cuts);
  if (f->allreduce_s > 0)
    rh_text_append(out,
                   "all-reduce      of 100 MB by ring: %s (closed form, no contention: %s and %s a hop,\n"
                   "                the model's factors included)\n",
                   rh_unit_format(f->allreduce_s, RH_UNIT_SECOND, one, sizeof one),
                   rh_unit_format(f->ring_latency_s, RH_UNIT_SECOND, two, sizeof two),
                   rh_unit_format(f->ring_bandwidth_Bps, RH_UNIT_BANDWIDTH, three, sizeof three));
}

static void write_routes_text(const description *d, rh_text *out)
{
  char latency[32];
  const rh_platform *p = d->platform;
  const route_survey *s = &d->routes;
  if (d->no_routes) {
    rh_text_append(out, "routes          not looked at: %s\n", d->no_routes);
    return;
  }
  if (s->exact)
    rh_text_append(out, "routes          all %lld pairs: latency ", (long long)s->pairs);
  else
    rh_text_append(out, "routes          a sample of %lld of %lld pairs: latency ", (long long)s->looked_at,
                   (long long)s->pairs);
  append_range(out, s->latency_s, RH_UNIT_SECOND);
  rh_text_append(out, ", bandwidth ");
  append_range(out, s->bandwidth_Bps, RH_UNIT_BANDWIDTH);
  rh_text_append(out, "\n");
  if (d->figures.diameter_links > 0 && !s->exact)
    rh_text_append(out, "diameter        %d link%s, %s\n", d->figures.diameter_links,
                   d->figures.diameter_links > 1 ? "s" : "",
                   rh_unit_format(d->figures.diameter_s, RH_UNIT_SECOND, latency, sizeof latency));
  else if (s->links.high > 0)
    rh_text_append(out, "diameter        %s%.0f link%s (%s .. %s), %s\n", s->exact ? "" : "at least ", s->links.high,
                   s->links.high > 1 ? "s" : "", rh_platform_host(p, s->widest_from), rh_platform_host(p, s->widest_to),
                   rh_unit_format(s->latency_s.high, RH_UNIT_SECOND, latency, sizeof latency));
  write_figures_text(d, out);
  if (s->without_route > 0)
    rh_text_append(out, "no route        %lld of these pairs, for example from %s to %s\n", (long long)s->without_route,
                   rh_platform_host(p, s->no_route_from), rh_platform_host(p, s->no_route_to));
  if (s->without_link > 0)
    rh_text_append(out,
                   "no link         %lld of these pairs have a latency and no link: runs refuse them, since bytes\n"
                   "                would cost no time\n",
                   (long long)s->without_link);
}

/* "devices         h200.json: 4 hosts, laptop: 1 host; the others are the run's" */
static void write_devices_text(const description *d, rh_text *out)
{
  int32_t with = d->devices.of_others;
  if (d->devices.kinds == 0) return;
  rh_text_append(out, "devices        ");
  for (int32_t i = 0; i < d->devices.kinds; i++) {
    const int32_t hosts = d->devices.hosts[i];
    with += hosts;
    rh_text_append(out, "%s %s: %d host%s", i ? "," : "", d->devices.name[i], hosts, hosts == 1 ? "" : "s");
  }
  if (d->devices.of_others > 0) rh_text_append(out, ", others: %d", d->devices.of_others);
  rh_text_append(out, "; %s\n", with < d->platform->host_count ? "all else is the run's" : "that is all");
}

static void write_text(const description *d, rh_text *out)
{
  const rh_platform *p = d->platform;
  rh_text_append(out, "platform        %s (%s)\n", p->file, rh_platform_version());
  for (const char *line = rh_text_get(&d->comment), *next; *line; line = next) {
    size_t length = strcspn(line, "\n");
    next = line + length + (line[length] == '\n');
    rh_text_append(out, "  |%s%.*s\n", length ? " " : "", (int)length, line);
  }
  write_model_text(d, out);
  rh_text_append(out, "hosts           %d: %s .. %s, %lld cores\n", p->host_count, sg_host_get_name(p->hosts[0]),
                 sg_host_get_name(p->hosts[p->host_count - 1]), (long long)d->cores);
  rh_text_append(out, "speed           ");
  append_range(out, d->speed_flops, RH_UNIT_SPEED);
  rh_text_append(out, " a core (flop/s)\n");
  write_devices_text(d, out);
  rh_text_append(out, "zones           %d:", d->zone_count);
  for (int32_t i = 0; i < d->zone_kinds; i++)
    rh_text_append(out, "%s %d %s", i ? "," : "", d->zones[i].count, d->zones[i].kind);
  rh_text_append(out, "; workers in %d\n", p->zone_count);
  write_links_text(d, out);
  write_routes_text(d, out);
}

static void json_text(rh_text *out, const char *key, const char *value)
{
  rh_text_append(out, "\"%s\": ", key);
  rh_text_append_json(out, value);
  rh_text_append(out, ", ");
}

static void json_range(rh_text *out, const char *key, range r)
{
  rh_text_append(out, "\"%s\": {\"least\": ", key);
  rh_text_append_json_number(out, r.low);
  rh_text_append(out, ", \"most\": ");
  rh_text_append_json_number(out, r.high);
  rh_text_append(out, "}, ");
}

static void write_routes_json(const description *d, rh_text *out)
{
  const route_survey *s = &d->routes;
  rh_text_append(out, "\"routes\": {");
  if (d->no_routes) {
    rh_text_append(out, "\"looked_at\": 0, \"reason\": ");
    rh_text_append_json(out, d->no_routes);
  } else {
    json_range(out, "latency_s", s->latency_s);
    json_range(out, "bandwidth_Bps", s->bandwidth_Bps);
    json_range(out, "links", s->links);
    rh_text_append(
        out, "\"pairs\": %lld, \"looked_at\": %lld, \"exact\": %s, \"without_route\": %lld, \"without_link\": %lld",
        (long long)s->pairs, (long long)s->looked_at, s->exact ? "true" : "false", (long long)s->without_route,
        (long long)s->without_link);
  }
  rh_text_append(out, "}");
}

static void json_number(rh_text *out, const char *key, double value, const char *end)
{
  rh_text_append(out, "\"%s\": ", key);
  rh_text_append_json_number(out, value > 0 ? value : NAN);
  rh_text_append(out, "%s", end);
}

/* A figure that is not known is null. */
static void write_figures_json(const description *d, rh_text *out)
{
  const platform_figures *f = &d->figures;
  const bool formula = f->diameter_links > 0;
  const double links = formula ? f->diameter_links : d->routes.links.high;
  rh_text_append(out, "\"diameter\": {");
  json_number(out, "links", links, ", ");
  json_number(out, "latency_s", formula ? f->diameter_s : d->routes.latency_s.high, ", ");
  rh_text_append(out, "\"exact\": %s}, \"bisection\": {", formula || d->routes.exact ? "true" : "false");
  json_number(out, "bandwidth_Bps", f->bisection_Bps, ", ");
  rh_text_append(out, "\"exact\": %s, \"halves\": %d, \"sampled\": %s, ", f->bisection_exact ? "true" : "false",
                 f->cuts, f->cuts_sampled ? "true" : "false");
  rh_text_append(out, "\"formula\": ");
  rh_text_append_json(out, f->bisection_exact ? f->how : NULL);
  rh_text_append(out, "}, \"allreduce_ring_100MB\": {");
  json_number(out, "seconds", d->profiles ? 0 : f->allreduce_s, ", ");
  json_number(out, "latency_s", f->ring_latency_s, ", ");
  json_number(out, "bandwidth_Bps", f->ring_bandwidth_Bps, "}, ");
}

static void write_json(const description *d, rh_text *out)
{
  const rh_platform *p = d->platform;
  rh_text_append(out, "{");
  json_text(out, "file", p->file);
  json_text(out, "simgrid", rh_platform_version());
  json_text(out, "description", rh_text_get(&d->comment));
  json_text(out, "network_model", p->model);
  json_text(out, "network_model_set_by", model_setter(p));
  rh_text_append(out, "\"network_settings\": {");
  for (size_t i = 0; i < sizeof network_settings / sizeof *network_settings; i++) {
    rh_text_append(out, "\"%s\": ", network_settings[i]);
    rh_text_append_json_number(out, rh_shim_setting_number(network_settings[i]));
    rh_text_append(out, ", ");
  }
  rh_text_append(out, "\"network/crosstraffic\": %s}, \"hosts\": %d, ",
                 rh_shim_setting_switch("network/crosstraffic") ? "true" : "false", p->host_count);
  json_text(out, "first_host", sg_host_get_name(p->hosts[0]));
  json_text(out, "last_host", sg_host_get_name(p->hosts[p->host_count - 1]));
  rh_text_append(out, "\"cores\": %lld, \"devices\": {", (long long)d->cores);
  for (int32_t i = 0; i < d->devices.kinds; i++) {
    rh_text_append(out, "%s", i ? ", " : "");
    rh_text_append_json(out, d->devices.name[i]);
    rh_text_append(out, ": %d", d->devices.hosts[i]);
  }
  rh_text_append(out, "}, \"zones\": {");
  for (int32_t i = 0; i < d->zone_kinds; i++)
    rh_text_append(out, "%s\"%s\": %d", i ? ", " : "", d->zones[i].kind, d->zones[i].count);
  rh_text_append(out, "}, \"zones_with_workers\": %d, ", p->zone_count);
  rh_text_append(out, "\"links\": %d, \"fatpipe_links\": %d, \"wifi_links\": %d, \"links_with_profiles\": %d, ",
                 d->links, d->fatpipe, d->wifi, d->profiles);
  json_range(out, "speed_flops", d->speed_flops);
  json_range(out, "link_bandwidth_Bps", d->bandwidth_Bps);
  json_range(out, "link_latency_s", d->link_latency_s);
  write_figures_json(d, out);
  write_routes_json(d, out);
  rh_text_append(out, "}\n");
}

rh_status rh_platform_describe(rh_platform *platform, bool json, const char *no_routes,
                               void (*trying)(int32_t from, int32_t to), rh_text *out)
{
  rh_status status = RH_OK;
  description d = {.platform = platform, .no_routes = no_routes};
  d.speed_flops = d.bandwidth_Bps = d.link_latency_s = EMPTY_RANGE;
  d.routes = (route_survey){.latency_s = EMPTY_RANGE, .bandwidth_Bps = EMPTY_RANGE, .links = EMPTY_RANGE};
  RH_TRY(read_head_comment(platform->file, &d.comment, &d.profiles));
  gather_hosts(&d);
  gather_links(&d);
  rh_shim_zones(count_zone, &d);
  d.figures = (platform_figures){.how = ""};
  if (!no_routes) {
    survey_routes(&d, trying);
    RH_TRY(platform_figures_gather(platform, trying, &d.figures));
  }
  if (json)
    write_json(&d, out);
  else
    write_text(&d, out);
done:
  rh_text_clear(&d.comment);
  return status;
}
