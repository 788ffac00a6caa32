/* The platform: SimGrid's engine with one XML file, its hosts as ranks, routes as lists of links.
 *
 * SimGrid's engine is global and aborts on bad input, so one process loads one platform, and a first process of its own
 * (experiments/run/probe.c) tries the file before any run does. Functions here call SimGrid; values come out in SI
 * units.
 */
#ifndef RH_PLATFORM_H
#define RH_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "capacity.h"
#include "status.h"
#include "text.h"

/* When a transfer starts. Either way its sender goes on when the message has arrived: a rank has the messages of one
 * step under way, and no more.
 *
 * Eagerly that is a one-sided put whose completion is waited for. An MPI library that buffers (SMPI below
 * smpi/send-is-detached-thresh) lets its sender go on at once, which no collective here is charged for. The two differ
 * where messages of one step take different times: a ring's pace is then set by the slowest of its routes here, and by
 * the mean of them there (64 ranks of a fat-tree, 4 KiB: 505 and 285 us); a binomial broadcast's parent sends to one
 * child after the other here, and to all at once there, which share its port (flat, 64 ranks, 4 MiB, reduced and
 * broadcast: 4.1 and 9.1 ms). Ports that send in order and senders that do not wait for the latency would lie between.
 * tests/sim/test_smpi_replay.c holds both to SMPI. */
typedef enum rh_protocol {
  RH_PROTOCOL_RENDEZVOUS, /* when sender and receiver are both there (MPI above its threshold) */
  RH_PROTOCOL_EAGER       /* when the sender is there; the receiver picks it up later */
} rh_protocol;

typedef struct rh_platform_def {
  const char *file;       /* platform XML; borrowed */
  const char *model;      /* "CM02", "LV08", ...: overrides the file's network model; NULL or "": the file's */
  const char *hostfile;   /* one host name per line, rank order; # comments; NULL or "" */
  const char *deployment; /* SimGrid deployment XML, actors in rank order; NULL or "" */
  int32_t workers;        /* ranks wanted; 0: all hosts (for `rehearse platform`) */
} rh_platform_def;

typedef struct rh_platform rh_platform;

/* Starts the engine, loads and seals the platform, picks ranks, sets Wi-Fi rates (a host's property `wifi_level`, else
 * level 0) and `precision`. Once per process; there is no way to unload a platform.
 *
 * workers 0 takes all hosts, and accepts a platform without a network model: for descriptions, not for runs.
 *
 * returns     RH_EINVAL for more workers than hosts, an unknown host, a platform without a network model;
 *             RH_EFORMAT for what SimGrid throws while reading the file; RH_EUNSUPPORTED for what it offers and we do
 * not. What SimGrid itself refuses ends the process: that is why files are probed first.
 */
RH_CHECKED rh_status rh_platform_load(const rh_platform_def *def, rh_platform **platform);

const char *rh_platform_file(const rh_platform *platform);
const char *rh_platform_model(const rh_platform *platform); /* "CM02" */
const char *rh_platform_version(void);                      /* "SimGrid 3.32" */
double rh_platform_precision(const rh_platform *platform);  /* s; completions closer than this merge */
int32_t rh_platform_workers(const rh_platform *platform);
const char *rh_platform_host(const rh_platform *platform, int32_t rank);
/* The innermost zone: the one that holds a rank's host itself, for example a node with its accelerators. A zone holds
 * hosts or zones, never both. A <cluster> is one zone, whatever its topology: no host or switch of it is a zone of its
 * own. Zones without ranks do not count. Where SimGrid's zones cannot be nodes, since a zone has one way out, hosts'
 * property `node` names them: it then counts as the zone. */
const char *rh_platform_zone(const rh_platform *platform, int32_t rank); /* name of SimGrid's */
int32_t rh_platform_zone_count(const rh_platform *platform);             /* at least 1 */
int32_t rh_platform_zone_of(const rh_platform *platform, int32_t rank);  /* 0 .. count - 1, by first rank */
const int32_t *rh_platform_zones(const rh_platform *platform);           /* zone_of all ranks, [workers]; borrowed */
double rh_platform_speed(const rh_platform *platform, int32_t rank);     /* flop/s of one core */
double rh_platform_fastest(const rh_platform *platform); /* flop/s of the fastest host of the platform */
/* A host's property `device`: the profile of its steps; "" if it has none, and its steps are those of the
 * run's device. */
const char *rh_platform_device(const rh_platform *platform, int32_t rank);
double rh_platform_fastest_plain(const rh_platform *platform); /* of the hosts without that property; 0: all have it */
int32_t rh_platform_host_count(const rh_platform *platform);   /* all hosts, ranks or not */
/* RH_EUNSUPPORTED names a rank whose host is off at the start: nothing can run there. */
RH_CHECKED rh_status rh_platform_check_on(const rh_platform *platform);

/* Does the file give hosts or links that change with time (profiles of speed, state, bandwidth or latency)? */
bool rh_platform_has_profiles(const rh_platform *platform);

/* Do transfers load the way back as well (network/crosstraffic)? */
bool rh_platform_cross_traffic(const rh_platform *platform);

int32_t rh_platform_link_count(const rh_platform *platform);
const char *rh_platform_link_name(const rh_platform *platform, int32_t link);
/* What the file gives the link, whatever its profiles make of it: for descriptions and closed forms. */
double rh_platform_link_bandwidth(const rh_platform *platform, int32_t link); /* byte/s; Wi-Fi: of level 0 */
double rh_platform_link_latency(const rh_platform *platform, int32_t link);   /* s */
bool rh_platform_link_fatpipe(const rh_platform *platform, int32_t link); /* each transfer has all of its bandwidth */
/* What it can carry, as far as the simulation has come; borrowed. NULL: always that bandwidth. */
const rh_capacity *rh_platform_link_capacity(const rh_platform *platform, int32_t link);

/* A route, cached; borrowed from the platform. Nominal numbers: neither the network model's factors nor profiles are in
 * them. A link may stand in it twice (between two Wi-Fi stations every byte crosses the air twice) and then gives half
 * its bandwidth. */
typedef struct rh_route {
  int32_t link_count;
  const int32_t *links; /* indices for rh_platform_link_* */
  double latency_s;     /* sum over links */
  double bandwidth_Bps; /* least of the links */
} rh_route;

/* The route between two ranks. A pair without a route aborts inside SimGrid for some zone kinds, so runs ask only for
 * pairs that the probe has seen. RH_EINVAL for an empty route between different hosts. */
RH_CHECKED rh_status rh_platform_route(rh_platform *platform, int32_t from, int32_t to, const rh_route **route);

/* How long a transfer takes that shares no link with another one: until its first byte flows, and from then on. False
 * where this is not known: the SMPI model, cross traffic, Wi-Fi, a link that stands in the route twice. */
bool rh_platform_lone_seconds(const rh_platform *platform, const rh_route *route, int64_t bytes, double *latency_s,
                              double *flow_s);

/* How a transfer shares its links with others: it waits for its latency, then has a part of each link in proportion to
 * `weight`, and limit_Bps at most (INFINITY: none but the links). False where this is not known: as above, and links
 * that are not shared (FATPIPE), and routes without latency. */
bool rh_platform_share(const rh_platform *platform, const rh_route *route, double *latency_s, double *weight,
                       double *limit_Bps);
double rh_platform_share_capacity(const rh_platform *platform, int32_t link); /* byte/s of all that share it */
int32_t rh_platform_longest_route(const rh_platform *platform);               /* links, of all routes asked for */

/* Everything `rehearse platform` says of a loaded platform, as text or JSON: file, model and who set it, hosts, speeds,
 * zones, links, and the routes between ranks (all pairs up to 64 ranks, else a sample), with the pairs that have none;
 * diameter, bisection bandwidth (by formula, else an upper bound) and a ring all-reduce in closed form.
 *
 * no_routes   NULL, or why routes are not looked at: printed in their place (SimGrid may abort on a pair without one)
 * trying      told of every pair before its route is asked for, so that an abort can be blamed; NULL: nobody
 */
RH_CHECKED rh_status rh_platform_describe(rh_platform *platform, bool json, const char *no_routes,
                                          void (*trying)(int32_t from, int32_t to), rh_text *out);

/* Draws a loaded platform as SVG, laid out by its kind, links labelled; readable on light and on dark ground. Large
 * ones are drawn in part, and say so.
 *
 * routes      may routes be asked for?
 * trying      as above
 */
RH_CHECKED rh_status rh_platform_draw(rh_platform *platform, bool routes, void (*trying)(int32_t from, int32_t to),
                                      rh_text *out);

#endif
