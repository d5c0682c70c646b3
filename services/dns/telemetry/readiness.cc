#include "services/dns/telemetry/readiness.h"

#include "fmt/format.h"

namespace perigee::dns {

HealthVerdict DnsReadiness(const Readiness& now) {
  HealthVerdict verdict = VerdictOf(now.phase);
  if (now.zones == 0) verdict.failures.push_back("no zone is loaded");
  if (now.usable_replicas == 0) {
    const std::string none = fmt::format("none of {} replicas is usable", now.replicas);
    if (now.fails_when_all_down) {
      verdict.failures.push_back(none + ": clients get SERVFAIL (ALL_DOWN_SERVFAIL)");
    } else {
      verdict.degraded.push_back(none + ": clients get the best that is known (ALL_DOWN_BEST_KNOWN)");
    }
  }
  if (now.probers_up == 0) verdict.degraded.push_back("no prober is up: new clients are not measured");
  return verdict;
}

}  // namespace perigee::dns
