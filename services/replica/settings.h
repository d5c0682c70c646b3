// The flags of httpserver and the fleet file, made into what the parts take. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/rpc/control.h"
#include "lib/service/passed_sockets.h"
#include "perigee/v1/config.pb.h"
#include "services/replica/cache/cache.h"
#include "services/replica/flags.h"
#include "services/replica/machine.h"
#include "services/replica/server.h"
#include "services/replica/telemetry/access_log.h"

namespace perigee::replica {

struct Settings {
  ServerOptions server;
  CacheOptions cache;
  std::string origin_ca;  // empty: the system's authorities
  IpEndpoint control;
  ControlSecurity security;
  std::optional<IpEndpoint> metrics;
  std::string access_log;  // empty: none
  AccessLogFormat access_log_format = AccessLogFormat::kCombined;
  std::string fleet_log_level;  // --log-level counts before it
};

// A flag counts before the fleet file. InvalidArgument names the flag or field that is wrong or missing.
// `machine` decides where neither does: threads, whether to listen on [::], and how much of the cache is kept
// in memory too: all of it that takes no more than a quarter of the machine's.
absl::StatusOr<Settings> MakeSettings(const Flags& flags, const v1::FleetConfig& fleet,
                                      const Machine& machine);

// Makes passed sockets, at least one, what is listened on, and returns them. InvalidArgument names one that
// is UDP or not what -p and --listen ask for, or an address that none was passed for.
absl::StatusOr<std::vector<int>> UsePassed(const std::vector<PassedSocket>& passed, const Flags& flags,
                                           Settings* settings);

// What of the fleet file differs and does not take effect before a restart, by its field's name.
std::vector<std::string> NeedsRestart(const Settings& running, const Settings& next);

}  // namespace perigee::replica
