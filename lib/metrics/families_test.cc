#include "lib/metrics/families.h"

#include <gmock/gmock.h>
#include <prometheus/text_serializer.h>

namespace perigee {
namespace {

using prometheus::MetricType;

enum class Colour { kRed, kBlue, kCount };
std::string_view Word(Colour colour) { return colour == Colour::kRed ? "red" : "blue"; }

std::string Text(prometheus::MetricFamily family) {
  return prometheus::TextSerializer().Serialize({std::move(family)});
}

TEST(Families, OneSeriesForEachWord) {
  CountersBy<Colour> colours;
  colours[Colour::kBlue].Add(7);
  EXPECT_EQ(Text(CounterByWord("colours_total", "colour", "Colours.", colours)),
            "# HELP colours_total Colours.\n# TYPE colours_total counter\n"
            "colours_total{colour=\"red\"} 0\ncolours_total{colour=\"blue\"} 7\n");
  EXPECT_THAT(Text(CounterByWord("colours_total", "colour", "Colours.", colours, Colour::kBlue)),
              testing::Not(testing::HasSubstr("red")));
}

TEST(Families, WhatIsUnderWayIsNeverNegative) {
  const auto two = [] { return uint64_t{2}; };
  const auto three = [] { return uint64_t{3}; };
  EXPECT_THAT(Text(UnderWay("x", "X.", three, two)), testing::HasSubstr("\nx 1\n"));
  EXPECT_THAT(Text(UnderWay("x", "X.", two, three)), testing::HasSubstr("\nx 0\n"));
}

TEST(Families, AHistogramIsCumulativeAndHasLabels) {
  LatencyCounters latency;
  latency.Count(std::chrono::microseconds(1));
  latency.Count(std::chrono::microseconds(3), 2);
  latency.Count(std::chrono::seconds(10));
  Family family(MetricType::Histogram, "latency_seconds", "Time.");
  family.Add({{"cache", "hit"}}, latency);
  const prometheus::MetricFamily made = std::move(family).Take();
  const auto& histogram = made.metric.at(0).histogram;
  ASSERT_EQ(histogram.bucket.size(), LatencyCounters::kBuckets);
  EXPECT_EQ(histogram.bucket[0].cumulative_count, 1u);
  EXPECT_EQ(histogram.bucket[1].cumulative_count, 1u);
  EXPECT_EQ(histogram.bucket[2].cumulative_count, 3u);
  EXPECT_DOUBLE_EQ(histogram.bucket[2].upper_bound, 4e-6);
  EXPECT_EQ(histogram.bucket[22].cumulative_count, 3u);
  EXPECT_EQ(histogram.bucket[23].cumulative_count, 4u);
  EXPECT_DOUBLE_EQ(histogram.sample_sum, 10.000007);
  EXPECT_THAT(Text(made), testing::HasSubstr("latency_seconds_bucket{cache=\"hit\",le=\"+Inf\"} 4\n"));
}

}  // namespace
}  // namespace perigee
