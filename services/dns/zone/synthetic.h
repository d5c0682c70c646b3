// The zone that is made when only a domain name is given: `dnsserver -n cdn.example.org` and nothing else.
//
//   cdn.example.org.      SOA  ns1 hostmaster, serial from the start time
//   cdn.example.org.      NS   the name server's name, "ns1.cdn.example.org." by default
//   cdn.example.org.      A, AAAA steered, and those of other names that are given
//   ns1.cdn.example.org.  A, AAAA of this server, when they are given: the glue of the parent's delegation
//
// Nothing else exists below the apex. Timers are those that RIPE-203 and Zonemaster take for sensible.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/zone/zone.h"

namespace perigee::dns {

struct SyntheticZoneOptions {
  std::string domain;  // the apex
  bool steer_apex = true;
  std::vector<Name> steered;  // within the domain; wildcards too
  std::string name_server;    // as the parent delegates to it; "ns1.<domain>" when empty
  std::vector<IpAddress>
      server_addresses;   // of the name server; used when its name lies within the domain and is not steered
  WallTime start_time{};  // becomes the serial, so that it grows with every restart
};

// InvalidArgument when a name is not a domain name, or "hostmaster.<domain>" would be too long.
absl::StatusOr<Zone> MakeSyntheticZone(const SyntheticZoneOptions& options);

}  // namespace perigee::dns
