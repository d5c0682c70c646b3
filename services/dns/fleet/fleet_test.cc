#include "fmt/format.h"
#include "gtest/gtest.h"
#include "services/dns/fleet/fleet_state.h"
#include "services/dns/fleet/pulse.h"
#include "services/dns/steering/selector.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

HealthReport Good(int ms) { return {.reachable = true, .serving = true, .rtt = milliseconds(ms)}; }
constexpr HealthReport kDead{};
const MonoTime kNow{std::chrono::hours(1)};

void Fall(Pulse& pulse, MonoTime now) {
  for (int i = 0; i < 3; ++i) pulse.Add(kDead, now);
  ASSERT_FALSE(pulse.up());
}

// Good reports until it is up.
int Rise(Pulse& pulse, MonoTime now) {
  for (int reports = 1; reports < 1000; ++reports) {
    pulse.Add(Good(10), now);
    if (pulse.up()) return reports;
  }
  return -1;
}

TEST(Pulse, FallsAfterThreeBadReportsInARowAndRisesAfterTwoGood) {
  Pulse pulse;
  pulse.Add(kDead, kNow);
  pulse.Add(kDead, kNow);
  EXPECT_TRUE(pulse.up());
  pulse.Add(Good(10), kNow);
  pulse.Add(kDead, kNow);
  pulse.Add(kDead, kNow);
  EXPECT_TRUE(pulse.up()) << "the good report in between starts the count anew";
  pulse.Add(kDead, kNow);
  EXPECT_FALSE(pulse.up());
  pulse.Add(Good(10), kNow);
  EXPECT_FALSE(pulse.up());
  pulse.Add(Good(10), kNow);
  EXPECT_TRUE(pulse.up());
}

TEST(Pulse, APeerThatAnswersNotServingFallsToo) {
  Pulse pulse;
  for (int i = 0; i < 3; ++i) pulse.Add({.reachable = true, .serving = false, .rtt = milliseconds(1)}, kNow);
  EXPECT_FALSE(pulse.up());
}

TEST(Pulse, TheControlRttIsUnknownThenSettlesAboveTheTruth) {
  Pulse pulse;
  pulse.Add(kDead, kNow);
  EXPECT_EQ(pulse.control_rtt(), Rtt::zero());
  for (int i = 0; i < 40; ++i) pulse.Add(Good(100), kNow);
  EXPECT_GE(pulse.control_rtt(), milliseconds(100));
  EXPECT_LE(pulse.control_rtt(), milliseconds(101));
  for (int i = 0; i < 40; ++i) pulse.Add(Good(i % 2 ? 95 : 105), kNow);
  EXPECT_GE(pulse.control_rtt(), milliseconds(105)) << "jitter must be covered";
  EXPECT_LE(pulse.least_control_rtt(), milliseconds(96)) << "and not taken for the path";
}

TEST(Pulse, EachEarlierFallDoublesTheGoodReportsUpToSixtyFourTimes) {
  Pulse pulse;
  for (const int reports : {2, 4, 8, 16, 32, 64, 128, 128, 128}) {
    Fall(pulse, kNow);
    EXPECT_EQ(Rise(pulse, kNow), reports);
  }
}

TEST(Pulse, AFallIsForgottenAfterTenMinutes) {
  Pulse pulse;
  Fall(pulse, kNow);
  EXPECT_EQ(Rise(pulse, kNow), 2);
  Fall(pulse, kNow + kFlapMemory);
  EXPECT_EQ(Rise(pulse, kNow + kFlapMemory), 4);
  const MonoTime later = kNow + kFlapMemory + std::chrono::seconds(1);
  Fall(pulse, later);
  EXPECT_EQ(Rise(pulse, later), 4) << "the second fall alone is remembered";
  Fall(pulse, later + 2 * kFlapMemory);
  EXPECT_EQ(Rise(pulse, later + 2 * kFlapMemory), 2);
}

TEST(Pulse, TheReportsThatItTakesAreOptions) {
  Pulse pulse({.reports_to_fall = 1, .reports_to_rise = 3});
  pulse.Add(kDead, kNow);
  EXPECT_FALSE(pulse.up());
  EXPECT_EQ(Rise(pulse, kNow), 3);
}

TEST(Pulse, MayStartDown) {
  Pulse pulse({}, /*up=*/false);
  EXPECT_FALSE(pulse.up());
  EXPECT_EQ(Rise(pulse, kNow), 2);
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

TEST(FleetState, AnOperatorsWordGoesBeforeHealth) {
  FleetState fleet({{.name = "a"}, {.name = "b"}});
  const ReplicaId a = ToReplicaId(0);
  fleet.SetOperatorState(a, OperatorState::kDrain);
  EXPECT_FALSE(fleet.healthy().Contains(a));
  EXPECT_TRUE(fleet.measurable().Contains(a))
      << "a drained replica is measured on, to be ready when it comes back";
  EXPECT_TRUE(fleet.up(Part::kServer).Contains(a));
  fleet.SetUp(Part::kServer, a, false);
  fleet.SetOperatorState(a, OperatorState::kForceUp);
  EXPECT_TRUE(fleet.healthy().Contains(a));
  EXPECT_EQ(fleet.operator_state(a), OperatorState::kForceUp);
  fleet.SetOperatorState(a, OperatorState::kAuto);
  EXPECT_FALSE(fleet.healthy().Contains(a));
  EXPECT_EQ(fleet.operator_state(a), OperatorState::kAuto);
  EXPECT_EQ(fleet.operator_state(ToReplicaId(1)), OperatorState::kAuto);
}

TEST(Overload, BeginsAboveTheLimitAndEndsBelowNineTenthsOfIt) {
  EXPECT_FALSE(IsOverloaded(100, 100, false));
  EXPECT_TRUE(IsOverloaded(101, 100, false));
  EXPECT_TRUE(IsOverloaded(90, 100, true));
  EXPECT_FALSE(IsOverloaded(89, 100, true));
  EXPECT_FALSE(IsOverloaded(90, 100, false));
  EXPECT_FALSE(IsOverloaded(UINT32_MAX, 0, true)) << "no limit";
  EXPECT_TRUE(IsOverloaded(UINT32_MAX, UINT32_MAX, true));
}

TEST(FleetState, LoadSetsOverloadedByTheReplicasOwnLimit) {
  FleetState fleet({{.name = "a", .max_requests_per_second = 100}, {.name = "b"}});
  for (const int i : {0, 1}) fleet.SetLoad(ToReplicaId(i), 101);
  EXPECT_TRUE(fleet.overloaded().Contains(ToReplicaId(0)));
  EXPECT_FALSE(fleet.overloaded().Contains(ToReplicaId(1)));
  EXPECT_EQ(fleet.load(ToReplicaId(1)), 101u);
  fleet.SetLoad(ToReplicaId(0), 95);
  EXPECT_TRUE(fleet.overloaded().Contains(ToReplicaId(0)));
  fleet.SetLoad(ToReplicaId(0), 0);
  EXPECT_TRUE(fleet.overloaded().empty());
}

TEST(FleetState, InheritsWhatIsKnownOfReplicasThatStay) {
  const IpAddress at1 = *IpAddress::Parse("192.0.2.1"), at2 = *IpAddress::Parse("192.0.2.2"),
                  at3 = *IpAddress::Parse("192.0.2.3"), elsewhere = *IpAddress::Parse("192.0.2.9");
  FleetState old({{.name = "gone", .ipv4 = elsewhere},
                  {.name = "a", .ipv4 = at1, .max_requests_per_second = 100},
                  {.name = "b", .ipv4 = at2},
                  {.name = "moved", .ipv4 = at3}});
  for (const int i : {1, 3}) {
    old.SetUp(Part::kServer, ToReplicaId(i), false);
    old.SetOperatorState(ToReplicaId(i), OperatorState::kDrain);
    old.SetControlRtt(ToReplicaId(i), milliseconds(7));
  }
  old.SetLoad(ToReplicaId(1), 150);
  old.SetUp(Part::kProber, ToReplicaId(2), false);
  old.SetDistance(ToReplicaId(1), ToReplicaId(2), milliseconds(80));
  old.SetDistance(ToReplicaId(1), ToReplicaId(3), milliseconds(90));

  FleetState fleet({{.name = "b", .ipv4 = at2},
                    {.name = "new", .ipv4 = elsewhere},
                    {.name = "moved", .ipv4 = *IpAddress::Parse("192.0.2.33")},
                    {.name = "a", .ipv4 = at1, .max_requests_per_second = 160}},
                   &old);
  const ReplicaId b = ToReplicaId(0), fresh = ToReplicaId(1), moved = ToReplicaId(2), a = ToReplicaId(3);
  EXPECT_FALSE(fleet.up(Part::kServer).Contains(a));
  EXPECT_EQ(fleet.operator_state(a), OperatorState::kDrain);
  EXPECT_EQ(fleet.control_rtt(a), milliseconds(7));
  EXPECT_EQ(fleet.load(a), 150u);
  EXPECT_TRUE(fleet.overloaded().Contains(a)) << "150 is above nine tenths of the new limit";
  EXPECT_FALSE(fleet.up(Part::kProber).Contains(b));
  EXPECT_TRUE(fleet.up(Part::kServer).Contains(b));
  EXPECT_EQ(fleet.distances().Between(a, b), milliseconds(80));
  EXPECT_TRUE(fleet.healthy().Contains(fresh));
  EXPECT_EQ(fleet.operator_state(moved), OperatorState::kDrain) << "an operator's word is about the name";
  EXPECT_TRUE(fleet.up(Part::kServer).Contains(moved));
  EXPECT_EQ(fleet.control_rtt(moved), Rtt::zero());
  EXPECT_EQ(fleet.distances().Between(a, moved), Rtt::zero());
}

std::vector<ReplicaInfo> AlongTheEquator(size_t count) {
  std::vector<ReplicaInfo> infos(count);
  for (size_t i = 0; i < count; ++i) {
    infos[i].name = fmt::format("r{}", i);
    infos[i].location = {0, 180.0 * static_cast<double>(i) / static_cast<double>(count)};
  }
  return infos;
}

TEST(FleetState, HoldsAThousandReplicas) {
  FleetState fleet(AlongTheEquator(1000));
  const ReplicaId last = ToReplicaId(999);
  EXPECT_EQ(fleet.healthy().size(), 1000);
  EXPECT_TRUE(fleet.IsAtEase(last));
  fleet.SetOverloaded(last, true);
  EXPECT_TRUE(fleet.IsHealthy(last));
  EXPECT_FALSE(fleet.IsAtEase(last));
  EXPECT_TRUE(fleet.avoided().Contains(last));
  fleet.SetUp(Part::kServer, last, false);
  EXPECT_FALSE(fleet.IsHealthy(last));
  EXPECT_FALSE(fleet.healthy().Contains(last));
  fleet.SetOperatorState(last, OperatorState::kForceUp);
  EXPECT_TRUE(fleet.IsHealthy(last));
  fleet.SetOperatorState(last, OperatorState::kDrain);
  EXPECT_FALSE(fleet.IsHealthy(last));
  EXPECT_EQ(fleet.healthy().size(), 999);
}

TEST(FleetState, TheLandmarksOfALargeFleetAreFarApart) {
  const FleetState fleet(AlongTheEquator(1000));
  EXPECT_EQ(fleet.landmarks().size(), static_cast<int>(kLandmarks));
  size_t before = 0;
  for (const ReplicaId id : fleet.landmarks()) {
    EXPECT_LE(Index(id) - before, 1000 / kLandmarks * 2 + 1);
    before = Index(id);
  }
  EXPECT_EQ(FleetState(AlongTheEquator(64)).landmarks(), ReplicaSet::All(64)) << "each measures each";
}

TEST(FleetState, PlacesSayHowFarReplicasAreAtLeastUntilItIsMeasured) {
  std::vector<ReplicaInfo> infos = AlongTheEquator(2);
  infos.push_back({.name = "nowhere"});
  FleetState fleet(infos);
  const ReplicaId a{0}, b{1}, nowhere{2};
  EXPECT_EQ(fleet.distances().Between(a, b), Rtt::zero()) << "that is no measurement";
  EXPECT_NEAR(static_cast<double>(fleet.distances().AtLeast(a, b).count()), 100'075, 100);
  EXPECT_GT(fleet.distances().Likely(a, b), milliseconds(150));
  EXPECT_EQ(fleet.distances().Likely(a, nowhere), Rtt::zero());
  const uint64_t before = fleet.distances_set();
  fleet.SetDistance(b, a, milliseconds(120));
  EXPECT_NE(fleet.distances_set(), before);
  EXPECT_EQ(fleet.distances().Between(a, b), milliseconds(120));
  EXPECT_EQ(fleet.distances().AtLeast(a, b), milliseconds(120));
}

}  // namespace
}  // namespace perigee::dns
