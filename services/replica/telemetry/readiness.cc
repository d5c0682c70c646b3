#include "services/replica/telemetry/readiness.h"

#include "fmt/format.h"

namespace perigee::replica {

HealthVerdict ReplicaReadiness(const Readiness& now) {
  HealthVerdict verdict = VerdictOf(now.phase);
  if (now.drained) {
    verdict.failures.push_back(
        fmt::format("drained by an operator: {} connections are served on", now.connections));
  }
  if (!now.disk_ok) verdict.degraded.push_back("the cache is in memory alone, for its disk is out");
  if (now.circuit_open) {
    verdict.degraded.push_back("the origin fails and is not asked: only what is stored is served");
  }
  return verdict;
}

}  // namespace perigee::replica
