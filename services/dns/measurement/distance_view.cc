#include "services/dns/measurement/distance_view.h"

namespace perigee::dns {

const ReplicaDistances& DistanceView::Renewed(std::optional<Copy>* copy,
                                              ReplicaDistances (FleetState::*collect)() const) {
  const uint64_t set = fleet_.distances_set();
  const MonoTime now = clock_.Now();
  const bool young = *copy && fleet_.size() > kWholeFleet && now - (*copy)->at < kDistancesAge;
  if (!*copy || ((*copy)->set != set && !young)) *copy = Copy{(fleet_.*collect)(), set, now};
  return (*copy)->distances;
}

}  // namespace perigee::dns
