// The part of the metrics page that is not about queries.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "services/dns/telemetry/dns_metrics.h"

namespace perigee::dns {

// Thread-safe.
void AppendServerMetrics(const ServerCounters& counters, const DnsGauges& gauges,
                         std::vector<prometheus::MetricFamily>* families);

}  // namespace perigee::dns
