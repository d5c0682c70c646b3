#include "services/dns/steering/replica.h"

#include <vector>

#include "gtest/gtest.h"

namespace perigee::dns {
namespace {

std::vector<size_t> IndicesOf(const ReplicaSet& set) {
  std::vector<size_t> indices;
  for (const ReplicaId id : set) indices.push_back(Index(id));
  return indices;
}

TEST(ReplicaSet, IsWalkedInOrderAcrossItsWords) {
  ReplicaSet set;
  for (const size_t i : {1023u, 0u, 64u, 63u, 700u}) set.Add(ToReplicaId(i));
  EXPECT_EQ(IndicesOf(set), (std::vector<size_t>{0, 63, 64, 700, 1023}));
  EXPECT_EQ(set.size(), 5);
  set.Remove(ToReplicaId(64));
  EXPECT_FALSE(set.Contains(ToReplicaId(64)));
  EXPECT_EQ(IndicesOf({}), std::vector<size_t>());
}

TEST(ReplicaSet, AllIsAsManyAsAreSaid) {
  for (const size_t count : {0u, 1u, 63u, 64u, 65u, 1000u, 1024u}) {
    const ReplicaSet all = ReplicaSet::All(count);
    EXPECT_EQ(static_cast<size_t>(all.size()), count);
    for (const ReplicaId id : all) EXPECT_LT(Index(id), count);
  }
}

TEST(ReplicaSet, IsJoinedCutAndReduced) {
  const ReplicaSet some = ReplicaSet::All(70), few = ReplicaSet::All(3);
  EXPECT_EQ(some.And(few), few);
  EXPECT_EQ(few.Or(some), some);
  EXPECT_EQ(some.Without(few).size(), 67);
  EXPECT_TRUE(few.Without(some).empty());
}

}  // namespace
}  // namespace perigee::dns
