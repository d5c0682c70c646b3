// Whom to ask of a client, by all that the director's loop knows: the whole fleet, or of one larger than
// max_asked some (selector.h). Half of them at once; when the first answers have come, more.
//
// Threads: one, that of the flight board.
#pragma once

#include <cstddef>

#include "services/dns/fleet/fleet_state.h"
#include "services/dns/map/rtt_map.h"
#include "services/dns/measurement/client_rows.h"
#include "services/dns/measurement/distance_view.h"
#include "services/dns/measurement/flight.h"
#include "services/dns/steering/replica.h"

namespace perigee::dns {

class FanOut {
 public:
  // `max_asked` is at least 4. References must outlive it.
  FanOut(size_t max_asked, const FleetState& fleet, const ClientRows& rows, DistanceView& distances)
      : max_asked_(max_asked), fleet_(fleet), rows_(rows), distances_(distances) {}

  // Whether so many can be asked whole.
  bool IsWhole(const ReplicaSet& askable) const { return static_cast<size_t>(askable.size()) <= max_asked_; }

  // Whom to ask first, and what the flight is to know of it.
  ReplicaSet First(Flight& flight, const ReplicaSet& askable);
  // Whom to ask when more is known, nobody when there is nobody more to ask: then none is left for later.
  struct More {
    ReplicaSet next, later;
  };
  More After(const Flight& flight);
  // Who asks a client with that row again, more often (refinement.h).
  ReplicaSet ForRefinement(const MapRow& row);

 private:
  const size_t max_asked_;
  const FleetState& fleet_;
  const ClientRows& rows_;
  DistanceView& distances_;
};

}  // namespace perigee::dns
