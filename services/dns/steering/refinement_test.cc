#include "services/dns/steering/refinement.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

// Milliseconds by replica; 0 is silence, -1 nothing heard at all.
std::vector<Sample> Heard(std::initializer_list<int> rtts) {
  std::vector<Sample> samples;
  for (const int ms : rtts) {
    const Method method = ms > 0 ? Method::kIcmpEcho : ms == 0 ? Method::kSilent : Method::kUnknown;
    samples.push_back({milliseconds(std::max(ms, 0)), method});
  }
  return samples;
}

uint64_t ContendersOf(const std::vector<Sample>& samples, const ReplicaDistances& distances,
                      ReplicaSet askable = ReplicaSet::All(64)) {
  return Contenders(samples, askable, distances).word(0);
}

TEST(Contenders, WhoIsTooFarFromTheNearestIsNone) {
  ReplicaDistances distances(3);
  distances.Set(ToReplicaId(0), ToReplicaId(1), milliseconds(43));
  distances.Set(ToReplicaId(0), ToReplicaId(2), milliseconds(44));
  EXPECT_EQ(ContendersOf(Heard({20, 90, 30}), distances), 0b011u);
}

TEST(Contenders, WhoWasSilentToOneProbeMayBeNearestStill) {
  EXPECT_EQ(ContendersOf(Heard({20, 0, -1}), ReplicaDistances(3)), 0b111u);
}

TEST(Contenders, NobodyIsAskedAgainWhenItCanChangeNothing) {
  EXPECT_EQ(ContendersOf(Heard({0, 0, -1}), ReplicaDistances(3)), 0u) << "a silent client";
  ReplicaDistances distances(2);
  distances.Set(ToReplicaId(0), ToReplicaId(1), milliseconds(300));
  EXPECT_EQ(ContendersOf(Heard({20, 250}), distances), 0u) << "one is left";
}

TEST(Contenders, OnlyThoseWhoCanBeAskedCount) {
  EXPECT_EQ(
      ContendersOf(Heard({20, 21, 22}), ReplicaDistances(3), ReplicaSet::All(3).Without(ReplicaSet::All(1))),
      0b110u);
}

TEST(Contenders, OfManyTheNearestAreAsked) {
  EXPECT_EQ(ContendersOf(Heard({80, 70, 60, 50, 40, 30, 20, 0}), ReplicaDistances(8)), 0b01111110u);
}

}  // namespace
}  // namespace perigee::dns
