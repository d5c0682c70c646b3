#include "services/dns/telemetry/server_metrics.h"

#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "lib/metrics/families.h"
#include "lib/probe_policy/address_policy.h"
#include "services/dns/telemetry/words.h"

namespace perigee::dns {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using Families = std::vector<MetricFamily>;

double Seconds(const std::atomic<int64_t>& unix_ms) {
  return static_cast<double>(unix_ms.load(std::memory_order_relaxed)) / 1e3;
}

std::string RangeLabel(size_t special) {
  if (special == kIsatapRange) return "isatap";
  return special < SpecialRanges().size() ? SpecialRanges()[special].prefix.ToString() : "not-global-unicast";
}

std::string_view RegistryLabel(size_t special) {
  if (special == kIsatapRange) return "ISATAP, RFC 5214";
  return special < SpecialRanges().size() ? SpecialRanges()[special].what : "global unicast, RFC 4291";
}

// Those that were seen: most never are.
MetricFamily SpecialRangesRefused(const MeasurementCounters& counters) {
  Family family(MetricType::Counter, "perigee_dns_probes_refused_special_total",
                "Clients not measured for being in a special range, by range and registry entry.");
  for (size_t i = 0; i < counters.special_ranges.size(); ++i) {
    if (counters.special_ranges[i].value() == 0) continue;
    family.Add({{"range", RangeLabel(i)}, {"registry", RegistryLabel(i)}}, counters.special_ranges[i]);
  }
  return std::move(family).Take();
}

MetricFamily Lost(const MeasurementCounters& counters) {
  Family family(MetricType::Histogram, "perigee_dns_lost_seconds",
                "By how much another replica turned out to be nearer than the one that the client had.");
  for (size_t i = 0; i < counters.lost.size(); ++i)
    family.Add({{"answer", Word(static_cast<Judged>(i))}}, counters.lost[i]);
  return std::move(family).Take();
}

Families MeasurementFamilies(const MeasurementCounters& c, const DnsGauges& gauges) {
  return {
      UnderWay(
          "perigee_dns_measurements", "Measurements under way.", [&c] { return c.started.sum(); },
          [&c] { return c.ended.sum(); }),
      OneGauge("perigee_dns_measurements_limit",
               "The most measurements under way at once (steering.max_flights).",
               static_cast<double>(gauges.max_flights)),
      CounterByWord("perigee_dns_measurements_started_total", "cause", "Measurements begun, by why.",
                    c.started),
      CounterByWord("perigee_dns_measurements_answered_total", "outcome",
                    "Measurements for which queries waited, by when these were answered.", c.answered),
      CounterByWord("perigee_dns_measurements_ended_total", "outcome", "Measurements ended, by how.",
                    c.ended),
      CounterByWord("perigee_dns_probes_refused_total", "reason", "Clients not measured, by why not.",
                    c.probes_refused),
      SpecialRangesRefused(c),
      CounterByWord("perigee_dns_passive_rtts_total", "use",
                    "RTTs of clients' connections that replicas told, by what became of them.", c.passive),
      CounterByWord("perigee_dns_beacons_total", "use", "Beacons that replicas told, by what became of them.",
                    c.beacons),
      Lost(c),
      CounterByWord("perigee_dns_lost_unknown_total", "answer",
                    "Measurements that did not reach the client from the replica that it had.",
                    c.lost_unknown),
      OneCounter("perigee_dns_contradictions_total",
                 "Clients for which one replica's time cannot be true beside those of the others.",
                 c.contradictions.value()),
      UnderWay(
          "perigee_dns_parked_queries", "Queries that wait for a measurement.",
          [&c] { return c.parked.value(); }, [&c] { return c.unparked.value(); }),
      OneCounter("perigee_dns_parked_queries_total", "Queries that waited for a measurement.",
                 c.parked.value()),
      CounterByWord("perigee_dns_parked_queries_dropped_total", "reason",
                    "Queries dropped when they were to wait for a measurement, or while they did.",
                    c.dropped),
      OneCounter("perigee_dns_measurement_backlog_dropped_total",
                 "Queries and refreshes dropped because too many were on their way to the measuring thread.",
                 c.backlog_full.value())};
}

Families TcpFamilies(const TcpCounters& c, const DnsGauges& gauges) {
  return {
      UnderWay(
          "perigee_dns_tcp_connections", "TCP connections open.", [&c] { return c.opened.value(); },
          [&c] { return c.closed.sum(); }),
      OneGauge("perigee_dns_tcp_connections_limit", "The most TCP connections (--tcp-connections).",
               static_cast<double>(gauges.max_tcp_connections)),
      OneCounter("perigee_dns_tcp_connections_opened_total", "TCP connections accepted.", c.opened.value()),
      CounterByWord("perigee_dns_tcp_connections_closed_total", "reason", "TCP connections closed, by why.",
                    c.closed),
      OneCounter("perigee_dns_tcp_accept_failures_total", "TCP connections that could not be accepted.",
                 c.accept_failures.value()),
      OneCounter("perigee_dns_tcp_answers_lost_total",
                 "Answers that came when their TCP connection was gone.", c.answers_lost.value())};
}

Families SaveFamilies(const SaveCounters& c) {
  return {
      OneCounter("perigee_dns_state_rows_saved_total", "Rows of the map written to the state file.",
                 c.rows.value()),
      OneCounter("perigee_dns_state_saves_total", "Times that the map was saved without an error.",
                 c.saves.value()),
      OneCounter("perigee_dns_state_save_failures_total", "Times that the map could not be saved.",
                 c.failures.value()),
      OneGauge("perigee_dns_state_last_save_timestamp_seconds",
               "When the map was last saved without an error; 0 is never.", Seconds(c.last_success_unix_ms))};
}

Families ConfigurationFamilies(const ReloadCounters& c, const DnsGauges& gauges) {
  Family reloads(MetricType::Counter, "perigee_dns_reloads_total",
                 "Reloads of fleet file and zones, by result.");
  reloads.Add({{"result", "ok"}}, c.succeeded);
  reloads.Add({{"result", "refused"}}, c.refused);
  return {std::move(reloads).Take(),
          OneGauge("perigee_dns_config_last_load_timestamp_seconds",
                   "When the configuration in force was loaded.", Seconds(c.last_success_unix_ms)),
          OneGauge("perigee_dns_generation", "Generation of the configuration in force.",
                   static_cast<double>(gauges.generation)),
          OneGauge("perigee_dns_zones", "Zones served.", static_cast<double>(gauges.zones)),
          OneGauge("perigee_dns_uptime_seconds", "Time since the start.",
                   static_cast<double>(gauges.uptime.count()))};
}

Families MemoryFamilies(const DnsGauges& gauges) {
  return {
      OneGauge("perigee_dns_map_rows", "Client prefixes remembered.", static_cast<double>(gauges.map_rows)),
      OneGauge("perigee_dns_map_capacity", "Client prefixes that can be remembered.",
               static_cast<double>(gauges.map_capacity)),
      OneCounter("perigee_dns_map_evictions_total",
                 "Client prefixes forgotten to make room, of the map in use: a reload that changes "
                 "replicas or sizes begins a new one.",
                 gauges.map_evictions),
      OneCounter("perigee_dns_decisions_logged_total", "Lines of the decision log.",
                 gauges.decisions_written),
      OneCounter("perigee_dns_decisions_lost_total", "Decisions that a full ring or disk kept from the log.",
                 gauges.decisions_lost),
      OneCounter("perigee_dns_measurements_unlogged_total",
                 "Measurements that a full ring or disk kept from the log.", gauges.measurements_unwritten)};
}

template <typename Read>
MetricFamily ByReplica(const DnsGauges& gauges, std::string_view name, std::string_view help, Read read) {
  Family family(MetricType::Gauge, name, help);
  for (const ReplicaGauges& replica : gauges.replicas)
    family.Add({{"replica", replica.name}}, static_cast<double>(read(replica)));
  return std::move(family).Take();
}

MetricFamily PartsUp(const DnsGauges& gauges) {
  Family family(MetricType::Gauge, "perigee_dns_replica_part_up",
                "1 when the heartbeat reaches that part of the replica.");
  for (const ReplicaGauges& replica : gauges.replicas) {
    family.Add({{"replica", replica.name}, {"part", "prober"}}, replica.prober_up ? 1 : 0);
    family.Add({{"replica", replica.name}, {"part", "server"}}, replica.server_up ? 1 : 0);
  }
  return std::move(family).Take();
}

Families ReplicaFamilies(const DnsGauges& gauges) {
  return {
      ByReplica(gauges, "perigee_dns_replica_up", "1 when the replica is healthy: clients may be sent to it.",
                [](const auto& r) { return r.healthy; }),
      PartsUp(gauges),
      ByReplica(gauges, "perigee_dns_replica_overloaded",
                "1 when the replica says that it has too much to do.",
                [](const auto& r) { return r.overloaded; }),
      ByReplica(gauges, "perigee_dns_replica_distrusted",
                "1 when the replica's prober measures what cannot be: new clients go elsewhere.",
                [](const auto& r) { return r.distrusted; }),
      ByReplica(gauges, "perigee_dns_replica_drained", "1 when the operator took the replica out.",
                [](const auto& r) { return r.drained; }),
      ByReplica(gauges, "perigee_dns_replica_forced_up",
                "1 when the operator keeps the replica in, whatever its health.",
                [](const auto& r) { return r.forced_up; }),
      ByReplica(gauges, "perigee_dns_replica_load",
                "The replica's requests per second, as its heartbeat told.",
                [](const auto& r) { return r.load; }),
      ByReplica(gauges, "perigee_dns_replica_control_rtt_seconds",
                "Round trip from here to the replica's prober; 0 while unknown.",
                [](const auto& r) { return std::chrono::duration<double>(r.control_rtt).count(); })};
}

Families ControlFamilies(const DnsGauges& gauges) {
  if (gauges.refused_calls == nullptr) return {};
  return {CounterByWord<Role>("perigee_dns_control_calls_refused_total", "role",
                              "Calls of the control port refused for the caller's role, by that role.",
                              *gauges.refused_calls)};
}

}  // namespace

void AppendServerMetrics(const ServerCounters& counters, const DnsGauges& gauges, Families* families) {
  for (Families part : {MeasurementFamilies(counters.measurement, gauges), TcpFamilies(counters.tcp, gauges),
                        SaveFamilies(counters.saves), ConfigurationFamilies(counters.reloads, gauges),
                        MemoryFamilies(gauges), ReplicaFamilies(gauges), ControlFamilies(gauges)}) {
    std::move(part.begin(), part.end(), std::back_inserter(*families));
  }
  // The serializer would print the HELP of a family without series, which helps nobody.
  std::erase_if(*families, [](const MetricFamily& family) { return family.metric.empty(); });
}

}  // namespace perigee::dns
