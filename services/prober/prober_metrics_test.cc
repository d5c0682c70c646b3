#include "services/prober/prober_metrics.h"

#include <gmock/gmock.h>
#include <prometheus/text_serializer.h>

namespace perigee {
namespace {

using testing::HasSubstr;

TEST(ProberMetrics, ShowWhatWasCounted) {
  ProberCounters counters;
  counters.started.Add(3);
  counters.ended[MeasureEnd::kTcpSyn].Add(2);
  counters.refused[MeasureRefusal::kBudget].Add();
  counters.packets.Add(9);
  counters.traces_refused.Add(4);
  const std::string page = prometheus::TextSerializer().Serialize(
      ProberMetrics(counters, {.max_flights = 1024, .scamper_up = true, .uptime = std::chrono::seconds(7)}));
  for (const char* line : {"perigee_prober_measurements 1\n", "perigee_prober_measurements_limit 1024\n",
                           "perigee_prober_measurements_started_total 3\n",
                           "perigee_prober_measurements_ended_total{outcome=\"tcp-syn\"} 2\n",
                           "perigee_prober_measurements_ended_total{outcome=\"abandoned\"} 0\n",
                           "perigee_prober_calls_refused_total{reason=\"budget\"} 1\n",
                           "perigee_prober_packets_total 9\n", "perigee_prober_traces_refused_total 4\n",
                           "perigee_prober_measurements_ended_total{outcome=\"last-hop\"} 0\n",
                           "perigee_prober_scamper_up 1\n", "perigee_prober_uptime_seconds 7\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
  EXPECT_THAT(page, testing::Not(HasSubstr("unknown")));
}

TEST(ProberReadiness, NeedsScamper) {
  EXPECT_EQ(Text(ProberReadiness(Phase::kServing, true)), "ok\n");
  EXPECT_EQ(Text(ProberReadiness(Phase::kServing, false)), "scamper is not running; it is being restarted\n");
  EXPECT_FALSE(ProberReadiness(Phase::kStopping, true).ok());
}

}  // namespace
}  // namespace perigee
