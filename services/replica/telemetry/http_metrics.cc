#include "services/replica/telemetry/http_metrics.h"

#include <iterator>
#include <string_view>
#include <utility>

#include "lib/metrics/families.h"

namespace perigee::replica {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using Families = std::vector<MetricFamily>;

MetricFamily Gauge(std::string_view name, std::string_view help, uint64_t value) {
  return OneGauge(name, help, static_cast<double>(value));
}

MetricFamily Results(const Counters& sum) {
  Family family(MetricType::Counter, "perigee_http_cache_results_total",
                "Requests answered, by what Cache-Status says of them.");
  for (size_t i = 0; i < Counters::kForwards; ++i) {
    const auto forward = static_cast<http::Forward>(i);
    family.Add({{"result", forward == http::Forward::kNone ? "hit" : http::Name(forward)}},
               sum.by_forward[i]);
  }
  return std::move(family).Take();
}

MetricFamily Latency(const Counters& sum) {
  Family family(MetricType::Histogram, "perigee_http_latency_seconds",
                "From reading a request's head to the last byte of its answer.");
  family.Add({{"cache", "hit"}}, sum.hit_latency);
  family.Add({{"cache", "forwarded"}}, sum.forwarded_latency);
  return std::move(family).Take();
}

MetricFamily OriginFailures(const Counters& sum) {
  Family family(MetricType::Counter, "perigee_http_origin_failures_total",
                "Exchanges with the origin that failed, by why.");
  for (size_t i = 1; i < Counters::kFetchErrors; ++i) {
    const std::string_view word = Name(static_cast<FetchError>(i));
    if (word != "unknown") family.Add({{"reason", word}}, sum.origin_failures[i]);
  }
  return std::move(family).Take();
}

MetricFamily OriginLatency(const Counters& sum) {
  Family family(MetricType::Histogram, "perigee_http_origin_latency_seconds",
                "From asking the origin, connecting included, to the head of its response.");
  family.Add({}, sum.origin_latency);
  return std::move(family).Take();
}

Families RequestFamilies(const Counters& sum) {
  return {CounterByWord("perigee_http_requests_total", "method", "Requests, by method.", sum.by_method),
          CounterByWord("perigee_http_responses_total", "status", "Requests, by the status of the answer.",
                        sum.by_status),
          Results(sum),
          CounterByWord("perigee_http_hits_total", "tier", "Hits, by where the answer was.", sum.by_tier),
          OneCounter("perigee_http_revalidated_total", "Stored answers that the origin confirmed (304).",
                     sum.revalidated.value()),
          OneCounter("perigee_http_stale_served_total", "Stale answers served because the origin failed.",
                     sum.stale.value()),
          OneCounter("perigee_http_collapsed_total", "Requests that shared the fetch of another.",
                     sum.collapsed.value()),
          CounterByWord("perigee_http_refused_total", "reason", "Requests and connections refused, by why.",
                        sum.refused),
          OneCounter("perigee_http_sent_bytes_total", "Bytes sent to clients, heads included.",
                     sum.sent_bytes.value()),
          Latency(sum)};
}

Families ConnectionFamilies(const Counters& sum, const HttpGauges& gauges) {
  return {Gauge("perigee_http_connections", "Client connections open.", sum.connections()),
          Gauge("perigee_http_connections_limit", "The most client connections (--max-connections).",
                gauges.max_connections),
          OneCounter("perigee_http_connections_opened_total", "Client connections accepted.",
                     sum.connections_opened.value()),
          OneCounter("perigee_http_accept_failures_total", "Times that the system had no connection to give.",
                     sum.accept_failures.value()),
          Gauge("perigee_http_tunnels", "WebSocket connections open.", sum.tunnels()),
          Gauge("perigee_http_tunnels_limit", "The most WebSocket connections (--max-tunnels).",
                gauges.max_tunnels),
          OneCounter("perigee_http_tunnels_opened_total", "WebSocket connections that the origin agreed to.",
                     sum.tunnels_opened.value())};
}

Families OriginFamilies(const Counters& sum, const HttpGauges& gauges) {
  return {OneCounter("perigee_http_origin_requests_total", "Requests to the origin.",
                     sum.origin_requests.value()),
          OriginFailures(sum),
          OneCounter("perigee_http_origin_error_answers_total",
                     "Requests answered with an error because the origin failed.", sum.origin_errors.value()),
          OriginLatency(sum),
          Gauge("perigee_http_origin_circuit_open",
                "1 while the origin is not asked, for it has failed too often in a row; 0 otherwise.",
                gauges.circuit_open ? 1 : 0),
          OneCounter("perigee_http_origin_circuit_openings_total", "How often that has begun.",
                     gauges.circuit_openings)};
}

Families CacheFamilies(const CacheStats& cache) {
  return {
      Gauge("perigee_http_cache_objects", "Objects stored.", cache.objects),
      Gauge("perigee_http_cache_objects_limit", "How many there may be.", cache.max_objects),
      Gauge("perigee_http_cache_bytes", "What they take.", cache.bytes),
      Gauge("perigee_http_cache_limit_bytes", "What they may take.", cache.budget_bytes),
      Gauge("perigee_http_cache_memory_objects", "Objects held in memory too.", cache.memory_objects),
      Gauge("perigee_http_cache_memory_bytes", "What these take.", cache.memory_bytes),
      Gauge("perigee_http_cache_memory_limit_bytes", "What these may take.", cache.memory_budget_bytes),
      Gauge("perigee_http_cache_pending_bytes", "What waits to be written to the disk.", cache.pending_bytes),
      OneCounter("perigee_http_cache_evictions_total", "Objects evicted to make room.", cache.evictions),
      OneCounter("perigee_http_cache_refused_total",
                 "Objects not stored: too large, or too much waits for the disk.", cache.inserts_refused),
      Gauge("perigee_http_cache_disk_up", "1 when the disk tier works; 0 when memory is all there is.",
            cache.disk_ok ? 1 : 0),
      OneCounter("perigee_http_cache_disk_errors_total", "Failures of the disk tier.", cache.disk_errors)};
}

Families ControlFamilies(const HttpGauges& gauges) {
  if (gauges.refused_calls == nullptr) return {};
  return {CounterByWord<Role>("perigee_http_control_calls_refused_total", "role",
                              "Calls of the control port refused for the caller's role, by that role.",
                              *gauges.refused_calls)};
}

Families ProgramFamilies(const HttpGauges& gauges) {
  return {OneCounter("perigee_http_access_log_lines_total", "Lines written to the access log.",
                     gauges.log_lines_written),
          OneCounter("perigee_http_access_log_lost_total",
                     "Lines that a full ring or disk kept from the access log.", gauges.log_lines_lost),
          OneGauge("perigee_http_uptime_seconds", "Time since the start.",
                   static_cast<double>(gauges.uptime.count()))};
}

}  // namespace

Families HttpMetrics(const Counters& sum, const HttpGauges& gauges) {
  Families families;
  for (Families part : {RequestFamilies(sum), ConnectionFamilies(sum, gauges), OriginFamilies(sum, gauges),
                        CacheFamilies(gauges.cache), ControlFamilies(gauges), ProgramFamilies(gauges)}) {
    std::move(part.begin(), part.end(), std::back_inserter(families));
  }
  return families;
}

}  // namespace perigee::replica
