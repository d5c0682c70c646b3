#include "services/dns/telemetry/server_metrics.h"

#include <gmock/gmock.h>
#include <prometheus/text_serializer.h>

#include <string>

namespace perigee::dns {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Text(const ServerCounters& counters, const DnsGauges& gauges = {}) {
  std::vector<prometheus::MetricFamily> families;
  AppendServerMetrics(counters, gauges, &families);
  return "\n" + prometheus::TextSerializer().Serialize(families);
}

void ExpectLines(const std::string& text, std::initializer_list<std::string_view> lines) {
  for (const std::string_view line : lines) {
    EXPECT_THAT(text, HasSubstr("\nperigee_dns_" + std::string(line) + "\n"));
  }
}

TEST(ServerMetrics, TellsOfMeasurementsWhatBeganLessWhatEndedIsUnderWay) {
  ServerCounters counters;
  MeasurementCounters& m = counters.measurement;
  m.started[FlightCause::kQuery].Add(7);
  m.started[FlightCause::kRefresh].Add(3);
  m.answered[FlightAnswer::kEarly].Add(4);
  m.answered[FlightAnswer::kHoldExpired].Add(2);
  m.ended[FlightEnd::kComplete].Add(5);
  m.ended[FlightEnd::kExpired].Add(1);
  m.parked.Add(30);
  m.unparked.Add(28);
  m.dropped[ParkRefusal::kFlightIsFull].Add(9);
  m.backlog_full.Add(8);
  ExpectLines(
      Text(counters, {.max_flights = 1024}),
      {"measurements 4", "measurements_limit 1024", "measurements_started_total{cause=\"query\"} 7",
       "measurements_started_total{cause=\"refresh\"} 3", "measurements_answered_total{outcome=\"early\"} 4",
       "measurements_answered_total{outcome=\"complete\"} 0",
       "measurements_answered_total{outcome=\"hold-expired\"} 2",
       "measurements_answered_total{outcome=\"stopped\"} 0",
       "measurements_ended_total{outcome=\"complete\"} 5", "measurements_ended_total{outcome=\"expired\"} 1",
       "measurements_ended_total{outcome=\"stopped\"} 0", "parked_queries 2", "parked_queries_total 30",
       "parked_queries_dropped_total{reason=\"flight-is-full\"} 9", "measurement_backlog_dropped_total 8"});
}

TEST(ServerMetrics, TellsWhyProbesWereRefusedAndInWhichRange) {
  ServerCounters counters;
  MeasurementCounters& m = counters.measurement;
  EXPECT_THAT(Text(counters), Not(HasSubstr("special_total")));
  for (size_t i = 0; i < m.probes_refused.size(); ++i) {
    m.probes_refused[static_cast<ProbeRefusal>(i)].Add(i + 1);
  }
  size_t ten = 0;
  while (SpecialRanges()[ten].prefix != *IpPrefix::Parse("10.0.0.0/8")) ++ten;
  m.special_ranges[ten].Add(2);
  m.special_ranges[kNotGlobalRange].Add(3);
  m.special_ranges[kIsatapRange].Add(4);
  ExpectLines(
      Text(counters),
      {"probes_refused_total{reason=\"special-range\"} 1", "probes_refused_total{reason=\"opt-out\"} 2",
       "probes_refused_total{reason=\"own-address\"} 3", "probes_refused_total{reason=\"hearsay\"} 4",
       "probes_refused_total{reason=\"unproven-budget\"} 6",
       "probes_refused_total{reason=\"prefix-budget\"} 5", "probes_refused_total{reason=\"global-budget\"} 7",
       "probes_refused_total{reason=\"flight-limit\"} 8", "probes_refused_total{reason=\"no-prober\"} 9",
       "probes_refused_total{reason=\"stopped\"} 10",
       "probes_refused_special_total{range=\"10.0.0.0/8\",registry=\"private use, RFC 1918\"} 2",
       "probes_refused_special_total{range=\"not-global-unicast\",registry=\"global unicast, RFC 4291\"} 3",
       "probes_refused_special_total{range=\"isatap\",registry=\"ISATAP, RFC 5214\"} 4"});
}

TEST(ServerMetrics, TellsOfTcpConnectionsByWhyTheyWereClosed) {
  ServerCounters counters;
  counters.tcp.opened.Add(30);
  for (size_t i = 0; i < counters.tcp.closed.size(); ++i)
    counters.tcp.closed[static_cast<TcpClose>(i)].Add(i);
  counters.tcp.accept_failures.Add(4);
  counters.tcp.answers_lost.Add(5);
  ExpectLines(
      Text(counters, {.max_tcp_connections = 99}),
      {"tcp_connections 15", "tcp_connections_limit 99", "tcp_connections_opened_total 30",
       "tcp_connections_closed_total{reason=\"client\"} 0", "tcp_connections_closed_total{reason=\"idle\"} 1",
       "tcp_connections_closed_total{reason=\"malformed\"} 2",
       "tcp_connections_closed_total{reason=\"total-limit\"} 3",
       "tcp_connections_closed_total{reason=\"client-limit\"} 4",
       "tcp_connections_closed_total{reason=\"stopped\"} 5", "tcp_accept_failures_total 4",
       "tcp_answers_lost_total 5"});
}

TEST(ServerMetrics, TellsOfTheStateFileAndOfReloads) {
  ServerCounters counters;
  const WallTime now{std::chrono::milliseconds(1'700'000'000'500)};
  EXPECT_THAT(Text(counters), HasSubstr("\nperigee_dns_state_last_save_timestamp_seconds 0\n"));
  counters.saves.Saved(12, now);
  counters.saves.failures.Add();
  counters.reloads.Reloaded(true, now);
  counters.reloads.Reloaded(false, now + std::chrono::hours(1));
  ExpectLines(Text(counters, {.zones = 2, .generation = 3, .uptime = std::chrono::minutes(1)}),
              {"state_rows_saved_total 12", "state_saves_total 1", "state_save_failures_total 1",
               "state_last_save_timestamp_seconds 1700000000.5", "reloads_total{result=\"ok\"} 1",
               "reloads_total{result=\"refused\"} 1", "config_last_load_timestamp_seconds 1700000000.5",
               "zones 2", "generation 3", "uptime_seconds 60"});
}

TEST(ServerMetrics, TellsHowTheServerAndItsReplicasStand) {
  ExpectLines(
      Text(ServerCounters(), {.map_rows = 10,
                              .map_capacity = 100,
                              .map_evictions = 7,
                              .decisions_written = 8,
                              .decisions_lost = 9,
                              .replicas = {{.name = "dublin",
                                            .healthy = true,
                                            .forced_up = true,
                                            .prober_up = true,
                                            .load = 0.5,
                                            .control_rtt = std::chrono::milliseconds(12)},
                                           {.name = "sydney", .overloaded = true, .drained = true}}}),
      {"map_rows 10", "map_capacity 100", "map_evictions_total 7", "decisions_logged_total 8",
       "decisions_lost_total 9", "replica_up{replica=\"dublin\"} 1", "replica_up{replica=\"sydney\"} 0",
       "replica_part_up{replica=\"dublin\",part=\"prober\"} 1",
       "replica_part_up{replica=\"dublin\",part=\"server\"} 0", "replica_overloaded{replica=\"sydney\"} 1",
       "replica_drained{replica=\"sydney\"} 1", "replica_forced_up{replica=\"dublin\"} 1",
       "replica_forced_up{replica=\"sydney\"} 0", "replica_load{replica=\"dublin\"} 0.5",
       "replica_control_rtt_seconds{replica=\"dublin\"} 0.012"});
}

TEST(ServerMetrics, TellsWhoseCallsWereRefused) {
  RefusedCalls refused;
  refused[static_cast<size_t>(Role::kReplica)].Add();
  ExpectLines(
      Text(ServerCounters(), {.refused_calls = &refused}),
      {"control_calls_refused_total{role=\"replica\"} 1", "control_calls_refused_total{role=\"none\"} 0"});
}

}  // namespace
}  // namespace perigee::dns
