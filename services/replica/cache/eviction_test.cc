#include "services/replica/cache/eviction.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <utility>

#include "services/replica/cache/memory_tier.h"

namespace perigee::replica {
namespace {

TEST(FewestHits, TheFewestHitsGoFirstAndTiesInTheOrderOfStoring) {
  FewestHits policy;
  EXPECT_EQ(policy.Victim(), std::nullopt);
  for (const ObjectId id : {3, 1, 2}) policy.Add(id, 1, 0);
  EXPECT_EQ(policy.Victim(), 1u);
  policy.Hit(1);
  EXPECT_EQ(policy.Victim(), 2u);
  policy.Hit(2);
  policy.Hit(3);
  EXPECT_EQ(policy.Victim(), 1u) << "all have one hit: the oldest";
  policy.Remove(1);
  policy.Add(9, 1, 0);
  EXPECT_EQ(policy.Victim(), 9u);
}

TEST(FewestHits, HitsFromAnEarlierRunCount) {
  FewestHits policy;
  policy.Add(1, 1, 5);
  policy.Add(2, 1, 4);
  EXPECT_EQ(policy.Victim(), 2u);
}

TEST(FewestHits, AgreesWithASortedSetOverRandomOperations) {
  FewestHits policy;
  std::map<ObjectId, uint64_t> hits;
  std::set<std::pair<uint64_t, ObjectId>> order;
  std::mt19937_64 rng(7);
  ObjectId next = 1;
  for (int step = 0; step < 100'000; ++step) {
    const auto pick = [&] {
      auto it = hits.lower_bound(rng() % next);
      return it == hits.end() ? hits.begin() : it;
    };
    const unsigned kind = rng() % 8;
    if (hits.empty() || kind < 2) {
      const uint64_t initial = rng() % 4;
      policy.Add(next, 1, initial);
      hits[next] = initial;
      order.insert({initial, next++});
    } else if (kind < 7) {
      const auto it = pick();
      policy.Hit(it->first);
      order.erase({it->second, it->first});
      order.insert({++it->second, it->first});
    } else {
      const auto it = pick();
      policy.Remove(it->first);
      order.erase({it->second, it->first});
      hits.erase(it);
    }
    ASSERT_EQ(policy.Victim(), order.empty() ? std::nullopt : std::optional(order.begin()->second)) << step;
  }
}

std::shared_ptr<const StoredResponse> Anything() { return std::make_shared<const StoredResponse>(); }

TEST(MemoryTier, MakesRoomByFewestHitsAndTellsWhatWent) {
  MemoryTier tier(100, std::make_unique<FewestHits>());
  EXPECT_TRUE(tier.Put(1, Anything(), 40, 0).empty());
  EXPECT_TRUE(tier.Put(2, Anything(), 60, 0).empty());
  tier.Hit(1);
  EXPECT_EQ(tier.Put(3, Anything(), 50, 0), std::vector<ObjectId>{2});
  EXPECT_EQ(tier.bytes(), 90u);
  EXPECT_NE(tier.Get(1), nullptr);
  EXPECT_EQ(tier.Get(2), nullptr);
}

TEST(MemoryTier, DoesNotKeepWhatIsLargerThanItsBudgetNorWhatThatReplaced) {
  MemoryTier tier(100, std::make_unique<FewestHits>());
  tier.Put(1, Anything(), 10, 0);
  tier.Put(2, Anything(), 100 - 10, 0);
  EXPECT_TRUE(tier.Put(1, Anything(), 101, 0).empty());
  EXPECT_EQ(tier.Get(1), nullptr);
  EXPECT_EQ(tier.bytes(), 90u);
  EXPECT_EQ(tier.size(), 1u);
}

}  // namespace
}  // namespace perigee::replica
