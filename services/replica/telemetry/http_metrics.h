// The metrics page of httpserver. Pure.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/rpc/roles.h"
#include "services/replica/cache/cache.h"
#include "services/replica/counters.h"

namespace perigee::replica {

// What is not counted by Workers.
struct HttpGauges {
  CacheStats cache;
  size_t max_connections = 0;
  size_t max_tunnels = 0;
  bool circuit_open = false;
  uint64_t circuit_openings = 0;
  uint64_t log_lines_written = 0;
  uint64_t log_lines_lost = 0;
  std::chrono::seconds uptime{};
  const RefusedCalls* refused_calls = nullptr;  // of the control port
};

// `sum`: of all Workers. Names begin with perigee_http_; docs/metrics.md describes each. The words of labels
// are those of Cache-Status and of the access log.
std::vector<prometheus::MetricFamily> HttpMetrics(const Counters& sum, const HttpGauges& gauges);

}  // namespace perigee::replica
