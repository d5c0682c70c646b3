// The DNS server's metrics as Prometheus' families: what the workers counted, and how the server stands.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "services/dns/telemetry/query_counters.h"

namespace perigee::dns {

struct ReplicaGauges {
  std::string name;
  bool healthy = false, overloaded = false, drained = false;
  double load = 0;  // as its heartbeat told
};

// What the caller reads off the server at a scrape.
struct DnsGauges {
  uint64_t map_rows = 0, map_capacity = 0;  // client prefixes
  uint64_t zones = 0;
  uint64_t generation = 0;  // of the configuration in force
  std::chrono::seconds uptime{};
  uint64_t decisions_written = 0, decisions_lost = 0;
  std::vector<ReplicaGauges> replicas;
};

// Adds up all blocks. Names begin with perigee_dns_; values of labels are the words that logs use.
// Thread-safe.
std::vector<prometheus::MetricFamily> DnsMetrics(const QueryCounterRegistry& counters,
                                                 const DnsGauges& gauges);

}  // namespace perigee::dns
