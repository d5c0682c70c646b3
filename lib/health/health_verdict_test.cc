#include "lib/health/health_verdict.h"

#include <gmock/gmock.h>

namespace perigee {
namespace {

TEST(HealthVerdict, SaysOkAndWhatIsDegraded) {
  EXPECT_EQ(Text({}), "ok\n");
  EXPECT_EQ(Text({.failures = {}, .degraded = {"the disk is out"}}), "ok\ndegraded: the disk is out\n");
}

TEST(HealthVerdict, SaysEachReasonOnALineOfItsOwn) {
  const HealthVerdict verdict{.failures = {"draining", "stopping"}, .degraded = {"the disk is out"}};
  EXPECT_FALSE(verdict.ok());
  EXPECT_EQ(Text(verdict), "draining\nstopping\ndegraded: the disk is out\n");
}

TEST(HealthVerdict, OnlyWhoServesIsReady) {
  EXPECT_THAT(VerdictOf(Phase::kStarting).failures, testing::ElementsAre("starting"));
  EXPECT_TRUE(VerdictOf(Phase::kServing).ok());
  EXPECT_THAT(VerdictOf(Phase::kStopping).failures, testing::ElementsAre("stopping"));
}

}  // namespace
}  // namespace perigee
