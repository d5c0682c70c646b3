// What was measured for one reading of the fleet file, taken over by the next: replicas may have come, gone
// and changed places.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "lib/base/clock.h"
#include "perigee/v1/config.pb.h"
#include "services/dns/map/rtt_map.h"

namespace perigee::dns {

// An empty map for the fleet.
std::shared_ptr<RttMap> MakeMap(const v1::FleetConfig& fleet, const Clock& clock);

// Whether a map of `before` will do for `after`: the same replicas, in the same order, and the same size.
bool SameMap(const v1::FleetConfig& before, const v1::FleetConfig& after);

// Copies the rows whose decided replica is still there, with the replicas' new numbers. `from` may be written
// to meanwhile, `to` may not.
void CopyRows(const v1::FleetConfig& from_fleet, const RttMap& from, const v1::FleetConfig& to_fleet,
              RttMap& to);

struct PrefixRow {
  IpPrefix prefix;
  MapRow row;
};
// Those of CopyRows that were measured at `since` or later, and of the second before; any thread.
std::vector<PrefixRow> RowsSince(MonoTime since, const v1::FleetConfig& from_fleet, const RttMap& from,
                                 const v1::FleetConfig& to_fleet);
// Puts the rows that are newer than what `to` has of their prefix, by a second at least: a newer row is never
// replaced by an older one. On the thread that puts into `to`.
void PutNewer(std::span<const PrefixRow> rows, RttMap& to);

}  // namespace perigee::dns
