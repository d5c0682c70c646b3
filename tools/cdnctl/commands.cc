#include "tools/cdnctl/commands.h"

#include <algorithm>
#include <chrono>
#include <latch>
#include <utility>

#include "fmt/format.h"
#include "lib/rpc/control.h"
#include "tools/cdnctl/table.h"

namespace perigee::cdnctl {
namespace {

constexpr auto kCallTimeout = std::chrono::seconds(5);
constexpr auto kMeasureTimeout = std::chrono::seconds(3);
// A status is wanted at once, also when a replica is silent.
constexpr auto kStatsTimeout = std::chrono::seconds(1);
constexpr uint32_t kMeasureProbes = 3;

std::string Ms(uint32_t us) { return us == 0 ? "-" : fmt::format("{:.1f}", us / 1000.0); }

// The client of a floor is at least so far.
std::string RttMs(v1::Method method, uint32_t us) {
  return method == v1::METHOD_LAST_HOP ? ">=" + Ms(us) : Ms(us);
}

std::string_view Word(v1::Method method) {
  switch (method) {
    case v1::METHOD_ICMP_ECHO:
      return "icmp-echo";
    case v1::METHOD_TCP_SYN:
      return "tcp-syn";
    case v1::METHOD_SILENT:
      return "silent";
    case v1::METHOD_PASSIVE:
      return "passive";
    case v1::METHOD_LAST_HOP:
      return "last-hop";
    case v1::METHOD_UDP_PORT:
      return "udp-port";
    default:
      return "unknown";
  }
}

std::string_view Word(v1::Reason reason) {
  switch (reason) {
    case v1::REASON_MEASURED_BEST:
      return "measured-best: the nearest of those measured";
    case v1::REASON_HOLD_EXPIRED:
      return "hold-expired: the nearest of those that had answered in time";
    case v1::REASON_NEIGHBOUR:
      return "neighbour: what was measured for the surrounding prefix";
    case v1::REASON_HASHED:
      return "hashed: nothing could be measured, so consistent hashing";
    case v1::REASON_ALL_DOWN:
      return "all-down: no replica is healthy";
    case v1::REASON_HYSTERESIS:
      return "hysteresis: another is nearer, but not by enough";
    case v1::REASON_BAND:
      return "band: one of those that are as good as the nearest";
    case v1::REASON_SHED:
      return "shed: the nearest bears no more or is not believed, so the next best";
    case v1::REASON_OVERRIDE:
      return "override: set for this network in the fleet file";
    case v1::REASON_EXPLORATION:
      return "exploration: not its own, to learn what it would have there";
    case v1::REASON_GEOGRAPHY:
      return "geography: by its place alone, from the database";
    case v1::REASON_LEAST_FLOOR:
      return "least-floor: nobody answers there, and the last hops on the way that do are nearest to it";
    case v1::REASON_CLIENTELE:
      return "clientele: the best for most of those who ask through this resolver";
    default:
      return "unknown";
  }
}

std::string_view Meaning(v1::OperatorState state) {
  switch (state) {
    case v1::OPERATOR_STATE_DRAIN:
      return "clients go elsewhere with their next query; end it with `cdnctl undrain`";
    case v1::OPERATOR_STATE_FORCE_UP:
      return "it gets clients whatever its health says; end it with `cdnctl undrain`";
    default:
      return "health decides";
  }
}

std::string Load(const v1::ReplicaState& r) {
  return fmt::format("{}{}", r.requests_per_second(), r.overloaded() ? " (overloaded)" : "");
}

// What the replica of that name said of itself; null when it said nothing.
const v1::StatsResponse* StatsOf(const v1::ReplicasReport& report, const std::string& name) {
  for (const v1::ReplicaOutcome& outcome : report.replicas())
    if (outcome.replica() == name && outcome.has_stats()) return &outcome.stats();
  return nullptr;
}

template <typename Request, typename Response>
absl::StatusOr<Response> Call(v1::Director::StubInterface& director,
                              grpc::Status (v1::Director::StubInterface::*method)(grpc::ClientContext*,
                                                                                  const Request&, Response*),
                              const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  Response response;
  const grpc::Status status = (director.*method)(&context, request, &response);
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    return absl::UnavailableError(
        fmt::format("no director answers there ({}); is dnsserver running, and is --director right?",
                    status.error_message()));
  }
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

// Of more replicas those that were never heard are counted, not listed.
constexpr int kWholeTable = 64;

std::string HealthOf(const v1::ReplicaRtt& row) {
  std::string health = row.healthy() ? "healthy" : "unhealthy";
  if (row.overloaded()) health += ", overloaded";
  if (row.distrusted()) health += ", distrusted";
  if (row.explorable()) health += ", explorable";
  return health;
}

// The lines above the table: what a query would be answered, and why.
std::string Verdict(const std::string& client, const v1::ExplainResponse& response) {
  std::string text = fmt::format("{} is in {}", client, response.prefix());
  if (response.known()) {
    text += fmt::format(", measured {} s ago{}", response.age_seconds(),
                        response.stale() ? " and due to be measured again" : "");
  }
  if (response.reason() == v1::REASON_UNSPECIFIED) {
    return text + ", of which nothing is known: a query would start a measurement\n\n";
  }
  text += fmt::format(", and gets {}\n{}\n", response.replica().empty() ? "SERVFAIL" : response.replica(),
                      Word(response.reason()));
  return text +
         fmt::format("for {} s, and for all of its /{}\n\n", response.ttl_seconds(), response.scope_length());
}

}  // namespace

std::string_view Word(v1::OperatorState state) {
  switch (state) {
    case v1::OPERATOR_STATE_DRAIN:
      return "drain";
    case v1::OPERATOR_STATE_FORCE_UP:
      return "force-up";
    default:
      return "auto";
  }
}

std::string StatusTable(const v1::StatusReport& report) {
  std::vector<std::vector<std::string>> rows = {{"REPLICA", "IPV4", "IPV6", "HEALTH", "PROBER", "SERVER",
                                                 "OPERATOR", "CONTROL ms", "DISTANCES", "WEIGHT",
                                                 "REQUESTS/s", "HIT %", "VERSION"}};
  const auto up = [](bool is) { return is ? "up" : "down"; };
  const auto& replicas = report.director().replicas();
  for (const auto& r : replicas) {
    const v1::StatsResponse* stats = StatsOf(report.replicas(), r.name());
    rows.push_back(
        {r.name(), r.ipv4().empty() ? "-" : r.ipv4(), r.ipv6().empty() ? "-" : r.ipv6(),
         r.healthy() ? "healthy" : "unhealthy", r.distrusted() ? "distrusted" : up(r.prober_healthy()),
         up(r.server_healthy()), std::string(Word(r.operator_state())), Ms(r.control_rtt_us()),
         fmt::format("{}/{}", r.distances_known(), replicas.size() - 1), fmt::to_string(r.weight()), Load(r),
         stats == nullptr ? "-" : Percent(stats->hits(), stats->requests()),
         stats == nullptr || stats->version().empty() ? "-" : stats->version()});
  }
  return FormatTable(
      {Align::kLeft, Align::kLeft, Align::kLeft, Align::kLeft, Align::kLeft, Align::kLeft, Align::kLeft,
       Align::kRight, Align::kRight, Align::kRight, Align::kLeft, Align::kRight, Align::kLeft},
      rows);
}

std::string StateText(const v1::StateReport& report) {
  return fmt::format("{}: {} (was {}); {}\n", report.replica(), Word(report.state()), Word(report.previous()),
                     Meaning(report.state()));
}

std::string ReloadText(const v1::ReloadResponse& response) {
  std::string text =
      fmt::format("reloaded: {} zone(s), {} replica(s)\n", response.zones(), response.replicas());
  for (const auto& setting : response.needs_restart())
    text += setting + " was changed: restart for it to hold\n";
  return text;
}

std::string MeasureTable(std::vector<Outcome<v1::MeasureResponse>> measurements) {
  const auto rank = [](const auto& m) {
    return m.status.ok() && m.response.min_rtt_us() > 0 ? m.response.min_rtt_us() : UINT32_MAX;
  };
  std::stable_sort(measurements.begin(), measurements.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  std::vector<std::vector<std::string>> rows = {{"REPLICA", "RTT ms", "METHOD", "SENT", "LOST", "ERROR"}};
  for (const auto& m : measurements) {
    if (m.status.ok()) {
      rows.push_back({m.replica, RttMs(m.response.method(), m.response.min_rtt_us()),
                      std::string(Word(m.response.method())), fmt::to_string(m.response.sent()),
                      fmt::to_string(m.response.lost()), ""});
    } else {
      rows.push_back({m.replica, "-", "-", "-", "-", std::string(m.status.message())});
    }
  }
  return FormatTable({Align::kLeft, Align::kRight, Align::kLeft, Align::kRight, Align::kRight, Align::kLeft},
                     rows);
}

std::string ExplainTable(const std::string& client, const v1::ExplainResponse& response) {
  std::vector<v1::ReplicaRtt> rtts(response.rtts().begin(), response.rtts().end());
  std::stable_sort(rtts.begin(), rtts.end(), [](const auto& a, const auto& b) {
    return (a.rtt_us() == 0 ? UINT32_MAX : a.rtt_us()) < (b.rtt_us() == 0 ? UINT32_MAX : b.rtt_us());
  });
  std::vector<std::vector<std::string>> rows = {{"", "REPLICA", "RTT ms", "METHOD", "HEALTH"}};
  int unasked = 0;
  for (const auto& r : rtts) {
    const bool wins = !response.replica().empty() && r.replica() == response.replica();
    if (!wins && r.method() == v1::METHOD_UNSPECIFIED && response.rtts_size() > kWholeTable) {
      ++unasked;
      continue;
    }
    rows.push_back({wins ? ">" : " ", r.replica(), RttMs(r.method(), r.rtt_us()),
                    std::string(Word(r.method())), HealthOf(r)});
  }
  return Verdict(client, response) +
         FormatTable({Align::kLeft, Align::kLeft, Align::kRight, Align::kLeft, Align::kLeft}, rows) +
         (unasked == 0 ? "" : fmt::format("and {} that nothing is known of\n", unasked));
}

absl::StatusOr<v1::ListReplicasResponse> ListReplicas(v1::Director::StubInterface& director) {
  return Call(director, &v1::Director::StubInterface::ListReplicas, v1::ListReplicasRequest());
}

absl::StatusOr<Report> Status(v1::Director::StubInterface& director, const std::vector<Replica>& replicas,
                              Format format) {
  const auto response = ListReplicas(director);
  if (!response.ok()) return response.status();
  v1::StatusReport report;
  *report.mutable_director() = *response;
  *report.mutable_replicas() =
      ToMessage(AskStats(replicas, kStatsTimeout), &v1::ReplicaOutcome::mutable_stats);
  return Report{format == Format::kJson ? ToJson(report) : StatusTable(report)};
}

absl::StatusOr<Report> Explain(v1::Director::StubInterface& director, const std::string& client,
                               Format format) {
  v1::ExplainRequest request;
  request.set_client(client);
  const auto response = Call(director, &v1::Director::StubInterface::Explain, request);
  if (!response.ok()) return response.status();
  return Report{format == Format::kJson ? ToJson(*response) : ExplainTable(client, *response)};
}

absl::StatusOr<Report> SetState(v1::Director::StubInterface& director, const std::string& replica,
                                v1::OperatorState state, Format format) {
  v1::SetReplicaStateRequest request;
  request.set_replica(replica);
  request.set_state(state);
  const auto response = Call(director, &v1::Director::StubInterface::SetReplicaState, request);
  if (!response.ok()) return response.status();
  v1::StateReport report;
  report.set_replica(replica);
  report.set_state(state);
  report.set_previous(response->previous());
  return Report{format == Format::kJson ? ToJson(report) : StateText(report)};
}

absl::StatusOr<Report> Reload(v1::Director::StubInterface& director, Format format) {
  const auto response = Call(director, &v1::Director::StubInterface::Reload, v1::ReloadRequest());
  if (!response.ok()) return response.status();
  return Report{format == Format::kJson ? ToJson(*response) : ReloadText(*response)};
}

Report Measure(const std::vector<Prober>& probers, const std::string& client, Format format) {
  v1::MeasureRequest request;
  request.set_address(client);
  request.set_probes(kMeasureProbes);
  std::vector<Outcome<v1::MeasureResponse>> measurements(probers.size());
  std::vector<grpc::ClientContext> contexts(probers.size());
  std::latch answered(static_cast<std::ptrdiff_t>(probers.size()));
  for (size_t i = 0; i < probers.size(); ++i) {
    measurements[i].replica = probers[i].replica;
    contexts[i].set_deadline(std::chrono::system_clock::now() + kMeasureTimeout);
    probers[i].stub->async()->Measure(&contexts[i], &request, &measurements[i].response,
                                      [&, i](const grpc::Status& status) {
                                        measurements[i].status = FromGrpcStatus(status);
                                        answered.count_down();
                                      });
  }
  answered.wait();
  const Obeyed obeyed = WhoObeyed(measurements);
  if (format == Format::kJson)
    return {ToJson(ToMessage(measurements, &v1::ReplicaOutcome::mutable_measure)), obeyed};
  return {MeasureTable(std::move(measurements)), obeyed};
}

}  // namespace perigee::cdnctl
