// What a client that is already in the map is answered: the map's row, seen in the light of the fleet's
// health now.
//
// Thread-safe, without locks or allocation.
#pragma once

#include <chrono>

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/map/rtt_map.h"
#include "services/dns/steering/choose.h"

namespace perigee::dns {

struct MapAges {
  // Older rows are answered from, and measured again in the background.
  std::chrono::seconds soft{3600};
  // Older rows count as unknown.
  std::chrono::seconds hard{86'400};
};

// A row without any measured replica is soon worth another try.
inline constexpr auto kSilentSoftAge = std::chrono::seconds(60);

struct KnownClient {
  Decision decision;
  // Whether it is time to measure again.
  bool stale = false;
  std::chrono::seconds age{};
  MapRow row;
};

class KnownClients {
 public:
  // The references must outlive this.
  KnownClients(const RttMap& map, const FleetState& fleet, const Clock& clock, const MapAges& ages)
      : map_(map), fleet_(fleet), clock_(clock), ages_(ages) {}

  // False when nothing is known of the client's prefix, or it is too old.
  bool Find(const IpAddress& client, KnownClient* known) const;

 private:
  const RttMap& map_;
  const FleetState& fleet_;
  const Clock& clock_;
  const MapAges ages_;
};

}  // namespace perigee::dns
