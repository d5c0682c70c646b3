// The replicas' distances as the director's loop looks at them: a copy that is renewed when they have
// changed.
//
// To collect the distances of n replicas costs n * n, and every answer of a prober may ask for them; they
// change in bursts, every ten minutes (distance_survey.h).
//
// Threads: one, the director's loop.
#pragma once

#include <optional>

#include "lib/base/clock.h"
#include "services/dns/fleet/fleet_state.h"

namespace perigee::dns {

// Of a large fleet they are collected no sooner again.
inline constexpr auto kDistancesAge = std::chrono::seconds(1);

class DistanceView {
 public:
  // References must outlive it.
  DistanceView(const FleetState& fleet, const Clock& clock) : fleet_(fleet), clock_(clock) {}

  // As FleetState has them. The references hold until the next call of either.
  const ReplicaDistances& shorter() { return Renewed(&shorter_, &FleetState::distances); }
  const ReplicaDistances& longer() { return Renewed(&longer_, &FleetState::longer_distances); }

 private:
  struct Copy {
    ReplicaDistances distances;
    uint64_t set = 0;  // FleetState::distances_set
    MonoTime at{};
  };
  const ReplicaDistances& Renewed(std::optional<Copy>* copy, ReplicaDistances (FleetState::*collect)() const);

  const FleetState& fleet_;
  const Clock& clock_;
  std::optional<Copy> shorter_, longer_;
};

}  // namespace perigee::dns
