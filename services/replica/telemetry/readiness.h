// What /readyz says of httpserver. Pure.
#pragma once

#include <cstdint>

#include "lib/health/health_verdict.h"

namespace perigee::replica {

struct Readiness {
  Phase phase = Phase::kStarting;
  bool drained = false;      // by an operator
  uint64_t connections = 0;  // of clients
  bool disk_ok = true;       // of the cache
  bool circuit_open = false;
};

// Without its disk or its origin it serves what it can, so that it is ready all the same, and says so.
HealthVerdict ReplicaReadiness(const Readiness& now);

}  // namespace perigee::replica
