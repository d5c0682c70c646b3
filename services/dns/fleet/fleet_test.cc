#include "gtest/gtest.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/fleet/pulse.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

HealthReport Good(int ms) { return {.reachable = true, .serving = true, .rtt = milliseconds(ms)}; }
constexpr HealthReport kDead{};

TEST(Pulse, FallsAfterThreeBadReportsInARowAndRisesAfterTwoGood) {
  Pulse pulse;
  pulse.Add(kDead);
  pulse.Add(kDead);
  EXPECT_TRUE(pulse.up());
  pulse.Add(Good(10));
  pulse.Add(kDead);
  pulse.Add(kDead);
  EXPECT_TRUE(pulse.up()) << "the good report in between starts the count anew";
  pulse.Add(kDead);
  EXPECT_FALSE(pulse.up());
  pulse.Add(Good(10));
  EXPECT_FALSE(pulse.up());
  pulse.Add(Good(10));
  EXPECT_TRUE(pulse.up());
}

TEST(Pulse, APeerThatAnswersNotServingFallsToo) {
  Pulse pulse;
  for (int i = 0; i < kReportsToFall; ++i)
    pulse.Add({.reachable = true, .serving = false, .rtt = milliseconds(1)});
  EXPECT_FALSE(pulse.up());
}

TEST(Pulse, TheControlRttIsUnknownThenSettlesAboveTheTruth) {
  Pulse pulse;
  pulse.Add(kDead);
  EXPECT_EQ(pulse.control_rtt(), Rtt::zero());
  for (int i = 0; i < 40; ++i) pulse.Add(Good(100));
  EXPECT_GE(pulse.control_rtt(), milliseconds(100));
  EXPECT_LE(pulse.control_rtt(), milliseconds(101));
  for (int i = 0; i < 40; ++i) pulse.Add(Good(i % 2 ? 95 : 105));
  EXPECT_GE(pulse.control_rtt(), milliseconds(105)) << "jitter must be covered";
}

TEST(FleetState, StartsOptimisticAndKeepsWhatItIsTold) {
  FleetState fleet({{.name = "a"}, {.name = "b"}, {.name = "c"}});
  EXPECT_EQ(fleet.healthy().size(), 3);
  fleet.SetUp(Part::kServer, ToReplicaId(1), false);
  EXPECT_FALSE(fleet.healthy().Contains(ToReplicaId(1)));
  EXPECT_TRUE(fleet.measurable().Contains(ToReplicaId(1)));
  fleet.SetUp(Part::kServer, ToReplicaId(1), true);
  EXPECT_EQ(fleet.healthy().size(), 3);

  fleet.SetDistance(ToReplicaId(2), ToReplicaId(0), milliseconds(80));
  EXPECT_EQ(fleet.distances().Between(ToReplicaId(0), ToReplicaId(2)), milliseconds(80));
  EXPECT_EQ(fleet.distances().Between(ToReplicaId(2), ToReplicaId(0)), milliseconds(80));
  EXPECT_EQ(fleet.distances().Between(ToReplicaId(0), ToReplicaId(1)), Rtt::zero());
}

}  // namespace
}  // namespace perigee::dns
