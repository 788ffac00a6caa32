/* Loading a platform: the engine with its settings, hosts, ranks, links and routes. See platform.h. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform_private.h"
#include "simgrid_shim.h"

/* Completions closer than this merge; SimGrid's default of 1e-9 s makes a ring over three ranks 8e-5 too short. */
#define PRECISION_S "1e-12"

/* Network models: those that runs may use, and those of SimGrid that they may not, with the reason. */
static const struct network_model {
  const char *name;
  const char *refused; /* NULL: fine */
} network_models[] = {
    {"CM02", NULL},
    {"LV08", NULL},
    {"SMPI", NULL},
    {"Constant", "it gives every transfer the same duration, whatever its bytes and its route"},
    {"IB", "outside of SMPI its contention rules never apply, and its times are the SMPI model's"},
    {"ns-3", "it simulates single packets, and aborts when several transfers run at once"},
};

static const char *accepted_model_name(const void *context, size_t i)
{
  (void)context;
  return i < 3 ? network_models[i].name : NULL;
}

static rh_status check_model(const char *model, const char *where)
{
  for (size_t i = 0; i < sizeof network_models / sizeof *network_models; i++) {
    if (strcmp(network_models[i].name, model) != 0) continue;
    if (!network_models[i].refused) return RH_OK;
    return rh_error(RH_EUNSUPPORTED, "%s: the network model %s cannot be used: %s; use CM02, LV08 or SMPI", where,
                    model, network_models[i].refused);
  }
  const char *nearest = rh_text_nearest(model, accepted_model_name, NULL);
  return rh_error(RH_EINVAL, "%s: no network model '%s'; use CM02, LV08 or SMPI%s%s%s", where, model,
                  nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* What is set here wins over a platform file's <config>. SimGrid's start takes SIGINT for itself and would end the
 * process before its rows are safe: the program's own handler is put back. */
static void start_engine(const char *model)
{
  struct sigaction before;
  sigaction(SIGINT, NULL, &before);
  rh_shim_start();
  sigaction(SIGINT, &before, NULL);
  rh_shim_set(rh_shim_precision_key(), PRECISION_S);
  rh_shim_set("tracing", "no"); /* a platform file must neither write files nor stop the process */
  rh_shim_set("debug/breakpoint", "-1");
  if (model) rh_shim_set("network/model", model);
}

static rh_status load_file(rh_platform *platform)
{
  char why[2048];
  /* SimGrid would say that the file does not exist, whatever the reason. */
  struct stat info;
  if (access(platform->file, R_OK) != 0 || stat(platform->file, &info) != 0)
    return rh_error(RH_EIO, "%s: %s", platform->file, strerror(errno));
  if (S_ISDIR(info.st_mode)) return rh_error(RH_EIO, "%s: %s", platform->file, strerror(EISDIR));
  if (!rh_shim_load(platform->file, why, sizeof why)) return rh_error(RH_EFORMAT, "%s: %s", platform->file, why);
  return RH_OK;
}

static rh_status read_model(rh_platform *platform, bool needed)
{
  char host_model[32];
  rh_shim_setting_text("network/model", platform->model, sizeof platform->model);
  platform->model_by_file = !platform->model_by_caller && !rh_shim_setting_default("network/model");
  rh_shim_setting_text("host/model", host_model, sizeof host_model);
  if (strcmp(host_model, "default") != 0 && strcmp(host_model, "compound") != 0)
    return rh_error(RH_EUNSUPPORTED, "%s: the host model %s cannot be used: it replaces the network model",
                    platform->file, host_model);
  if (needed && !platform->model_by_caller && !platform->model_by_file)
    return rh_error(RH_EINVAL,
                    "%s: the file's <config> sets no network model: set network.model (CM02 for clusters and "
                    "closed forms, LV08 where TCP runs)",
                    platform->file);
  return check_model(platform->model, platform->file);
}

static int compare_hosts(const void *a, const void *b)
{
  return rh_text_compare_natural(sg_host_get_name(*(const sg_host_t *)a), sg_host_get_name(*(const sg_host_t *)b));
}

static rh_status collect_hosts(rh_platform *platform)
{
  platform->host_count = (int32_t)sg_host_count();
  platform->hosts = sg_host_list();
  qsort(platform->hosts, (size_t)platform->host_count, sizeof *platform->hosts, compare_hosts);
  for (int32_t i = 0; i < platform->host_count; i++) {
    double speed_flops = sg_host_get_speed(platform->hosts[i]);
    if (!(speed_flops > 0 && isfinite(speed_flops)))
      return rh_error(RH_EINVAL, "%s: host '%s' has a speed of %g flop/s", platform->file,
                      sg_host_get_name(platform->hosts[i]), speed_flops);
    platform->fastest_flops = fmax(platform->fastest_flops, speed_flops);
  }
  return RH_OK;
}

static int compare_links(const void *a, const void *b)
{
  return rh_text_compare_natural(sg_link_get_name(((const platform_link *)a)->link),
                                 sg_link_get_name(((const platform_link *)b)->link));
}

/* The index of a link is kept as its user data: 1 + index, so that NULL stays "none". */
int32_t platform_link_index(sg_link_t link)
{
  return (int32_t)((intptr_t)sg_link_get_data(link) - 1);
}

/* SimGrid takes any number and aborts, or never ends, in the transfer that meets it. */
static rh_status check_links(const rh_platform *platform)
{
  for (int32_t i = 0; i < platform->link_count; i++) {
    const platform_link *link = &platform->links[i];
    const char *name = sg_link_get_name(link->link);
    if (!link->wifi && !(link->bandwidth_Bps > 0 && isfinite(link->bandwidth_Bps)))
      return rh_error(RH_EINVAL, "%s: link '%s' has a bandwidth of %g byte/s", platform->file, name,
                      link->bandwidth_Bps);
    if (!(link->latency_s >= 0 && isfinite(link->latency_s)))
      return rh_error(RH_EINVAL, "%s: link '%s' has a latency of %g s", platform->file, name, link->latency_s);
  }
  return RH_OK;
}

static void collect_links(rh_platform *platform)
{
  sg_link_t *list = sg_link_list();
  platform->link_count = (int32_t)sg_link_count();
  platform->links = calloc((size_t)platform->link_count + 1, sizeof *platform->links);
  RH_ASSERT(platform->links);
  for (int32_t i = 0; i < platform->link_count; i++)
    platform->links[i] = (platform_link){.link = list[i],
                                         .bandwidth_Bps = sg_link_get_bandwidth(list[i]),
                                         .latency_s = sg_link_get_latency(list[i]),
                                         .wifi = rh_shim_link_wifi(list[i])};
  qsort(platform->links, (size_t)platform->link_count, sizeof *platform->links, compare_links);
  for (int32_t i = 0; i < platform->link_count; i++)
    sg_link_set_data(platform->links[i].link, (void *)(intptr_t)(i + 1));
  free(list);
}

typedef struct wifi_setup {
  rh_platform *platform;
  rh_status status;
} wifi_setup;

/* Sets one station's rate: its property `wifi_level`, else level 0. A transfer of a station without one aborts. */
static void set_station_rate(void *context, sg_link_t link, sg_host_t station)
{
  wifi_setup *setup = context;
  platform_link *entry = &setup->platform->links[platform_link_index(link)];
  const char *property = sg_host_get_property_value(station, "wifi_level");
  char why[512], *end = NULL;
  if (setup->status != RH_OK) return;
  errno = 0;
  long level = property ? strtol(property, &end, 10) : 0;
  if (property && (end == property || *end || errno || level < 0 || level > INT16_MAX)) {
    setup->status =
        rh_error(RH_EINVAL, "%s: host '%s': wifi_level '%s' is no level; levels count the rates of link '%s' from 0",
                 setup->platform->file, sg_host_get_name(station), property, sg_link_get_name(link));
    return;
  }
  /* level 0 first: it is the link's nominal rate */
  bool ok = rh_shim_wifi_rate(link, station, 0, why, sizeof why);
  if (ok && entry->stations++ == 0) entry->bandwidth_Bps = rh_shim_wifi_bandwidth(link, station);
  if (ok && level > 0) ok = rh_shim_wifi_rate(link, station, (int)level, why, sizeof why);
  /* SimGrid looks at the level only when it is used, and then aborts: let it do so here, where the probe sees it */
  if (ok) (void)rh_shim_wifi_bandwidth(link, station);
  if (!ok)
    setup->status = rh_error(RH_EINVAL, "%s: host '%s': Wi-Fi rate %ld of link '%s': %s", setup->platform->file,
                             sg_host_get_name(station), level, sg_link_get_name(link), why);
}

static void platform_free(rh_platform *platform)
{
  free(platform->file);
  free(platform->hosts);
  free(platform->ranks);
  free(platform->zone_of);
  for (int32_t i = 0; i < platform->link_count; i++)
    free(platform->links[i].capacity);
  free(platform->links);
  free(platform);
}

rh_status rh_platform_load(const rh_platform_def *def, rh_platform **loaded)
{
  static bool once;
  static rh_platform *kept; /* never freed: SimGrid's engine cannot be unloaded either */
  RH_ASSERT(!once && !kept);
  once = true;
  const char *model = def->model && *def->model ? def->model : NULL;
  rh_status status = RH_OK;
  rh_platform *platform = calloc(1, sizeof *platform);
  RH_ASSERT(platform);
  wifi_setup wifi = {.platform = platform};
  *loaded = NULL;
  platform->file = rh_text_duplicate(def->file);
  platform->model_by_caller = model != NULL;
  if (model) RH_TRY(check_model(model, "network.model"));
  start_engine(model);
  /* when a latency changes, SimGrid's lazy update loses transfers that wait for it (3.32): they would never end */
  platform->profiles = platform_reads_profiles(platform);
  if (platform->profiles) rh_shim_set("network/optim", "Full");
  if (platform->profiles) platform_watch_links();
  RH_TRY(load_file(platform));
  RH_TRY(read_model(platform, def->workers > 0));
  platform_read_rates(platform);
  platform->precision_s = rh_shim_setting_number(rh_shim_precision_key());
  RH_TRY(collect_hosts(platform));
  collect_links(platform);
  RH_TRY(check_links(platform));
  if (platform->profiles) platform_follow_links(platform);
  RH_TRY(platform_choose_ranks(platform, def));
  platform_number_zones(platform);
  rh_shim_wifi_stations(set_station_rate, &wifi);
  RH_TRY(wifi.status);
  *loaded = kept = platform;
  return RH_OK;
done:
  platform_free(platform);
  return status;
}

const char *rh_platform_file(const rh_platform *platform)
{
  return platform->file;
}

const char *rh_platform_model(const rh_platform *platform)
{
  return platform->model;
}

const char *rh_platform_version(void)
{
  static char version[32];
  rh_shim_version(version, sizeof version);
  return version;
}

double rh_platform_precision(const rh_platform *platform)
{
  return platform->precision_s;
}

int32_t rh_platform_workers(const rh_platform *platform)
{
  return platform->workers;
}

static sg_host_t host_of(const rh_platform *platform, int32_t rank)
{
  RH_ASSERT(rank >= 0 && rank < platform->workers);
  return platform->ranks[rank];
}

const char *rh_platform_host(const rh_platform *platform, int32_t rank)
{
  return sg_host_get_name(host_of(platform, rank));
}

const char *rh_platform_zone(const rh_platform *platform, int32_t rank)
{
  return rh_shim_host_zone(host_of(platform, rank));
}

int32_t rh_platform_zone_count(const rh_platform *platform)
{
  return platform->zone_count;
}

int32_t rh_platform_zone_of(const rh_platform *platform, int32_t rank)
{
  RH_ASSERT(rank >= 0 && rank < platform->workers);
  return platform->zone_of[rank];
}

const int32_t *rh_platform_zones(const rh_platform *platform)
{
  return platform->zone_of;
}

double rh_platform_speed(const rh_platform *platform, int32_t rank)
{
  return sg_host_get_speed(host_of(platform, rank));
}

static const char *device_of(sg_host_t host)
{
  const char *device = sg_host_get_property_value(host, "device");
  return device ? device : "";
}

const char *rh_platform_device(const rh_platform *platform, int32_t rank)
{
  return device_of(host_of(platform, rank));
}

double rh_platform_fastest_plain(const rh_platform *platform)
{
  double fastest_flops = 0;
  for (int32_t i = 0; i < platform->host_count; i++)
    if (!*device_of(platform->hosts[i])) fastest_flops = fmax(fastest_flops, sg_host_get_speed(platform->hosts[i]));
  return fastest_flops;
}

rh_status rh_platform_check_on(const rh_platform *platform)
{
  for (int32_t rank = 0; rank < platform->workers; rank++)
    if (!sg_host_is_on(platform->ranks[rank]))
      return rh_error(RH_EUNSUPPORTED,
                      "%s: host '%s' of rank %d is off at the start (its state profile): leave it out with a host file",
                      platform->file, rh_platform_host(platform, rank), (int)rank);
  return RH_OK;
}

double rh_platform_fastest(const rh_platform *platform)
{
  return platform->fastest_flops;
}

int32_t rh_platform_host_count(const rh_platform *platform)
{
  return platform->host_count;
}

int32_t rh_platform_link_count(const rh_platform *platform)
{
  return platform->link_count;
}

static const platform_link *link_of(const rh_platform *platform, int32_t link)
{
  RH_ASSERT(link >= 0 && link < platform->link_count);
  return &platform->links[link];
}

const char *rh_platform_link_name(const rh_platform *platform, int32_t link)
{
  return sg_link_get_name(link_of(platform, link)->link);
}

double rh_platform_link_bandwidth(const rh_platform *platform, int32_t link)
{
  return link_of(platform, link)->bandwidth_Bps;
}

bool rh_platform_link_fatpipe(const rh_platform *platform, int32_t link)
{
  return rh_shim_link_fatpipe(link_of(platform, link)->link);
}

double rh_platform_link_latency(const rh_platform *platform, int32_t link)
{
  return link_of(platform, link)->latency_s;
}
