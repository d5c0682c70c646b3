// All that dnsserver makes of one reading of the fleet file. A reload makes the next one, which takes over
// what the last one knew, and lets the last one go when the last query that it answers has ended.
#pragma once

#include <grpcpp/grpcpp.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/rpc/credentials.h"
#include "perigee/v1/config.pb.h"
#include "services/dns/director/known_clients.h"
#include "services/dns/director/steering_director.h"
#include "services/dns/fleet/heartbeat.h"
#include "services/dns/fleet/load_watch.h"
#include "services/dns/geography/geo_database.h"
#include "services/dns/measurement/distance_survey.h"
#include "services/dns/measurement/measurement_loop.h"
#include "services/dns/measurement/probe_permit.h"
#include "services/dns/responder/authority.h"
#include "services/dns/zone/zone_config.h"

namespace perigee::dns {

// What generations have in common; outlives them.
struct Surroundings {
  const Clock& clock;
  boost::asio::io_context& loop;  // run by one thread
  CallerCredentials credentials;
  std::vector<IpAddress> own_addresses;
  std::vector<CookieSecret> process_secrets;  // where no secret file is given
  std::chrono::milliseconds tcp_idle_timeout{};
  MeasurementCounters* counters = nullptr;  // null: nobody counts
  MeasurementLog* measurements = nullptr;   // null: nobody writes them down
};

// A fleet file that has been found good in every part.
struct Configuration {
  v1::FleetConfig fleet;
  ZoneSet zones;
  SteeringOptions steering;
  std::optional<CookieMaker> cookies;
  std::shared_ptr<const GeoDatabase> geography;  // null: none
};

// Errors name the file and line, or the field.
absl::StatusOr<Configuration> Configure(v1::FleetConfig fleet, const ZoneLoadOptions& zone_options,
                                        const Surroundings& surroundings);

// The fields of the fleet file that differ and hold only from the process's start on.
std::vector<std::string> NeedsRestart(const v1::FleetConfig& before, const v1::FleetConfig& after);

class Generation {
 public:
  // On the loop's thread. `previous` may be null. The map fits the configuration's fleet.
  Generation(Configuration configuration, const Surroundings& surroundings, std::shared_ptr<RttMap> map,
             const Generation* previous);

  // Ends what is under way, and waits for it: queries that still wait are answered with what there is. From
  // any thread but the loop's and gRPC's, once; then the destructor may run on the loop's thread.
  void Stop();

  const v1::FleetConfig& config() const { return configuration_.fleet; }
  const SteeringOptions& options() const { return configuration_.steering; }
  const Authority& authority() const { return authority_; }
  const std::shared_ptr<RttMap>& map() const { return map_; }
  const KnownClients& clients() const { return clients_; }
  FleetState& fleet() { return fleet_; }

 private:
  using Channels = std::vector<std::shared_ptr<grpc::Channel>>;
  Authority MakeAuthority(const Surroundings& surroundings);

  Configuration configuration_;
  FleetState fleet_;
  const std::shared_ptr<RttMap> map_;
  ProbePermit permit_;
  Channels probers_at_, servers_at_;
  MeasurementLoop measurement_;
  ProberClient probers_;  // after `measurement_`: its destructor waits for the calls that report there
  std::optional<Heartbeat> heartbeat_;
  std::optional<LoadWatch> load_watch_;
  DistanceSurvey survey_;
  KnownClients clients_;
  SteeringDirector steering_;
  const Authority authority_;
};

}  // namespace perigee::dns
