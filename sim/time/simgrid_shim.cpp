// See simgrid_shim.h. The one C++ file of the program.
#include "simgrid_shim.h"

#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <string>
#include <typeinfo>
#include <vector>

#include <simgrid/engine.h>
#include <simgrid/Exception.hpp>
#include <simgrid/kernel/routing/NetZoneImpl.hpp>
#include <simgrid/s4u.hpp>
#include <simgrid/version.h>
#include <xbt/config.hpp>
#include <xbt/log.h>

namespace sg = simgrid::s4u;

XBT_LOG_EXTERNAL_CATEGORY(ker_engine);

// SimGrid keeps this class in a private header and no public function tells a station's rate. Only the exported
// member function that is called here is declared; StandardLinkImpl is its first base, at the same address.
namespace simgrid::kernel::resource
{
class WifiLinkImpl
{
public:
  double get_host_rate(const s4u::Host *host) const;
};
} // namespace simgrid::kernel::resource

static void copy_text(const std::string &from, char *to, size_t size)
{
  std::snprintf(to, size, "%s", from.c_str());
}

// Runs `body`; returns false and the reason when it throws.
template <typename Body> static bool guarded(char *why, size_t size, Body body)
{
  try {
    body();
    return true;
  } catch (const std::exception &e) {
    copy_text(e.what(), why, size);
  } catch (...) {
    copy_text("an unknown exception", why, size);
  }
  return false;
}

const char *rh_shim_precision_key(void)
{
#if SIMGRID_VERSION >= 40000
  return "precision/timing";
#else
  return "surf/precision";
#endif
}

void rh_shim_version(char *text, size_t size)
{
  std::snprintf(text, size, "SimGrid %d.%d", SIMGRID_VERSION_MAJOR, SIMGRID_VERSION_MINOR);
}

void rh_shim_start(void)
{
#if !defined(NDEBUG) || defined(RH_SANITIZED)
  static char guard[] = "--cfg=contexts/guard-size:1"; // without it an overflow corrupts the heap silently
#else
  static char guard[] = "--cfg=contexts/guard-size:0"; // the kernel's map count would not hold thousands of guards
#endif
  static char program[] = "rehearse", stack[] = "--cfg=contexts/stack-size:64", quiet[] = "--log=root.thresh:critical",
              units[] = "--log=parse.thresh:warning";
#ifdef RH_SANITIZED
  static char factory[] = "--cfg=contexts/factory:thread";
  static char *arguments[] = {program, quiet, units, stack, guard, factory, nullptr};
#else
  static char *arguments[] = {program, quiet, units, stack, guard, nullptr};
#endif
  int count = static_cast<int>(sizeof arguments / sizeof arguments[0]) - 1;
  simgrid_init(&count, arguments);
}

void rh_shim_set(const char *key, const char *value)
{
  simgrid::config::set_as_string(key, value);
}

bool rh_shim_load(const char *file, char *why, size_t size)
{
  return guarded(why, size, [=] {
    sg::Engine::get_instance()->load_platform(file);
    sg::Engine::get_instance()->seal_platform();
  });
}

bool rh_shim_setting_default(const char *key)
{
  return simgrid::config::is_default(key);
}

void rh_shim_setting_text(const char *key, char *value, size_t size)
{
  copy_text(simgrid::config::get_value<std::string>(key), value, size);
}

double rh_shim_setting_number(const char *key)
{
  return simgrid::config::get_value<double>(key);
}

bool rh_shim_setting_switch(const char *key)
{
  return simgrid::config::get_value<bool>(key);
}

int rh_shim_route(sg_host_t from, sg_host_t to, sg_link_t **links, double *latency_s, char *why, size_t size)
{
  std::vector<sg::Link *> route;
  *links = nullptr;
  *latency_s = 0;
  if (!guarded(why, size, [&] { from->route_to(to, route, latency_s); })) return -1;
  if (route.empty()) return 0;
  *links = static_cast<sg_link_t *>(std::malloc(route.size() * sizeof(sg_link_t)));
  if (*links == nullptr) {
    copy_text("out of memory", why, size);
    return -1;
  }
  for (size_t i = 0; i < route.size(); i++)
    (*links)[i] = route[i];
  return static_cast<int>(route.size());
}

void rh_shim_watch_links(void (*visit)(void *context, const char *name, double bandwidth_Bps, double latency_s),
                         void *context)
{
  sg::Link::on_creation_cb(
      [=](const sg::Link &link) { visit(context, link.get_cname(), link.get_bandwidth(), link.get_latency()); });
}

const char *rh_shim_link_file_name(sg_link_t link)
{
  static std::string name;
  name = link->get_name();
  for (const std::string end : {"_UP", "_DOWN"}) {
    if (name.size() <= end.size() || name.compare(name.size() - end.size(), end.size(), end) != 0) continue;
    const std::string both = name.substr(0, name.size() - end.size());
    const sg::SplitDuplexLink *duplex = sg::Engine::get_instance()->split_duplex_link_by_name(both);
    if (duplex != nullptr && (duplex->get_link_up() == link || duplex->get_link_down() == link)) name = both;
  }
  return name.c_str();
}

double rh_shim_link_bandwidth(sg_link_t link)
{
  return link->is_on() ? link->get_bandwidth() : 0;
}

void rh_shim_watch_changes(void (*visit)(void *context, sg_link_t link, double at_s, double bandwidth_Bps),
                           void *context)
{
  const auto tell = [=](const sg::Link &link) {
    sg_link_t changed = const_cast<sg_link_t>(&link);
    visit(context, changed, sg::Engine::get_clock(), rh_shim_link_bandwidth(changed));
  };
  sg::Link::on_bandwidth_change_cb(tell);
  sg::Link::on_state_change_cb(tell);
}

bool rh_shim_link_wifi(sg_link_t link)
{
  return link->get_sharing_policy() == sg::Link::SharingPolicy::WIFI;
}

bool rh_shim_link_fatpipe(sg_link_t link)
{
  return link->get_sharing_policy() == sg::Link::SharingPolicy::FATPIPE;
}

bool rh_shim_wifi_rate(sg_link_t link, sg_host_t station, int level, char *why, size_t size)
{
  return guarded(why, size, [=] { link->set_host_wifi_rate(station, level); });
}

double rh_shim_wifi_bandwidth(sg_link_t link, sg_host_t station)
{
  return reinterpret_cast<const simgrid::kernel::resource::WifiLinkImpl *>(link->get_impl())->get_host_rate(station);
}

// All zones below and including `zone`, parents first.
static void collect_zones(sg::NetZone *zone, std::vector<sg::NetZone *> &zones)
{
  zones.push_back(zone);
  for (sg::NetZone *child : zone->get_children())
    collect_zones(child, zones);
}

static std::vector<sg::NetZone *> all_zones()
{
  std::vector<sg::NetZone *> zones;
  sg::NetZone *root = sg::Engine::get_instance()->get_netzone_root();
  if (root != nullptr) collect_zones(root, zones);
  return zones;
}

void rh_shim_wifi_stations(void (*visit)(void *context, sg_link_t link, sg_host_t station), void *context)
{
  for (sg::NetZone *zone : all_zones()) {
    if (!zone->get_children().empty()) continue; // get_all_links would list the children's links again
    for (sg::Link *link : zone->get_impl()->get_all_links())
      if (rh_shim_link_wifi(link))
        for (sg::Host *station : zone->get_all_hosts())
          visit(context, link, station);
  }
}

// "simgrid::kernel::routing::FatTreeZone" -> "FatTree"
static std::string zone_kind(const sg::NetZone *zone)
{
  const auto &impl = *zone->get_impl();
  int failed = 0;
  char *demangled = abi::__cxa_demangle(typeid(impl).name(), nullptr, nullptr, &failed);
  std::string kind = failed == 0 ? demangled : "unknown";
  std::free(demangled);
  const size_t colon = kind.rfind(':');
  if (colon != std::string::npos) kind.erase(0, colon + 1);
  const size_t suffix = kind.rfind("Zone");
  if (suffix != std::string::npos && suffix > 0) kind.erase(suffix);
  return kind;
}

void rh_shim_zones(void (*visit)(void *context, const char *name, const char *kind), void *context)
{
  for (sg::NetZone *zone : all_zones())
    visit(context, zone->get_cname(), zone_kind(zone).c_str());
}

const char *rh_shim_host_zone(sg_host_t host)
{
  return host->get_englobing_zone()->get_cname();
}

bool rh_shim_run(bool *deadlock, char *why, size_t size)
{
  static bool stuck; // the callback outlives this call
  stuck = false;
  sg::Engine::on_deadlock_cb([] { stuck = true; });
  const auto threshold = static_cast<e_xbt_log_priority_t>(_XBT_LOGV(ker_engine).threshold);
  xbt_log_threshold_set(&_XBT_LOGV(ker_engine), xbt_log_priority_infinite);
  const bool ran = guarded(why, size, [] { simgrid_run(); });
  xbt_log_threshold_set(&_XBT_LOGV(ker_engine), threshold);
  *deadlock = stuck;
  return ran;
}

bool rh_shim_comm_wait(sg_comm_t comm, double *start_s, double *finish_s, char *why, size_t size)
{
  const sg::CommPtr owned(comm, false); // takes over the reference that the C API handed out
  try {
    owned->wait();
  } catch (const simgrid::NetworkFailureException &) { // SimGrid's text for it names a C++ class alone
    copy_text("a link or host on the way failed (its state profile)", why, size);
    return false;
  } catch (const simgrid::Exception &e) { // no catch (...): SimGrid ends actors with an exception of its own
    copy_text(e.what(), why, size);
    return false;
  }
  *start_s = owned->get_start_time();
  *finish_s = owned->get_finish_time();
  return true;
}

void rh_shim_mailbox_receiver(sg_mailbox_t mailbox, sg_actor_t receiver)
{
  mailbox->set_receiver(sg::ActorPtr(receiver));
}

sg_comm_t rh_shim_put_empty(sg_mailbox_t mailbox, void *payload)
{
  sg::CommPtr comm = mailbox->put_init(payload, 0);
  comm->set_remaining(1e-9);
  comm->start();
  comm->add_ref();
  return comm.get();
}
