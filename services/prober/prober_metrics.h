// What the metrics port of the prober shows. Pure.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstddef>
#include <vector>

#include "lib/health/health_verdict.h"
#include "lib/rpc/roles.h"
#include "services/prober/prober_counters.h"

namespace perigee {

struct ProberGauges {
  size_t max_flights = 0;
  bool scamper_up = false;
  std::chrono::seconds uptime{};
  const RefusedCalls* refused_calls = nullptr;  // of the control port
};

// Names begin with perigee_prober_; docs/metrics.md describes each.
std::vector<prometheus::MetricFamily> ProberMetrics(const ProberCounters& counters,
                                                    const ProberGauges& gauges);

// What /readyz says: without scamper nothing can be measured.
HealthVerdict ProberReadiness(Phase phase, bool scamper_up);

}  // namespace perigee
