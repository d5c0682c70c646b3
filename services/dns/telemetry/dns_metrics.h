// The DNS server's metrics as Prometheus' families: what its threads counted, and how the server
// stands. docs/metrics.md lists them.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/rpc/roles.h"
#include "services/dns/telemetry/query_counters.h"
#include "services/dns/telemetry/server_counters.h"

namespace perigee::dns {

struct ReplicaGauges {
  std::string name;
  bool healthy = false, overloaded = false, distrusted = false, drained = false, forced_up = false;
  bool prober_up = false, server_up = false;
  double load = 0;                          // as its heartbeat told
  std::chrono::microseconds control_rtt{};  // zero while unknown
};

// What the caller reads off the server at a scrape.
struct DnsGauges {
  uint64_t map_rows = 0, map_capacity = 0, map_evictions = 0;  // client prefixes
  uint64_t max_flights = 0, max_tcp_connections = 0;
  uint64_t zones = 0;
  uint64_t generation = 0;  // of the configuration in force
  std::chrono::seconds uptime{};
  uint64_t decisions_written = 0, decisions_lost = 0;
  uint64_t measurements_unwritten = 0;
  std::vector<ReplicaGauges> replicas;
  const RefusedCalls* refused_calls = nullptr;  // of the control port
};

// Adds up all blocks of `queries`. Names begin with perigee_dns_; values of labels are the words that logs
// use. Thread-safe.
std::vector<prometheus::MetricFamily> DnsMetrics(const QueryCounterRegistry& queries,
                                                 const ServerCounters& server, const DnsGauges& gauges);

}  // namespace perigee::dns
