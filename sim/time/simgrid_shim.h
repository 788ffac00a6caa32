/* What SimGrid offers in C++ only, as plain C functions. No exception leaves them: where SimGrid throws, they return
 * false or -1 and write its words into `why` (terminated, cut to `size`). SimGrid's own aborts stay aborts.
 *
 * The differences between SimGrid 3.32 and 4.x live here, too.
 */
#ifndef RH_SIMGRID_SHIM_H
#define RH_SIMGRID_SHIM_H

#include <simgrid/forward.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The settings' names, which 4.x changed. */
const char *rh_shim_precision_key(void); /* "surf/precision" */
void rh_shim_version(char *text, size_t size);

/* Starts the engine, in place of simgrid_init: actor stacks of 64 KiB (guard pages below them in debug builds; threads
 * under a sanitizer, which does not know SimGrid's own contexts). Of SimGrid's log only the last words before an abort
 * and complaints about missing units are let through. Once per process.
 */
void rh_shim_start(void);

/* Changes a setting, before the platform is loaded: wins over the file's <config>. */
void rh_shim_set(const char *key, const char *value);

/* Loads the platform file and seals it, so that routes are right. Once per process, after rh_shim_start. */
bool rh_shim_load(const char *file, char *why, size_t size);

/* A setting after the platform is loaded. Is it still at its default, so neither file nor caller set it? */
bool rh_shim_setting_default(const char *key);
void rh_shim_setting_text(const char *key, char *value, size_t size);
double rh_shim_setting_number(const char *key);
bool rh_shim_setting_switch(const char *key);

/* The links from one host to another: their number, or -1. *links is malloc'ed, the caller frees it (NULL if none).
 * *latency_s is the sum over the links, Vivaldi's distances included. */
int rh_shim_route(sg_host_t from, sg_host_t to, sg_link_t **links, double *latency_s, char *why, size_t size);

/* Has `visit` told, while the platform is loaded, what the file gives every link, before profiles change it: of a
 * split-duplex link once. Some links are told twice, first as in the file. */
void rh_shim_watch_links(void (*visit)(void *context, const char *name, double bandwidth_Bps, double latency_s),
                         void *context);
/* The link's name in the file: of one direction of a split-duplex link that of both. Borrowed until the next call. */
const char *rh_shim_link_file_name(sg_link_t link);
/* Has `visit` told whenever a profile has changed a link's bandwidth or state; off: 0 byte/s. */
void rh_shim_watch_changes(void (*visit)(void *context, sg_link_t link, double at_s, double bandwidth_Bps),
                           void *context);
double rh_shim_link_bandwidth(sg_link_t link); /* now, byte/s; off: 0 */

bool rh_shim_link_wifi(sg_link_t link);
bool rh_shim_link_fatpipe(sg_link_t link);
/* Sets the rate of one station; level is an index into the link's list of rates. */
bool rh_shim_wifi_rate(sg_link_t link, sg_host_t station, int level, char *why, size_t size);
/* byte/s of a station whose rate was set; SimGrid's public functions say 1 for every Wi-Fi link. */
double rh_shim_wifi_bandwidth(sg_link_t link, sg_host_t station);
/* Calls `visit` with every Wi-Fi link and each station of its zone. */
void rh_shim_wifi_stations(void (*visit)(void *context, sg_link_t link, sg_host_t station), void *context);

/* Calls `visit` with every zone: name and kind ("Full", "FatTree", "Wifi"). Borrowed for the call. */
void rh_shim_zones(void (*visit)(void *context, const char *name, const char *kind), void *context);
/* The zone that holds the host itself, and no zone around it. One address per zone, valid as long as the engine. */
const char *rh_shim_host_zone(sg_host_t host);

/* Runs the simulation to its end. *deadlock: actors were left that nothing could wake any more; SimGrid has ended them,
 * and its dump of them was kept off the terminal. */
bool rh_shim_run(bool *deadlock, char *why, size_t size);

/* Waits for one side of a transfer and releases it. In an actor only: the exception with which SimGrid ends an actor
 * passes through.
 * start_s     when data began to flow: both sides were there, or, with a declared receiver, the sender alone
 * finish_s    when the last byte was there, which may be before the wait began */
bool rh_shim_comm_wait(sg_comm_t comm, double *start_s, double *finish_s, char *why, size_t size);

/* Declares who receives from a mailbox: what is put there starts to flow at once. */
void rh_shim_mailbox_receiver(sg_mailbox_t mailbox, sg_actor_t receiver);

/* Puts an empty message into a mailbox with a receiver. SimGrid takes one that has nothing left to carry for one that
 * has arrived, if its get comes after it: the latency would be left out. This one carries 1e-9 byte. */
sg_comm_t rh_shim_put_empty(sg_mailbox_t mailbox, void *payload);

#ifdef __cplusplus
}
#endif
#endif
