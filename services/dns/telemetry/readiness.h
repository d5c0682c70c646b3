// What /readyz says of dnsserver. Pure.
#pragma once

#include <cstddef>

#include "lib/health/health_verdict.h"

namespace perigee::dns {

struct Readiness {
  Phase phase = Phase::kStarting;
  size_t zones = 0;
  size_t replicas = 0;
  int usable_replicas = 0;  // that clients may be sent to
  int probers_up = 0;
  bool fails_when_all_down = false;  // ALL_DOWN_SERVFAIL
};

// Without a usable replica it is ready if clients are given the best that is known all the same
// (ALL_DOWN_BEST_KNOWN), and says so.
HealthVerdict DnsReadiness(const Readiness& now);

}  // namespace perigee::dns
