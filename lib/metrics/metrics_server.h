// Serves metrics over HTTP in Prometheus' text format 0.0.4: GET /metrics, and nothing else. One thread,
// plain HTTP, one request a connection.
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

namespace perigee {

struct MetricsLimits {
  size_t max_connections = 16;               // those beyond are closed at once
  std::chrono::milliseconds deadline{5000};  // from the accept to the last octet of the answer
  uint32_t max_header_size = 8192;           // octets of a request's head
};

class MetricsServer {
 public:
  using Collect = std::function<std::vector<prometheus::MetricFamily>()>;

  // Listens; port 0 takes a free one. `collect` is called on the server's thread, once a scrape, and must not
  // block. An error names the address.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(IpEndpoint endpoint, Collect collect,
                                                              MetricsLimits limits = {});
  // Closes every connection; `collect` is not called any more.
  ~MetricsServer();

  uint16_t port() const;

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace perigee
