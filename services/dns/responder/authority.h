// All that answers depend on, made whole from one reading of the configuration and replaced whole by the
// next.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lib/base/address.h"
#include "lib/probe_policy/special_networks.h"
#include "services/dns/guard/cookies.h"
#include "services/dns/guard/rate_limiter.h"
#include "services/dns/responder/steering_seam.h"
#include "services/dns/zone/zone_set.h"

namespace perigee::dns {

struct Authority {
  ZoneSet zones;
  Steering* steering = nullptr;  // outlives this
  // The name below which beacons are; nothing: there are none.
  std::optional<Name> beacon;
  // What NSID (RFC 5001) says; empty: nothing.
  std::vector<uint8_t> identity;
  // Nothing: cookies are ignored.
  std::optional<CookieMaker> cookies;
  // Null: no limit.
  std::shared_ptr<RateLimiter> limiter;
  // The resolvers whose client subnet is believed, and those whose word is enough for probing it.
  std::vector<IpPrefix> subnet_trust;
  std::vector<IpPrefix> subnet_probe_for;
  // Networks that are no client's whoever tells of them: the resolver's own address stands in.
  SpecialNetworks special_networks;
  // What edns-tcp-keepalive (RFC 7828) tells.
  std::chrono::milliseconds tcp_idle_timeout{10'000};
};

}  // namespace perigee::dns
