#include "services/dns/steering/choose.h"

#include <map>
#include <vector>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

const IpPrefix kPrefix = *IpPrefix::Parse("198.18.7.0/24");

Sample Icmp(int ms) { return {milliseconds(ms), Method::kIcmpEcho}; }
constexpr Sample kSilentSample{Rtt{}, Method::kSilent};

ReplicaSet Only(std::initializer_list<int> ids) {
  ReplicaSet set;
  for (const int id : ids) set.Add(ToReplicaId(id));
  return set;
}

TEST(Choose, TakesTheNearestMeasured) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20), kSilentSample, {}};
  const Decision d = Choose(samples, ReplicaSet::All(4), std::nullopt, kPrefix);
  EXPECT_EQ(d.replica, ToReplicaId(1));
  EXPECT_EQ(d.reason, Reason::kMeasuredBest);
}

TEST(Choose, NeverTakesAnUnhealthyReplicaWhileAnotherIsHealthy) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20), Icmp(300)};
  EXPECT_EQ(Choose(samples, Only({0, 2}), std::nullopt, kPrefix).replica, ToReplicaId(0));
  EXPECT_EQ(Choose(samples, Only({0, 2}), ToReplicaId(1), kPrefix).replica, ToReplicaId(0));
  const std::vector<Sample> unknown(3);
  EXPECT_EQ(Choose(unknown, Only({2}), std::nullopt, kPrefix).replica, ToReplicaId(2));
}

TEST(Choose, WithAllDownTheNearestIsBetterThanNoAnswer) {
  const std::vector<Sample> samples = {Icmp(80), Icmp(20)};
  const Decision d = Choose(samples, ReplicaSet(), std::nullopt, kPrefix);
  EXPECT_EQ(d.replica, ToReplicaId(1));
  EXPECT_EQ(d.reason, Reason::kAllDown);
}

TEST(Choose, StaysUnlessAnotherIsNearerByFiveMsOrATenth) {
  const auto stays = [](int current, int best) {
    const std::vector<Sample> samples = {Icmp(current), Icmp(best)};
    const Decision d = Choose(samples, ReplicaSet::All(2), ToReplicaId(0), kPrefix);
    EXPECT_EQ(d.reason, d.replica == ToReplicaId(0) ? Reason::kHysteresis : Reason::kMeasuredBest);
    return d.replica == ToReplicaId(0);
  };
  EXPECT_TRUE(stays(20, 15));    // 5 ms is not more than 5 ms
  EXPECT_FALSE(stays(20, 14));   // 6 ms is
  EXPECT_TRUE(stays(200, 180));  // a tenth of 200 is 20 ms
  EXPECT_FALSE(stays(200, 179));
}

TEST(Choose, HashingSpreadsPrefixesAndMovesOnlyThoseOfALostReplica) {
  const std::vector<Sample> unknown(5);
  std::map<ReplicaId, int> load;
  for (int i = 0; i < 5000; ++i) {
    const uint8_t bytes[4] = {20, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i), 0};
    const IpPrefix prefix(IpAddress::V4(bytes), 24);
    const Decision all = Choose(unknown, ReplicaSet::All(5), std::nullopt, prefix);
    EXPECT_EQ(all.reason, Reason::kHashed);
    ++load[all.replica];
    const ReplicaId left = Choose(unknown, Only({0, 1, 2, 3}), std::nullopt, prefix).replica;
    if (all.replica != ToReplicaId(4)) {
      EXPECT_EQ(left, all.replica);
    }
  }
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(load[ToReplicaId(i)], 1000, 150);
}

}  // namespace
}  // namespace perigee::dns
