// Which probers are believed. Each measurement of a client is evidence (contradiction.h); who is too near for
// many clients is distrusted: it is asked on, and believed again when its times are possible again, but
// clients are sent to it only when nobody else serves.
//
// Threads: one, the director's loop.
#pragma once

#include <span>
#include <vector>

#include "services/dns/fleet/fleet_state.h"
#include "services/dns/measurement/distance_view.h"
#include "services/dns/steering/choose.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

// What one client counts in the share of a replica's clients to which it is too near, and the shares at which
// trust ends and comes back. A client whose paths break the triangle for real, and few others: no reason yet.
inline constexpr double kEvidenceWeight = 1.0 / 32;
inline constexpr double kDistrustAbove = 0.25, kTrustBelow = 0.01;

class Credibility {
 public:
  // References must outlive it. Whom the fleet distrusts already has all evidence against it.
  Credibility(FleetState& fleet, DistanceView& distances, MeasurementCounters& counters);

  // What all replicas that answered measured of one client.
  void Weigh(std::span<const Sample> samples);

 private:
  FleetState& fleet_;
  DistanceView& distances_;
  MeasurementCounters& counters_;
  std::vector<double> too_near_;  // share of clients, by replica
};

}  // namespace perigee::dns
