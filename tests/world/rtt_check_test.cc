#include "tests/world/rtt_check.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace perigee::world {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;

CheckedWorld ThreeHosts() {
  return *ParseCheckedWorld(
      "a\treplica\tx\t198.18.1.10\t-\t-\nb\tclient\ty\t198.18.2.10\t-\tblock_icmp\nc\tclient\tz\t198.18.3."
      "10\t-\t"
      "block_icmp loss=5%\n",
      "a 0 10 20\nb 10 0 30\nc 20 30 0\n");
}

TEST(ParseCheckedWorld, RefusesAnswersThatDoNotFit) {
  EXPECT_FALSE(ParseCheckedWorld("a\treplica\n", "a 0\n").ok());
  EXPECT_FALSE(ParseCheckedWorld("a\treplica\tx\t198.18.1.10\t-\t-\n", "a 0 1\n").ok());
  EXPECT_FALSE(ParseCheckedWorld("a\treplica\tx\t198.18.1.10\t-\t-\n", "a fast\n").ok());
}

TEST(PairsToPing, TheSilentHostPingsAndTwoSilentOnesAreLeftOut) {
  const auto pairs = PairsToPing(ThreeHosts());
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].from, 1u);
  EXPECT_EQ(pairs[0].to, 0u);
  EXPECT_EQ(pairs[1].from, 2u);
  EXPECT_EQ(pairs[1].configured, milliseconds(20));
}

TEST(CheckReport, ErrorsAreThoseOfThePairsMeanAndShortestAnswer) {
  const CheckedWorld world = ThreeHosts();
  CheckReport report(PairsToPing(world));
  for (int i = 0; i < 4; ++i) report.Sent();
  report.Received(0, microseconds(10'300));
  report.Received(0, microseconds(9'900));  // the pair's mean is 0.1 ms too long
  report.Received(1, microseconds(19'700));
  EXPECT_EQ(report.MeanError(), microseconds(200));
  EXPECT_EQ(report.ShortestError(), microseconds(200));  // 0.1 and 0.3 ms too short
  EXPECT_THAT(report.Summary(world),
              HasSubstr("2 pairs, 4 echoes, 1 without an answer; error: of the shortest answers 0.200 ms, "
                        "mean 0.200 ms"));
  EXPECT_THAT(report.Summary(world), HasSubstr("worst pair 0.300 ms (c - a), worst packet 0.300 ms (b - a)"));
}

TEST(CheckReport, APairWithoutAnyAnswerFailsTheCheck) {
  CheckReport report(PairsToPing(ThreeHosts()));
  report.Sent();
  report.Received(0, milliseconds(10));
  EXPECT_GT(report.ShortestError(), kMaxShortestError);
}

}  // namespace
}  // namespace perigee::world
