// What a program tells of itself over HTTP: GET and HEAD of /metrics in Prometheus' text format 0.0.4, and of
// /healthz and /readyz, 200 or 503 with the reasons. One thread, plain HTTP, one request a connection.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/address.h"
#include "lib/health/health_verdict.h"

namespace perigee {

struct MetricsLimits {
  size_t max_connections = 16;               // those beyond are closed at once
  std::chrono::milliseconds deadline{5000};  // from the accept to the last octet of the answer
  uint32_t max_header_size = 8192;           // octets of a request's head
};

// Each is called on the server's thread, once a request, and must not block.
struct MetricsPages {
  std::function<std::vector<prometheus::MetricFamily>()> metrics;
  std::function<HealthVerdict()> alive;  // /healthz: does the process make progress? If not, end it
  std::function<HealthVerdict()> ready;  // /readyz: can it do its job now? If not, send nobody
};

class MetricsServer {
 public:
  // Listens; port 0 takes a free one. An error names the address.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(IpEndpoint endpoint, MetricsPages pages,
                                                              MetricsLimits limits = {});
  // Closes every connection; no page is asked for any more.
  ~MetricsServer();

  uint16_t port() const;

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace perigee
