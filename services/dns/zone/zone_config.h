// From the fleet file to the zones that are served.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "perigee/v1/config.pb.h"
#include "services/dns/zone/zone_set.h"

namespace perigee::dns {

struct ZoneLoadOptions {
  std::string folder;       // of the fleet file; zone files are relative to it. Empty: as they are
  std::string name_server;  // of the zones that are made; see SyntheticZoneOptions
  std::vector<IpAddress> server_addresses;  // likewise
  WallTime start_time{};                    // likewise
};

// Every zone of the fleet file, with `domain` steered in the deepest one that holds it, or else in a zone
// made for it, and so the names of beacons; and what `dns` says of version and identity. InvalidArgument or
// NotFound, with the field of the fleet file first: "zone[1].steered[0]: ...", "zone[0]: zones/example.org:7:
// ...".
absl::StatusOr<ZoneSet> LoadZones(const v1::FleetConfig& fleet, const ZoneLoadOptions& options);

}  // namespace perigee::dns
