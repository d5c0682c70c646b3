#include "lib/metrics/counter.h"

#include <gmock/gmock.h>

namespace perigee {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

enum class Colour { kRed, kBlue, kCount };

TEST(Counters, ByAnEnumerationAddUp) {
  CountersBy<Colour> mine, others;
  mine[Colour::kRed].Add(2);
  others[Colour::kRed].Add(3);
  others[Colour::kBlue].Add();
  mine.AddAll(others);
  EXPECT_EQ(mine[Colour::kRed].value(), 5u);
  EXPECT_EQ(mine[Colour::kBlue].value(), 1u);
  EXPECT_EQ(mine.sum(), 6u);
}

TEST(LatencyCounters, PutATimeIntoTheSmallestBucketThatHoldsIt) {
  LatencyCounters latency;
  latency.Count(nanoseconds(0));
  latency.Count(microseconds(1));
  latency.Count(nanoseconds(1001));
  latency.Count(microseconds(4), 3);
  latency.Count(std::chrono::hours(1));
  EXPECT_EQ(latency.bucket(0), 2u);
  EXPECT_EQ(latency.bucket(1), 1u);
  EXPECT_EQ(latency.bucket(2), 3u);
  EXPECT_EQ(latency.bucket(LatencyCounters::kBuckets - 1), 1u);
  EXPECT_EQ(latency.sum_us(), 1u + 1u + 12u + 3'600'000'000u);
}

TEST(LatencyCounters, AClockThatGoesBackIsNoTime) {
  LatencyCounters latency;
  latency.Count(nanoseconds(-5));
  EXPECT_EQ(latency.bucket(0), 1u);
  EXPECT_EQ(latency.sum_us(), 0u);
}

TEST(LatencyCounters, AddUp) {
  LatencyCounters mine, others;
  others.Count(microseconds(3), 2);
  mine.Count(microseconds(3));
  mine.AddAll(others);
  EXPECT_EQ(mine.bucket(2), 3u);
  EXPECT_EQ(mine.sum_us(), 9u);
}

}  // namespace
}  // namespace perigee
