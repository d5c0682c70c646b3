#include "tools/cdnctl/top.h"

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "fmt/format.h"
#include "google/protobuf/util/time_util.h"
#include "tools/cdnctl/commands.h"
#include "tools/cdnctl/table.h"

namespace perigee::cdnctl {
namespace {

using google::protobuf::util::TimeUtil;

// Shorter than most intervals: a silent replica is a row of dashes, not a pause.
constexpr std::chrono::seconds kStatsTimeout{1};
constexpr char kClear[] = "\x1b[H\x1b[J";

absl::StatusOr<Snapshot> Look(v1::Director::StubInterface& director, const std::vector<Replica>& replicas) {
  auto fleet = ListReplicas(director);
  if (!fleet.ok()) return fleet.status();
  auto stats = AskStats(replicas, kStatsTimeout);
  return Snapshot{
      .at = std::chrono::system_clock::now(), .fleet = *std::move(fleet), .stats = std::move(stats)};
}

// Null when that replica said nothing.
const v1::StatsResponse* StatsOf(const Snapshot& snapshot, const std::string& name) {
  const auto found = std::find_if(snapshot.stats.begin(), snapshot.stats.end(),
                                  [&](const auto& o) { return o.replica == name && o.status.ok(); });
  return found == snapshot.stats.end() ? nullptr : &found->response;
}

uint64_t Since(uint64_t before, uint64_t now) { return now < before ? now : now - before; }

double PerSecond(uint64_t count, std::chrono::duration<double> time) {
  return time.count() > 0 ? static_cast<double>(count) / time.count() : 0;
}

void FillRates(const v1::StatsResponse& before, const v1::StatsResponse& now,
               std::chrono::duration<double> time, v1::ReplicaRates* rates) {
  const uint64_t requests = Since(before.requests(), now.requests());
  const uint64_t hits = std::min(requests, Since(before.hits(), now.hits()));
  rates->set_reachable(true);
  rates->set_requests_per_second(PerSecond(requests, time));
  if (requests > 0) rates->set_hit_ratio(static_cast<double>(hits) / static_cast<double>(requests));
  rates->set_connections(now.connections());
}

std::string Decimal(double value) { return fmt::format("{:.1f}", value); }

}  // namespace

v1::TopReport RatesBetween(const Snapshot& before, const Snapshot& now) {
  const std::chrono::duration<double> time = now.at - before.at;
  v1::TopReport report;
  *report.mutable_time() = TimeUtil::TimeTToTimestamp(std::chrono::system_clock::to_time_t(now.at));
  report.set_queries_per_second(PerSecond(Since(before.fleet.queries(), now.fleet.queries()), time));
  for (const v1::ReplicaState& state : now.fleet.replicas()) {
    v1::ReplicaRates& rates = *report.add_replicas();
    rates.set_replica(state.name());
    rates.set_healthy(state.healthy());
    rates.set_operator_state(state.operator_state());
    rates.set_control_rtt_us(state.control_rtt_us());
    const v1::StatsResponse* was = StatsOf(before, state.name());
    const v1::StatsResponse* is = StatsOf(now, state.name());
    if (was != nullptr && is != nullptr) FillRates(*was, *is, time, &rates);
  }
  return report;
}

std::string TopTable(const v1::TopReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"REPLICA", "HEALTH", "OPERATOR", "CONTROL ms", "REQUESTS/s", "HIT %", "CLIENTS"}};
  for (const v1::ReplicaRates& r : report.replicas()) {
    const bool served = r.reachable() && r.requests_per_second() > 0;
    rows.push_back({r.replica(), r.healthy() ? "healthy" : "unhealthy", std::string(Word(r.operator_state())),
                    r.control_rtt_us() == 0 ? "-" : Decimal(r.control_rtt_us() / 1000.0),
                    r.reachable() ? Decimal(r.requests_per_second()) : "-",
                    served ? Decimal(100 * r.hit_ratio()) : "-",
                    r.reachable() ? fmt::to_string(r.connections()) : "-"});
  }
  return fmt::format("{}  {:.1f} queries/s\n", TimeUtil::ToString(report.time()),
                     report.queries_per_second()) +
         FormatTable({Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight, Align::kRight, Align::kRight,
                      Align::kRight},
                     rows);
}

absl::Status Top(v1::Director::StubInterface& director, const std::vector<Replica>& replicas,
                 const TopOptions& options) {
  auto before = Look(director, replicas);
  if (!before.ok()) return before.status();
  for (uint64_t shown = 0; options.count == 0 || shown < options.count; ++shown) {
    std::this_thread::sleep_for(options.interval);
    auto now = Look(director, replicas);
    if (!now.ok()) return now.status();
    const v1::TopReport report = RatesBetween(*before, *now);
    const std::string text = options.format == Format::kJson ? ToJsonLine(report) : TopTable(report);
    fmt::print("{}{}", options.clears_screen ? kClear : "", text);
    std::fflush(stdout);
    before = std::move(now);
  }
  return absl::OkStatus();
}

}  // namespace perigee::cdnctl
