#include "services/replica/telemetry/http_metrics.h"

#include <gmock/gmock.h>
#include <prometheus/text_serializer.h>

#include <set>

namespace perigee::replica {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Text(const Counters& sum, const HttpGauges& gauges = {}) {
  return prometheus::TextSerializer().Serialize(HttpMetrics(sum, gauges));
}

void CountSome(Counters& counters) {
  counters.connections_opened.Add(3);
  counters.accept_failures.Add(4);
  counters.connections_closed.Add();
  counters.tunnels_opened.Add(2);
  counters.tunnels_closed.Add();
  counters.by_method[MethodClass::kGet].Add();
  counters.by_status[StatusClass::k2xx].Add();
  counters.CountForward(http::Forward::kNone);
  counters.CountForward(http::Forward::kStale);
  counters.by_tier[HitTier::kDisk].Add();
  counters.sent_bytes.Add(100);
  counters.hit_latency.Count(std::chrono::microseconds(1));
  counters.forwarded_latency.Count(std::chrono::milliseconds(1), 2);
  counters.refused[Refusal::kForeignHost].Add();
  counters.origin_requests.Add(4);
  counters.CountOriginFailure(FetchError::kCutShort);
  counters.CountOriginFailure(static_cast<FetchError>(200));
  counters.origin_latency.Count(std::chrono::milliseconds(1));
  counters.collapsed.Add(5);
  counters.revalidated.Add(6);
  counters.stale.Add(7);
  counters.origin_errors.Add(8);
}

TEST(HttpMetrics, AddsUpAllWorkers) {
  Counters worker, sum;
  CountSome(worker);
  for (int i = 0; i < 2; ++i) sum.AddAll(worker);
  const std::string text = Text(sum);
  for (const char* sample : {"requests_total{method=\"GET\"} 2",
                             "responses_total{status=\"2xx\"} 2",
                             "cache_results_total{result=\"hit\"} 2",
                             "cache_results_total{result=\"stale\"} 2",
                             "cache_results_total{result=\"uri-miss\"} 0",
                             "hits_total{tier=\"disk\"} 2",
                             "sent_bytes_total 200",
                             "latency_seconds_count{cache=\"hit\"} 2",
                             "latency_seconds_count{cache=\"forwarded\"} 4",
                             "refused_total{reason=\"foreign-host\"} 2",
                             "connections 4",
                             "connections_opened_total 6",
                             "accept_failures_total 8",
                             "tunnels 2",
                             "tunnels_opened_total 4",
                             "origin_requests_total 8",
                             "origin_failures_total{reason=\"cut-short\"} 2",
                             "origin_latency_seconds_count 2",
                             "collapsed_total 10",
                             "revalidated_total 12",
                             "stale_served_total 14",
                             "origin_error_answers_total 16"}) {
    EXPECT_THAT(text, HasSubstr("\nperigee_http_" + std::string(sample) + "\n"));
  }
}

TEST(HttpMetrics, EveryReasonHasAWord) {
  Counters sum;
  CountSome(sum);
  const std::string text = Text(sum);
  EXPECT_THAT(text, HasSubstr("origin_failures_total{reason=\"resolve\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("\"unknown\"")));
  EXPECT_THAT(text, Not(HasSubstr("\"none\"} 1")));
}

TEST(HttpMetrics, ShowsTheCacheAndTheLog) {
  const HttpGauges gauges{
      .cache =
          {.objects = 1, .max_objects = 9, .bytes = 20, .budget_bytes = 30, .evictions = 4, .disk_ok = true},
      .max_connections = 5,
      .max_tunnels = 9,
      .circuit_open = true,
      .circuit_openings = 10,
      .log_lines_written = 6,
      .log_lines_lost = 7,
      .uptime = std::chrono::seconds(8)};
  const std::string text = Text(Counters(), gauges);
  for (const char* sample :
       {"cache_objects 1", "cache_objects_limit 9", "cache_bytes 20", "cache_limit_bytes 30",
        "cache_evictions_total 4", "cache_disk_up 1", "connections_limit 5", "tunnels_limit 9",
        "origin_circuit_open 1", "origin_circuit_openings_total 10", "access_log_lines_total 6",
        "access_log_lost_total 7", "uptime_seconds 8"}) {
    EXPECT_THAT(text, HasSubstr("\nperigee_http_" + std::string(sample) + "\n"));
  }
}

TEST(HttpMetrics, TellsWhoseCallsWereRefused) {
  RefusedCalls refused;
  refused[static_cast<size_t>(Role::kDirector)].Add();
  EXPECT_THAT(Text(Counters(), {.refused_calls = &refused}),
              HasSubstr("\nperigee_http_control_calls_refused_total{role=\"director\"} 1\n"));
}

TEST(HttpMetrics, NoFamilyAppearsTwice) {
  const RefusedCalls refused;
  std::set<std::string> names;
  for (const auto& family : HttpMetrics(Counters(), {.refused_calls = &refused})) {
    EXPECT_TRUE(family.name.starts_with("perigee_http_"));
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
  }
}

}  // namespace
}  // namespace perigee::replica
