#include "services/dns/steering/selector.h"

#include <cmath>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

using std::chrono::milliseconds;

ReplicaSet Set(std::initializer_list<size_t> ids) {
  ReplicaSet set;
  for (const size_t id : ids) set.Add(ToReplicaId(id));
  return set;
}

Sample Echo(int ms) { return {milliseconds(ms), Method::kIcmpEcho}; }

// Replicas in a row, 10 ms from each to the next.
constexpr size_t kReplicas = 100;
ReplicaDistances InARow() {
  ReplicaDistances distances(kReplicas);
  for (size_t a = 0; a < kReplicas; ++a) {
    for (size_t b = a + 1; b < kReplicas; ++b) {
      distances.Set(ToReplicaId(a), ToReplicaId(b), milliseconds(10 * (b - a)));
    }
  }
  return distances;
}

// What replicas measure of a client next to `place`, behind a last mile of 3 ms.
Samples HeardBy(const ReplicaSet& replicas, size_t place) {
  Samples heard(kReplicas);
  for (const ReplicaId id : replicas) {
    heard[Index(id)] = Echo(3 + 10 * std::abs(static_cast<int>(Index(id)) - static_cast<int>(place)));
  }
  return heard;
}

TEST(SpreadOut, LeavesNoReplicaFarFromAllTheChosen) {
  const ReplicaDistances distances = InARow();
  const ReplicaSet chosen = SpreadOut(ReplicaSet::All(kReplicas), 5, distances);
  EXPECT_EQ(chosen.size(), 5);
  for (size_t i = 0; i < kReplicas; ++i) {
    size_t nearest = kReplicas;
    for (const ReplicaId id : chosen) {
      nearest = std::min<size_t>(nearest, std::abs(static_cast<int>(Index(id)) - static_cast<int>(i)));
    }
    EXPECT_LE(nearest, 25u) << i << ": at the best it is 10, and the greedy choice at most doubles it";
  }
}

TEST(SpreadOut, WithoutDistancesChoosesAcrossTheFile) {
  const ReplicaSet chosen = SpreadOut(ReplicaSet::All(kReplicas), 8, ReplicaDistances(kReplicas));
  EXPECT_EQ(chosen.size(), 8);
  EXPECT_LE(chosen.And(ReplicaSet::All(50)).size(), 5);
  EXPECT_GE(chosen.And(ReplicaSet::All(50)).size(), 3);
}

TEST(SpreadOut, TakesAllWhenThereAreNoMore) { EXPECT_EQ(SpreadOut(Set({3, 7}), 5, InARow()), Set({3, 7})); }

TEST(FirstToAsk, OfAStrangerIsSpreadOut) {
  const Samples nothing(kReplicas);
  const Acquaintance stranger{.own = nothing, .around = nothing, .by_place = nothing, .home = {}};
  const ReplicaSet all = ReplicaSet::All(kReplicas);
  EXPECT_EQ(FirstToAsk(stranger, all, all, 6, InARow()), SpreadOut(all, 6, InARow()));
}

TEST(FirstToAsk, HasTheHomeAndTheNearestByBothRowsInHalfOfIt) {
  Samples own(kReplicas), around(kReplicas);
  own[20] = Echo(5);
  own[21] = Echo(6);
  own[22] = Echo(9);
  around[40] = Echo(1);
  const Acquaintance known{.own = own, .around = around, .by_place = own, .home = ToReplicaId(30)};
  const ReplicaSet all = ReplicaSet::All(kReplicas);
  const ReplicaSet wave = FirstToAsk(known, all, all, 6, InARow());
  EXPECT_EQ(wave.size(), 6);
  EXPECT_EQ(wave.And(Set({20, 21, 22, 30, 40})), Set({20, 21, 30})) << "three are left to find out more";
}

TEST(FirstToAsk, GoesByThePlaceOfAStrangerWithoutNeighbours) {
  const Samples nothing(kReplicas);
  Samples placed(kReplicas);
  for (size_t i = 0; i < kReplicas; ++i) placed[i] = Echo(static_cast<int>(10 + i));
  const Acquaintance known{.own = nothing, .around = nothing, .by_place = placed, .home = {}};
  const ReplicaSet all = ReplicaSet::All(kReplicas);
  const ReplicaSet wave = FirstToAsk(known, all, all, 8, InARow());
  EXPECT_EQ(wave.And(ReplicaSet::All(4)), ReplicaSet::All(4));
  EXPECT_EQ(wave.size(), 8);
}

TEST(FirstToAsk, AsksNobodyWhoCannotBeAsked) {
  Samples own(kReplicas);
  own[1] = Echo(5);
  const Acquaintance known{.own = own, .around = own, .by_place = own, .home = ToReplicaId(1)};
  const ReplicaSet askable = Set({2, 3, 4, 5, 6});
  EXPECT_EQ(FirstToAsk(known, askable, ReplicaSet::All(kReplicas), 3, InARow()).Without(askable),
            ReplicaSet());
}

TEST(FirstToAsk, WithoutLandmarksAsksOthersFarApart) {
  const Samples nothing(kReplicas);
  const Acquaintance stranger{.own = nothing, .around = nothing, .by_place = nothing, .home = {}};
  const ReplicaSet askable = ReplicaSet::All(kReplicas).Without(Set({1, 2}));
  EXPECT_EQ(FirstToAsk(stranger, askable, Set({1, 2, 3}), 4, InARow()).size(), 4);
}

TEST(NextToAsk, AsksThoseNextToTheClientWhereverItIs) {
  const ReplicaDistances distances = InARow();
  const ReplicaSet all = ReplicaSet::All(kReplicas), first = SpreadOut(all, 6, distances);
  for (const size_t place : {0u, 13u, 50u, 77u, 99u}) {
    const ReplicaSet wave = NextToAsk(HeardBy(first, place), all.Without(first), 4, distances);
    EXPECT_TRUE(wave.Or(first).Contains(ToReplicaId(place))) << place;
  }
}

TEST(NextToAsk, LeavesOutWhomTheTriangleRulesOut) {
  ReplicaDistances distances(4);
  distances.Set(ToReplicaId(0), ToReplicaId(2), milliseconds(100));
  distances.Set(ToReplicaId(0), ToReplicaId(3), milliseconds(15));
  Samples heard(4);
  heard[0] = Echo(10);
  heard[1] = Echo(50);
  EXPECT_EQ(NextToAsk(heard, Set({2, 3}), 2, distances), Set({3}));
}

TEST(NextToAsk, GoesByPlacesWhereNoDistanceWasMeasured) {
  ReplicaDistances distances(3);
  distances.SetLeast(ToReplicaId(0), ToReplicaId(1), milliseconds(80));
  distances.SetLeast(ToReplicaId(0), ToReplicaId(2), milliseconds(10));
  Samples heard(3);
  heard[0] = Echo(20);
  EXPECT_EQ(NextToAsk(heard, Set({1, 2}), 2, distances), Set({2}));
}

TEST(NextToAsk, OfAClientSilentToTheFirstIsNobody) {
  Samples heard(kReplicas);
  heard[0] = heard[1] = {Rtt{}, Method::kSilent};
  EXPECT_TRUE(NextToAsk(heard, Set({2, 3}), 2, InARow()).empty());
}

TEST(NextToAsk, OfAClientWhoseLastHopsAloneAnswerIsNobody) {
  Samples heard(kReplicas);
  heard[0] = heard[1] = {milliseconds(20), Method::kLastHop};
  EXPECT_TRUE(NextToAsk(heard, Set({2, 3}), 2, InARow()).empty());
}

TEST(NextToAsk, AfterProbersThatFailedIsOthers) {
  const Samples heard(kReplicas);
  EXPECT_EQ(NextToAsk(heard, Set({2, 3, 4}), 2, InARow()).size(), 2);
}

}  // namespace
}  // namespace perigee::dns
