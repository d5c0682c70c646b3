#include "services/prober/prober_metrics.h"

#include "lib/metrics/families.h"

namespace perigee {

std::string_view Word(MeasureEnd end) {
  switch (end) {
    case MeasureEnd::kIcmpEcho:
      return "icmp-echo";
    case MeasureEnd::kTcpSyn:
      return "tcp-syn";
    case MeasureEnd::kUdpPort:
      return "udp-port";
    case MeasureEnd::kLastHop:
      return "last-hop";
    case MeasureEnd::kSilent:
      return "silent";
    case MeasureEnd::kFailed:
      return "failed";
    case MeasureEnd::kAbandoned:
      return "abandoned";
    case MeasureEnd::kCount:
      break;
  }
  return "unknown";
}

std::string_view Word(MeasureRefusal refusal) {
  switch (refusal) {
    case MeasureRefusal::kPolicy:
      return "policy";
    case MeasureRefusal::kBudget:
      return "budget";
    case MeasureRefusal::kFlightLimit:
      return "flight-limit";
    case MeasureRefusal::kCallerLimit:
      return "caller-limit";
    case MeasureRefusal::kNotStarted:
      return "not-started";
    case MeasureRefusal::kCount:
      break;
  }
  return "unknown";
}

std::vector<prometheus::MetricFamily> ProberMetrics(const ProberCounters& c, const ProberGauges& gauges) {
  std::vector<prometheus::MetricFamily> families{
      UnderWay(
          "perigee_prober_measurements", "Measurements under way.", [&c] { return c.started.value(); },
          [&c] { return c.ended.sum(); }),
      OneGauge("perigee_prober_measurements_limit",
               "The most measurements under way at once (--max-flights).",
               static_cast<double>(gauges.max_flights)),
      OneCounter("perigee_prober_measurements_started_total", "Measurements begun.", c.started.value()),
      CounterByWord("perigee_prober_measurements_ended_total", "outcome", "Measurements ended, by how.",
                    c.ended),
      CounterByWord("perigee_prober_calls_refused_total", "reason", "Calls of Measure refused, by why.",
                    c.refused),
      OneCounter("perigee_prober_traces_refused_total",
                 "Last hops that were not looked for, as the probe budgets were used up.",
                 c.traces_refused.value()),
      OneCounter("perigee_prober_packets_total", "Probes sent by measurements that have ended.",
                 c.packets.value()),
      OneGauge("perigee_prober_scamper_up", "1 when scamper takes commands; 0 when nothing can be measured.",
               gauges.scamper_up ? 1 : 0),
      OneCounter("perigee_prober_scamper_starts_total", "How often scamper has come to take commands.",
                 c.scamper_starts.value()),
      OneGauge("perigee_prober_uptime_seconds", "Time since the start.",
               static_cast<double>(gauges.uptime.count()))};
  if (gauges.refused_calls != nullptr) {
    families.push_back(CounterByWord<Role>(
        "perigee_prober_control_calls_refused_total", "role",
        "Calls of the control port refused for the caller's role, by that role.", *gauges.refused_calls));
  }
  return families;
}

HealthVerdict ProberReadiness(Phase phase, bool scamper_up) {
  HealthVerdict verdict = VerdictOf(phase);
  if (!scamper_up) verdict.failures.push_back("scamper is not running; it is being restarted");
  return verdict;
}

}  // namespace perigee
